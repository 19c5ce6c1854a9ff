// SPDX-License-Identifier: Apache-2.0
// How fast one other domain may send, over all its streams together: a bucket of bytes and one of stanzas, which fill by
// themselves. Whoever has used them up is read later; nothing is lost, and nobody else waits.
import type { Clock } from '../../clock.ts'

/** What a bucket holds, in seconds of its rate. */
const BURST = 10
/** The longest pause at a time, in ms: what is counted in one go is small, so only a changed limit could make it longer. */
const LONGEST = 10_000

/** What may be sent in a second; read anew each time. */
export interface PaceLimits {
  readonly bytesPerSecond: number
  readonly stanzasPerSecond: number
}

/** One domain's buckets, kept as what has been used of them. */
export class Pace {
  readonly #limits: PaceLimits
  readonly #clock: Clock
  #bytes = 0
  #stanzas = 0
  /** When both were right. */
  #at: number
  /** How many streams share it. */
  streams = 0

  constructor(limits: PaceLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#at = clock.now()
  }

  /** Counts a stanza. @returns undefined, or resolves when more may be read */
  spend(bytes: number): Promise<void> | undefined {
    this.#bytes += bytes
    this.#stanzas++
    const { bytesPerSecond, stanzasPerSecond } = this.#limits
    if (this.#bytes <= bytesPerSecond * BURST && this.#stanzas <= stanzasPerSecond * BURST) return undefined
    this.#settle()
    const over = Math.max(this.#bytes / bytesPerSecond, this.#stanzas / stanzasPerSecond) - BURST
    if (over <= 0) return undefined
    return new Promise((resolve) => this.#clock.after(Math.min(LONGEST, Math.ceil(over * 1000)), resolve))
  }

  /** Forgets what has been long enough ago; done when a bucket is empty only, so that counting is an addition. */
  #settle(): void {
    const now = this.#clock.now()
    const seconds = Math.min(Math.max(0, now - this.#at) / 1000, BURST)
    this.#at = now
    this.#bytes = left(this.#bytes, this.#limits.bytesPerSecond, seconds)
    this.#stanzas = left(this.#stanzas, this.#limits.stanzasPerSecond, seconds)
  }
}

function left(used: number, rate: number, seconds: number): number {
  return rate === Number.POSITIVE_INFINITY ? 0 : Math.max(0, used - seconds * rate)
}

/** The paces of all domains that have streams, or had one a moment ago. */
export class Paces {
  readonly #limits: PaceLimits
  readonly #clock: Clock
  readonly #paces = new Map<string, Pace>()

  constructor(limits: PaceLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** A stream may send for a domain from now on; `leave` once when it may not any more. */
  enter(domain: string): Pace {
    const pace = this.#paces.get(domain) ?? new Pace(this.#limits, this.#clock)
    this.#paces.set(domain, pace)
    pace.streams++
    return pace
  }

  /** Remembered until its buckets are full again: connecting anew gains nothing. */
  leave(domain: string): void {
    const pace = this.#paces.get(domain)
    if (!pace || --pace.streams > 0) return
    this.#clock.after(BURST * 1000, () => {
      if (pace.streams === 0 && this.#paces.get(domain) === pace) this.#paces.delete(domain)
    })
  }

  /** How many domains are remembered. */
  get size(): number {
    return this.#paces.size
  }
}
