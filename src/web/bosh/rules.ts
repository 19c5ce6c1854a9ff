// SPDX-License-Identifier: Apache-2.0
// The rules that a client's requests must keep within a session (XEP-0124 §10 to §15).
import { createHash } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { Attributes } from '../../xml/element.ts'
import { type Condition, type RequestBody, xbosh } from './body.ts'
import type { Terms } from './terms.ts'

/** Watches over one session. */
export class Rules {
  readonly #terms: Terms
  readonly #clock: Clock
  #key: string | undefined
  /** When the last empty request came that was not answered with anything. */
  #emptyAt = Number.NEGATIVE_INFINITY

  constructor(terms: Terms, clock: Clock) {
    this.#terms = terms
    this.#clock = clock
  }

  /** How many requests there may be at a time: one more for who leaves or pauses (§11, §14.2). */
  window({ attrs }: RequestBody): number {
    return this.#terms.requests + (attrs.type === 'terminate' || attrs.pause !== undefined ? 1 : 0)
  }

  /** What is wrong with the next request: keys (§15), pauses (§10), too many (§11), too often (§12). @param unanswered how many there are before it */
  judge(request: RequestBody, unanswered: number): Condition | undefined {
    const { attrs, payloads } = request
    const before = this.#key
    if (before !== undefined && sha1(attrs.key ?? '') !== before.toLowerCase()) return 'item-not-found'
    this.#key = attrs.newkey ?? attrs.key
    const pause = pauseOf(attrs)
    if (pause !== undefined && !(pause <= this.#terms.maxpause)) return 'policy-violation'
    if (unanswered >= this.window(request)) return 'policy-violation'
    const isEmpty = payloads.length === 0 && attrs.type === undefined && pause === undefined && !restarts(attrs)
    const now = this.#clock.now()
    if (this.#terms.polling && isEmpty && now - this.#emptyAt < this.#terms.polling * 1000) return 'policy-violation'
    this.#emptyAt = isEmpty ? now : Number.NEGATIVE_INFINITY
    return undefined
  }

  /** The client got something: it may ask again at once. */
  gave(): void {
    this.#emptyAt = Number.NEGATIVE_INFINITY
  }
}

/** How long the client will be silent, in seconds; everything is answered then (§10). */
export function pauseOf({ pause }: Attributes): number | undefined {
  if (pause === undefined) return undefined
  return /^\d{1,6}$/.test(pause) ? Number(pause) : Number.NaN
}

/** Whether the stream begins anew (XEP-0206 §5). */
export function restarts(attrs: Attributes): boolean {
  return ['true', '1'].includes(xbosh(attrs, 'restart') ?? '')
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
