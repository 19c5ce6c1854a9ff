// SPDX-License-Identifier: Apache-2.0
// What ties a login to its TLS connection.
import { createHash, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { ChannelBindings } from '../stream/link.ts'

/** RFC 9266 (TLS 1.3 only: TLS 1.2 would need the extended master secret) and RFC 5929 §4. */
export function bindingsOf(socket: TLSSocket): ChannelBindings {
  return new TlsBindings(socket)
}

const ALL_TYPES = ['tls-exporter', 'tls-server-end-point'] as const
const TYPES_OF_OLD = ['tls-server-end-point'] as const

/** Each is computed when it is asked for: that costs more than all the rest of a login, and hardly any client needs it. */
class TlsBindings implements ChannelBindings {
  readonly #socket: TLSSocket
  #exporter: Buffer | undefined
  #endPoint: Buffer | undefined

  constructor(socket: TLSSocket) {
    this.#socket = socket
  }

  get types(): ChannelBindings['types'] & {} {
    return this.#socket.getProtocol() === 'TLSv1.3' ? ALL_TYPES : TYPES_OF_OLD
  }

  get 'tls-exporter'(): Buffer | undefined {
    if (this.#socket.getProtocol() !== 'TLSv1.3') return undefined
    this.#exporter ??= this.#socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    return this.#exporter
  }

  get 'tls-unique'(): Buffer | undefined {
    // Of TLS 1.3 only: see `accounts/exchange.ts`.
    return this.#socket.getProtocol() === 'TLSv1.3' ? this.#socket.getPeerFinished() : undefined
  }

  get 'tls-server-end-point'(): Buffer | undefined {
    this.#endPoint ??= endPointOf(this.#socket)
    return this.#endPoint
  }
}

function endPointOf(socket: TLSSocket): Buffer | undefined {
  const certificate = socket.getCertificate()
  const raw = certificate && 'raw' in certificate ? certificate.raw : undefined
  return raw && hashOf(raw)
}

function hashOf(raw: Buffer): Buffer {
  const algorithm = new X509Certificate(raw).signatureAlgorithm?.toLowerCase() ?? ''
  const hash = /sha-?384/.test(algorithm) ? 'sha384' : /sha-?512/.test(algorithm) ? 'sha512' : 'sha256'
  return createHash(hash).update(raw).digest()
}

/** Kinds that a client here can do itself. */
export type BindingType = (typeof ALL_TYPES)[number]

/** The client's side of one. */
export function clientBinding(socket: TLSSocket, type: BindingType): Buffer | undefined {
  if (type === 'tls-exporter') return new TlsBindings(socket)[type]
  const raw = socket.getPeerX509Certificate()?.raw
  return raw && hashOf(raw)
}
