// SPDX-License-Identifier: Apache-2.0
// XEP-0198 between servers, in both directions of one stream: what the other server has is forgotten, what it has not comes back
// when the stream breaks; and it hears that we have something only when that is on disk. Streams are not resumed: what was
// not acknowledged goes over the next one. A server that does not count is pinged: what was sent before an answered ping arrived.
import type { Cancel, Clock } from '../../clock.ts'
import type { Store } from '../../store/store.ts'
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Link } from '../link.ts'
import { NS_SM } from './offer.ts'
import type { Parcel } from './queue.ts'

/** XEP-0198 §4: counts begin anew after this one. */
const WRAP = 2 ** 32
/** After this many stanzas the other server is asked what it has … */
const ASK_AFTER = 100
/** … or after this time, in ms: later by a ping, which is more to answer. */
const ASK_SOON = 250
const PING_SOON = 1_000

/** What counting needs. */
interface AckParts {
  readonly link: Link
  readonly store: Store
  readonly clock: Clock
}

/** What a ping tells: the other server answered; it did not, as it never does; or it does not any more. */
export type PingAnswer = 'there' | 'silent' | 'gone'

/** Who is told what the other server has. */
export interface AckOwner {
  has(parcels: readonly Parcel[]): void
  /** Sends a ping after everything else, if the other server does not count. */
  ping(): Promise<PingAnswer>
}

/** Counts the stanzas of one stream. */
export class Acks {
  readonly #parts: AckParts
  readonly #owner: AckOwner
  #active = false
  #handled = 0
  /** How many stanzas of ours the other side does not count, since they came before its `<enabled/>`. */
  #uncounted = 0
  /** Whether `<r/>` is to be answered when all is on disk, and whether it came again meanwhile. */
  #answering = false
  #answerAgain = false
  /** How many of those were vouched for when the disk was last known to have failed so often. */
  #vouchedFor = 0
  #failures: number
  #sent: Parcel[] = []
  #bytes = 0
  #acknowledged = 0
  /** How many were sent since the last question. */
  #unasked = 0
  /** When the question was asked that is not answered yet, in ms since 1970. */
  #askedAt: number | undefined
  #cancel: Cancel | undefined
  #over = false
  readonly #drained = Promise.withResolvers<void>()
  #waitedFor = false

  constructor(parts: AckParts, owner: AckOwner) {
    this.#parts = parts
    this.#owner = owner
    this.#failures = parts.store.failures
  }

  /** Whether both sides count. */
  get active(): boolean {
    return this.#active
  }

  /** Since when a question waits for its answer, in ms since 1970. */
  get askedAt(): number | undefined {
    return this.#askedAt
  }

  /** How many stanzas the other server is not known to have. */
  get length(): number {
    return this.#sent.length
  }

  /** UTF-16 units of their texts. */
  get bytes(): number {
    return this.#bytes
  }

  /** From here on both sides count (§3). */
  begin(): void {
    this.#active = true
    this.#handled = 0
    this.#uncounted = this.#sent.length
    this.#askedAt = undefined
  }

  /** Here they begin to count what they send; what we send they count since we asked. */
  theyCount(): void {
    this.#handled = 0
  }

  /** They do not count after all. */
  refused(): void {
    this.#active = false
    this.#askedAt = undefined
    if (this.#sent.length > 0) this.#askSoon()
  }

  /** A stanza of theirs was dealt with. */
  handled(): void {
    if (this.#active) this.#handled++
  }

  /** A stanza of ours was written. */
  sent(one: Parcel): void {
    this.#sent.push(one)
    this.#bytes += one.size
    if (++this.#unasked >= ASK_AFTER) this.#ask()
    else this.#askSoon()
  }

  /** Answers `<r/>` once everything that it covers is on disk; a disk that failed since the last answer ends the stream. */
  answer(): void {
    if (this.#answering) {
      this.#answerAgain = true
      return
    }
    const { store, link } = this.#parts
    const handled = this.#handled
    const answer = (): void => {
      this.#answering = false
      if (store.failures !== this.#failures && handled > this.#vouchedFor) {
        link.close(new StreamError('internal-server-error'))
        return
      }
      this.#failures = store.failures
      this.#vouchedFor = handled
      link.send(el('a', NS_SM, { h: String(handled % WRAP) }))
      if (!this.#answerAgain) return
      this.#answerAgain = false
      this.answer()
    }
    this.#answering = true
    if (store.uncommitted === 0) answer()
    else store.durable().then(answer, () => link.close(new StreamError('internal-server-error')))
  }

  /** Takes `<a/>`. Throws a stream error if the other server claims more than it was sent (§4). */
  acknowledged({ attrs }: Element): void {
    const h = /^\d{1,10}$/.test(attrs.h ?? '') ? Number(attrs.h) : WRAP
    if (!(h < WRAP)) throw new StreamError('bad-format', 'An acknowledgement needs a count.')
    const more = (h - (this.#acknowledged % WRAP) + WRAP) % WRAP
    const counted = this.#sent.length - this.#uncounted
    if (more > counted) {
      const sent = String((this.#acknowledged + counted) % WRAP)
      const detail = el('handled-count-too-high', NS_SM, { h: String(h), 'send-count': sent })
      throw new StreamError('undefined-condition', 'More was acknowledged than was sent.', detail)
    }
    this.#askedAt = undefined
    const before = this.#uncounted
    this.#uncounted = 0
    this.#acknowledged += more
    this.#confirm(before + more)
    if (this.#sent.length > 0) this.#askSoon()
  }

  /** Asks what the other server has, and resolves when that is everything, or when the stream is over. */
  drained(): Promise<void> {
    this.#waitedFor = true
    if (this.#sent.length === 0 || this.#over || !this.#active) return Promise.resolve()
    this.#ask()
    return this.#drained.promise
  }

  /** Says what we have, as far as it is on disk, before the stream ends. */
  farewell(): void {
    if (this.#active && this.#handled > 0 && this.#parts.store.uncommitted === 0) this.answer()
  }

  /** The stream is over. @returns what the other server may not have */
  end(): readonly Parcel[] {
    this.#over = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#drained.resolve()
    return this.#sent
  }

  #confirm(count: number): void {
    if (count === 0) return
    const has = this.#sent.slice(0, count)
    this.#sent = this.#sent.slice(count)
    for (const { size } of has) this.#bytes -= size
    this.#owner.has(has)
    if (this.#waitedFor && this.#sent.length === 0) this.#drained.resolve()
  }

  #askSoon(): void {
    if (this.#askedAt !== undefined) return
    this.#cancel ??= this.#parts.clock.after(this.#active ? ASK_SOON : PING_SOON, () => {
      this.#cancel = undefined
      if (this.#sent.length > 0) this.#ask()
    })
  }

  #ask(): void {
    this.#unasked = 0
    if (this.#active) {
      this.#askedAt ??= this.#parts.clock.now()
      this.#parts.link.send(el('r', NS_SM))
    } else if (this.#askedAt === undefined) void this.#ping()
  }

  /** One that never answers may still have got everything, if the system could send it. */
  async #ping(): Promise<void> {
    const { clock, link } = this.#parts
    this.#askedAt = clock.now()
    const asked = this.#owner.ping()
    const count = this.#sent.length
    const answer = await asked
    if (this.#over || this.#active) return
    this.#askedAt = undefined
    if (answer === 'there' || (answer === 'silent' && !link.unsent)) this.#confirm(count)
    else link.close(new StreamError('connection-timeout'))
    if (!this.#over && this.#sent.length > 0) this.#askSoon()
  }
}
