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

/** A certificate is not renewed before this time, in ms: an authority that wishes it at once each time would be asked for ever. */
const EARLIEST = 12 * HOUR
/** The part of its life that is left at the latest. */
const LAST_PART = 1 / 20

/**
 * A moment in the time that an authority wishes (RFC 9773 §4.2), though before the certificate is over.
 * @param random from 0 to below 1
 */
export function momentIn(window: Life, { from, until }: Life, random: number): number {
  const wished = window.from + (window.until - window.from) * random
  return Math.max(from + Math.min(EARLIEST, (until - from) / 10), Math.min(wished, until - (until - from) * LAST_PART))
}

/** How long to wait after so many failures in a row, in ms. @param random from 0 to below 1 */
export function pauseAfter(failures: number, random: number): number {
  const pause = PAUSE_FIRST * 2 ** Math.min(failures - 1, 20)
  return Math.min(PAUSE_LONGEST, pause) * (0.75 + random / 2)
}
