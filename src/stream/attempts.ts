// SPDX-License-Identifier: Apache-2.0
// The attempts to log in on one stream, by whichever profile of SASL: how many there may be, and that guessing is slow.
import type { SaslExchange, SaslFailure, SaslStep } from '../accounts/exchange.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link } from './link.ts'

/** RFC 6120 §6.4.5: at least two, at most five retries on one stream. */
const ATTEMPTS = 5

/** What an exchange ended with. */
type SaslEnd = Exclude<SaslStep, { readonly kind: 'challenge' }>

/** All attempts on one stream. */
export class Attempts {
  readonly #link: Link
  readonly #host: string
  readonly #parts: ClientParts
  #failures = 0

  constructor(link: Link, host: string, parts: ClientParts) {
    this.#link = link
    this.#host = host
    this.#parts = parts
  }

  /** What is made of the end of an exchange: it is answered late, or not looked at, if too many failed before. */
  async judge(exchange: SaslExchange, end: SaslEnd): Promise<SaslEnd> {
    const { throttle, clock } = this.#parts
    const account = `${exchange.username ?? ''}@${this.#host}`
    const { address } = this.#link
    const delay = throttle.delayBefore(account, address)
    if (delay > 0) await new Promise<void>((resolve) => clock.after(delay, resolve))
    if (throttle.refused(account, address)) {
      return {
        kind: 'failure',
        condition: 'temporary-auth-failure',
        text: 'Too many failed logins. Try again later.',
      }
    }
    if (end.kind === 'success') throttle.succeeded(account, address)
    else this.#failed(end, account)
    return end
  }

  /** Counts an attempt that led nowhere, and ends the stream if there were too many. */
  tooMany(): boolean {
    if (++this.#failures <= ATTEMPTS) return false
    this.#link.close(new StreamError('policy-violation', 'Too many failed attempts to log in.'))
    return true
  }

  #failed({ condition, cause }: SaslFailure, account: string): void {
    if (cause !== undefined) this.#parts.log.error('login failed inside', { stream: this.#link.id, error: cause })
    if (condition !== 'not-authorized') return
    this.#parts.metrics.authFailures++
    this.#parts.throttle.failed(account, this.#link.address)
  }
}
