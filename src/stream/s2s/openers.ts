// SPDX-License-Identifier: Apache-2.0
// Who made us know of how many pairs of domains: whoever writes to servers that never answer, as many as there are, takes the
// places of nobody else.

/** Pairs that there may be for one sender, a room as well as a user. */
const EACH_MAX = 1_000

/** Counts them. */
export class Openers {
  readonly #byWay = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  /** Whether there may be one more. @param who a bare JID */
  mayOpen(who: string): boolean {
    return (this.#counts.get(who) ?? 0) < EACH_MAX
  }

  /** One more. @param way the pair */
  opened(way: string, who: string): void {
    this.#byWay.set(way, who)
    this.#counts.set(who, (this.#counts.get(who) ?? 0) + 1)
  }

  /** It is forgotten. */
  forgot(way: string): void {
    const who = this.#byWay.get(way)
    if (who === undefined) return
    this.#byWay.delete(way)
    const left = (this.#counts.get(who) ?? 1) - 1
    if (left > 0) this.#counts.set(who, left)
    else this.#counts.delete(who)
  }
}
