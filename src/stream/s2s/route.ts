// SPDX-License-Identifier: Apache-2.0
// The way from one of our domains to one of others: what is to be sent waits here until a stream is there, keeps its order
// whatever happens to streams, and goes back to its sender when it has waited too long. Nobody ever waits for a route.
import type { Cancel } from '../../clock.ts'
import { StanzaError, type StreamError } from '../../xmpp/errors.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { Carrier, RouteInfo } from './carrier.ts'
import { failureOf, StreamFailure } from './failure.ts'
import { discard, OutStream, type Pair } from './out.ts'
import type { ServerStreamParts } from './parts.ts'
import { type Parcel, parcel, Queue } from './queue.ts'

/** The first pause after a failure, and the longest, in ms. */
const PAUSE_FIRST = 1_000
const PAUSE_LONGEST = 120_000
/** How long a domain that cannot be reached at all is not tried again, in ms. */
const GIVEN_UP_FOR = 60_000
/** How often a stanza may be the first of those that a broken stream did not deliver. */
const TRIES = 3

/** What a route needs beside the parts of streams. */
export interface RouteOwner {
  readonly parts: ServerStreamParts
  /** A number between 0 and 1, for jitter. */
  random(): number
  /** These need not be kept any more: they arrived, or went back. */
  done(parcels: readonly Parcel[]): void
}

/** One pair of domains. */
export class Route {
  readonly pair: Pair
  readonly #owner: RouteOwner
  readonly #queue: Queue
  #dialling: AbortController | undefined
  /** A stream that is being negotiated. */
  #coming: OutStream | undefined
  #stream: Carrier | undefined
  #failures = 0
  #failure: { readonly why: StreamFailure; readonly at: number } | undefined
  /** Until then nothing is tried. */
  #pause: Cancel | undefined
  #closed = false

  constructor(pair: Pair, owner: RouteOwner) {
    this.pair = pair
    this.#owner = owner
    this.#queue = new Queue(owner.parts.limits)
  }

  /** Whether nothing would be lost without it. */
  get isIdle(): boolean {
    return !this.#stream && !this.#dialling && !this.#coming && !this.#pause && this.#queue.length === 0
  }

  /** A stream of ours for it, if there is one. */
  get out(): OutStream | undefined {
    return this.#stream instanceof OutStream ? this.#stream : this.#coming
  }

  get info(): RouteInfo {
    const failure = this.#failure
    const connecting = this.#dialling !== undefined || this.#coming !== undefined
    return {
      from: this.pair.ours,
      to: this.pair.theirs,
      state: this.#stream ? 'open' : connecting ? 'connecting' : this.#pause ? 'waiting' : 'idle',
      queued: this.#queue.length,
      lastError: failure && { why: failure.why.message, at: failure.at },
    }
  }

  /** Takes charge of a stanza. @param stored its number in the outbox, if it is there */
  carry(stanza: Stanza, stored?: number, since: number = this.#owner.parts.clock.now()): void {
    const one = parcel(stanza, since, stored)
    const failure = this.#pause && this.#failure?.why
    if (this.#stream?.hasRoom && this.#queue.length === 0) this.#stream.send(one)
    else if (failure && !(failure.passes && canWait(one))) this.#back([one], failure.forSender)
    else if (!this.#queue.push(one)) this.#back([one], FULL)
    else if (!this.#stream) this.#connect()
  }

  /** A stream of theirs serves both ways (XEP-0288). */
  adopt(stream: Carrier): void {
    if (this.#stream) return
    this.#dialling?.abort()
    this.#coming?.close()
    this.#isOpen(stream)
  }

  /** The other server has these. */
  has(parcels: readonly Parcel[]): void {
    this.#failures = 0
    this.#owner.done(parcels)
    this.#pump()
  }

  /** A stream that carried stanzas, or was to, is gone. */
  lost(stream: Carrier, unacknowledged: readonly Parcel[], failure: StreamFailure | undefined): void {
    const isOurs = this.#stream === stream || this.#coming === stream
    if (this.#stream === stream) this.#stream = undefined
    if (this.#coming === stream) this.#coming = undefined
    this.#again(unacknowledged)
    if (!isOurs || this.#closed || this.#stream) return
    // One that ended in peace is replaced when there is something to say; one that took something with it was no success.
    const broken = failure ?? (unacknowledged.length > 0 ? new StreamFailure('lost', UNFINISHED) : undefined)
    if (broken) this.#failed(broken)
    else if (this.#queue.length > 0) this.#connect()
  }

  /** The other server is there: what waits need not wait longer. */
  heardOf(): void {
    if (!this.#pause || this.#queue.length === 0) return
    this.#failures = 0
    this.#pause()
    this.#pause = undefined
    this.#connect()
  }

  /** Gives back what has waited too long. */
  tick(now: number): void {
    const oldest = now - this.#owner.parts.limits.queueTime
    const first = this.#queue.first
    if (!first || first.since > oldest) return
    this.#back(
      this.#queue.take(({ since }) => since <= oldest),
      this.#failure?.why.forSender ?? TOO_LONG,
    )
  }

  /** Ends it; what waits is in the outbox, or lost. */
  close(error: StreamError): void {
    this.#closed = true
    this.#pause?.()
    this.#pause = undefined
    this.#dialling?.abort()
    this.out?.close(error)
  }

  #connect(): void {
    if (this.#closed || this.#pause || this.#dialling || this.#coming || this.#stream) return
    const { dialer, policy } = this.#owner.parts
    const { ours, theirs } = this.pair
    if (policy.refusal(theirs)) {
      this.#giveUp()
      return
    }
    const dialling = new AbortController()
    this.#dialling = dialling
    dialer.dial(ours, theirs, dialling.signal).then(
      (dialed) => {
        if (this.#dialling === dialling) this.#dialling = undefined
        if (dialling.signal.aborted || this.#closed) return discard(dialed)
        this.#coming = new OutStream(dialed, this.pair, this.#owner.parts, this.#streamOwner)
      },
      (error: unknown) => {
        if (this.#dialling === dialling) this.#dialling = undefined
        if (!dialling.signal.aborted && !this.#closed) this.#failed(failureOf(error))
      },
    )
  }

  readonly #streamOwner = {
    ready: (stream: OutStream): void => {
      this.#coming = undefined
      this.#isOpen(stream)
    },
    has: (_: OutStream, parcels: readonly Parcel[]): void => this.has(parcels),
    ended: (stream: OutStream, unacknowledged: readonly Parcel[], failure: StreamFailure | undefined): void =>
      this.lost(stream, unacknowledged, failure),
  }

  #isOpen(stream: Carrier): void {
    this.#stream = stream
    this.#pause?.()
    this.#pause = undefined
    this.#pump()
  }

  #pump(): void {
    while (this.#stream?.hasRoom) {
      const one = this.#queue.shift()
      if (!one) return
      this.#stream.send(one)
    }
  }

  /** What a stream took with it goes first on the next one; news is old by then, and what breaks every stream goes back. */
  #again(unacknowledged: readonly Parcel[]): void {
    const kept = unacknowledged.filter(({ stanza }) => stanza.kind !== 'presence' && stanza.type !== 'error')
    const [first] = kept
    if (first && ++first.tries >= TRIES) {
      kept.shift()
      this.#back([first], TOO_LONG)
    }
    this.#queue.putBack(kept)
  }

  /** Messages wait where that helps; nobody waits for the answer to a question as long as for a message. */
  #failed(failure: StreamFailure): void {
    const { clock, log } = this.#owner.parts
    this.#failure = { why: failure, at: clock.now() }
    this.#failures++
    log.info('no stream to another server', { kind: failure.kind, attempt: this.#failures })
    log.debug('no stream to another server', { to: this.pair.theirs, why: failure.message })
    this.#back(
      this.#queue.take((one) => !(failure.passes && canWait(one))),
      failure.forSender,
    )
    this.#rest(failure.passes ? this.#backOff() : GIVEN_UP_FOR)
  }

  #giveUp(): void {
    const refusal = new StanzaError('cancel', 'not-allowed', 'This server does not talk to that one.')
    this.#back(
      this.#queue.take(() => true),
      refusal,
    )
  }

  /** Longer each time, and never the same for two that failed together. */
  #backOff(): number {
    const pause = Math.min(PAUSE_LONGEST, PAUSE_FIRST * 2 ** Math.min(this.#failures - 1, 20))
    return pause * (0.5 + this.#owner.random())
  }

  #rest(ms: number): void {
    this.#pause?.()
    this.#pause = this.#owner.parts.clock.after(ms, () => {
      this.#pause = undefined
      if (this.#queue.length > 0) this.#connect()
    })
  }

  /** Back to the senders. */
  #back(parcels: readonly Parcel[], error: StanzaError): void {
    for (const { stanza } of parcels) {
      if (stanza.kind === 'presence' && (stanza.type === 'unavailable' || stanza.type === 'probe')) continue
      void this.#owner.parts.router.refuse(stanza, error)
    }
    this.#owner.done(parcels)
  }
}

const UNFINISHED = 'It ended before it had taken everything.'
const FULL = new StanzaError('wait', 'resource-constraint', 'Too much waits for the other server already.')
const TOO_LONG = new StanzaError('wait', 'remote-server-timeout', 'The other server did not take it in time.')

/** Whether somebody may still be glad of it later. */
function canWait({ stanza: { kind, type } }: Parcel): boolean {
  return kind === 'message' ? type !== 'error' : kind === 'presence' && SUBSCRIPTIONS.has(type)
}

const SUBSCRIPTIONS: ReadonlySet<string> = new Set(['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'])
