// SPDX-License-Identifier: Apache-2.0
// One session whose stanzas are counted both ways (XEP-0198 §4).
import type { FeatureContext } from '../../core/feature.ts'
import type { Session } from '../../core/session.ts'
import { type Element, el, type Writable } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import type { Asker } from './asker.ts'
import { type Moments, type Sent, SentQueue, textOf } from './queue.ts'
import { redeliver } from './redeliver.ts'

/** XEP-0198, version 3 of its protocol. */
export const NS = 'urn:xmpp:sm:3'
/** After so many stanzas the client is asked what it has (asking for each one costs more than the stanzas). */
const ASK_AFTER = 10
/** What a client may leave unacknowledged before it is cut off: stanzas, and UTF-16 units of their texts. */
const UNACKNOWLEDGED_MAX = 10_000
const UNACKNOWLEDGED_TEXT = 8 * 1024 * 1024
/** With a quarter of this unacknowledged, who has much to send waits. */
const BUSY = { length: UNACKNOWLEDGED_MAX / 4, text: UNACKNOWLEDGED_TEXT / 4 }
/** UTF-16 units that are sent once more before the client has to say that it has them, so that no link overflows. */
const PORTION = 512 * 1024
/** Counters begin again after this (§4). */
const WRAP = 2 ** 32

/** How a session can be resumed (§5). */
export interface Resume {
  /** The hash of what the client must show. */
  readonly key: string
  /** How long the session waits for its client, in ms. */
  readonly timeout: number
}

/** What an earlier process knew of a session. */
export interface Restored {
  readonly handled: number
  readonly acknowledged: number
  readonly queue: readonly Sent[]
}

/** What all of them share. */
export interface Shared {
  readonly ctx: FeatureContext
  readonly moments: Moments
  readonly asker: Asker
}

/** A session whose stanzas are counted. */
export class Managed {
  readonly client: Session
  /** Undefined if it cannot be resumed. */
  readonly resume: Resume | undefined
  /** Called when something changed that must survive the process. */
  onChange: (() => void) | undefined
  readonly #ctx: FeatureContext
  readonly #moments: Moments
  readonly #asker: Asker
  readonly #receivedBefore: number
  readonly #queue: SentQueue
  /** How many writes had failed, and how many stanzas were dealt with, when `<r/>` was answered last. */
  #failures: number
  #vouchedFor: number
  #unasked = 0
  /** Whether the asker has it on its list, and how much had been sent when the asker looked last. */
  #listed = false
  #sentBefore = 0
  /** Whether it is about to be asked. */
  #isPressing = false
  /** Up to this count everything was written to the connection that it has; what follows is held back. */
  #replayed = 0
  /** How many of the first were sent by an earlier process, until the client says which of them it has. */
  #fromBefore: number | undefined
  /** Who waits until the client has acknowledged something. */
  #room: PromiseWithResolvers<void> | undefined

  constructor(client: Session, resume: Resume | undefined, shared: Shared, before?: Restored) {
    const { ctx, moments, asker } = shared
    this.#asker = asker
    this.client = client
    this.resume = resume
    this.#ctx = ctx
    this.#moments = moments
    this.#receivedBefore = client.received - (before?.handled ?? 0)
    this.#queue = new SentQueue(before?.acknowledged)
    for (const item of before?.queue ?? []) this.#queue.push(item)
    this.#fromBefore = before?.queue.length
    this.#failures = ctx.store.failures
    this.#vouchedFor = before?.handled ?? 0
    client.onSent = (stanza) => this.#sent(stanza)
    if (!resume) return
    client.onHandled = () => this.onChange?.()
    client.onNoted = () => this.onChange?.()
  }

  /** How many stanzas of the client were dealt with. */
  get handled(): number {
    return this.client.received - this.#receivedBefore
  }

  /** The same as the wire wants it. */
  get h(): string {
    return String(this.handled % WRAP)
  }

  /** What it has not acknowledged; to be read only. */
  get queue(): Pick<SentQueue, 'acknowledged' | 'sent' | 'skipped' | 'text' | 'after'> {
    return this.#queue
  }

  /** The same as stanzas; none of those that only a resumed stream would have kept. */
  unacknowledged(): readonly Stanza[] {
    return this.#queue
      .after(0)
      .map(textOf)
      .flatMap((xml) => (xml === undefined ? [] : [Stanza.parse(parseElement(xml, NS_CLIENT))]))
  }

  /**
   * Answers `<r/>`: the count as it is now, said once what it covers is on disk. A disk that failed since the last answer
   * ends the stream: nobody knows whose stanza it was that could not be kept, and what is not acknowledged is sent again.
   */
  acknowledge(): void {
    const { handled, h } = this
    const { store } = this.#ctx
    const answer = (): void => {
      if (store.failures !== this.#failures && handled > this.#vouchedFor) {
        this.client.close(new StreamError('internal-server-error'))
        return
      }
      this.#failures = store.failures
      this.#vouchedFor = handled
      this.client.sendNonza(el('a', NS, { h }))
    }
    if (store.uncommitted === 0) answer()
    else store.durable().then(answer, () => this.client.close(new StreamError('internal-server-error')))
  }

  /** Takes an `<a/>` or a `<resume/>`. Throws a stream error if the client claims more than it was sent (§4). */
  acknowledged({ attrs }: Element): void {
    const h = /^\d{1,10}$/.test(attrs.h ?? '') ? Number(attrs.h) : Number.NaN
    if (!(h < WRAP)) throw new StreamError('bad-format', 'An acknowledgement needs a count.')
    const more = (h - (this.#queue.acknowledged % WRAP) + WRAP) % WRAP
    if (this.#fromBefore !== undefined && more < UNACKNOWLEDGED_MAX) {
      this.#acknowledgedBefore(more, this.#fromBefore)
      return
    }
    if (more > this.#queue.length) {
      const detail = el('handled-count-too-high', NS, { h: String(h), 'send-count': String(this.#queue.sent % WRAP) })
      throw new StreamError('undefined-condition', 'More was acknowledged than was sent.', detail)
    }
    this.#queue.acknowledge(more)
    this.#makeRoom()
    if (more > 0) this.onChange?.()
    if (this.client.held && this.#queue.acknowledged >= this.#replayed) this.#replayOn()
  }

  /**
   * The first count after a restart is about what the earlier process sent, which may be more than it could write down;
   * what was sent since then the client cannot have. From here on both count alike.
   */
  #acknowledgedBefore(more: number, fromBefore: number): void {
    this.#fromBefore = undefined
    this.#queue.acknowledge(Math.min(more, fromBefore))
    this.#queue.skip(Math.max(0, more - fromBefore))
    this.#makeRoom()
    this.onChange?.()
  }

  /** Undefined if more may be sent; else settles when the client has acknowledged some of it, or is gone. */
  room(): Promise<void> | undefined {
    if (!this.#isBusy) return undefined
    this.askIfQuiet()
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  get #isBusy(): boolean {
    return this.#queue.length >= BUSY.length || this.#queue.text >= BUSY.text
  }

  #makeRoom(): void {
    if (!this.#room || this.#isBusy) return
    this.#room.resolve()
    this.#room = undefined
  }

  /** Sends once more, in order, what the client has not acknowledged: each portion when it has the one before. */
  replay(): void {
    this.#replayed = this.#queue.acknowledged
    this.#unasked = 0
    this.#replayOn()
  }

  #replayOn(): void {
    let size = 0
    for (const item of this.#queue.after(this.#replayed)) {
      if (size >= PORTION) break
      const xml = textOf(item) ?? ''
      this.client.sendNonza(written(xml))
      size += xml.length
      this.#replayed++
    }
    this.client.held = this.#replayed < this.#queue.sent
    if (size > 0) this.#ask()
  }

  /** Asks what the client has, if something was sent since it was asked last. */
  askIfQuiet(): void {
    if (this.#unasked > 0 && this.client.attached) this.#ask()
  }

  /** As long as more is sent, it is asked often enough; then comes the rest. */
  askSoon(): boolean {
    const { sent } = this.#queue
    this.#listed = this.#unasked > 0 && sent > this.#sentBefore
    this.#sentBefore = sent
    if (!this.#listed) this.askIfQuiet()
    return this.#listed
  }

  askNow(): void {
    this.#isPressing = false
    this.askIfQuiet()
  }

  /** The client is gone (§5): what it has not acknowledged is not lost. */
  end(): void {
    const { account } = this.client
    const waiting = this.#queue.after(0)
    this.client.onSent = undefined
    this.client.onHandled = undefined
    this.client.onNoted = undefined
    this.onChange = undefined
    this.#queue.acknowledge(waiting.length)
    this.#makeRoom()
    // Who was removed gets nothing any more, and the next one of that name must not get it.
    if (this.#ctx.directory.loaded(account.jid.key) !== account) return
    for (const item of waiting) {
      const { kind, moment } = item
      const xml = kind === 'presence' ? undefined : textOf(item)
      if (xml === undefined) continue
      const stanza = Stanza.parse(parseElement(xml, NS_CLIENT))
      redeliver(stanza, account, (client) => this.#moments.wasAvailable(client, moment), this.#ctx)
    }
  }

  #sent(stanza: Stanza): void {
    const kept = this.resume !== undefined || (stanza.kind === 'message' && stanza.type !== 'error')
    this.#queue.push({
      kind: stanza.kind,
      xml: kept ? stanza.kept() : undefined,
      shared: kept ? stanza.shared : undefined,
      moment: this.#moments.next(),
    })
    this.onChange?.()
    this.#unasked++
    if (this.#unasked >= ASK_AFTER && this.client.attached) this.#askWhenSent()
    else if (!this.#listed) this.#askLater()
    if (this.#queue.length <= UNACKNOWLEDGED_MAX && this.#queue.text <= UNACKNOWLEDGED_TEXT) return
    this.client.close(new StreamError('policy-violation', 'Too much is unacknowledged.'))
  }

  #askWhenSent(): void {
    if (this.#isPressing) return
    this.#isPressing = true
    this.#asker.addPressing(this)
  }

  #askLater(): void {
    this.#listed = true
    this.#asker.add(this)
  }

  #ask(): void {
    this.#unasked = 0
    this.client.sendNonza(el('r', NS))
  }
}

/** A stanza that was written before. */
function written(xml: string): Writable {
  return { xml: (inherited) => (inherited === NS_CLIENT ? xml : parseElement(xml, NS_CLIENT).xml(inherited)) }
}
