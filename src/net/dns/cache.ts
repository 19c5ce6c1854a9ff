// SPDX-License-Identifier: Apache-2.0
// Answers of the DNS for as long as they hold. What others make us ask must not fill the memory: the oldest is forgotten.
import type { Clock } from '../../clock.ts'
import type { DnsRecord } from './message.ts'

/** The longest that anything is believed, in seconds. */
const LONGEST = 86_400
/** The longest that something is believed not to be there, in seconds (RFC 2308 §5 allows hours). */
const LONGEST_EMPTY = 900
/** What all answers together may have, in bytes (of what makes them different in size). */
const MOST_BYTES = 8_000_000
/** What a record costs beside its data, and an answer beside its records; roughly. */
const OVERHEAD = 300

/** An answer that can be kept. */
interface Keepable {
  readonly records: readonly DnsRecord[]
}

/** Remembers answers by their question. */
export class AnswerCache<T extends Keepable> {
  readonly #clock: Clock
  readonly #answers = new Map<string, { readonly answer: T; readonly until: number; readonly bytes: number }>()
  #bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(question: string): T | undefined {
    const kept = this.#answers.get(question)
    if (!kept) return undefined
    if (kept.until > this.#clock.now()) return kept.answer
    this.#forget(question)
    return undefined
  }

  /** @param ttl in seconds */
  set(question: string, answer: T, ttl: number): void {
    this.#forget(question)
    const seconds = Math.min(ttl, answer.records.length > 0 ? LONGEST : LONGEST_EMPTY)
    const bytes = OVERHEAD + question.length + answer.records.reduce((sum, one) => sum + bytesOf(one), 0)
    if (seconds <= 0 || bytes > MOST_BYTES / 100) return
    this.#answers.set(question, { answer, until: this.#clock.now() + seconds * 1000, bytes })
    this.#bytes += bytes
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= MOST_BYTES) break
      this.#forget(oldest)
    }
  }

  clear(): void {
    this.#answers.clear()
    this.#bytes = 0
  }

  #forget(question: string): void {
    this.#bytes -= this.#answers.get(question)?.bytes ?? 0
    this.#answers.delete(question)
  }
}

function bytesOf({ data }: DnsRecord): number {
  const content = typeof data === 'object' && data !== null && 'certificate' in data ? data.certificate : undefined
  return OVERHEAD + (content instanceof Uint8Array ? content.length : 0)
}
