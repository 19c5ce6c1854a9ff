// SPDX-License-Identifier: Apache-2.0
// A clock whose hands only tests turn. Timers run while it is turned, in the order in which they are due.
import type { Cancel, Clock } from '../../src/clock.ts'

interface Timer {
  at: number
  readonly ms: number
  readonly repeats: boolean
  readonly what: () => void
}

/** Time as a test wants it. */
export class FakeClock implements Clock {
  #now = Date.UTC(2026, 0, 1)
  readonly #timers = new Set<Timer>()
  readonly #watchers = new Set<() => void>()

  now(): number {
    return this.#now
  }

  after(ms: number, what: () => void): Cancel {
    return this.#add(ms, false, what)
  }

  every(ms: number, what: () => void): Cancel {
    return this.#add(ms, true, what)
  }

  /** Turns the hands forward; whatever is due until then runs first, at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (let next = this.#first(end); next; next = this.#first(end)) {
      this.#now = next.at
      if (next.repeats) next.at += next.ms
      else this.#timers.delete(next)
      next.what()
    }
    this.#now = end
  }

  /** Resolves as soon as somebody waits for just this long, in ms. */
  async awaited(ms: number): Promise<void> {
    while (![...this.#timers].some((timer) => timer.ms === ms && !timer.repeats)) {
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.#watchers.delete(look)
          resolve()
        }
        this.#watchers.add(look)
      })
    }
  }

  #first(end: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (timer.at <= end && (!first || timer.at < first.at)) first = timer
    return first
  }

  #add(ms: number, repeats: boolean, what: () => void): Cancel {
    const timer: Timer = { at: this.#now + ms, ms, repeats, what }
    this.#timers.add(timer)
    for (const look of [...this.#watchers]) look()
    return () => this.#timers.delete(timer)
  }
}
