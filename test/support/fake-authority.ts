// SPDX-License-Identifier: Apache-2.0
// A certificate authority that believes everything at once (RFC 8555), for what pebble does not do: renewal information (RFC 9773),
// and being as unfriendly as a test wants.
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import 'reflect-metadata'
import {
  AuthorityKeyIdentifierExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { authority, type Signer } from './certificates.ts'
import type { Owner } from './process.ts'

const DAY = 86_400_000
/** Subject alternative names. */
const NAMES = '2.5.29.17'

/** What it does, which a test may change at any time. */
export interface Mood {
  /** The status of its directory. */
  directory: number
  /** When a certificate is to be renewed, and the seconds until the next question; undefined: it speaks no ARI. */
  window: { readonly start: string; readonly end: string } | undefined
  retryAfter: string | undefined
  /** Whether it takes orders that name what they replace. */
  takesReplacements: boolean
  /** The days from today in which its certificates are good. */
  days: readonly [number, number]
  /** What it sends as a certificate, instead of one. */
  certificate: string | undefined
  /** The names in its certificates, instead of those that were asked for. */
  names: readonly string[] | undefined
  /** Answers in its stead; whether it did. */
  instead: ((path: string, to: ServerResponse) => boolean) | undefined
}

/** One. */
export class FakeAuthority {
  readonly mood: Mood = {
    ...{ directory: 200, window: undefined, retryAfter: '21600', takesReplacements: true, days: [0, 90] },
    ...{ certificate: undefined, names: undefined, instead: undefined },
  }
  /** The payloads of new orders. */
  readonly orders: Readonly<Record<string, unknown>>[] = []
  /** What it was asked for, by the last part of the address. */
  readonly asked: string[] = []
  readonly directory: string
  readonly #base: string
  readonly #signer: Signer
  readonly #now: () => number
  #certificate = ''

  private constructor(port: number, signer: Signer, now: () => number) {
    this.#signer = signer
    this.#now = now
    this.#base = `http://127.0.0.1:${port}`
    this.directory = `${this.#base}/directory`
  }

  /** @param now in ms since 1970 */
  static async start(owner: Owner, now: () => number): Promise<FakeAuthority> {
    let answer = (_: IncomingMessage, to: ServerResponse): unknown => to.end()
    const server = createServer((from, to) => void answer(from, to))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const made = new FakeAuthority((server.address() as AddressInfo).port, await authority(), now)
    answer = (from, to) => made.#answer(from, to)
    owner.after(async () => {
      server.closeAllConnections()
      server.close()
    })
    return made
  }

  /** The identifiers that it was asked about (RFC 9773 §4.1). */
  get renewalQuestions(): readonly string[] {
    return this.asked.filter((one) => one.startsWith('renewal/')).map((one) => one.slice('renewal/'.length))
  }

  async #answer(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const path = (from.url ?? '').slice(1)
    this.asked.push(path)
    const parts: Buffer[] = []
    for await (const chunk of from) parts.push(chunk)
    const { payload = '' } = parts.length > 0 ? JSON.parse(String(Buffer.concat(parts))) : {}
    const said = payload === '' ? {} : JSON.parse(String(Buffer.from(payload, 'base64url')))
    if (this.mood.instead?.(path, to)) return
    to.setHeader('replay-nonce', randomBytes(8).toString('base64url'))
    const [status, body, headers = {}] = await this.#respond(path, said)
    to.writeHead(status, { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json', ...headers })
    to.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

  async #respond(path: string, said: Readonly<Record<string, string>>): Promise<[number, unknown, object?]> {
    const { directory, window, retryAfter, takesReplacements } = this.mood
    const at = (place: string): string => `${this.#base}/${place}`
    const order = { identifiers: [], authorizations: [], finalize: at('finalize'), certificate: at('certificate') }
    if (path === 'directory') {
      const places = { newNonce: at('nonce'), newAccount: at('account'), newOrder: at('order') }
      return [directory, { ...places, ...(window ? { renewalInfo: at('renewal') } : {}) }]
    }
    if (path === 'nonce') return [200, '']
    if (path === 'account') return [201, { status: 'valid' }, { location: at('account/1') }]
    if (path.startsWith('renewal/')) {
      return [200, { suggestedWindow: window }, retryAfter === undefined ? {} : { 'retry-after': retryAfter }]
    }
    if (path === 'order') {
      this.orders.push(said)
      if ('replaces' in said && !takesReplacements)
        return [409, { type: 'urn:ietf:params:acme:error:alreadyReplaced', detail: 'replaced already' }]
      return [201, { ...order, status: 'ready' }, { location: at('order/1') }]
    }
    if (path === 'finalize') {
      await this.#issue(said.csr ?? '')
      return [200, { ...order, status: 'valid' }]
    }
    return path === 'certificate'
      ? [200, this.mood.certificate ?? this.#certificate]
      : [200, { ...order, status: 'valid' }]
  }

  async #issue(csr: string): Promise<void> {
    const { publicKey, extensions } = new Pkcs10CertificateRequest(Buffer.from(csr, 'base64url'))
    const { keys } = this.#signer
    const { names } = this.mood
    const [from, until] = this.mood.days.map((days) => new Date(this.#now() + days * DAY))
    const certificate = await X509CertificateGenerator.create({
      serialNumber: `80${randomBytes(8).toString('hex')}`, // DER has a zero before it
      subject: 'CN=somebody',
      issuer: 'CN=fake authority',
      ...(from && until ? { notBefore: from, notAfter: until } : {}),
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        ...(names
          ? [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value })))]
          : extensions.filter(({ type }) => type === NAMES)),
        await AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    this.#certificate = `${certificate.toString('pem')}\n`
  }
}
