// SPDX-License-Identifier: Apache-2.0
// What kinds of client have, by the hashes that were proved (XEP-0115 §5.4), here and on other servers.
import { detached } from './hash.ts'

/** How many kinds of client are remembered; those that were not seen for longest are forgotten. */
const KINDS_MAX = 1000

/** Kinds of client. */
export class Kinds {
  /** By hash and its algorithm; the most recently used last. */
  readonly #features = new Map<string, readonly string[]>()

  /** The features of a kind; undefined if it is not known. */
  recall(key: string): readonly string[] | undefined {
    const known = this.#features.get(key)
    if (known) this.remember(key, known)
    return known
  }

  remember(key: string, features: readonly string[]): void {
    this.#features.delete(key)
    this.#features.set(detached(key), features)
    if (this.#features.size <= KINDS_MAX) return
    for (const oldest of this.#features.keys()) {
      this.#features.delete(oldest)
      return
    }
  }
}
