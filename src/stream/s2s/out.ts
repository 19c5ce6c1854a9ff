// SPDX-License-Identifier: Apache-2.0
// A stream that we opened to another server: TLS, proof of who they are, proof of who we are, what both sides can beside, and
// then our stanzas. Nothing of our users is sent before the other side has proved its domain.
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Dialed, Link, LinkEvents, MaybeAsync, Place, StreamHeader } from '../link.ts'
import { NS_SASL, NS_STREAMS, NS_TLS } from '../offer.ts'
import { type Carrier, SPACE, type StreamInfo } from './carrier.ts'
import { failureByPeer, StreamFailure } from './failure.ts'
import { domainIn, headerProblem } from './header.ts'
import { NS_BIDI, NS_BIDI_FEATURE, NS_SM } from './offer.ts'
import type { ProvedBy, ServerStreamParts } from './parts.ts'
import type { Parcel } from './queue.ts'
import { peerError, Traffic } from './traffic.ts'

/** The two domains of a stream. */
export interface Pair {
  readonly ours: string
  readonly theirs: string
}

/** What an outgoing stream tells its route. */
export interface OutOwner {
  /** Stanzas may be sent. */
  ready(stream: OutStream): void
  has(parcels: readonly Parcel[]): void
  ping(): Promise<boolean>
  /** Called once. @param failure why it did not come about, or broke; undefined if it was closed in peace */
  ended(stream: OutStream, unacknowledged: readonly Parcel[], failure: StreamFailure | undefined): void
}

/** How far it has come. */
type State = 'header' | 'features' | 'proceed' | 'sasl' | 'dialback' | 'ready'

/** A stream to another server. */
export class OutStream implements LinkEvents, Carrier {
  readonly traffic: Traffic
  readonly since: number
  readonly ours: string
  readonly theirs: string
  readonly place: Place
  readonly #link: Link
  readonly #parts: ServerStreamParts
  readonly #owner: OutOwner
  #state: State = 'header'
  #id = ''
  #provedBy: ProvedBy | undefined
  #authenticated = false
  #bidi = false
  #countable = false
  #failure: StreamFailure | undefined

  constructor({ link, place }: Dialed, { ours, theirs }: Pair, parts: ServerStreamParts, owner: OutOwner) {
    this.#link = link
    this.place = place
    this.ours = ours
    this.theirs = theirs
    this.#parts = parts
    this.#owner = owner
    this.since = parts.clock.now()
    this.traffic = new Traffic(link, parts, this)
    link.start(this)
    this.#open()
  }

  get hasRoom(): boolean {
    return this.traffic.hasRoom
  }

  /** The name that they gave the stream: what our keys of dialback are made for. */
  get id(): string {
    return this.#id
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  get info(): StreamInfo {
    const { acks } = this.traffic
    return {
      direction: 'out',
      from: this.ours,
      to: this.theirs,
      proved: this.#provedBy === undefined ? [] : [{ domain: this.theirs, by: this.#provedBy }],
      encrypted: this.#link.encrypted,
      bidi: this.#bidi,
      acknowledged: acks.active,
      unacknowledged: acks.length,
      since: this.since,
      lastStanza: this.traffic.lastStanza,
      place: this.place,
    }
  }

  /** Without XEP-0288 nothing comes on a stream of ours. */
  isProved(domain: string): boolean {
    return this.#bidi && domain === this.theirs
  }

  has(parcels: readonly Parcel[]): void {
    this.#owner.has(parcels)
  }

  ping(): Promise<boolean> {
    return this.#owner.ping()
  }

  send(one: Parcel): void {
    this.traffic.send(one)
  }

  /** RFC 6120 §4.6.1. */
  keepAlive(): void {
    this.traffic.lastSent = this.#parts.clock.now()
    this.#link.send(SPACE)
  }

  close(error?: StreamError): void {
    this.#link.close(error)
  }

  alive(): void {
    this.traffic.lastHeard = this.#parts.clock.now()
  }

  opened(header: StreamHeader): MaybeAsync<void> {
    this.traffic.speaks(header)
    const { attrs } = header.element
    const problem = headerProblem(header)
    if (problem) return this.#fail(new StreamFailure('protocol', `Its header is wrong: ${problem.condition}.`), problem)
    // Some leave it out; who is somebody else is not who we want (RFC 6120 §4.7.1).
    if (attrs.from !== undefined && domainIn(attrs.from) !== this.theirs) {
      return this.#fail(
        new StreamFailure('not-theirs', 'It answers as another domain.'),
        new StreamError('invalid-from'),
      )
    }
    this.#id = attrs.id ?? ''
    this.#state = 'features'
    return undefined
  }

  element(element: Element): MaybeAsync<void> {
    const error = peerError(element)
    if (error !== undefined) return this.#fail(failureByPeer(error))
    switch (this.#state) {
      case 'ready':
        return element.ns === NS_SM ? this.#acks(element) : this.traffic.element(element)
      case 'features':
        return element.is('features', NS_STREAMS) ? this.#features(element) : this.#unexpected()
      case 'proceed':
        return element.is('proceed', NS_TLS)
          ? this.#startTls()
          : this.#fail(new StreamFailure('tls', 'It refused to begin with TLS.'))
      case 'sasl':
        return element.ns === NS_SASL ? this.#sasl(element) : this.#unexpected()
      case 'dialback':
      case 'header':
        return this.#unexpected()
    }
  }

  ended(reason: 'closed' | 'error' | 'lost'): void {
    if (!this.isReady || reason !== 'closed') {
      this.#failure ??= new StreamFailure('lost', 'The connection broke.')
    }
    this.#owner.ended(this, this.traffic.acks.end(), this.#failure)
  }

  #open(): void {
    this.#state = 'header'
    this.#link.open({ from: this.ours, to: this.theirs, id: '', lang: 'en', version: '1.0' })
  }

  /** RFC 6120 §4.3.2: each step is followed by new features, until there is nothing left that we want. */
  async #features(features: Element): Promise<void> {
    if (!this.#link.encrypted) {
      if (!features.child('starttls', NS_TLS)) return this.#fail(new StreamFailure('no-tls', 'It offers no TLS.'))
      this.#state = 'proceed'
      this.#link.send(el('starttls', NS_TLS))
      return
    }
    this.#countable = features.child('sm', NS_SM) !== undefined
    if (this.#authenticated) return this.#begin()
    if (!(await this.#isTheirs())) return
    if (features.child('bidi', NS_BIDI_FEATURE)) {
      this.#bidi = true
      this.#link.send(el('bidi', NS_BIDI))
    }
    const mechanisms = features.child('mechanisms', NS_SASL)?.childrenNamed('mechanism') ?? []
    if (!mechanisms.some(({ text }) => text.trim() === 'EXTERNAL')) return this.#byDialback()
    this.#state = 'sasl'
    // XEP-0178 §3: with the identity, which old servers insist on.
    const identity = Buffer.from(this.ours).toString('base64')
    this.#link.send(el('auth', NS_SASL, { mechanism: 'EXTERNAL' }, identity))
  }

  async #startTls(): Promise<void> {
    try {
      await this.#link.startTls(undefined, this.theirs)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return this.#fail(new StreamFailure('tls', `The TLS handshake failed: ${why}`))
    }
    this.#open()
  }

  /** Whether they have proved who they are, as far as it is asked of them (RFC 6120 §13.7). */
  async #isTheirs(): Promise<boolean> {
    const proof = await this.#link.proves?.(this.theirs)
    if (proof?.by !== undefined) this.#provedBy = proof.by
    else if (this.#parts.policy.trust(this.theirs) === 'dialback') this.#provedBy = 'dialback'
    else this.#fail(new StreamFailure('certificate', proof?.why ?? 'It showed no certificate.'))
    return this.#failure === undefined
  }

  #sasl(element: Element): MaybeAsync<void> {
    if (element.name === 'challenge') {
      this.#link.send(el('response', NS_SASL, null, '=')) // RFC 6120 §6.4.3: an empty one; the header has the identity
      return undefined
    }
    if (element.name !== 'success') return this.#byDialback() // XEP-0178 §3: it may still succeed that way
    this.#authenticated = true
    this.#link.restart()
    this.#open()
    return undefined
  }

  /** XEP-0220: proves our domain by a key that they ask our server about. */
  #byDialback(): void {
    this.#fail(new StreamFailure('not-authenticated', 'It does not accept our certificate.'))
  }

  /** From here on the stream carries stanzas. */
  #begin(): void {
    this.#state = 'ready'
    this.#link.allowStanzas(this.#parts.limits.stanzaBytes)
    if (this.#countable) {
      this.#link.send(el('enable', NS_SM))
      this.traffic.acks.begin()
    }
    this.#owner.ready(this)
  }

  #acks(element: Element): MaybeAsync<void> {
    if (element.name === 'enabled') return undefined // we count since we asked (XEP-0198 §3)
    if (element.name !== 'failed') return this.traffic.element(element)
    this.traffic.acks.refused()
    return undefined
  }

  #unexpected(): void {
    this.#fail(
      new StreamFailure('protocol', 'It sent something that was not its turn.'),
      new StreamError('policy-violation'),
    )
  }

  /** Ends the stream for a reason. */
  #fail(failure: StreamFailure, error?: StreamError): void {
    this.#failure ??= failure
    this.#link.close(error)
  }
}

/** A dialled link that is not wanted any more. */
export function discard({ link }: Dialed): void {
  link.start({ opened: () => undefined, element: () => undefined, ended: () => undefined })
  link.close()
}
