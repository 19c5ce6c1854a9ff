// SPDX-License-Identifier: Apache-2.0
// Other servers that could not be reached: what our users know of people there, and those of ours, is out of date until they
// are heard of again. Neither RFC 6120 nor 6121 says how it comes right; see `Presence.regained`.

/** So many are remembered; of more, the first ones are forgotten. */
const MOST = 1000
/** One that comes and goes makes us ask no more often than this, in ms. */
const PAUSE = 60_000

/** Who is lost. */
export class LostServers {
  /** By domain: whether it is lost, and when it may count as found, in ms since 1970. */
  readonly #domains = new Map<string, { lost: boolean; notBefore: number }>()

  /** Whether there is nobody to look for: the common case, asked for each stanza. */
  get none(): boolean {
    return this.#domains.size === 0
  }

  /** Something could not get there. */
  lost(domain: string): void {
    const known = this.#domains.get(domain)
    if (known) {
      known.lost = true
      return
    }
    this.#domains.set(domain, { lost: true, notBefore: 0 })
    if (this.#domains.size <= MOST) return
    for (const oldest of this.#domains.keys()) {
      this.#domains.delete(oldest)
      return
    }
  }

  /** Something came from there. @returns whether it was lost until now */
  heard(domain: string, now: number): boolean {
    const known = this.#domains.get(domain)
    if (!known || now < known.notBefore) return false
    if (!known.lost) {
      this.#domains.delete(domain)
      return false
    }
    known.lost = false
    known.notBefore = now + PAUSE
    return true
  }
}
