// SPDX-License-Identifier: Apache-2.0
// TLS as this server speaks it: 1.2 and 1.3, AEAD suites, a certificate per domain chosen by SNI, replaced while running.
import { constants, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { connect, createSecureContext, type SecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls'
import { domainToASCII } from 'node:url'
import { readable } from './certificates/authorities.ts'
import { retell } from './peer-address.ts'

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

/** A certificate as it is shown. */
interface Entry {
  readonly host: string
  readonly pem: Pem
  readonly context: SecureContext
  /** The same for servers that come to us, made with the first of them. */
  incoming?: SecureContext
  /** And for servers that we go to. */
  outgoing?: SecureContext
}

/** The certificates in force. */
export class Certificates {
  #pems: ReadonlyMap<string, Pem> = new Map()
  /** By A-labels, as SNI names domains (RFC 6066 §3). */
  #entries = new Map<string, Entry>()
  /** By the names in the certificates themselves, perhaps with `*` as the left-most label. */
  #byName = new Map<string, Entry>()
  #first: Entry | undefined

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

  /** Reads those of one domain anew. Throws, and changes nothing, as `load`. */
  async renew(host: string, { cert, key }: CertificateFiles): Promise<void> {
    const [chain, secret] = await Promise.all([readFile(cert), readFile(key)])
    this.#use(new Map(this.#pems).set(host, { cert: chain, key: secret }))
  }

  /**
   * Throws the keys of session tickets away: each context has its own, and whoever learns one reads the TLS 1.2 sessions
   * that were resumed with it (RFC 5077 §5.5, RFC 9325 §3.4). New connections only; old tickets cost a full handshake.
   */
  renewTicketKeys(): void {
    this.#use(this.#pems)
  }

  #use(pems: ReadonlyMap<string, Pem>): void {
    const entries = new Map<string, Entry>()
    const byName = new Map<string, Entry>()
    for (const [host, pem] of pems) {
      const entry: Entry = { host, pem, context: contextOf(host, pem, {}) }
      entries.set(serverNameOf(host), entry)
      for (const name of namesIn(pem)) if (!byName.has(name)) byName.set(name, entry)
    }
    this.#pems = pems
    this.#entries = entries
    this.#byName = byName
    this.#first = entries.values().next().value
  }

  /**
   * The context of the first of these names that is one of our domains, or a name in one of our certificates, or below
   * one of our domains; the first domain's if none is.
   */
  find(...names: readonly (string | undefined)[]): SecureContext | undefined {
    return this.#find(names)?.context
  }

  #find(names: readonly (string | undefined)[]): Entry | undefined {
    for (const name of names) {
      const found = name === undefined ? undefined : this.#lookUp(serverNameOf(name))
      if (found) return found
    }
    return this.#first
  }

  #lookUp(name: string): Entry | undefined {
    const above = name.slice(name.indexOf('.'))
    const found = this.#entries.get(name) ?? this.#byName.get(name) ?? this.#byName.get(`*${above}`)
    if (found) return found
    for (let rest = name; rest.includes('.'); ) {
      rest = rest.slice(rest.indexOf('.') + 1)
      const parent = this.#entries.get(rest)
      if (parent) return parent
    }
    return undefined
  }

  /**
   * Other servers get no tickets: what they showed must be there to be looked at each time (RFC 5077 §4 keeps none of it).
   * They are not told which authorities we trust either: whose own is not among them would show nothing.
   */
  #incoming(names: readonly (string | undefined)[]): SecureContext | undefined {
    const entry = this.#find(names)
    if (!entry) return undefined
    entry.incoming ??= contextOf(entry.host, entry.pem, { noTickets: true })
    return entry.incoming
  }

  #outgoing(from: string, authorities: () => string[] | undefined): SecureContext | undefined {
    const entry = this.#find([from])
    if (!entry) return undefined
    entry.outgoing ??= contextOf(entry.host, entry.pem, { noTickets: true, ca: authorities() })
    return entry.outgoing
  }

  /** Forgets whom OpenSSL trusted up to now. */
  authoritiesChanged(): void {
    for (const entry of this.#entries.values()) delete entry.outgoing
  }

  /**
   * Negotiates TLS as the server. Rejects if that fails or takes too long; the socket is destroyed then.
   * @param alpn the protocols to agree on; a client that names only others is refused (XEP-0368 §3). None: whatever is named
   * @param domain whose certificate is shown to a client that names no domain of ours itself
   */
  secure(socket: Socket, alpn: readonly string[], domain?: string): Promise<TLSSocket> {
    const find = (...names: (string | undefined)[]) => this.find(...names)
    return this.#accept(socket, find, domain, alpn.length === 0 ? {} : { ALPNProtocols: wireForm(alpn) })
  }

  /**
   * As `secure`, with another server, which may show a certificate: any is taken, and judged later.
   * @param alpn none after STARTTLS
   */
  secureServer(socket: Socket, alpn: readonly string[] | undefined, domain?: string): Promise<TLSSocket> {
    const find = (...names: (string | undefined)[]) => this.#incoming(names)
    const options = { requestCert: true, rejectUnauthorized: false, ...(alpn ? { ALPNProtocols: wireForm(alpn) } : {}) }
    return this.#accept(socket, find, domain, options)
  }

  /**
   * Negotiates TLS as the client of another server, whose certificate is judged later. Rejects as `secure`.
   * @param from our domain, whose certificate we show
   * @param to whom we ask for, in A-labels; undefined if it is an IP address
   * @param authorities whom OpenSSL trusts, as PEM; those of Node.js if undefined
   */
  connectServer(
    socket: Socket,
    from: string,
    to: string | undefined,
    alpn: readonly string[] | undefined,
    authorities: () => string[] | undefined,
  ): Promise<TLSSocket> {
    const secureContext = this.#outgoing(from, authorities)
    const secured = connect({
      socket,
      ...(secureContext ? { secureContext } : {}),
      ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
      servername: to ?? '',
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    return shaken(secured, 'secureConnect')
  }

  #accept(
    socket: Socket,
    find: (...names: (string | undefined)[]) => SecureContext | undefined,
    domain: string | undefined,
    options: TLSSocketOptions,
  ): Promise<TLSSocket> {
    const secureContext = find(domain)
    if (!secureContext) return Promise.reject(new Error('no certificate'))
    return handshake(socket, { ...options, secureContext, SNICallback: (name, done) => done(null, find(name, domain)) })
  }
}

/** Until its owner listens: what broke shows when it is used. */
function ignoreReset(): void {}

/** Negotiates TLS as the server. Rejects if that fails or takes too long; the socket is destroyed then. */
export function handshake(socket: Socket, options: TLSSocketOptions): Promise<TLSSocket> {
  const secured = new TLSSocket(socket, { ...options, isServer: true })
  retell(socket, secured)
  return shaken(secured, 'secure')
}

/** When the handshake is over. Rejects if it fails or takes too long; the socket is destroyed then. */
function shaken(secured: TLSSocket, event: 'secure' | 'secureConnect'): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      clearTimeout(timer)
      secured.destroy()
      reject(error)
    }
    const timer = setTimeout(() => fail(new Error('TLS handshake took too long')), HANDSHAKE_TIME)
    const closed = (): void => fail(new Error('closed during the TLS handshake'))
    secured.on('error', ignoreReset)
    secured.once('error', fail)
    secured.once('close', closed)
    secured.once(event, () => {
      clearTimeout(timer)
      secured.off('error', fail)
      secured.off('close', closed)
      resolve(secured)
    })
  })
}

/**
 * Protocols as RFC 7301 §3.1 writes them. Node keeps a copy with each connection. Of a list or a Buffer it makes that in the memory
 * from which it cuts all small buffers, 64 KiB at a time: 1 KiB for each connection; of a view it makes one of its own.
 */
function wireForm(alpn: readonly string[]): DataView {
  const bytes = Uint8Array.from(alpn.flatMap((name) => [name.length, ...Buffer.from(name, 'latin1')]))
  return new DataView(bytes.buffer)
}

/** A domain as clients name it in TLS. */
function serverNameOf(domain: string): string {
  return domainToASCII(domain) || domain.toLowerCase()
}

/** The names in the first certificate of a chain, of which there is none if it cannot be read. */
function namesIn({ cert }: Pem): readonly string[] {
  const names = readable(new X509Certificate(cert).raw)?.names
  return [...(names?.dns ?? []), ...(names?.srv ?? []).map((name) => name.replace(/^_xmpp-server\./, ''))]
}

/** How contexts differ. */
interface ContextChoice {
  readonly noTickets?: boolean
  readonly ca?: string[] | undefined
}

function contextOf(host: string, { cert, key }: Pem, { noTickets, ca }: ContextChoice): SecureContext {
  try {
    return createSecureContext({
      cert,
      key,
      // An authority in the middle may be named as one that is trusted, as `chain.ts` has it too.
      ...(ca ? { ca, allowPartialTrustChain: true } : {}),
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (noTickets ? constants.SSL_OP_NO_TICKET : 0),
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
