// SPDX-License-Identifier: Apache-2.0
// Looks at a TLS port as a stranger does: what it shows and agrees to. Nothing is trusted, and nothing is sent but greetings.
import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectPlain, type Socket, type TcpNetConnectOpts } from 'node:net'
import {
  type ConnectionOptions,
  connect,
  type DetailedPeerCertificate,
  getCACertificates,
  type TLSSocket,
} from 'node:tls'
import { type Hello, type HelloAnswer, helloBytes, readHelloAnswer } from './tls-hello.ts'

/** How long one attempt may take, in ms. */
const PATIENCE = 5_000
/** How long somebody may say nothing to a wish that may be passed over, in ms. */
const SILENCE = 1_500
/** How much is read before TLS begins, in bytes. */
const GREETING_MAX = 16_384
/** What a key of RSA must have. */
const RSA_BITS = 2048
const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'

/** Where, and how TLS begins there. */
export interface TlsPlace {
  readonly host: string
  readonly port: number
  /** The domain that is asked for. */
  readonly domain: string
  /** Undefined: TLS from the start. */
  readonly starttls: 'jabber:client' | 'jabber:server' | undefined
  readonly alpn?: readonly string[]
  /** The address of ours that the connection comes from. */
  readonly localAddress?: string
  /** PEM certificates that are trusted; those of Node.js otherwise. */
  readonly authorities?: string | readonly string[] | undefined
}

/** What is agreed to at most. */
interface TlsOffer {
  readonly most?: 'TLSv1.2'
}

/** A certificate that was shown. */
export interface ShownCertificate {
  /** DNS names, in the order in which they stand. */
  readonly names: readonly string[]
  readonly issuer: string
  /** In ms since 1970. */
  readonly from: number
  readonly until: number
  readonly selfSigned: boolean
  /** What is too weak of its key or its signature, as the end of a sentence; undefined if nothing is. */
  readonly weakness: string | undefined
  /** Tells it from all others. */
  readonly fingerprint: string
  /** Why the chain is not trusted, as OpenSSL names it; undefined if it is. Names are not part of this. */
  readonly distrust: string | undefined
  /** Whether it is for a domain. */
  covers(domain: string): boolean
}

/** What came of it. */
export interface TlsOutcome {
  readonly protocol: string
  readonly cipher: string
  readonly certificate: ShownCertificate | undefined
}

/** Connects by TLS and hangs up. Rejects with an Error that says why it did not come to that. */
export function probeTls(place: TlsPlace, offer: TlsOffer = {}): Promise<TlsOutcome> {
  return withTls(place, offer, async (secured) => outcomeOf(secured))
}

async function withTls<T>(place: TlsPlace, offer: TlsOffer, use: (secured: TLSSocket) => Promise<T>): Promise<T> {
  const plain = connectPlain(sourced(place))
  const timer = setTimeout(() => plain.destroy(new Error('it took too long')), PATIENCE)
  try {
    await event(plain, 'connect')
    if (place.starttls) await askForTls(plain, place.domain, place.starttls)
    const secured = connect({ socket: plain, ...optionsOf(place, offer) })
    secured.on('error', () => undefined) // whoever waits is told by `event`
    await event(secured, 'secureConnect')
    return await use(secured)
  } finally {
    clearTimeout(timer)
    plain.destroy()
  }
}

/** Says the first words of a handshake that no library would say, and hangs up. @returns what was agreed to; undefined: nothing. Rejects if it did not come to that */
export async function probeHello(
  place: TlsPlace,
  hello: Omit<Hello, 'domain' | 'alpn'>,
): Promise<HelloAnswer | undefined> {
  const plain = connectPlain(sourced(place))
  const timer = setTimeout(() => plain.destroy(new Error('it took too long')), PATIENCE)
  try {
    await event(plain, 'connect')
    if (place.starttls) await askForTls(plain, place.domain, place.starttls)
    plain.write(helloBytes({ ...hello, domain: place.domain, alpn: place.alpn }))
    return await helloAnswer(plain)
  } finally {
    clearTimeout(timer)
    plain.destroy()
  }
}

/** Closing the connection is a refusal, too. */
async function helloAnswer(socket: Socket): Promise<HelloAnswer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<HelloAnswer | undefined>()
  let heard: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes])
    const answer = readHelloAnswer(heard)
    if (answer !== undefined) resolve(answer ?? undefined)
    else if (heard.length > GREETING_MAX) reject(new Error('it says too much'))
  })
  socket.once('error', (error) => ('code' in error && error.code === 'ECONNRESET' ? resolve(undefined) : reject(error)))
  socket.once('close', () => resolve(undefined))
  return promise
}

/** Whether a client may begin the handshake anew in the middle of TLS 1.2, which costs it little and the server much. Rejects if it did not come to that. */
export async function probeRenegotiation(place: TlsPlace): Promise<boolean> {
  return withTls(place, { most: 'TLSv1.2' }, (secured) => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    secured.once('error', () => resolve(false))
    secured.once('close', () => resolve(false))
    const timer = setTimeout(() => resolve(false), SILENCE) // who just does not answer does not do it either
    secured.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error === null))
    return promise.finally(() => clearTimeout(timer))
  })
}

/** Whether somebody listens there: connects and hangs up. @returns why not, as the end of a sentence */
export async function probePort(host: string, port: number): Promise<string | undefined> {
  const socket = connectPlain({ host, port })
  const timer = setTimeout(() => socket.destroy(new Error('does not answer')), PATIENCE)
  try {
    await event(socket, 'connect')
    return undefined
  } catch (error) {
    return reasonOf(error)
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

function sourced({ host, port, localAddress }: TlsPlace): TcpNetConnectOpts {
  return { host, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ECONNREFUSED') return 'refuses connections'
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') return 'has no way there'
  return error instanceof Error ? error.message : String(error)
}

function optionsOf({ domain, alpn, authorities }: TlsPlace, offer: TlsOffer): ConnectionOptions {
  return {
    servername: domain,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined, // names are looked at apart from trust
    ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
    ...(authorities === undefined ? {} : { ca: authorities as string | string[] }),
    ...(offer.most ? { maxVersion: offer.most } : {}),
  }
}

async function askForTls(socket: Socket, domain: string, ns: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let heard = ''
  let asked = false
  socket.on('data', (bytes: Buffer) => {
    heard += bytes.toString('latin1')
    if (heard.length > GREETING_MAX) reject(new Error('it says too much before TLS'))
    if (!asked && heard.includes('</stream:features>')) {
      asked = true
      if (heard.includes(NS_TLS)) socket.write(`<starttls xmlns='${NS_TLS}'/>`)
      else reject(new Error('it offers no STARTTLS'))
    }
    if (asked && /<proceed[\s/>]/.test(heard)) resolve()
    if (/<stream:error[\s>]/.test(heard))
      reject(new Error(`it ended the stream: ${/<stream:error[^>]*><([\w-]+)/.exec(heard)?.[1]}`))
  })
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('it closed the connection')))
  socket.write(
    `<?xml version='1.0'?><stream:stream to='${domain}' version='1.0' xmlns='${ns}' xmlns:stream='http://etherx.jabber.org/streams'>`,
  )
  await promise
  socket.removeAllListeners('data')
}

async function event(socket: Socket, name: 'connect' | 'secureConnect'): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once(name, resolve)
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('it closed the connection')))
  await promise
}

function outcomeOf(socket: TLSSocket): TlsOutcome {
  const found = socket.getPeerX509Certificate()
  const detailed: Partial<DetailedPeerCertificate> = socket.getPeerCertificate(true)
  const trusted = socket.authorized ? undefined : String(socket.authorizationError ?? 'not trusted')
  const certificate = found && certificateOf(found, detailed, trusted)
  return { protocol: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name, certificate }
}

function certificateOf(
  x509: X509Certificate,
  { subjectaltname = '' }: Partial<DetailedPeerCertificate>,
  distrust: string | undefined,
): ShownCertificate {
  const names = subjectaltname.split(', ').flatMap((one) => (one.startsWith('DNS:') ? [one.slice(4)] : []))
  return {
    names,
    issuer: /^(?:O|CN)=(.*)$/m.exec(x509.issuer)?.[1] ?? x509.issuer,
    from: Date.parse(x509.validFrom),
    until: Date.parse(x509.validTo),
    weakness: weaknessOf(x509),
    fingerprint: x509.fingerprint256,
    selfSigned: distrust === 'DEPTH_ZERO_SELF_SIGNED_CERT',
    distrust,
    covers: (domain) => x509.checkHost(domain, { subject: 'never' }) !== undefined,
  }
}

/** RFC 9325 §4.5, §4.6. */
function weaknessOf({ publicKey, signatureAlgorithm = '' }: X509Certificate): string | undefined {
  const bits = publicKey.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < RSA_BITS) return `its key has ${bits} bits only`
  return /sha-?1(?!\d)|md5/i.test(signatureAlgorithm) ? `it is signed by ${signatureAlgorithm}` : undefined
}

/** The authorities of Node.js and those in a file. @throws Error if the file cannot be read */
export function authoritiesOf(file: string): readonly string[] {
  return [...getCACertificates('default'), readFileSync(file, 'utf8')]
}
