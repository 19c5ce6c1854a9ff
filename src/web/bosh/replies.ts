// SPDX-License-Identifier: Apache-2.0
// Requests that wait for their answers, in their order, and the last answers, for clients that did not get them (XEP-0124 §14.3).
import { bodyXml, type Condition, type RequestBody } from './body.ts'

/** XEP-0124 §17.3. */
const RECOVERABLE = bodyXml({ type: 'error' }, '')

/** A request on its way through a session. */
export interface BoshRequest extends RequestBody {
  readonly rid: number
  /** Of the whole body: who asks again must ask the same. */
  readonly digest: string
  readonly bytes: number
  /** Whether the client has given up waiting for the answer. */
  readonly gone: boolean
  /** Answers; called once. */
  answer(body: string): void
}

interface Held {
  readonly request: BoshRequest
  readonly since: number
}

interface Answered {
  readonly rid: number
  readonly digest: string
  readonly body: string
}

/** What waits and what was said. */
export class Replies {
  readonly #most: number
  #held: Held[] = []
  #answered: Answered[] = []

  /** @param most how many answers are kept */
  constructor(most: number) {
    this.#most = most
  }

  /** How many requests wait. */
  get waiting(): number {
    return this.#held.length
  }

  /** Since when the oldest one waits; undefined if nobody waits any more. */
  get since(): number | undefined {
    return this.#held.some(({ request }) => !request.gone) ? this.#held[0]?.since : undefined
  }

  /** One more waits. */
  hold(request: BoshRequest, since: number): void {
    this.#held.push({ request, since })
  }

  /** Answers the oldest. */
  answer(body: string): void {
    const held = this.#held.shift()
    if (!held) return
    const { rid, digest } = held.request
    this.#answered.push({ rid, digest, body })
    if (this.#answered.length > this.#most) this.#answered.shift()
    held.request.answer(body)
  }

  /** A request comes again: it takes the place of the first one, or gets the same answer. @returns what is wrong with it */
  repeat(request: BoshRequest): Condition | undefined {
    const { rid, digest } = request
    const place = this.#held.findIndex((one) => one.request.rid === rid)
    const held = this.#held[place]
    const answered = this.#answered.find((one) => one.rid === rid)
    if ((held?.request ?? answered)?.digest !== digest) return 'item-not-found'
    if (held) {
      replaced(held.request)
      this.#held[place] = { ...held, request }
    } else if (answered) request.answer(answered.body)
    return undefined
  }

  /** Gives up all. @returns what waited */
  clear(): readonly BoshRequest[] {
    const waiting = this.#held.map(({ request }) => request)
    this.#held = []
    this.#answered = []
    return waiting
  }
}

/** Tells a request that another one has taken its place. */
export function replaced(request: BoshRequest): void {
  request.answer(RECOVERABLE)
}
