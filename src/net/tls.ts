// SPDX-License-Identifier: Apache-2.0
// TLS as this server speaks it: 1.2 and 1.3, AEAD suites, a certificate per domain chosen by SNI, replaced while running.
import { constants, createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { domainToASCII } from 'node:url'
import type { ChannelBindings } from '../stream/link.ts'

/** AEAD with forward secrecy only (RFC 9325 §4.2). */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** How long a handshake may take, in ms. */
const HANDSHAKE_TIME = 10_000

/** Where a domain's certificate is: PEM files, the certificate with its chain. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** What a context is made of. */
interface Pem {
  readonly cert: Buffer
  readonly key: Buffer
}

/** The certificates in force. */
export class Certificates {
  #pems: ReadonlyMap<string, Pem> = new Map()
  /** By A-labels, as SNI names domains (RFC 6066 §3). */
  #contexts = new Map<string, SecureContext>()
  #first: SecureContext | undefined

  /**
   * Reads all of them and puts them in force together: new connections use them, old ones go on.
   * Throws, and changes nothing, if one cannot be read or key and certificate do not belong together.
   * @param files by domain, in order of preference
   */
  async load(files: ReadonlyMap<string, CertificateFiles>): Promise<void> {
    const pems = new Map<string, Pem>()
    for (const [host, { cert, key }] of files) {
      const [chain, secret] = await Promise.all([readFile(cert), readFile(key)])
      pems.set(host, { cert: chain, key: secret })
    }
    this.#use(pems)
  }

  /**
   * Throws the keys of session tickets away: each context has its own, and whoever learns one reads the TLS 1.2 sessions
   * that were resumed with it (RFC 5077 §5.5, RFC 9325 §3.4). New connections only; old tickets cost a full handshake.
   */
  renewTicketKeys(): void {
    this.#use(this.#pems)
  }

  #use(pems: ReadonlyMap<string, Pem>): void {
    const contexts = new Map<string, SecureContext>()
    for (const [host, pem] of pems) contexts.set(serverNameOf(host), contextOf(host, pem))
    this.#pems = pems
    this.#contexts = contexts
    this.#first = contexts.values().next().value
  }

  /** The context of the first of these names that is one of our domains; the first domain's if none is. */
  find(...names: readonly (string | undefined)[]): SecureContext | undefined {
    for (const name of names) {
      const found = name === undefined ? undefined : this.#contexts.get(serverNameOf(name))
      if (found) return found
    }
    return this.#first
  }

  /**
   * Negotiates TLS as the server. Rejects if that fails or takes too long; the socket is destroyed then.
   * @param alpn the protocols to agree on; a client that names only others is refused (XEP-0368 §3)
   * @param domain whose certificate is shown to a client that names no domain of ours itself
   */
  secure(socket: Socket, alpn: readonly string[], domain?: string): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const secureContext = this.find(domain)
      if (!secureContext) return reject(new Error('no certificate'))
      const secured = new TLSSocket(socket, {
        isServer: true,
        secureContext,
        ALPNProtocols: wireForm(alpn),
        SNICallback: (name, done) => done(null, this.find(name, domain)),
      })
      const fail = (error: Error): void => {
        clearTimeout(timer)
        secured.destroy()
        reject(error)
      }
      const timer = setTimeout(() => fail(new Error('TLS handshake took too long')), HANDSHAKE_TIME)
      const closed = (): void => fail(new Error('closed during the TLS handshake'))
      secured.once('error', fail)
      secured.once('close', closed)
      secured.once('secure', () => {
        clearTimeout(timer)
        secured.off('error', fail)
        secured.off('close', closed)
        resolve(secured)
      })
    })
  }
}

/**
 * Protocols as RFC 7301 §3.1 writes them. Node keeps a copy with each connection. Of a list or a Buffer it makes that in the memory
 * from which it cuts all small buffers, 64 KiB at a time: 1 KiB for each connection; of a view it makes one of its own.
 */
function wireForm(alpn: readonly string[]): DataView {
  const bytes = Uint8Array.from(alpn.flatMap((name) => [name.length, ...Buffer.from(name, 'latin1')]))
  return new DataView(bytes.buffer)
}

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
  if (!raw) return undefined
  const algorithm = new X509Certificate(raw).signatureAlgorithm?.toLowerCase() ?? ''
  const hash = /sha-?384/.test(algorithm) ? 'sha384' : /sha-?512/.test(algorithm) ? 'sha512' : 'sha256'
  return createHash(hash).update(raw).digest()
}

/** A domain as clients name it in TLS. */
function serverNameOf(domain: string): string {
  return domainToASCII(domain) || domain.toLowerCase()
}

function contextOf(host: string, { cert, key }: Pem): SecureContext {
  try {
    return createSecureContext({
      cert,
      key,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      minVersion: 'TLSv1.2',
      ciphers: CIPHERS,
      honorCipherOrder: true,
      ecdhCurve: 'X25519:P-256:P-384',
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`the certificate of ${host} cannot be used: ${reason}`)
  }
}
