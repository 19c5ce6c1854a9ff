// SPDX-License-Identifier: Apache-2.0
// How much a peer may send: a bucket of bytes that fills by itself. What goes beyond it is read later, never lost: the peer's
// own connection holds it back. Counting is a subtraction; the clock is looked at when the bucket is empty only.
import type { Clock } from '../clock.ts'

/** What a bucket holds, in seconds of its rate. */
const BURST = 10
/** What a stanza costs beside its bytes: small ones are as much work as large ones. */
const STANZA = 1024

/** One peer's bucket. */
export class Allowance {
  readonly #rate: number
  readonly #clock: Clock
  #left: number
  #filled: number

  /** @param rate bytes per second; infinite for who is trusted */
  constructor(rate: number, clock: Clock) {
    this.#rate = rate
    this.#clock = clock
    this.#left = rate * BURST
    this.#filled = clock.now()
  }

  /** Counts bytes that came. @returns for how long, in ms, nothing more is to be read; mostly 0 */
  spend(bytes: number): number {
    this.#left -= bytes
    return this.#left >= 0 ? 0 : this.#fill()
  }

  /** Counts a stanza that was in them; whether that was too much shows with the next bytes. */
  spendStanza(): void {
    this.#left -= STANZA
  }

  /** Filling late may let through a burst more than filling all the time would; never more than one. */
  #fill(): number {
    const now = this.#clock.now()
    this.#left += this.#rate * Math.min(Math.max(0, now - this.#filled) / 1000, BURST)
    this.#filled = now
    return this.#left >= 0 ? 0 : Math.ceil((-this.#left * 1000) / this.#rate)
  }
}
