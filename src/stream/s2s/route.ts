// SPDX-License-Identifier: Apache-2.0
// The way from one of our domains to one of others: what is to be sent waits here until a stream is there, keeps its order
// whatever happens to streams, and goes back to its sender when it has waited too long. Nobody ever waits for a route.
import type { Cancel } from '../../clock.ts'
import { el } from '../../xml/element.ts'
import { StanzaError, type StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { PingAnswer } from './acks.ts'
import { Attempt, type AttemptOwner, UNFINISHED } from './attempt.ts'
import type { Carrier, RouteInfo } from './carrier.ts'
import { StreamFailure } from './failure.ts'
import { OutStream, type Pair } from './out.ts'
import { isGoodbye, type Parcel, parcel, Queue } from './queue.ts'

/** The first pause after a failure, and the longest, in ms. */
const PAUSE_FIRST = 1_000
const PAUSE_LONGEST = 120_000
/** How long a domain that cannot be reached at all is not tried again, in ms. */
const GIVEN_UP_FOR = 60_000
/** What may wait on a stream that carries stanzas: much can come in one turn, and none of it need go back. */
const WHILE_OPEN = { queueStanzas: 20_000, queueBytes: 16 * 1024 * 1024 }
/** How often a stanza may be the first of those that a broken stream did not deliver. */
const TRIES = 3

const FULL = new StanzaError('wait', 'resource-constraint', 'Too much waits for the other server already.')
const TOO_LONG = new StanzaError('wait', 'remote-server-timeout', 'The other server did not take it in time.')
const SUBSCRIPTIONS: ReadonlySet<string> = new Set(['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'])

/** What a route needs beside the parts of streams. */
export interface RouteOwner extends AttemptOwner {
  /** Streams that take further domains of ours, by domain of theirs. */
  readonly shared: Map<string, OutStream>
  /** A number between 0 and 1, for jitter. */
  random(): number
  /** Whether so much more may wait in all routes together. */
  hasRoom(size: number): boolean
  /** Puts a message on disk if it is worth it. @returns its number in the outbox */
  keep(stanza: Stanza, pair: Pair): number | undefined
  /** The other server has everything up to this one. */
  arrived(pair: Pair, upTo: number): void
  /** These went back to their senders. */
  dropped(stored: readonly number[]): void
}

/** One pair of domains. */
export class Route {
  readonly pair: Pair
  readonly #owner: RouteOwner
  readonly #queue: Queue
  /** An attempt to connect, from the lookup on. */
  #attempt: Attempt | undefined
  #stream: Carrier | undefined
  /** Whether another domain's stream is being asked to take this pair, too; and whether there is any sense in it. */
  #boarding = false
  #boards = true
  /** Streams of theirs that would serve as well (XEP-0288). */
  readonly #spare = new Set<Carrier>()
  #failures = 0
  #failure: { readonly why: StreamFailure; readonly at: number } | undefined
  /** Until it ends nothing is tried; and why what cannot wait that long is not taken. */
  #pause: Cancel | undefined
  #refuses: StreamFailure | undefined
  /** Whether the other server has ever answered a ping: then one that is not answered says something. */
  #answersPings = false
  /** While true, what comes goes before everything that waits. */
  #jumps = false
  #closed = false

  constructor(pair: Pair, owner: RouteOwner) {
    this.pair = pair
    this.#owner = owner
    this.#queue = new Queue(owner.parts.limits)
  }

  /** Whether nothing would be lost without it. */
  get isIdle(): boolean {
    return this.isForgettable && !this.#pause
  }

  /** Whether nothing would be lost but what is known of the last attempt. */
  get isForgettable(): boolean {
    const isBusy = this.#stream || this.#attempt || this.#boarding
    return !isBusy && this.#spare.size === 0 && this.#queue.length === 0
  }

  /** UTF-16 units of what waits. */
  get size(): number {
    return this.#queue.bytes
  }

  /** A stream of ours for it, if there is one. */
  get out(): OutStream | undefined {
    return this.#stream instanceof OutStream ? this.#stream : this.#attempt?.stream
  }

  get info(): RouteInfo {
    const failure = this.#failure
    return {
      from: this.pair.ours,
      to: this.pair.theirs,
      state: this.#stream ? 'open' : this.#attempt || this.#boarding ? 'connecting' : this.#pause ? 'waiting' : 'idle',
      queued: this.#queue.length,
      queuedBytes: this.#queue.bytes,
      lastError: failure && { why: failure.why.message, at: failure.at },
    }
  }

  /** Takes charge of a stanza. @param stored its number in the outbox, if it is there already */
  carry(stanza: Stanza, stored?: number): void {
    const one = parcel(stanza, this.#owner.parts.clock.now(), stored)
    const stream = this.#stream
    const goes = stream && (this.#jumps || (stream.hasRoom && this.#queue.length === 0))
    const refused = goes ? undefined : this.#refusal(one)
    if (refused) {
      this.#back([one], refused)
      return
    }
    // What goes back at once is not written: somebody might have a large message refused a thousand times.
    one.stored ??= this.#owner.keep(stanza, this.pair)
    if (goes) stream.send(one)
    else if (!stream) this.#connect()
  }

  /** A stream of theirs serves both ways (XEP-0288): if we have none, it is the one. */
  offer(stream: Carrier): void {
    this.#spare.add(stream)
    if (this.#stream || this.#attempt?.stream) return
    this.#attempt?.end()
    this.#attempt = undefined
    this.#connect(true)
  }

  /** The other server has these. */
  has(parcels: readonly Parcel[]): void {
    this.#failures = 0
    const last = parcels.findLast(({ stored }) => stored !== undefined)?.stored
    if (last !== undefined) this.#owner.arrived(this.pair, last)
    this.#pump()
  }

  /**
   * Pings the other server (XEP-0199 §4.2), to know that it is there and has all that was sent before.
   */
  async ping(): Promise<PingAnswer> {
    const { ours, theirs } = this.pair
    const [from, to] = [Jid.of(undefined, ours), Jid.of(undefined, theirs)]
    this.#jumps = true
    const asked = this.#owner.parts.router.ask(from, to, 'get', el('ping', 'urn:xmpp:ping'))
    this.#jumps = false
    const answer = await asked
    const silent =
      answer.type === 'error' && answer.element.child('error')?.elements[0]?.name === 'remote-server-timeout'
    if (silent) return this.#answersPings ? 'gone' : 'silent'
    this.#answersPings = true
    return 'there'
  }

  /** Lets a parcel wait. @returns why it may not */
  #refusal(one: Parcel): StanzaError | undefined {
    const failure = this.#refuses
    if (failure && !(failure.passes && canWait(one))) {
      this.#queue.outdate(one.stanza) // who is back has not gone, even if nobody hears that now
      return failure.forSender
    }
    return this.#owner.hasRoom(one.size) && this.#queue.push(one, this.#stream && WHILE_OPEN) ? undefined : FULL
  }

  /** A stream that carried stanzas, or could, is gone. @param failure why, unless it ended in peace */
  lost(stream: Carrier, unacknowledged: readonly Parcel[], failure?: StreamFailure): void {
    this.#spare.delete(stream)
    if (this.#stream !== stream) return
    this.#stream = undefined
    this.#again(unacknowledged)
    if (this.#closed) return
    // One that ended in peace is replaced when there is something to say; one that took something with it was no success.
    const broken = failure ?? (unacknowledged.length > 0 ? new StreamFailure('lost', UNFINISHED) : undefined)
    if (broken) this.#broke(broken)
    else if (this.#queue.length > 0) this.#connect()
  }

  /** The other server is there: what waits need not wait longer. */
  heardOf(): void {
    if (!this.#pause) return
    this.#failures = 0
    this.#endPause()
    if (this.#queue.length > 0) this.#connect()
  }

  /** Gives back what has waited too long. */
  tick(now: number): void {
    const oldest = now - this.#owner.parts.limits.queueTime
    const first = this.#queue.first
    if (!first || first.since > oldest) return
    const late = this.#queue.take(({ since }) => since <= oldest)
    this.#back(late, (this.#stream ? undefined : this.#failure?.why.forSender) ?? TOO_LONG)
  }

  /** Ends it; what waits is in the outbox, or lost. */
  close(error?: StreamError): void {
    this.#closed = true
    this.#endPause()
    const { out } = this
    this.#attempt?.end(error)
    this.#attempt = undefined
    out?.close(error)
  }

  /** Nothing may go there any more: what is under way ends, and what waits goes back. */
  giveUp(): void {
    const { out } = this
    this.#attempt?.end()
    this.#attempt = undefined
    out?.close()
    const refused = this.#queue.take(() => true)
    this.#back(refused, this.#owner.parts.router.noWay())
  }

  #connect(now = false): void {
    if (this.#closed || this.#attempt || this.#boarding || this.#stream || (this.#pause && !now)) return
    const { policy } = this.#owner.parts
    const { theirs } = this.pair
    const [spare] = this.#spare
    const shared = this.#boards ? this.#owner.shared.get(theirs) : undefined
    if (spare) this.#isOpen(spare)
    else if (policy.refusal(theirs)) this.giveUp()
    else if (shared?.takesRiders) void this.#board(shared)
    else this.#dial()
  }

  /** XEP-0220 §2.6.1: another domain of ours has a stream to them already. */
  async #board(shared: OutStream): Promise<void> {
    const ride: Carrier = {
      get hasRoom() {
        return shared.hasRoom
      },
      send: (one) => shared.send(one),
      close: () => undefined, // its own route closes it
    }
    this.#boarding = true
    const asked = await shared.board(this.pair.ours, {
      has: (parcels) => this.has(parcels),
      ended: (unacknowledged, failure) => this.lost(ride, unacknowledged, failure),
    })
    this.#boarding = false
    if (this.#closed || this.#stream) return
    if (asked.type === 'valid') return this.#isOpen(ride)
    this.#boards = asked.type === 'lost'
    this.#connect()
  }

  #dial(): void {
    const { shared } = this.#owner
    const attempt = new Attempt(this.pair, this.#owner, {
      ready: (stream) => {
        this.#attempt = undefined
        if (stream.takesRiders) shared.set(stream.theirs, stream)
        this.#isOpen(stream)
      },
      failed: (failure) => {
        this.#attempt = undefined
        this.#failed(failure)
      },
      has: (parcels) => this.has(parcels),
      lost: (stream, unacknowledged, failure) => {
        if (shared.get(stream.theirs) === stream) shared.delete(stream.theirs)
        this.lost(stream, unacknowledged, failure)
      },
      ping: () => this.ping(),
    })
    this.#attempt = attempt
    attempt.begin(this.#queue.first?.stanza.from?.bare.toString() ?? '')
  }

  #isOpen(stream: Carrier): void {
    this.#stream = stream
    this.#endPause()
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
    const gone = goodbyesOf(unacknowledged)
    const kept = unacknowledged.filter((one) => {
      const { kind, type } = one.stanza
      return kind === 'presence' ? SUBSCRIPTIONS.has(type) || gone.has(one) : type !== 'error'
    })
    const [first] = kept
    if (first && ++first.tries >= TRIES) {
      kept.shift()
      this.#back([first], TOO_LONG)
    }
    this.#queue.putBack(kept)
  }

  /** Messages wait where that helps; nobody waits for the answer to a question as long as for a message. */
  #failed(failure: StreamFailure): void {
    if (this.#closed) return
    this.#note(failure)
    if (this.#spare.size > 0) {
      this.#connect(true)
      return
    }
    const useless = this.#queue.take((one) => !(failure.passes && canWait(one)))
    this.#rest(failure.passes ? this.#backOff() : GIVEN_UP_FOR)
    this.#refuses = failure
    this.#back(useless, failure.forSender)
  }

  /** What worked a moment ago is tried again soon, and until then everything waits. */
  #broke(failure: StreamFailure): void {
    this.#note(failure)
    this.#rest(this.#backOff())
    if (this.#spare.size > 0) this.#connect(true)
  }

  #note(failure: StreamFailure): void {
    const { clock, log, metrics, router } = this.#owner.parts
    router.lost(this.pair.theirs) // news may get lost, ours and theirs
    this.#failure = { why: failure, at: clock.now() }
    this.#failures++
    metrics.serverFailed(failure.kind)
    log.info('no stream to another server', { kind: failure.kind, attempt: this.#failures })
    log.debug('no stream to another server', { to: this.pair.theirs, why: failure.message })
  }

  /** Longer each time, and never the same for two that failed together. */
  #backOff(): number {
    const pause = Math.min(PAUSE_LONGEST, PAUSE_FIRST * 2 ** Math.min(this.#failures - 1, 20))
    return pause * (0.5 + this.#owner.random())
  }

  #rest(ms: number): void {
    this.#endPause()
    this.#pause = this.#owner.parts.clock.after(ms, () => {
      this.#endPause()
      if (this.#queue.length > 0) this.#connect()
    })
  }

  #endPause(): void {
    this.#pause?.()
    this.#pause = undefined
    this.#refuses = undefined
  }

  /** Back to the senders: whoever said goodbye, or only wondered, does not want to know. */
  #back(parcels: readonly Parcel[], error: StanzaError): void {
    const stored: number[] = []
    for (const { stanza, stored: id } of parcels) {
      if (id !== undefined) stored.push(id)
      if (stanza.kind === 'presence' && (stanza.type === 'unavailable' || stanza.type === 'probe')) continue
      void this.#owner.parts.router.refuse(stanza, error)
    }
    if (stored.length > 0) this.#owner.dropped(stored)
  }
}

/** Whether somebody may still be glad of it later. */
function canWait({ stanza: { kind, type } }: Parcel): boolean {
  if (kind === 'message') return type !== 'error'
  return kind === 'presence' && (SUBSCRIPTIONS.has(type) || type === 'unavailable')
}

/** The goodbyes that are still true: who came back after one may be there already, and must not be sent away. */
function goodbyesOf(parcels: readonly Parcel[]): ReadonlySet<Parcel> {
  const last = new Map<string, Parcel>()
  for (const one of parcels) {
    const { kind, type, from, to } = one.stanza
    if (kind === 'presence' && (type === '' || type === 'unavailable')) last.set(`${from} ${to}`, one)
  }
  return new Set([...last.values()].filter(({ stanza }) => isGoodbye(stanza)))
}
