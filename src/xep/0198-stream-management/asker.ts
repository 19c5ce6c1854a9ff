// SPDX-License-Identifier: Apache-2.0
// Asks clients what they have soon after they were sent little: a client that closes its stream without a last word would
// get its last message again. Whoever is being sent more is not asked yet: question and answer cost as much as a message.
// One timer serves all, and none runs while nothing is unasked.
import type { Cancel, Clock } from '../../clock.ts'

/** How often it is looked at who is to be asked, in ms: late enough for what comes together, early enough for a phone's radio to be still awake. */
const SOON = 250

/** Somebody who was sent something since it was asked what it has. */
export interface Asked {
  /** Asks, if nothing was sent since the last look. @returns whether that is still to be done */
  askSoon(): boolean
  /** Asks because much was sent, unless that has been done meanwhile. */
  askNow(): void
}

/** All of them. */
export class Asker {
  readonly #clock: Clock
  #waiting: Asked[] = []
  #pressing: Asked[] = []
  #cancel: Cancel | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Asks soon. Whoever is on the list must not be put there again before it is asked. */
  add(one: Asked): void {
    this.#waiting.push(one)
    this.#cancel ??= this.#clock.after(SOON, () => this.#ask())
  }

  /** Asks when all that is sent at this moment has been sent: a page of an archive needs no answer for each ten messages. */
  addPressing(one: Asked): void {
    if (this.#pressing.push(one) === 1) queueMicrotask(() => this.#askPressing())
  }

  stop(): void {
    this.#cancel?.()
    this.#waiting = []
  }

  #askPressing(): void {
    const pressing = this.#pressing
    this.#pressing = []
    for (const one of pressing) one.askNow()
  }

  #ask(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#cancel = undefined
    for (const one of waiting) if (one.askSoon()) this.add(one)
  }
}
