// SPDX-License-Identifier: Apache-2.0
// Where a load goes.

/** A server to put load on. */
export interface Target {
  /** `relay` is the floor: no XMPP, the first line says who is to be paired. */
  readonly protocol: 'xmpp' | 'relay'
  /** Port of 127.0.0.1 with direct TLS. */
  readonly port: number
  /** Port of 127.0.0.1 with HTTPS, where clients over WebSocket come in. */
  readonly web?: number
  /** Port of 127.0.0.1 that takes everything: HTTPS, direct TLS of clients and of servers, streams in the clear. */
  readonly shared?: number
  readonly domain: string
  /** File with the certificate to trust. */
  readonly ca: string
}
