// SPDX-License-Identifier: Apache-2.0
// Time, handed in so that tests can turn the hands themselves.

/** Stops a timer; calling it again, or after the timer ran, does nothing. */
export type Cancel = () => void

/** Where the server takes the time from. */
export interface Clock {
  /** Wall-clock time, in ms since 1970. */
  now(): number
  /** Runs `what` once after `ms`; the timer alone does not keep the process alive. */
  after(ms: number, what: () => void): Cancel
  /** Runs `what` every `ms`; the timer alone does not keep the process alive. */
  every(ms: number, what: () => void): Cancel
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, what) {
    let timer: NodeJS.Timeout | undefined = setTimeout(what, ms).unref()
    return () => {
      clearTimeout(timer)
      timer = undefined // most are stopped, and what stopped them is often kept long
    }
  },
  every(ms, what) {
    const timer = setInterval(what, ms).unref()
    return () => clearInterval(timer)
  },
}
