// SPDX-License-Identifier: Apache-2.0
// How much somebody may do in an hour: an allowance that is used up and comes back evenly (a token bucket).

import { createHash } from 'node:crypto'

const HOUR = 3_600_000
/** How many names are remembered; beyond it those that were used longest ago are forgotten. */
const NAMES_MAX = 20_000

/** Longer names are hashed, so that an entry is small whatever a peer calls itself. */
const NAME_MAX = 128

/** How often a name that is in use is put behind all others, in ms: doing it each time would cost more than the rest. */
const FRESH = 60_000

interface Bucket {
  left: number
  /** When `left` was right. */
  at: number
  /** When it was put behind all others. */
  placed: number
}

/** Allowances by name. */
export class Allowances {
  readonly #buckets = new Map<string, Bucket>()

  /** Whether there is something left. @param perHour the whole allowance, as it is now */
  has(name: string, perHour: number, now: number): boolean {
    const bucket = this.#buckets.get(short(name))
    return (bucket ? filled(bucket, perHour, now) : perHour) >= 1
  }

  /** Uses one. */
  use(name: string, perHour: number, now: number): void {
    const key = short(name)
    const bucket = this.#buckets.get(key) ?? { left: perHour, at: now, placed: Number.NEGATIVE_INFINITY }
    bucket.left = filled(bucket, perHour, now) - 1
    bucket.at = now
    if (now - bucket.placed < FRESH) return
    bucket.placed = now
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size <= NAMES_MAX) return
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest)
      return
    }
  }
}

function short(name: string): string {
  return name.length <= NAME_MAX ? name : createHash('sha256').update(name).digest('base64')
}

function filled({ left, at }: Bucket, perHour: number, now: number): number {
  return Math.min(perHour, left + (Math.max(0, now - at) / HOUR) * perHour)
}
