// SPDX-License-Identifier: Apache-2.0
// A stream that another server opened: TLS, proof of its domain, then its stanzas. Where both want it (XEP-0288) it is also
// the way back.
import { randomUUID } from 'node:crypto'
import type { Cancel } from '../../clock.ts'
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Link, LinkEvents, MaybeAsync, Proof, StreamHeader } from '../link.ts'
import { NS_SASL, NS_TLS } from '../offer.ts'
import type { PingAnswer } from './acks.ts'
import type { Carrier, StreamInfo } from './carrier.ts'
import { DialbackReceiving, type ReceivingStream } from './dialback-receiving.ts'
import { domainIn, headerProblem } from './header.ts'
import { NS_BIDI, NS_DIALBACK, NS_SM, serverFeatures } from './offer.ts'
import type { Pace } from './pace.ts'
import type { ProvedBy, StreamParts } from './parts.ts'
import type { Parcel } from './queue.ts'
import { peerError, Traffic } from './traffic.ts'

/** How often a server may try to prove itself; nobody needs more. */
const ATTEMPTS = 3
/** Domains that one stream may prove. */
const DOMAINS_MAX = 50

/** What an incoming stream tells those who keep all of them. */
export interface InOwner {
  /** It proved a domain. @returns what ends it, if there may be no more of that domain */
  proved(stream: InStream, domain: string): StreamError | undefined
  /** It is the way to `theirs`, for stanzas from `ours`. */
  carries(stream: InStream, ours: string, theirs: string): void
  has(stream: InStream, parcels: readonly Parcel[]): void
  ping(stream: InStream): Promise<PingAnswer>
  ended(stream: InStream, unacknowledged: readonly Parcel[]): void
}

/** A stream of another server. */
export class InStream implements LinkEvents, Carrier {
  readonly traffic: Traffic
  readonly since: number
  /** The name that we gave the stream: what keys of dialback are made for. */
  readonly id = randomUUID()
  readonly #link: Link
  readonly #parts: StreamParts
  readonly #owner: InOwner
  readonly #cancelTimeout: Cancel
  readonly #dialback: DialbackReceiving
  /** Domains of theirs that this stream may speak for. */
  readonly #proved = new Map<string, { readonly by: ProvedBy; readonly pace: Pace }>()
  #ours: string | undefined
  #theirs: string | undefined
  #proof: Proof | undefined
  #attempts = 0
  #challenged = false
  /** EXTERNAL succeeded, and the stream begins anew. */
  #authenticated = false
  #bidi = false
  #error: string | undefined
  #over = false

  constructor(link: Link, parts: StreamParts, owner: InOwner) {
    this.#link = link
    this.#parts = parts
    this.#owner = owner
    this.since = parts.clock.now()
    this.traffic = new Traffic(link, parts, this)
    this.#dialback = new DialbackReceiving(this.#asReceiving(), {
      ...parts,
      answersFor: (domain) => parts.router.answersFor(domain),
      verify: (question) => parts.verifier.verify(question),
    })
    this.#cancelTimeout = parts.clock.after(parts.limits.connectTime, () =>
      this.close(new StreamError('connection-timeout', 'No domain was proved in time.')),
    )
    link.start(this)
  }

  get ours(): string | undefined {
    return this.#ours
  }

  /** The domain that its header names, proved or not. */
  get theirs(): string | undefined {
    return this.#theirs
  }

  get hasRoom(): boolean {
    return this.traffic.hasRoom
  }

  /** Whether nobody has proved anything yet. */
  get isStranger(): boolean {
    return this.#proved.size === 0
  }

  get info(): StreamInfo {
    const { acks } = this.traffic
    return {
      direction: 'in',
      from: this.#theirs,
      to: this.#ours,
      also: [],
      proved: [...this.#proved].map(([domain, { by }]) => ({ domain, by })),
      tls: this.#link.secured?.version ?? (this.#link.encrypted ? 'TLS' : undefined),
      bidi: this.#bidi,
      acknowledged: acks.active,
      unacknowledged: acks.length,
      since: this.since,
      lastStanza: this.traffic.lastStanza,
      place: undefined,
    }
  }

  paceOf(domain: string): Pace | undefined {
    return this.#proved.get(domain)?.pace
  }

  has(parcels: readonly Parcel[]): void {
    this.#owner.has(this, parcels)
  }

  ping(): Promise<PingAnswer> {
    return this.#owner.ping(this)
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

  async opened(header: StreamHeader): Promise<void> {
    this.traffic.speaks(header)
    const problem = this.#judge(header)
    const asked = this.#ours ?? domainIn(header.element.attrs.to)
    const from = asked !== undefined && this.#parts.router.answersFor(asked) ? asked : ''
    this.#link.open({ from, to: this.#theirs, id: this.id, lang: 'en', version: '1.0' })
    if (problem) return this.close(problem)
    const { encrypted } = this.#link
    if (encrypted && this.#theirs !== undefined && !this.#proof) this.#proof = await this.#link.proves?.(this.#theirs)
    if (this.#over) return
    const proved = this.#proof?.by !== undefined
    this.#link.send(serverFeatures({ encrypted, authenticated: this.#authenticated, proved }))
    if (this.#authenticated) this.#carry()
  }

  element(element: Element): MaybeAsync<void> {
    const error = peerError(element)
    if (error !== undefined) {
      this.#error = error
      return this.close()
    }
    if (!this.#link.encrypted) {
      if (element.is('starttls', NS_TLS)) return this.#startTls()
      throw new StreamError('policy-violation', 'Use TLS first.')
    }
    if (element.ns === NS_DIALBACK) {
      if (this.#dialback.take(element)) return undefined
      throw new StreamError('policy-violation', 'Nobody asked that.') // XEP-0220 §3.1
    }
    if (element.is('bidi', NS_BIDI) && this.isStranger) {
      this.#bidi = true
      return undefined
    }
    if (element.ns === NS_SASL) return this.#sasl(element)
    if (this.isStranger) throw new StreamError('not-authorized', 'Prove your domain first.')
    if (element.ns === NS_SM) return this.#acks(element)
    return this.traffic.element(element)
  }

  ended(): void {
    this.#over = true
    this.#cancelTimeout()
    this.#dialback.ended()
    for (const domain of this.#proved.keys()) this.#parts.paces.leave(domain)
    this.#parts.log.debug('server stream ended', { stream: this.#link.id, error: this.#error })
    this.#owner.ended(this, this.traffic.acks.end())
  }

  /** Somebody proved a domain on this stream, by whatever means. */
  proved(domain: string, by: ProvedBy): void {
    if (this.#proved.has(domain)) return // it asked twice at the same time
    if (this.#proved.size >= DOMAINS_MAX) {
      throw new StreamError('policy-violation', 'These are too many domains.')
    }
    const problem = this.#owner.proved(this, domain)
    if (problem) throw problem
    this.#proved.set(domain, { by, pace: this.#parts.paces.enter(domain) })
    this.#cancelTimeout()
    this.#link.allowStanzas(this.#parts.limits.stanzaBytes)
  }

  /** RFC 6120 §4.7, §4.8, §4.9.3. */
  #judge(header: StreamHeader): StreamError | undefined {
    const problem = headerProblem(header)
    if (problem) return problem
    const { attrs } = header.element
    const [ours, theirs] = [domainIn(attrs.to), domainIn(attrs.from)]
    if (ours === undefined || !this.#parts.router.answersFor(ours)) return new StreamError('host-unknown')
    // In the clear it may be left out; there it is worth nothing anyway (RFC 6120 §4.7.1).
    if (theirs === undefined && (attrs.from !== undefined || this.#link.encrypted)) {
      return new StreamError('improper-addressing', '"from" must be a domain.')
    }
    const own = theirs !== undefined && this.#parts.router.answersFor(theirs)
    if (own && !(theirs === ours && this.#parts.tested.includes(ours))) return new StreamError('invalid-from')
    if (this.#authenticated && (ours !== this.#ours || theirs !== this.#theirs)) {
      return new StreamError('not-authorized', 'The domains must not change.')
    }
    this.#ours = ours
    this.#theirs = theirs
    if (theirs === undefined || own || !this.#parts.policy.refusal(theirs)) return undefined
    return new StreamError('policy-violation', 'This server does not talk to yours.')
  }

  async #startTls(): Promise<void> {
    const ours = this.#ours
    this.#ours = undefined // what was said in the clear may have been said by somebody else (RFC 6120 §5.4.3.3)
    this.#theirs = undefined
    try {
      await this.#link.startTls(el('proceed', NS_TLS), ours)
    } catch {
      this.close() // the handshake failed: there is nobody left to tell
    }
  }

  /** XEP-0178 §3. */
  #sasl(element: Element): MaybeAsync<void> {
    if (this.#authenticated || this.#theirs === undefined) throw new StreamError('not-authorized')
    const answers = this.#challenged && element.name === 'response'
    if (element.name === 'abort') return this.#fail('aborted')
    if (!answers && element.name !== 'auth') return this.#fail('malformed-request')
    if (!answers && element.attrs.mechanism !== 'EXTERNAL') return this.#fail('invalid-mechanism')
    const text = element.text.trim()
    if (text === '' && !answers) {
      this.#challenged = true
      this.#link.send(el('challenge', NS_SASL)) // RFC 6120 §6.4.2: the mechanism begins with the client
      return undefined
    }
    this.#challenged = false
    const by = this.#proof?.by
    if (by === undefined) return this.#fail('not-authorized')
    const identity = text === '=' || text === '' ? undefined : Buffer.from(text, 'base64').toString('utf8')
    if (identity !== undefined && domainIn(identity) !== this.#theirs) return this.#fail('invalid-authzid')
    // That we would be let in ourselves is all that we want to know then: nothing may come on such a stream.
    if (!this.#parts.router.answersFor(this.#theirs)) this.proved(this.#theirs, by)
    this.#authenticated = true
    this.#link.restart()
    this.#link.send(el('success', NS_SASL))
    return undefined
  }

  #fail(condition: string): void {
    this.#challenged = false
    this.#link.send(el('failure', NS_SASL, null, el(condition, NS_SASL)))
    if (++this.#attempts >= ATTEMPTS) throw new StreamError('policy-violation', 'Too many attempts.')
  }

  /** As dialback sees it (XEP-0220). */
  #asReceiving(): ReceivingStream {
    const { id } = this
    const isStranger = (): boolean => this.isStranger
    const takesMore = (): boolean => this.#proved.size < DOMAINS_MAX
    return {
      link: this.#link,
      id,
      get isStranger() {
        return isStranger()
      },
      get takesMore() {
        return takesMore()
      },
      may: ({ from }) => this.#proved.has(from),
      admit: ({ from }, by) => this.proved(from, by),
      admitted: ({ from, to }) => {
        if (from === this.#theirs && to === this.#ours) this.#carry()
      },
      close: (error) => this.close(error),
    }
  }

  #acks(element: Element): MaybeAsync<void> {
    const { acks } = this.traffic
    if (element.name === 'enable' && !acks.active) {
      this.#link.send(el('enabled', NS_SM))
      acks.begin()
      return undefined
    }
    if (element.name !== 'enable' && element.name !== 'resume') return this.traffic.element(element)
    const condition = element.name === 'enable' ? 'unexpected-request' : 'feature-not-implemented'
    this.#link.send(el('failed', NS_SM, null, el(condition, 'urn:ietf:params:xml:ns:xmpp-stanzas')))
    return undefined
  }

  /** XEP-0288 §2.2: only for the domains of the header, and not before they have seen our features. */
  #carry(): void {
    if (this.#bidi && !this.isStranger && this.#ours !== undefined && this.#theirs !== undefined) {
      this.#owner.carries(this, this.#ours, this.#theirs)
    }
  }
}
