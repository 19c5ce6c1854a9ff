// SPDX-License-Identifier: Apache-2.0
// When a certificate is to be renewed, and when what failed is tried again.

const HOUR = 3_600_000
/** The first pause after a failure, and the longest: authorities count failures by the hour. */
const PAUSE_FIRST = 5 * 60_000
const PAUSE_LONGEST = 24 * HOUR

/** A certificate's time, in ms since 1970. */
export interface Life {
  readonly from: number
  readonly until: number
}

/**
 * At two thirds of its life, and a bit: so that not all that were made in one hour are renewed in one hour.
 * @param random from 0 to below 1, the same each time for one certificate
 */
export function renewalAt({ from, until }: Life, random: number): number {
  const life = until - from
  return from + life * (2 / 3 + random / 30)
}

/** How long to wait after so many failures in a row, in ms. @param random from 0 to below 1 */
export function pauseAfter(failures: number, random: number): number {
  const pause = PAUSE_FIRST * 2 ** Math.min(failures - 1, 20)
  return Math.min(PAUSE_LONGEST, pause) * (0.75 + random / 2)
}
