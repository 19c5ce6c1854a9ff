// SPDX-License-Identifier: Apache-2.0
// SASL on a client's stream (RFC 6120 §6): elements in, elements out; what is inside them is the business of `accounts/`.
import { fakeVerifier } from '../accounts/credentials.ts'
import type { SaslContext, SaslExchange, SaslFailure, SaslStep } from '../accounts/exchange.ts'
import { mechanismsFor, startSasl } from '../accounts/sasl.ts'
import { bindingTypes } from '../accounts/scram.ts'
import type { ScramHash } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Attempts } from './attempts.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link } from './link.ts'
import { NS_SASL } from './offer.ts'

/** How logins are done. */
export interface SaslLimits {
  /** Which SCRAM hashes are in use. */
  readonly hashes: readonly ScramHash[]
  /** Whether PLAIN is offered. */
  readonly plain: boolean
  /** PBKDF2 rounds that unknown users seem to have. */
  readonly iterations: number
  /** Makes the answers for unknown users, and the resources of known clients; stays the same over restarts. */
  readonly fakeSecret: Buffer
  /** How long a token for logins without a password is good (XEP-0484), in ms; each use may renew it. */
  readonly tokenLifetime: number
}

/** A login that succeeded. */
export interface LoginOutcome {
  /** A prepared localpart. */
  readonly username: string
  readonly mechanism: string
  /** The `<success/>`, still to be sent. */
  readonly answer: Element
}

/** The attempts to log in on one stream. */
export class Login {
  readonly mechanisms: readonly string[]
  readonly bindings: readonly string[]
  readonly #link: Link
  readonly #attempts: Attempts
  readonly #context: SaslContext
  #exchange: SaslExchange | undefined
  #mechanism = ''
  #username: string | undefined

  constructor(link: Link, host: string, parts: ClientParts, attempts: Attempts) {
    this.#link = link
    this.#attempts = attempts
    this.#context = saslContext(link, host, parts)
    this.mechanisms = mechanismsFor(this.#context)
    this.bindings = bindingTypes(this.#context)
  }

  /** As whom the client tries, or tried last, to log in: a prepared localpart, not proved. */
  get username(): string | undefined {
    return this.#exchange?.username ?? this.#username
  }

  /** Takes one element of the exchange and answers it, except for success: that is the caller's to send. */
  async step(element: Element): Promise<LoginOutcome | undefined> {
    if (element.name === 'abort') {
      this.#exchange = undefined
      return this.#fail({ kind: 'failure', condition: 'aborted' })
    }
    const data = decode(element.text)
    if (data === null) return this.#fail({ kind: 'failure', condition: 'incorrect-encoding' })
    if (element.name === 'auth') {
      if (this.#exchange && this.#attempts.tooMany()) return undefined // the one before was given up without an answer
      this.#mechanism = element.attrs.mechanism ?? ''
      this.#exchange = startSasl(this.#mechanism, this.#context)
      if (!this.#exchange) return this.#fail({ kind: 'failure', condition: 'invalid-mechanism' })
      return this.#answer(this.#exchange, await this.#exchange.next(data))
    }
    if (element.name !== 'response' || !this.#exchange)
      return this.#fail({ kind: 'failure', condition: 'malformed-request' })
    return this.#answer(this.#exchange, await this.#exchange.next(data ?? Buffer.alloc(0)))
  }

  async #answer(exchange: SaslExchange, step: SaslStep): Promise<LoginOutcome | undefined> {
    if (step.kind === 'challenge') {
      this.#link.send(el('challenge', NS_SASL, null, encode(step.data)))
      return undefined
    }
    this.#username = exchange.username
    this.#exchange = undefined
    const end = await this.#attempts.judge(exchange, step)
    if (end.kind === 'failure') return this.#fail(end)
    const answer = el('success', NS_SASL, null, end.data && encode(end.data))
    return { username: end.username, mechanism: this.#mechanism, answer }
  }

  #fail({ condition, text }: SaslFailure): undefined {
    const words = text !== undefined && el('text', NS_SASL, { 'xml:lang': 'en' }, text)
    this.#link.send(el('failure', NS_SASL, null, el(condition, NS_SASL), words))
    this.#attempts.tooMany()
    return undefined
  }
}

/** What a login on this stream needs to know; the same for both profiles of SASL, which offer the same mechanisms. */
export function saslContext(link: Link, host: string, { sasl, store }: ClientParts): SaslContext {
  const { encrypted, bindings } = link
  const { hashes, plain } = sasl
  const offer = { encrypted, bindings, hashes, plain }
  return {
    ...offer,
    domain: host,
    offered: { mechanisms: mechanismsFor(offer), bindings: bindingTypes(offer) },
    async verifierOf(username, mechanism) {
      const account = await store.accounts.find(Jid.of(username, host))
      if (!account || account.disabled) return undefined
      return account.verifiers.find((verifier) => verifier.mechanism === mechanism)
    },
    fakeVerifier: (username, mechanism) =>
      fakeVerifier(sasl.fakeSecret, mechanism, `${username}@${host}`, sasl.iterations),
  }
}

/** RFC 6120 §6.4.2: nothing, `=` for nothing at all, or Base64. @returns null for what is none of these */
function decode(text: string): Buffer | undefined | null {
  if (text === '') return undefined
  if (text === '=') return Buffer.alloc(0)
  const data = Buffer.from(text, 'base64')
  return data.toString('base64') === text ? data : null
}

function encode(data: Buffer): string {
  return data.length === 0 ? '=' : data.toString('base64')
}
