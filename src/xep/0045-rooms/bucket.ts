// SPDX-License-Identifier: Apache-2.0
// How much one occupant may send: so many a second, and more for a short time after a pause.

/** Seconds' worth that a pause saves up. */
const SAVED = 10

/** What is left of an allowance. */
export class Bucket {
  #left: number | undefined
  #at = 0

  /** Takes one. @param rate so many per second @param now ms since 1970 @returns false if there is none */
  take(rate: number, now: number): boolean {
    const most = rate * SAVED
    const left = Math.min(most, (this.#left ?? most) + (Math.max(0, now - this.#at) / 1000) * rate)
    this.#at = now
    this.#left = left >= 1 ? left - 1 : left
    return left >= 1
  }
}
