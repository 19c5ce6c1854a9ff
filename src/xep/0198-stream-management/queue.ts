// SPDX-License-Identifier: Apache-2.0
// What was sent to a client and is not acknowledged, in order, with counters that never wrap; and an order of events that
// is finer than the clock.
import type { Session } from '../../core/session.ts'
import type { StanzaKind } from '../../xmpp/stanza.ts'

/** A stanza that the client has not acknowledged. */
export interface Sent {
  readonly kind: StanzaKind
  /** Its text if it is needed again: of messages always, of others if the session can be resumed. Of a copy only its addressee. */
  readonly xml: string | undefined
  /** If it is a copy, what stands behind the addressee: others were sent the same. */
  readonly shared?: string | undefined
  /** When it was sent, as `Moments` counts. */
  readonly moment: number
}

/** The whole text of what was sent, if it is needed again. */
export function textOf({ kind, xml, shared }: Sent): string | undefined {
  return shared === undefined ? xml : `<${kind}${xml}${shared}`
}

function lengthOf(item: Sent | undefined): number {
  return (item?.xml?.length ?? 0) + (item?.shared?.length ?? 0)
}

/** What waits to be acknowledged. */
export class SentQueue {
  #items: Sent[] = []
  /** Stanzas at the head of `#items` that are acknowledged already. */
  #done = 0
  #text = 0
  #acknowledged: number
  #skipped = 0

  /** @param acknowledged how many were before these */
  constructor(acknowledged = 0) {
    this.#acknowledged = acknowledged
  }

  /** How many were acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** How many were sent so far. */
  get sent(): number {
    return this.#acknowledged + this.length
  }

  /** How many wait. */
  get length(): number {
    return this.#items.length - this.#done
  }

  /** UTF-16 units of their texts. */
  get text(): number {
    return this.#text
  }

  push(item: Sent): void {
    this.#items.push(item)
    this.#text += lengthOf(item)
  }

  /** Drops the first ones. @param count not more than wait */
  acknowledge(count: number): void {
    for (let index = this.#done; index < this.#done + count; index++) this.#text -= lengthOf(this.#items[index])
    this.#done += count
    this.#acknowledged += count
    if (this.#done < 64 || this.#done < this.#items.length / 2) return
    this.#items = this.#items.slice(this.#done)
    this.#done = 0
  }

  /** How many numbers were skipped: when this changes, what waits has other numbers than before. */
  get skipped(): number {
    return this.#skipped
  }

  /** Gives what waits higher numbers. */
  skip(count: number): void {
    this.#acknowledged += count
    this.#skipped += count
  }

  /** Those that wait. @param from only those that were sent after so many */
  after(from: number): readonly Sent[] {
    return this.#items.slice(this.#done + Math.max(0, from - this.#acknowledged))
  }
}

/** An order of events that is finer than the clock. */
export class Moments {
  #last = 0
  readonly #availableSince = new WeakMap<Session, number>()

  next(): number {
    return ++this.#last
  }

  /** The client became one that gets what is for the account (RFC 6121 §8.5.2.1). */
  available(client: Session): void {
    this.#availableSince.set(client, this.next())
  }

  /** When that was; undefined if it never did. */
  availableSince(client: Session): number | undefined {
    return this.#availableSince.get(client)
  }

  /** Whether the client got what was sent to all clients of its account then. */
  wasAvailable(client: Session, moment: number): boolean {
    return (this.#availableSince.get(client) ?? Number.POSITIVE_INFINITY) <= moment
  }

  /** Goes on after moments that an earlier process counted. */
  restore(client: Session, availableSince: number | undefined, last: number): void {
    if (availableSince !== undefined) this.#availableSince.set(client, availableSince)
    this.#last = Math.max(this.#last, last, availableSince ?? 0)
  }
}
