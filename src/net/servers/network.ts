// SPDX-License-Identifier: Apache-2.0
// All that talking to other servers needs of the network, put together: the DNS, TLS both ways, and the verdict on certificates. Most
// of it is loaded when it is first needed.
import { createRequire } from 'node:module'
import type { Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import type { Dialer } from '../../stream/link.ts'
import { Authorities } from '../certificates/authorities.ts'
import type { NameServer } from '../dns/exchange.ts'
import type { ResolverOptions } from '../dns/resolver.ts'
import type { ServerSide } from '../listen.ts'
import type { Certificates } from '../tls.ts'
import type { DialLimits } from './dialer.ts'
import type { ServerWalk } from './walk.ts'
import type { ServerWays } from './ways.ts'

/** Loads at once: nothing may come between a connection and who takes it. */
const require = createRequire(import.meta.url)

/** A server's TLS protocol name (XEP-0368 §3). */
const ALPN_SERVER = ['xmpp-server']

/** What can be configured. */
export interface NetworkOptions extends ResolverOptions {
  /** A file with authorities that are trusted beside those of Node.js (PEM). */
  readonly authorities?: string | undefined
  /** A SOCKS5 proxy for onion services. */
  readonly onionProxy?: NameServer | undefined
}

/** What it is made of. */
export interface NetworkParts {
  readonly options: NetworkOptions
  readonly limits: DialLimits
  readonly certificates: Certificates
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** The way to other servers, and theirs to us. */
export class ServerNetwork {
  readonly dialer: Dialer = {
    dial: (from, to, signal) => this.#ways.dialer.dial(from, to, signal),
  }
  /** For a listener. */
  readonly incoming: ServerSide
  readonly #parts: NetworkParts
  readonly #authorities = new Authorities()
  #options: NetworkOptions
  #made: ServerWays | undefined

  private constructor(parts: NetworkParts) {
    const { options, certificates } = parts
    this.#parts = parts
    this.#options = options
    this.incoming = {
      secure: (socket, direct, domain) => certificates.secureServer(socket, alpn(direct), domain),
      proves: (socket, domain) => this.#ways.judge.prove(socket, domain, false),
    }
  }

  /** Makes it. Rejects if the file of authorities cannot be used. */
  static async open(parts: NetworkParts): Promise<ServerNetwork> {
    const network = new ServerNetwork(parts)
    await network.#authorities.load(parts.options.authorities)
    return network
  }

  /** The way to other servers step by step, for administrators. */
  get walk(): ServerWalk {
    return this.#ways.walk
  }

  /** Whether a name has an address. Rejects if nobody can say. */
  async resolves(name: string): Promise<boolean> {
    return (await this.#ways.resolver.addresses(name)).records.length > 0
  }

  /** Puts newer options in force, and the resolvers of the system as they are now. Rejects, and changes nothing, as `open`. */
  async use(options: NetworkOptions): Promise<void> {
    await this.#authorities.load(options.authorities)
    this.#parts.certificates.authoritiesChanged()
    this.#made?.resolver.use(options)
    this.#options = options
  }

  get #ways(): ServerWays {
    if (this.#made) return this.#made
    const { ServerWays } = require('./ways.ts') as typeof import('./ways.ts')
    this.#made = new ServerWays({
      ...this.#parts,
      authorities: this.#authorities,
      options: () => this.#options,
      alpn,
    })
    return this.#made
  }
}

/** @param direct whether TLS begins at once */
function alpn(direct: boolean): string[] | undefined {
  return direct ? ALPN_SERVER : undefined
}
