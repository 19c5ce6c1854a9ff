// SPDX-License-Identifier: Apache-2.0
// So many at a time. Whoever comes when all places are taken waits; a place that gets free goes to one of those who have the
// fewest, so that nobody who wants many keeps the others waiting.

/** Places, and those who wait for one. */
export class Turns {
  #free: number
  /** How many places somebody has. */
  readonly #taken = new Map<string, number>()
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(places: number) {
    this.#free = places
  }

  /**
   * @param who wants it
   * @param begin called when there is a place: at once, or later
   * @returns gives the place back, or up; does nothing the second time
   */
  take(who: string, begin: () => void): () => void {
    let state: 'waiting' | 'begun' | 'over' = 'waiting'
    const start = (): void => {
      state = 'begun'
      this.#free--
      this.#count(who, 1)
      begin()
    }
    if (this.#free > 0) start()
    else this.#waiting.set(who, (this.#waiting.get(who) ?? new Set()).add(start))
    return () => {
      if (state === 'waiting') this.#forget(who, start)
      if (state === 'begun') {
        this.#free++
        this.#count(who, -1)
      }
      state = 'over'
      this.#next()
    }
  }

  #next(): void {
    if (this.#free === 0) return
    let least: string | undefined
    for (const who of this.#waiting.keys()) {
      if (least === undefined || (this.#taken.get(who) ?? 0) < (this.#taken.get(least) ?? 0)) least = who
    }
    if (least === undefined) return
    const [first] = this.#waiting.get(least) ?? []
    if (!first) return
    this.#forget(least, first)
    first()
  }

  #count(who: string, change: 1 | -1): void {
    const count = (this.#taken.get(who) ?? 0) + change
    if (count > 0) this.#taken.set(who, count)
    else this.#taken.delete(who)
  }

  #forget(who: string, start: () => void): void {
    const waiting = this.#waiting.get(who)
    waiting?.delete(start)
    if (waiting?.size === 0) this.#waiting.delete(who)
  }
}
