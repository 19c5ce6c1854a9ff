// SPDX-License-Identifier: Apache-2.0
// What the ports with TLS show, looked at once for all checks that want to know.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import { authoritiesOf, probePort, probeTls, type TlsOutcome, type TlsPlace } from '../../net/probes/tls-probe.ts'
import { Unseen } from '../compliance/missing.ts'
import { ownSource, reachable } from '../own-places.ts'
import type { ListenInfo } from '../running-server.ts'
import type { Subject } from './subject.ts'

/** How TLS begins at the ports that have it, and which protocol is named (XEP-0368). */
const KINDS: Readonly<Partial<Record<ListenInfo['kind'], Pick<TlsPlace, 'starttls' | 'alpn'>>>> = {
  starttls: { starttls: 'jabber:client' },
  tls: { starttls: undefined, alpn: ['xmpp-client'] },
  shared: { starttls: undefined, alpn: ['xmpp-client'] },
  https: { starttls: undefined, alpn: ['http/1.1'] },
  servers: { starttls: 'jabber:server' },
  serversTls: { starttls: undefined, alpn: ['xmpp-server'] },
}

/** Remembers for one look. */
export class Probes {
  readonly #subject: Subject
  readonly #answers = new Map<string, Promise<string | undefined>>()
  readonly #seen = new Map<string, Promise<TlsOutcome>>()

  constructor(subject: Subject) {
    this.#subject = subject
  }

  /** One for each port with TLS: a port is often listened at in both families. */
  get ports(): readonly ListenInfo[] {
    const known = this.#subject.status.listening.filter(({ kind }) => KINDS[kind] !== undefined)
    return [...new Map(known.map((one) => [`${one.kind} ${one.port}`, one])).values()]
  }

  /** Where a port is, and how TLS begins there. @param address through which it is reached; from this machine without it */
  placeOf({ kind, host, port }: ListenInfo, domain: string, address?: string): TlsPlace {
    const { config } = this.#subject
    const own = join(config.data, 'tls', 'ca.crt')
    const file = config.trial && existsSync(own) ? own : config.federation.authorities
    const authorities = file === undefined ? {} : { authorities: authoritiesOf(file) }
    const at = address ?? (host === '::' ? '127.0.0.1' : reachable(host)) // where both families are taken
    return {
      ...{ host: at, port, domain: domainToASCII(domain), starttls: undefined },
      ...KINDS[kind],
      ...authorities,
      ...ownSource(at),
    }
  }

  /** Whether a port answers from here. @returns why not */
  answers({ host, port }: Pick<ListenInfo, 'host' | 'port'>): Promise<string | undefined> {
    const key = `${reachable(host)} ${port}`
    const known = this.#answers.get(key)
    if (known) return known
    const answer = probePort(reachable(host), port)
    this.#answers.set(key, answer)
    return answer
  }

  /** What is shown at a port to who asks for a domain. Rejects with an `Unseen` if nobody listens there at all. */
  async tls(port: ListenInfo, domain: string, address?: string): Promise<TlsOutcome> {
    if ((await this.answers(port)) !== undefined) throw new Unseen('nobody answers there')
    const key = `${port.kind} ${port.port} ${domain} ${address ?? ''}`
    const known = this.#seen.get(key)
    if (known) return known
    const seen = probeTls(this.placeOf(port, domain, address))
    this.#seen.set(key, seen)
    return seen
  }
}
