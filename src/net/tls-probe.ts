// SPDX-License-Identifier: Apache-2.0
// Looks at a TLS port as a stranger does: what it shows and agrees to. Nothing is trusted, and nothing is sent but greetings.
import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectPlain, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  connect,
  type DetailedPeerCertificate,
  getCACertificates,
  type TLSSocket,
} from 'node:tls'

/** How long one attempt may take, in ms. */
const PATIENCE = 5_000
/** How much is read before TLS begins, in bytes. */
const GREETING_MAX = 16_384
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
  /** PEM certificates that are trusted; those of Node.js otherwise. */
  readonly authorities?: string | readonly string[] | undefined
}

/** What is agreed to at most. */
export interface TlsOffer {
  readonly least?: 'TLSv1' | 'TLSv1.2' | 'TLSv1.3'
  readonly most?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
  /** As OpenSSL writes them. */
  readonly ciphers?: string
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
export async function probeTls(place: TlsPlace, offer: TlsOffer = {}): Promise<TlsOutcome> {
  const plain = connectPlain({ host: place.host, port: place.port, noDelay: true })
  const timer = setTimeout(() => plain.destroy(new Error('it took too long')), PATIENCE)
  try {
    await event(plain, 'connect')
    if (place.starttls) await askForTls(plain, place.domain, place.starttls)
    const secured = connect({ socket: plain, ...optionsOf(place, offer) })
    secured.on('error', () => undefined) // whoever waits is told by `event`
    await event(secured, 'secureConnect')
    return outcomeOf(secured)
  } finally {
    clearTimeout(timer)
    plain.destroy()
  }
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
    ...(offer.least ? { minVersion: offer.least } : {}),
    ...(offer.most ? { maxVersion: offer.most } : {}),
    ...(offer.ciphers ? { ciphers: offer.ciphers } : {}),
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
    selfSigned: distrust === 'DEPTH_ZERO_SELF_SIGNED_CERT',
    distrust,
    covers: (domain) => x509.checkHost(domain, { subject: 'never' }) !== undefined,
  }
}

/** The authorities of Node.js and those in a file. @throws Error if the file cannot be read */
export function authoritiesOf(file: string): readonly string[] {
  return [...getCACertificates('default'), readFileSync(file, 'utf8')]
}
