// SPDX-License-Identifier: Apache-2.0
// All that talking to other servers needs of the network, put together: the DNS, TLS both ways, and the verdict on certificates.
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Dialer } from '../stream/link.ts'
import { Authorities } from './authorities.ts'
import type { NameServer } from './dns-exchange.ts'
import type { ServerSide } from './listen.ts'
import { PeerCertificates } from './peer-certificate.ts'
import { DnsResolver, type ResolverOptions } from './resolver.ts'
import { type DialLimits, ServerDialer } from './server-dialer.ts'
import { ServerWalk } from './server-walk.ts'
import type { Certificates } from './tls.ts'

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
  readonly dialer: Dialer
  /** The same step by step, for administrators. */
  readonly walk: ServerWalk
  /** For a listener. */
  readonly incoming: ServerSide
  readonly #certificates: Certificates
  readonly #authorities = new Authorities()
  readonly #resolver: DnsResolver
  #options: NetworkOptions

  private constructor(parts: NetworkParts) {
    const { options, certificates, clock } = parts
    this.#options = options
    this.#certificates = certificates
    const authorities = this.#authorities
    const resolver = new DnsResolver({ options, clock })
    const judge = new PeerCertificates({ authorities, resolver, clock })
    const alpn = (direct: boolean) => (direct ? ALPN_SERVER : undefined)
    this.#resolver = resolver
    this.walk = new ServerWalk(resolver)
    this.incoming = {
      secure: (socket, direct, domain) => certificates.secureServer(socket, alpn(direct), domain),
      proves: (socket, domain) => judge.prove(socket, domain, false),
    }
    this.dialer = new ServerDialer({
      ...parts,
      resolver,
      onionProxy: () => this.#options.onionProxy,
      tls: {
        connect: (socket, from, to, direct) =>
          certificates.connectServer(socket, from, to, alpn(direct), () => authorities.pem),
        proves: (socket, domain, place) => judge.prove(socket, domain, true, place),
      },
    })
  }

  /** Makes it. Rejects if the file of authorities cannot be used. */
  static async open(parts: NetworkParts): Promise<ServerNetwork> {
    const network = new ServerNetwork(parts)
    await network.#authorities.load(parts.options.authorities)
    return network
  }

  /** Puts newer options in force, and the resolvers of the system as they are now. Rejects, and changes nothing, as `open`. */
  async use(options: NetworkOptions): Promise<void> {
    await this.#authorities.load(options.authorities)
    this.#certificates.authoritiesChanged()
    this.#resolver.use(options)
    this.#options = options
  }
}
