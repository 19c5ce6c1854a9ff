// SPDX-License-Identifier: Apache-2.0
// SASL on a client's stream (RFC 6120 §6): elements in, elements out; what is inside them is the business of `accounts/`.
import { fakeVerifier } from '../accounts/credentials.ts'
import type { SaslContext, SaslExchange, SaslFailure, SaslStep } from '../accounts/exchange.ts'
import { mechanismsFor, startSasl } from '../accounts/sasl.ts'
import { bindingTypes } from '../accounts/scram.ts'
import type { ScramHash } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link } from './link.ts'
import { NS_SASL } from './offer.ts'

/** RFC 6120 §6.4.5: at least two, at most five retries on one stream. */
const ATTEMPTS = 5

/** How logins are done. */
export interface SaslLimits {
  /** Which SCRAM hashes are in use. */
  readonly hashes: readonly ScramHash[]
  /** Whether PLAIN is offered. */
  readonly plain: boolean
  /** PBKDF2 rounds that unknown users seem to have. */
  readonly iterations: number
  /** Makes the answers for unknown users; stays the same over restarts. */
  readonly fakeSecret: Buffer
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
  readonly #host: string
  readonly #parts: ClientParts
  readonly #context: SaslContext
  #exchange: SaslExchange | undefined
  #mechanism = ''
  #username: string | undefined
  #failures = 0

  constructor(link: Link, host: string, parts: ClientParts) {
    const { sasl, store } = parts
    this.#link = link
    this.#host = host
    this.#parts = parts
    const { encrypted, bindings } = link
    this.mechanisms = mechanismsFor({ encrypted, bindings, ...sasl })
    this.bindings = bindingTypes({ encrypted, bindings })
    this.#context = {
      domain: host,
      encrypted,
      bindings,
      hashes: sasl.hashes,
      plain: sasl.plain,
      offered: { mechanisms: this.mechanisms, bindings: this.bindings },
      async verifierOf(username, mechanism) {
        const account = await store.accounts.find(Jid.of(username, host))
        if (!account || account.disabled) return undefined
        return account.verifiers.find((verifier) => verifier.mechanism === mechanism)
      },
      fakeVerifier: (username, mechanism) =>
        fakeVerifier(sasl.fakeSecret, mechanism, `${username}@${host}`, sasl.iterations),
    }
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
      if (this.#exchange && this.#tooMany()) return undefined // the one before was given up without an answer
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
    const { throttle, clock, metrics } = this.#parts
    const account = `${exchange.username ?? ''}@${this.#host}`
    const { address } = this.#link
    const delay = throttle.delayBefore(account, address)
    if (delay > 0) await new Promise<void>((resolve) => clock.after(delay, resolve))
    if (throttle.refused(account, address)) {
      return this.#fail({
        kind: 'failure',
        condition: 'temporary-auth-failure',
        text: 'Too many failed logins. Try again later.',
      })
    }
    if (step.kind === 'success') {
      throttle.succeeded(account, address)
      const answer = el('success', NS_SASL, null, step.data && encode(step.data))
      return { username: step.username, mechanism: this.#mechanism, answer }
    }
    if (step.cause !== undefined)
      this.#parts.log.error('login failed inside', { stream: this.#link.id, error: step.cause })
    if (step.condition === 'not-authorized') {
      metrics.authFailures++
      throttle.failed(account, address)
    }
    return this.#fail(step)
  }

  #fail({ condition, text }: SaslFailure): undefined {
    const words = text !== undefined && el('text', NS_SASL, { 'xml:lang': 'en' }, text)
    this.#link.send(el('failure', NS_SASL, null, el(condition, NS_SASL), words))
    this.#tooMany()
    return undefined
  }

  /** Counts an attempt that led nowhere, and ends the stream if there were too many. */
  #tooMany(): boolean {
    if (++this.#failures <= ATTEMPTS) return false
    this.#link.close(new StreamError('policy-violation', 'Too many failed attempts to log in.'))
    return true
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
