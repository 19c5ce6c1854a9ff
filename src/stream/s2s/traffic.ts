// SPDX-License-Identifier: Apache-2.0
// What passes over a stream between servers once somebody is proved: stanzas of theirs, which may only come from domains that
// they have proved; stanzas of ours, never more at once than can be sent again; and the counting of both.
import { andThen } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { StanzaError, StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { isStanza, NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { settled } from '../c2s.ts'
import type { Link, MaybeAsync, StreamHeader } from '../link.ts'
import { NS_STREAMS } from '../offer.ts'
import { type AckOwner, Acks } from './acks.ts'
import { NS_SM } from './offer.ts'
import type { Pace } from './pace.ts'
import type { StreamParts } from './parts.ts'
import type { Parcel } from './queue.ts'

/** What may be on its way without the other server having said that it has it: stanzas, and UTF-16 units of their texts. */
const UNACKNOWLEDGED_MAX = 5_000
const UNACKNOWLEDGED_BYTES = 1024 * 1024

/** What may lie here because they do not read; a link with much more is cut off. */
const UNSENT_MAX = 128 * 1024

/** A language tag (RFC 5646 §2.1, §4.4.1) of sensible length: it is put into every stanza of the stream. */
const LANGUAGE = /^[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,7}$/

/** A keepalive (RFC 6120 §4.6.1). */
const SPACE = { xml: (): string => ' ' }

const NS_STREAM_ERROR = 'urn:ietf:params:xml:ns:xmpp-streams'
/** UTF-16 units of what the other side says about an error. */
const TEXT_MAX = 200

/** What a stream tells of its traffic. */
export interface TrafficOwner extends AckOwner {
  /** The domain of ours that the stream is for. */
  readonly ours: string | undefined
  /** How fast a domain may send that was proved by the other side of this stream; undefined for any other. */
  paceOf(domain: string): Pace | undefined
}

/** The traffic of one stream. */
export class Traffic {
  readonly acks: Acks
  /** When a stanza of either side passed last, in ms since 1970. */
  lastStanza: number
  /** When anything came, and when anything was sent. */
  lastHeard: number
  lastSent: number
  readonly #link: Link
  readonly #parts: StreamParts
  readonly #owner: TrafficOwner
  #lang: string | undefined

  constructor(link: Link, parts: StreamParts, owner: TrafficOwner) {
    this.#link = link
    this.#parts = parts
    this.#owner = owner
    this.acks = new Acks({ link, store: parts.store, clock: parts.clock }, owner)
    this.lastStanza = this.lastHeard = this.lastSent = parts.clock.now()
  }

  /** The language of what comes without one (RFC 6120 §4.7.4). */
  speaks({ element }: StreamHeader): void {
    this.#lang = LANGUAGE.exec(element.attrs['xml:lang'] ?? '')?.[0]
  }

  /** Whether more may be sent. */
  get hasRoom(): boolean {
    const { length, bytes } = this.acks
    return length < UNACKNOWLEDGED_MAX && bytes < UNACKNOWLEDGED_BYTES && (this.#link.unsent ?? 0) < UNSENT_MAX
  }

  /** Sends a stanza of ours. */
  send(one: Parcel): void {
    this.lastStanza = this.lastSent = this.#parts.clock.now()
    const { metrics } = this.#parts
    metrics.sent[one.stanza.kind]++
    metrics.toServers[one.stanza.kind]++
    this.#link.send(one.stanza)
    this.acks.sent(one)
    if (!this.hasRoom) this.acks.askNow() // nothing goes on before they have said what they have
  }

  /** A sign of life. */
  keepAlive(): void {
    this.lastSent = this.#parts.clock.now()
    this.#link.send(SPACE)
  }

  /** Takes what comes on a stream on which somebody is proved. */
  element(element: Element): MaybeAsync<void> {
    if (isStanza(element)) return this.#stanza(element)
    if (element.ns !== NS_SM) throw new StreamError('unsupported-stanza-type')
    if (element.name === 'r' && this.acks.active) return this.acks.answer()
    if (element.name === 'a' && this.acks.active) return this.acks.acknowledged(element)
    throw new StreamError('policy-violation', 'Stream management is not enabled.')
  }

  #stanza(element: Element): MaybeAsync<void> {
    this.lastStanza = this.#parts.clock.now()
    const pause = this.#pace(element).spend(element.source?.text.length ?? 0)
    const stanza = this.#checked(element)
    if (!stanza) {
      this.acks.handled()
      return pause
    }
    const { router, store, metrics } = this.#parts
    metrics.received[stanza.kind]++
    metrics.fromServers[stanza.kind]++
    return andThen(router.route(this.#stamped(stanza)), () => {
      this.acks.handled()
      return store.crowded ? settled(store).then(() => pause) : pause
    })
  }

  /** Whose it is, among those who proved themselves (RFC 6120 §8.1.1.2, §8.1.2.2, §4.9.3); throws what ends the stream. */
  #pace(element: Element): Pace {
    const { from, to } = element.attrs
    if (!from || !to) throw new StreamError('improper-addressing', 'A stanza needs "from" and "to".')
    const domain = senderDomain(from)
    if (domain === undefined) throw new StreamError('improper-addressing', '"from" is no address.')
    const pace = this.#owner.paceOf(domain)
    if (!pace) throw new StreamError('invalid-from')
    return pace
  }

  /** Throws what ends the stream; undefined for what was answered. */
  #checked(element: Element): Stanza | undefined {
    const stanza = this.#parse(element)
    if (!stanza?.to) return undefined
    if (!this.#parts.router.answersFor(stanza.to.domain)) throw new StreamError('host-unknown')
    return stanza
  }

  /** A malformed stanza is answered, and the stream lives on: it carries more than what one user wrote. */
  #parse(element: Element): Stanza | undefined {
    try {
      return Stanza.parse(element)
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      this.#parts.log.debug('malformed stanza of another server', { stream: this.#link.id, reason: error.message })
      const { type, id } = element.attrs
      const from = Jid.tryParse(element.attrs.from)
      // Without an address that we can write, there is nobody to tell.
      if (type === 'error' || type === 'result' || !from) return undefined
      const to = Jid.tryParse(element.attrs.to)
      const own = to && this.#parts.router.answersFor(to.domain) ? to : Jid.tryParse(this.#owner.ours)
      const answer = el(element.name, NS_CLIENT, { type: 'error' }, error.element(NS_CLIENT))
      void this.#parts.router.route(Stanza.of(answer, own, from, id)) // the way of all answers
      return undefined
    }
  }

  /** The language of the stream for what has none (RFC 6120 §8.1.5). */
  #stamped(stanza: Stanza): Stanza {
    if (this.#lang === undefined || stanza.kind === 'iq' || stanza.lang !== undefined) return stanza
    return stanza.withElement(stanza.element.withAttrs({ 'xml:lang': this.#lang }))
  }
}

/** A stream error of the other side, as it may be shown to an administrator; undefined if it is none. */
export function peerError(element: Element): string | undefined {
  return element.is('error', NS_STREAMS) ? (element.elements[0]?.name ?? 'undefined-condition') : undefined
}

/** The text of such an error, as it can be printed anywhere. */
export function peerText(element: Element): string | undefined {
  const text = element.childText('text', NS_STREAM_ERROR)
  return (
    text
      ?.replace(/[\p{C}\p{Z}]+/gu, ' ')
      .trim()
      .slice(0, TEXT_MAX) || undefined
  )
}

/** The domain of an address whose other parts may be malformed. */
function senderDomain(address: string): string | undefined {
  const bare = address.split('/', 1)[0] ?? ''
  return Jid.tryParse(bare.slice(bare.indexOf('@') + 1))?.domain
}
