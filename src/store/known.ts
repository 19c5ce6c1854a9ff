// SPDX-License-Identifier: Apache-2.0
// Which addresses are certainly in a table already, so that appending a message need not make sure each time.

/** More than this many are not remembered at once. */
const MAX_KNOWN = 50_000

/** Addresses whose row is committed. */
export class KnownAddresses {
  #known = new Set<string>()
  #generation = 0

  /** Whether it is certainly there. */
  has(key: string): boolean {
    return this.#known.has(key)
  }

  /** To be called when the address is about to be written. @returns what to call once that is committed */
  learn(key: string): () => void {
    const generation = this.#generation
    return () => {
      if (generation !== this.#generation) return
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.add(key)
    }
  }

  /** To be called when a row is about to be removed: what is still being learned does not count either. */
  forget(key: string): void {
    this.#generation++
    this.#known.delete(key)
  }
}
