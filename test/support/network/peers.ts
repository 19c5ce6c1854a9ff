// SPDX-License-Identifier: Apache-2.0
// Other servers, many at once: a host with Debian's Prosody for each, with a domain and a user of its own.
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Child } from '../process.ts'
import { type Account, account } from './accounts.ts'
import type { Files, Wanted } from './authority.ts'
import type { Records } from './dns.ts'
import type { Host } from './host.ts'
import { type ProsodySetting, startProsody } from './prosody.ts'
import type { World } from './world.ts'

/** What is told of a peer beforehand. */
export interface PeerSetting {
  readonly domain: string
  /** The end of the addresses of its host. */
  readonly number: number
  /** Where its domain is in the DNS; by default at port 5269 of its host, with a signed SRV record. */
  readonly records?: Records
}

/** How Prosody is started, beside what all have in common. */
export type Start = Partial<Pick<ProsodySetting, 'shown' | 'secure' | 'bidi' | 'clock' | 'ca'>> & {
  readonly noTls?: boolean
}

/** A peer. */
export class Peer {
  readonly domain: string
  readonly host: Host
  readonly juliet: Account
  readonly #world: World
  readonly #certificate: Files
  #server: Child | undefined

  private constructor(world: World, { domain }: PeerSetting, host: Host, certificate: Files) {
    this.#world = world
    this.domain = domain
    this.host = host
    this.juliet = account('juliet', domain)
    this.#certificate = certificate
  }

  static async create(world: World, setting: PeerSetting): Promise<Peer> {
    const host = await world.host(`h${setting.number}`, setting.number)
    const certificate = await world.authority.sign({ names: [setting.domain], forClients: true })
    return new Peer(world, setting, host, certificate)
  }

  /** Its process. */
  get pid(): number {
    return this.#server?.pid ?? 0
  }

  /** A certificate of the authority that everybody trusts. */
  certificate(wanted: Partial<Wanted>): Promise<Files> {
    return this.#world.authority.sign({ names: [this.domain], forClients: true, ...wanted })
  }

  async start({ noTls = false, ...setting }: Start = {}): Promise<void> {
    const { of, authority, dns } = this.#world
    this.#server = await startProsody(of, this.host, {
      domain: this.domain,
      ca: authority.file,
      certificate: noTls ? undefined : this.#certificate,
      users: [this.juliet],
      anchor: dns.anchor,
      ...(noTls ? { secure: false } : {}),
      ...setting,
    })
  }

  /** Ends it, and starts it otherwise. */
  async again(setting: Start = {}): Promise<void> {
    await this.end('SIGTERM')
    await this.start(setting)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#server?.end(signal)
  }
}

/** The records of a domain whose server is at a port of a host. */
export function recordsAt(domain: string, number: number, port = 5269): Records {
  return {
    [`_xmpp-server._tcp.${domain}.`]: [`SRV 0 0 ${port} xmpp.${domain}.`],
    [`xmpp.${domain}.`]: [`A 10.77.0.${number}`, `AAAA fd77::${number}`],
  }
}

/** RFC 6698: 3 1 1, the hash of the key of the certificate itself. */
export function tlsaOf(domain: string, files: Files | undefined): Records {
  assert.ok(files)
  const key = new X509Certificate(readFileSync(files.cert)).publicKey.export({ type: 'spki', format: 'der' })
  const hash = createHash('sha256').update(key).digest('hex')
  return { [`_5269._tcp.xmpp.${domain}.`]: [`TLSA 3 1 1 ${hash}`] }
}
