// SPDX-License-Identifier: Apache-2.0
// Other servers that could not be reached: what our users know of people there, and those of ours, is out of date until they
// are heard of again. Neither RFC 6120 nor 6121 says how it comes right; see `Presence.regained`.
import type { Clock } from '../clock.ts'

/** So many are remembered; of more, the first ones are forgotten. */
const MOST = 1000
/** One that comes and goes counts as found no more often than this, and all rosters are looked through for all of them together, in ms. */
const PAUSE = 60_000
const TOGETHER = 3000

/** Whether one is lost, and when it may count as found, in ms since 1970. */
interface Known {
  lost: boolean
  notBefore: number
}

/** Who is lost, and who was found. */
export class LostServers {
  readonly #clock: Clock
  readonly #found: (domains: ReadonlySet<string>) => void
  readonly #domains = new Map<string, Known>()
  #news: Set<string> | undefined

  /** @param found called with those that are there again */
  constructor(clock: Clock, found: (domains: ReadonlySet<string>) => void) {
    this.#clock = clock
    this.#found = found
  }

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

  /** Something came from there. */
  heard(domain: string): void {
    const known = this.#domains.get(domain)
    const now = this.#clock.now()
    if (!known || now < known.notBefore) return
    if (!known.lost) {
      this.#domains.delete(domain)
      return
    }
    known.lost = false
    known.notBefore = now + PAUSE
    this.#tell(domain)
  }

  #tell(domain: string): void {
    if (this.#news) {
      this.#news.add(domain)
      return
    }
    const news = new Set([domain])
    this.#news = news
    this.#clock.after(TOGETHER, () => {
      this.#news = undefined
      this.#found(news)
    })
  }
}
