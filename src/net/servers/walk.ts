// SPDX-License-Identifier: Apache-2.0
// The way to another server one step at a time, for administrators who want to know where it ends. The dialler does the same
// in one go, and tells only the first reason.

import type { Place } from '../../stream/link.ts'
import { announcedAt } from '../certificates/dane.ts'
import { type Answer, DnsError, type Resolver, type Srv } from '../dns/resolver.ts'
import { connectReason } from './dialer.ts'
import { connectFirst } from './happy-eyeballs.ts'
import { type Places, placesOf } from './places.ts'

/** How long connecting to one address may take, in ms. */
const CONNECT_TIME = 10_000

/** What the DNS says of the servers of a domain. */
export interface Records {
  /** `_xmpp-server._tcp`. */
  readonly plain: Answer<Srv>
  /** `_xmpps-server._tcp` (XEP-0368). */
  readonly direct: Answer<Srv>
  /** What follows from both. */
  readonly places: Places
}

/** A name that the DNS could not say anything about; the message is for administrators. */
export class LookupFailure extends Error {
  override readonly name = 'LookupFailure'
}

/** The steps. */
export class ServerWalk {
  readonly #resolver: Resolver

  constructor(resolver: Resolver) {
    this.#resolver = resolver
  }

  /** The SRV records. Rejects with a `LookupFailure`. */
  records(domain: string): Promise<Records> {
    return told(async () => {
      const [plain, direct] = await Promise.all([
        this.#resolver.srv(`_xmpp-server._tcp.${domain}`),
        this.#resolver.srv(`_xmpps-server._tcp.${domain}`),
      ])
      return { plain, direct, places: await placesOf(domain, this.#resolver) }
    })
  }

  /** The addresses of a host. Rejects as `records`. */
  addresses(host: string): Promise<Answer<string>> {
    return told(() => this.#resolver.addresses(host))
  }

  /** How many certificates the DNS announces for a place (DANE). Rejects as `records`. */
  announced(place: Place): Promise<number> {
    return told(async () => (await announcedAt(place, this.#resolver)).length)
  }

  /** Connects to one address and hangs up. @returns why that failed, as the end of a sentence */
  async reaches(address: string, port: number, signal: AbortSignal): Promise<string | undefined> {
    try {
      const socket = await connectFirst([address], port, AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIME)]))
      socket.destroy()
      return undefined
    } catch (error) {
      return connectReason(error)
    }
  }
}

async function told<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof DnsError) throw new LookupFailure(error.message)
    throw error
  }
}
