// SPDX-License-Identifier: Apache-2.0
// The ways to other servers: names, connections, and what their certificates prove. Loaded with the first one that is needed.
import type { Dialer } from '../../stream/link.ts'
import type { Authorities } from '../certificates/authorities.ts'
import { PeerCertificates } from '../certificates/peer-certificate.ts'
import { DnsResolver } from '../dns/resolver.ts'
import { ServerDialer } from './dialer.ts'
import type { NetworkOptions, NetworkParts } from './network.ts'
import { ServerWalk } from './walk.ts'

/** What they are made of. */
export interface WayParts extends Omit<NetworkParts, 'options'> {
  readonly authorities: Authorities
  /** As they are at this moment. */
  readonly options: () => NetworkOptions
  /** The TLS protocol names that are asked for. */
  readonly alpn: (direct: boolean) => string[] | undefined
}

/** All of them. */
export class ServerWays {
  readonly resolver: DnsResolver
  readonly judge: PeerCertificates
  readonly dialer: Dialer
  readonly walk: ServerWalk

  constructor(parts: WayParts) {
    const { options, certificates, authorities, alpn, clock } = parts
    const resolver = new DnsResolver({ options: options(), clock })
    const judge = new PeerCertificates({ authorities, resolver, clock })
    this.resolver = resolver
    this.judge = judge
    this.walk = new ServerWalk(resolver)
    this.dialer = new ServerDialer({
      ...parts,
      resolver,
      onionProxy: () => options().onionProxy,
      tls: {
        connect: (socket, from, to, direct) =>
          certificates.connectServer(socket, from, to, alpn(direct), () => authorities.pem),
        proves: (socket, domain, place) => judge.prove(socket, domain, true, place),
      },
    })
  }
}
