// SPDX-License-Identifier: Apache-2.0
// What waits for another server, in order, within bounds of number, bytes and time. Presence does not pile up: of what is only
// the latest news the newest stays.
import { NS_CLIENT, type Stanza } from '../../xmpp/stanza.ts'

/** A stanza on its way to another server. */
export interface Parcel {
  readonly stanza: Stanza
  /** UTF-16 units of its text. */
  readonly size: number
  /** When it was handed over, in ms since 1970. */
  readonly since: number
  /** Its number in the outbox, once it is there. */
  stored: number | undefined
  /** How often it was the first that a stream took with it when it broke. */
  tries: number
}

/** What may wait. */
export interface QueueLimits {
  readonly queueStanzas: number
  readonly queueBytes: number
}

const NS_MUC = 'http://jabber.org/protocol/muc'

/** So many places without a parcel may be between others. */
const GAPS_MAX = 64

/** Packs a stanza. @param stored its number in the outbox, if it is there */
export function parcel(stanza: Stanza, since: number, stored?: number): Parcel {
  return { stanza, size: stanza.xml(NS_CLIENT).length, since, stored, tries: 0 }
}

/** The parcels that wait for one pair of domains. */
export class Queue {
  readonly #limits: QueueLimits
  #parcels: (Parcel | undefined)[] = []
  /** Where the first of them is. */
  #head = 0
  #length = 0
  #bytes = 0
  /** Where the newest news of somebody for somebody waits. */
  readonly #news = new Map<string, Parcel>()

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The first that waits. */
  get first(): Parcel | undefined {
    while (this.#head < this.#parcels.length && this.#parcels[this.#head] === undefined) this.#head++
    return this.#parcels[this.#head]
  }

  /** Puts a parcel at the end. @param most other bounds than the usual ones @returns false if there is no room for it */
  push(one: Parcel, most: QueueLimits = this.#limits): boolean {
    const key = newsKey(one.stanza)
    this.outdate(one.stanza)
    if (!this.#hasRoom(one, most) && !this.#dropLesser(one, most)) return false
    this.#parcels.push(one)
    this.#count(one, 1)
    if (key !== undefined) this.#news.set(key, one)
    return true
  }

  /** Takes the first one away. */
  shift(): Parcel | undefined {
    const one = this.first
    if (!one) return undefined
    this.#parcels[this.#head++] = undefined
    this.#count(one, -1)
    this.#forgetNews(one)
    if (this.#head > 64 && this.#head > this.#parcels.length / 2) {
      this.#parcels = this.#parcels.slice(this.#head)
      this.#head = 0
    }
    return one
  }

  /** Puts parcels before all others, whatever the bounds say: they were let in once. Old news stays away. */
  putBack(all: readonly Parcel[]): void {
    const kept = all.filter(({ stanza }) => !this.#news.has(newsKey(stanza) ?? ''))
    if (kept.length === 0) return
    this.#parcels = [...kept, ...this.#parcels.slice(this.#head)]
    this.#head = 0
    for (const one of kept) {
      this.#count(one, 1)
      const key = newsKey(one.stanza)
      if (key !== undefined) this.#news.set(key, one)
    }
  }

  /** Drops the news that this one is newer than. */
  outdate(stanza: Stanza): void {
    const key = newsKey(stanza)
    const older = key === undefined ? undefined : this.#news.get(key)
    if (!older) return
    this.#remove(older)
    this.#forgetNews(older)
  }

  /** Takes away those that this is true of. */
  take(which: (one: Parcel) => boolean): readonly Parcel[] {
    const taken: Parcel[] = []
    const left: Parcel[] = []
    for (const one of this.#parcels) if (one) (which(one) ? taken : left).push(one)
    this.#parcels = left
    this.#head = 0
    for (const one of taken) {
      this.#count(one, -1)
      this.#forgetNews(one)
    }
    return taken
  }

  #hasRoom({ size }: Parcel, { queueStanzas, queueBytes }: QueueLimits): boolean {
    return this.#length < queueStanzas && this.#bytes + size <= queueBytes
  }

  /** Nobody waits for an error as for anything else, or for a goodbye as for a message. */
  #dropLesser(one: Parcel, most: QueueLimits): boolean {
    if (one.stanza.type === 'error') return false
    this.take(({ stanza }) => stanza.type === 'error')
    if (this.#hasRoom(one, most) || isGoodbye(one.stanza)) return this.#hasRoom(one, most)
    this.take(({ stanza }) => isGoodbye(stanza))
    return this.#hasRoom(one, most)
  }

  #remove(one: Parcel): void {
    const place = this.#parcels.indexOf(one, this.#head)
    if (place < 0) return
    this.#parcels[place] = undefined
    this.#count(one, -1)
    const gaps = this.#parcels.length - this.#head - this.#length
    if (gaps <= GAPS_MAX || gaps <= this.#length) return
    this.#parcels = this.#parcels.filter((other) => other !== undefined)
    this.#head = 0
  }

  #count({ size }: Parcel, sign: 1 | -1): void {
    this.#length += sign
    this.#bytes += sign * size
  }

  #forgetNews(one: Parcel): void {
    const key = newsKey(one.stanza)
    if (key !== undefined && this.#news.get(key) === one) this.#news.delete(key)
  }
}

/** Whether it says that somebody is gone: as long as nobody hears it, they are shown there. */
export function isGoodbye({ kind, type }: Stanza): boolean {
  return kind === 'presence' && type === 'unavailable'
}

/** Names what replaces an older stanza: presence that says how things are now. Joining a room is more than that (XEP-0045 §7.2). */
function newsKey({ kind, type, from, to, element }: Stanza): string | undefined {
  if (kind !== 'presence' || (type !== '' && type !== 'unavailable' && type !== 'probe')) return undefined
  if (type === '' && element.child('x', NS_MUC)) return undefined
  return `${type === 'probe' ? '?' : ''}${from?.toString()} ${to?.toString()}`
}
