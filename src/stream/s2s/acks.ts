// SPDX-License-Identifier: Apache-2.0
// XEP-0198 between servers, in both directions of one stream: what the other server has is forgotten, what it has not comes back
// when the stream breaks; and it hears that we have something only when that is on disk. Streams are not resumed: what
// was not acknowledged goes over the next one.
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
/** … or after this time, in ms. */
const ASK_SOON = 250

/** What counting needs. */
interface AckParts {
  readonly link: Link
  readonly store: Store
  readonly clock: Clock
}

/** Counts the stanzas of one stream. */
export class Acks {
  readonly #parts: AckParts
  /** Told what the other server has. */
  readonly #has: (parcels: readonly Parcel[]) => void
  #active = false
  #handled = 0
  /** Up to here the disk had no failure that nobody was told of. */
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

  constructor(parts: AckParts, has: (parcels: readonly Parcel[]) => void) {
    this.#parts = parts
    this.#has = has
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

  /** How many stanzas the other server has not acknowledged. */
  get length(): number {
    return this.#sent.length
  }

  /** UTF-16 units of their texts. */
  get bytes(): number {
    return this.#bytes
  }

  /** From here on both sides count; what is sent until then is not known to be there. */
  begin(): void {
    this.#active = true
    this.#handled = 0
  }

  /** They do not count after all: what was sent stays unconfirmed. */
  refused(): void {
    this.#active = false
    this.#askedAt = undefined
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** A stanza of theirs was dealt with. */
  handled(): void {
    this.#handled++
  }

  /** A stanza of ours was written. */
  sent(one: Parcel): void {
    this.#sent.push(one)
    this.#bytes += one.size
    if (!this.#active) return
    if (++this.#unasked >= ASK_AFTER) this.#ask()
    else this.#askSoon()
  }

  /** Answers `<r/>` once everything that it covers is on disk; a disk that failed since the last answer ends the stream. */
  answer(): void {
    const { store, link } = this.#parts
    const handled = this.#handled
    const answer = (): void => {
      if (store.failures !== this.#failures && handled > this.#vouchedFor) {
        link.close(new StreamError('internal-server-error'))
        return
      }
      this.#failures = store.failures
      this.#vouchedFor = handled
      link.send(el('a', NS_SM, { h: String(handled % WRAP) }))
    }
    if (store.uncommitted === 0) answer()
    else store.durable().then(answer, () => link.close(new StreamError('internal-server-error')))
  }

  /** Takes `<a/>`. Throws a stream error if the other server claims more than it was sent (§4). */
  acknowledged({ attrs }: Element): void {
    const h = /^\d{1,10}$/.test(attrs.h ?? '') ? Number(attrs.h) : WRAP
    if (!(h < WRAP)) throw new StreamError('bad-format', 'An acknowledgement needs a count.')
    const more = (h - (this.#acknowledged % WRAP) + WRAP) % WRAP
    if (more > this.#sent.length) {
      const sent = String((this.#acknowledged + this.#sent.length) % WRAP)
      const detail = el('handled-count-too-high', NS_SM, { h: String(h), 'send-count': sent })
      throw new StreamError('undefined-condition', 'More was acknowledged than was sent.', detail)
    }
    this.#askedAt = undefined
    this.confirm(more)
    if (this.#active && this.#sent.length > 0) this.#askSoon()
  }

  /** The other server has the first ones. */
  confirm(count: number): void {
    if (count === 0) return
    const has = this.#sent.slice(0, count)
    this.#sent = this.#sent.slice(count)
    this.#acknowledged += count
    for (const { size } of has) this.#bytes -= size
    this.#has(has)
  }

  /** The stream is over. @returns what the other server may not have */
  end(): readonly Parcel[] {
    this.#cancel?.()
    this.#cancel = undefined
    return this.#sent
  }

  #askSoon(): void {
    if (this.#askedAt !== undefined) return
    this.#cancel ??= this.#parts.clock.after(ASK_SOON, () => {
      this.#cancel = undefined
      if (this.#sent.length > 0) this.#ask()
    })
  }

  #ask(): void {
    this.#unasked = 0
    this.#askedAt ??= this.#parts.clock.now()
    this.#parts.link.send(el('r', NS_SM))
  }
}
