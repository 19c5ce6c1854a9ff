// SPDX-License-Identifier: Apache-2.0
// A stream that we opened to another server: TLS, proof of who they are, proof of who we are, what both sides can beside, and
// then our stanzas. Nothing of our users is sent before the other side has proved its domain.
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Dialed, Link, LinkEvents, MaybeAsync, Place, StreamHeader } from '../link.ts'
import { NS_SASL, NS_STREAMS, NS_TLS } from '../offer.ts'
import type { PingAnswer } from './acks.ts'
import type { Carrier, StreamInfo } from './carrier.ts'
import { type Asked, DialbackAsking } from './dialback-asking.ts'
import { DialbackReceiving, ofOurs } from './dialback-receiving.ts'
import { failureByDialback, failureByPeer, StreamFailure } from './failure.ts'
import { domainIn, headerProblem } from './header.ts'
import { NS_BIDI, NS_BIDI_FEATURE, NS_DIALBACK, NS_DIALBACK_FEATURE, NS_SM } from './offer.ts'
import type { Pace } from './pace.ts'
import type { ProvedBy, StreamParts } from './parts.ts'
import type { Parcel } from './queue.ts'
import { peerError, peerText, Traffic } from './traffic.ts'

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
  ping(): Promise<PingAnswer>
  /** Called once. @param failure why it did not come about, or broke; undefined if it was closed in peace */
  ended(stream: OutStream, unacknowledged: readonly Parcel[], failure: StreamFailure | undefined): void
}

/** The route of another domain of ours that sends over the same stream (XEP-0220 §2.6.1). */
export interface Rider {
  /** The other server has these; there is room for more. */
  has(parcels: readonly Parcel[]): void
  ended(unacknowledged: readonly Parcel[], failure: StreamFailure | undefined): void
}

/** Domains of ours that one stream carries beside its own. */
const RIDERS_MAX = 20

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
  readonly #parts: StreamParts
  readonly #owner: OutOwner
  #state: State = 'header'
  #id = ''
  #provedBy: ProvedBy | undefined
  #authenticated = false
  #bidi = false
  #pace: Pace | undefined
  #countable = false
  /** Whether they let domains in by dialback, with errors that do not end the stream (XEP-0220 §2.4.2). */
  #dialback = false
  #asking: DialbackAsking | undefined
  #receiving: DialbackReceiving | undefined
  /** By domain of ours. */
  readonly #riders = new Map<string, Rider>()
  #failure: StreamFailure | undefined

  constructor({ link, place }: Dialed, { ours, theirs }: Pair, parts: StreamParts, owner: OutOwner) {
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
      also: [...this.#riders.keys()],
      proved: this.#provedBy === undefined ? [] : [{ domain: this.theirs, by: this.#provedBy }],
      tls: this.#link.secured?.version ?? (this.#link.encrypted ? 'TLS' : undefined),
      bidi: this.#bidi,
      acknowledged: acks.active,
      unacknowledged: acks.length,
      since: this.since,
      lastStanza: this.traffic.lastStanza,
      place: this.place,
    }
  }

  /** Without XEP-0288 nothing comes on a stream of ours. */
  paceOf(domain: string): Pace | undefined {
    return domain === this.theirs ? this.#pace : undefined
  }

  has(parcels: readonly Parcel[]): void {
    this.#owner.has(this.#own(parcels))
    for (const [ours, rider] of this.#riders) rider.has(sentBy(parcels, ours))
  }

  ping(): Promise<PingAnswer> {
    return this.#owner.ping()
  }

  /** Whether further domains of ours may ask to be let in. */
  get takesRiders(): boolean {
    return this.isReady && this.#dialback && this.#riders.size < RIDERS_MAX
  }

  /** Asks whether another domain of ours may send on this stream, too; never rejects. */
  async board(ours: string, rider: Rider): Promise<Asked> {
    const asked = await this.#ask(ours)
    if (asked.type !== 'valid') return asked
    if (!this.takesRiders) return { type: 'lost' }
    this.#riders.set(ours, rider)
    return asked
  }

  send(one: Parcel): void {
    this.traffic.send(one)
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
    // Some leave it out, most of all when they refuse; who is somebody else is not who we want (RFC 6120 §4.7.1).
    if (attrs.from && domainIn(attrs.from) !== this.theirs) {
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
    if (error !== undefined) return this.#fail(failureByPeer(error, peerText(element)))
    switch (this.#state) {
      case 'ready':
        if (element.ns === NS_DIALBACK) return this.#dialbackTaken(element) ? undefined : this.#unexpected()
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
        return this.#asking?.take(element) ? undefined : this.#unexpected()
      case 'header':
        return this.#unexpected()
    }
  }

  ended(reason: 'closed' | 'error' | 'lost'): void {
    this.#asking?.ended()
    this.#receiving?.ended()
    if (this.#pace) this.#parts.paces.leave(this.theirs)
    if (!this.isReady || reason !== 'closed') {
      this.#failure ??= new StreamFailure('lost', 'The connection broke.')
    }
    const left = this.traffic.acks.end()
    const riders = [...this.#riders]
    const own = this.#own(left)
    this.#riders.clear()
    this.#owner.ended(this, own, this.#failure)
    for (const [ours, rider] of riders) rider.ended(sentBy(left, ours), this.#failure)
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
    if (features.child('dialback', NS_DIALBACK_FEATURE)) this.#dialback = true
    if (this.#authenticated) return this.#begin()
    if (!(await this.#isTheirs())) return
    if (features.child('bidi', NS_BIDI_FEATURE)) {
      this.#bidi = true
      this.#link.send(el('bidi', NS_BIDI))
    }
    const mechanisms = features.child('mechanisms', NS_SASL)?.childrenNamed('mechanism') ?? []
    if (!mechanisms.some(({ text }) => text.trim() === 'EXTERNAL'))
      return void this.#byDialback().catch((error: unknown) => this.#broke(error))
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
    if (element.name !== 'success') return void this.#byDialback().catch((error: unknown) => this.#broke(error)) // XEP-0178 §3: it may still succeed that way
    this.#authenticated = true
    this.#link.restart()
    this.#open()
    return undefined
  }

  /** XEP-0220 §2.1.1: by a key that they ask our server about, or by our certificate after all. */
  async #byDialback(): Promise<void> {
    if (!this.#dialback) {
      return this.#fail(new StreamFailure('not-authenticated', 'It accepts neither our certificate nor dialback.'))
    }
    this.#state = 'dialback'
    const asked = await this.#ask(this.ours)
    if (asked.type === 'valid') this.#begin()
    else this.#fail(failureByDialback(asked))
  }

  /** An answer to what we asked, or something that they ask. */
  #dialbackTaken(element: Element): boolean {
    if (this.#asking?.take(element)) return true
    const { router, verifier } = this.#parts
    this.#receiving ??= new DialbackReceiving(
      ofOurs(this.#link, this.#id, ({ from }) => this.paceOf(from) !== undefined),
      {
        ...this.#parts,
        answersFor: (domain) => router.answersFor(domain),
        verify: (question) => verifier.verify(question),
      },
    )
    return this.#receiving.take(element)
  }

  #ask(ours: string): Promise<Asked> {
    const { keys, clock, limits } = this.#parts
    this.#asking ??= new DialbackAsking(this.#link, this.#id, { keys, clock, time: limits.connectTime })
    return this.#asking.ask({ from: ours, to: this.theirs })
  }

  /** Those of the stream's own route. */
  #own(parcels: readonly Parcel[]): readonly Parcel[] {
    return this.#riders.size === 0 ? parcels : sentBy(parcels, this.ours)
  }

  /** From here on the stream carries stanzas. */
  #begin(): void {
    this.#state = 'ready'
    this.#link.allowStanzas(this.#parts.limits.stanzaBytes)
    if (this.#bidi) this.#pace = this.#parts.paces.enter(this.theirs)
    if (this.#countable) {
      this.#link.send(el('enable', NS_SM))
      this.traffic.acks.begin()
    }
    this.#owner.ready(this)
  }

  #acks(element: Element): MaybeAsync<void> {
    const { acks } = this.traffic
    if (element.name === 'enabled') return acks.theyCount()
    if (element.name === 'failed') return acks.refused()
    return this.traffic.element(element)
  }

  #unexpected(): void {
    this.#fail(
      new StreamFailure('protocol', 'It sent something that was not its turn.'),
      new StreamError('policy-violation'),
    )
  }

  /** Something failed here while nobody waited for it: this stream ends, and nothing else. */
  #broke(error: unknown): void {
    this.#parts.log.error('stream to another server failed', { stream: this.#link.id, error })
    this.#link.close(new StreamError('internal-server-error'))
  }

  /** Ends the stream for a reason. */
  #fail(failure: StreamFailure, error?: StreamError): void {
    this.#failure ??= failure
    this.#link.close(error)
  }
}

function sentBy(parcels: readonly Parcel[], domain: string): readonly Parcel[] {
  return parcels.filter(({ stanza }) => stanza.from?.domain === domain)
}

/** A dialled link that is not wanted any more. */
export function discard({ link }: Dialed): void {
  link.start({ opened: () => undefined, element: () => undefined, ended: () => undefined })
  link.close()
}
