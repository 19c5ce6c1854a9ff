// SPDX-License-Identifier: Apache-2.0
// Writes down where the sessions stand that can be resumed, so that this is possible after a restart and after a crash too.
// Whatever changes only marks its session; what became of all of them is told once per commit, at its end, as an entry of a
// log. The sessions that have not been written whole for the longest time are, now and then, so that the log stays short.
import type { FeatureContext } from '../../core/feature.ts'
import type { Session } from '../../core/session.ts'
import type { SessionChange, SessionChanges } from '../../store/store.ts'
import type { Managed } from './managed.ts'
import type { Moments } from './queue.ts'
import { chunkText, SharedTexts, stateText } from './record.ts'

/** UTF-16 units that the log may have before it is shortened. */
const LOG_TEXT = 4 * 1024 * 1024
/** At most so many sessions are written whole for that in one commit. */
const WHOLE_AT_ONCE = 64
/** About how much each session takes beside its stanzas, in UTF-16 units. */
const RECORD = 500

/** What is written of a session. */
interface Written {
  /** Nothing, or what a failed commit left behind. */
  anew: boolean
  /** Up to this count what was sent is written. */
  sent: number
  skipped: number
  /** Who got directed presence when the state was written. */
  directed: string
  /** What else the state was made of; undefined if it must be written. */
  from: Pick<Session, 'presence' | 'priority' | 'interested' | 'noted'> | undefined
}

/** What changed since the last commit. */
export class Journal {
  readonly #ctx: FeatureContext
  readonly #moments: Moments
  readonly #written = new Map<Managed, Written>()
  readonly #log = new LogLength()
  #changed = new Set<Managed>()
  #ended: string[] = []
  #posted = false

  constructor(ctx: FeatureContext, moments: Moments) {
    this.#ctx = ctx
    this.#moments = moments
  }

  /** From now on the session is written down. @param restored whether it is there already */
  begin(managed: Managed, restored: boolean): void {
    if (!managed.resume) return
    const { sent, skipped } = managed.queue
    this.#written.set(managed, { anew: !restored, sent, skipped, directed: '', from: undefined })
    managed.onChange = () => this.#mark(managed)
    if (restored) this.#log.needs(managed, 0)
    else this.#mark(managed)
  }

  /** The session is over: what became of its stanzas is on disk before it is gone from there. */
  end(managed: Managed): void {
    if (!managed.resume || !this.#written.delete(managed)) return
    this.#changed.delete(managed)
    this.#log.drop(managed)
    this.forget(managed.resume.key)
  }

  /** A stored session that cannot go on. */
  forget(key: string): void {
    this.#ended.push(key)
    this.#post()
  }

  /** To be called now and then: what nothing was added to since the last time becomes short. */
  tidy(): void {
    this.#log.age()
    if (this.#log.hasAged) this.#post()
  }

  #mark(managed: Managed): void {
    this.#changed.add(managed)
    if (!this.#posted) this.#post()
  }

  #post(): void {
    if (this.#posted) return
    this.#posted = true
    let told: readonly Managed[] = []
    let over: readonly string[] = []
    this.#ctx.store.sessions.write(
      (number) => {
        for (const managed of this.#log.oldest()) {
          this.#writeAnew(managed)
          this.#changed.add(managed)
        }
        told = [...this.#changed]
        over = this.#ended
        return this.#take(number)
      },
      (error) => {
        this.#ctx.log.error('sessions not written', { error })
        for (const one of told) this.#writeAnew(one)
        this.#ended.push(...over)
      },
    )
  }

  #take(number: number): SessionChanges {
    const shared = new SharedTexts()
    const changed = [...this.#changed].flatMap((managed) => this.#change(managed, number, shared) ?? [])
    const ended = this.#ended
    this.#changed = new Set()
    this.#ended = []
    this.#posted = false
    this.#log.wrote(number, changed, shared.length)
    if (this.#log.hasAged) this.#post()
    return { changed, ended, floor: this.#log.floor(number), shared: shared.texts }
  }

  #change(managed: Managed, number: number, shared: SharedTexts): SessionChange | undefined {
    const written = this.#written.get(managed)
    if (!(written && managed.resume)) return undefined
    const { queue, handled, client, resume } = managed
    const { acknowledged } = queue
    const anew = written.anew || written.skipped !== queue.skipped
    if (anew) this.#log.drop(managed)
    else this.#log.needs(managed, number)
    const from = anew ? acknowledged : Math.max(written.sent, acknowledged)
    const items = queue.after(from)
    const state = this.#newState(managed, written, anew)
    written.anew = false
    written.sent = queue.sent
    written.skipped = queue.skipped
    const sent =
      items.length === 0 ? undefined : { from, text: chunkText(items, client.jid, anew ? undefined : shared) }
    return { key: resume.key, owner: client.account.jid, anew, handled, acknowledged, state, sent }
  }

  /** The state if it is another one than what was written; most of the time it is not, and that is seen at once. */
  #newState(managed: Managed, written: Written, anew: boolean): string | undefined {
    const { client } = managed
    const { presence, priority, interested, noted } = client
    const { from } = written
    const directed = client.directed.size === 0 ? '' : [...client.directed.keys()].join(' ')
    if (!anew && from && directed === written.directed && from.noted === noted && from.presence === presence) {
      if (from.priority === priority && from.interested === interested) return undefined
    }
    written.directed = directed
    written.from = { presence, priority, interested, noted }
    return stateText(managed, this.#moments.availableSince(client))
  }

  /** The next commit takes all of it. */
  #writeAnew(managed: Managed): void {
    const written = this.#written.get(managed)
    if (written) written.anew = true
  }
}

/** How long the log is, and who needs it. */
class LogLength {
  /** Entries that are there: their numbers and sizes. */
  readonly #entries: (readonly [number: number, size: number])[] = []
  /** Since which entry somebody needs the log, in the order of these numbers. */
  readonly #needed = new Map<Managed, number>()
  #size = 0
  /** How much may still be written for the sake of shortness: never more than was written for another reason. */
  #budget = 0
  /** Entries up to this number have been there for some time. */
  #aged = -1
  #newest = 0

  /** The session is in that entry. */
  needs(managed: Managed, number: number): void {
    if (!this.#needed.has(managed)) this.#needed.set(managed, number)
  }

  /** The session was written whole, or is over. */
  drop(managed: Managed): void {
    this.#needed.delete(managed)
  }

  /** Time passes. */
  age(): void {
    this.#aged = this.#newest
  }

  /** Whether somebody needs an entry that has been there for some time. */
  get hasAged(): boolean {
    const [first = Number.POSITIVE_INFINITY] = this.#needed.values()
    return first <= this.#aged
  }

  /** Who is to be written whole now. */
  oldest(): readonly Managed[] {
    const all: Managed[] = []
    for (const [managed, since] of this.#needed) {
      const aged = since <= this.#aged
      if (all.length === WHOLE_AT_ONCE || !(aged || (this.#size > LOG_TEXT && this.#budget > 0))) break
      all.push(managed)
      if (!aged) this.#budget -= RECORD + managed.queue.text
    }
    return all
  }

  /** Notes what was written. */
  wrote(number: number, changed: readonly SessionChange[], shared: number): void {
    let size = shared
    for (const { anew, state, sent } of changed) {
      if (!anew) size += RECORD / 4 + (state?.length ?? 0) + (sent?.text.length ?? 0)
    }
    this.#entries.push([number, size])
    this.#size += size
    this.#budget = Math.min(this.#budget + size, 4 * LOG_TEXT)
    this.#newest = number
  }

  /** The first entry that is needed. @param number the newest one, which always is */
  floor(number: number): number {
    const [first = number] = this.#needed.values()
    const floor = Math.min(first, number)
    let gone = 0
    for (const [entry, size] of this.#entries) {
      if (entry >= floor) break
      this.#size -= size
      gone++
    }
    this.#entries.splice(0, gone)
    return floor
  }
}
