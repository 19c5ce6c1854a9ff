// SPDX-License-Identifier: Apache-2.0
// So many at a time: whoever comes when all places are taken waits until one is free, first come first served.

/** Places, and those who wait for one. */
export class Turns {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(places: number) {
    this.#free = places
  }

  /** @param begin called when there is a place: at once, or later @returns gives the place back, or up; does nothing the second time */
  take(begin: () => void): () => void {
    let state: 'waiting' | 'begun' | 'over' = 'waiting'
    const start = (): void => {
      state = 'begun'
      this.#free--
      begin()
    }
    if (this.#free > 0) start()
    else this.#waiting.add(start)
    return () => {
      if (state === 'begun') this.#free++
      this.#waiting.delete(start)
      state = 'over'
      this.#next()
    }
  }

  #next(): void {
    const [first] = this.#waiting
    if (!first || this.#free === 0) return
    this.#waiting.delete(first)
    first()
  }
}
