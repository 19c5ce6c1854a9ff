// SPDX-License-Identifier: Apache-2.0
// All streams between servers: the routes to other domains, and the streams that other servers opened.
import type { Cancel } from '../../clock.ts'
import type { Federation } from '../../core/router.ts'
import type { OutgoingMessage } from '../../store/outbox-store.ts'
import { parseElement } from '../../xml/reader.ts'
import { StanzaError, StreamError } from '../../xmpp/errors.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import type { Link } from '../link.ts'
import type { PingAnswer } from './acks.ts'
import type { RouteInfo, StreamInfo } from './carrier.ts'
import { DialbackVerifier } from './dialback-verifier.ts'
import { InStream } from './in.ts'
import { isKept, keep, wayOf } from './kept.ts'
import { Openers } from './openers.ts'
import type { OutStream, Pair } from './out.ts'
import { Paces } from './pace.ts'
import type { ServerStreamParts, StreamParts } from './parts.ts'
import type { Parcel } from './queue.ts'
import { Route, type RouteOwner } from './route.ts'
import { Turns } from './turns.ts'

/** How often streams and queues are looked at, in ms. */
const SWEEP = 15_000
/** Pairs of domains that something is known of; whoever writes to more at a time has to wait. */
const ROUTES_MAX = 10_000
/** How many of them are looked at for one that can be forgotten. */
const LOOKS_MAX = 100
/** UTF-16 units of everything that waits for other servers. */
const QUEUED_MAX = 128 * 1024 * 1024
/** How many connections may be on their way at a time. */
const CONNECTING_MAX = 100
/** Messages of an earlier process that are read at once, and those of this one that may wait until all are read. */
const PAGE = 500
const EARLY_MAX = 5_000
/** After this long without anything of ours a stream gets a sign of life, in ms. */
const KEEPALIVE = 60_000
/** How long the other server may take to say what it has, in ms. */
const PATIENCE = 60_000

/** How long others may take to say what they have before our streams end, in ms. */
const LAST_WORDS = 500

const TOO_MANY = new StanzaError('wait', 'resource-constraint', 'This server talks to too many others at the moment.')

/** A message with its number in the outbox. */
interface Early {
  readonly stanza: Stanza
  readonly id: number
}

/** Everything about other servers. */
export class ServerStreams implements Federation, RouteOwner {
  readonly parts: StreamParts
  readonly shared = new Map<string, OutStream>()
  readonly #routes = new Map<string, Route>()
  readonly #openers = new Openers()
  readonly #incoming = new Set<InStream>()
  /** Those of them that have proved nothing yet, in the order in which they came. */
  readonly #strangers = new Set<InStream>()
  /** How many streams have proved a domain. */
  readonly #ofDomain = new Map<string, number>()
  readonly #turns = new Turns(CONNECTING_MAX)
  readonly #cancelSweep: Cancel
  /** What waits in all routes, as it was when it was last counted, and what came since. */
  #queued = 0
  #counted = 0
  /** Messages that came before those of an earlier process were read: they go after these. */
  #early: Early[] | undefined = []
  /** The last of those that have been read. */
  #readUpTo = 0
  #closed = false

  constructor(parts: ServerStreamParts) {
    const paces = new Paces(parts.limits, parts.clock)
    this.parts = { ...parts, verifier: new DialbackVerifier(parts), paces, tested: [] }
    this.#cancelSweep = parts.clock.every(SWEEP, () => this.#sweep())
    parts.metrics.federation = () => this.#state()
  }

  /** Sends what an earlier process could not send any more. If it rejects, since the store did, it goes on with the next call. */
  async start(): Promise<void> {
    const early = this.#early ?? []
    this.#early = early
    while (!this.#closed) {
      const page = await this.parts.store.outbox.page(this.#readUpTo, PAGE)
      const own = early[0]?.id ?? Number.POSITIVE_INFINITY
      for (const message of page) if (message.id < own) this.#goOnWith(message)
      const last = page.at(-1)
      if (!last || page.length < PAGE || last.id >= own) break
      this.#readUpTo = last.id
    }
    this.#early = undefined
    if (!this.#closed) for (const { stanza, id } of early) this.#carry(stanza, id)
  }

  get isOff(): boolean {
    return this.parts.policy.isOff === true
  }

  mayReach(domain: string): boolean {
    return this.parts.policy.refusal(domain) === undefined
  }

  carry(stanza: Stanza): void {
    const { from, to } = stanza
    if (!from || !to) return
    if (this.#closed) {
      this.keep(stanza, { ours: from.domain, theirs: to.domain }) // for the next process
      return
    }
    if (this.#early && isKept(stanza)) this.#carryLater(stanza, this.#early)
    else this.#carry(stanza)
  }

  /** Takes over a connection of another server. */
  accept(link: Link): void {
    const stream = new InStream(link, this.parts, this.#inOwner)
    this.#incoming.add(stream)
    this.#strangers.add(stream)
    if (this.#closed) stream.close(new StreamError('system-shutdown'))
    else if (this.parts.policy.full(this.#incoming.size - 1)) this.#makeRoom()
  }

  /** Who came first and has proved nothing goes: those who only keep places busy keep nobody out. */
  #makeRoom(): void {
    const [oldest] = this.#strangers
    oldest?.close(new StreamError('resource-constraint', 'There are too many streams.'))
  }

  /** Every stream and every route, for administrators. */
  list(): { readonly streams: readonly StreamInfo[]; readonly routes: readonly RouteInfo[] } {
    const routes = [...this.#routes.values()]
    const outgoing = routes.flatMap(({ out }) => (out ? [out.info] : []))
    return {
      streams: [...outgoing, ...[...this.#incoming].map(({ info }) => info)],
      routes: routes.map(({ info }) => info),
    }
  }

  /** In numbers, for the metrics. */
  #state() {
    const counts = new Map<string, { direction: string; state: string; count: number }>()
    const count = (direction: 'in' | 'out', state: string): void => {
      const key = `${direction} ${state}`
      counts.set(key, { direction, state, count: (counts.get(key)?.count ?? 0) + 1 })
    }
    for (const { isStranger } of this.#incoming) count('in', isStranger ? 'connecting' : 'open')
    let [queued, queuedBytes] = [0, 0]
    for (const { out, info } of this.#routes.values()) {
      if (out?.isReady) count('out', 'open')
      else if (info.state === 'connecting' || info.state === 'waiting') count('out', info.state)
      queued += info.queued
      queuedBytes += info.queuedBytes
    }
    return { streams: [...counts.values()], queued, queuedBytes }
  }

  random(): number {
    return Math.random()
  }

  turn(who: string, begin: () => void): () => void {
    return this.#turns.take(who, begin)
  }

  hasRoom(size: number): boolean {
    if (this.#queued + size > QUEUED_MAX && this.parts.clock.now() - this.#counted >= 1_000) this.#count()
    if (this.#queued + size > QUEUED_MAX) return false
    this.#queued += size
    return true
  }

  /** What left in the meantime is not counted one by one. */
  #count(): void {
    this.#counted = this.parts.clock.now()
    this.#queued = 0
    for (const { size } of this.#routes.values()) this.#queued += size
  }

  keep(stanza: Stanza, pair: Pair): number | undefined {
    return keep(this.parts, stanza, pair)
  }

  arrived(pair: Pair, upTo: number): void {
    this.parts.store.outbox.arrived(wayOf(pair), upTo)
  }

  dropped(stored: readonly number[]): void {
    this.parts.store.outbox.drop(stored)
  }

  /** Ends the streams that could not begin any more, after the configuration changed. */
  endRefused(): void {
    const { policy, router } = this.parts
    const isRefused = ({ proved }: StreamInfo): boolean =>
      proved.some(({ domain, by }) => policy.refusal(domain) || (by === 'dialback' && policy.trust(domain) !== by))
    for (const stream of [...this.#incoming]) {
      const { ours, theirs } = stream
      if (theirs !== undefined && policy.refusal(theirs)) stream.close(new StreamError('policy-violation'))
      else if (isRefused(stream.info)) stream.close(new StreamError('policy-violation'))
      else if (ours !== undefined && !router.answersFor(ours)) stream.close(new StreamError('host-gone'))
    }
    for (const route of this.#routes.values()) {
      const { out, pair } = route
      if (policy.refusal(pair.theirs)) route.giveUp()
      else if (out && (isRefused(out.info) || !router.answersFor(out.ours))) out.close()
    }
  }

  /** Ends all streams with a domain; what waits for it opens another. @returns how many there were */
  disconnect(domain: string): number {
    const outgoing = [...this.#routes.values()].flatMap(({ out }) => (out?.theirs === domain ? [out] : []))
    const incoming = [...this.#incoming].filter(
      ({ theirs, info }) => theirs === domain || info.proved.some((one) => one.domain === domain),
    )
    const all = [...outgoing, ...incoming]
    for (const stream of all) stream.close(new StreamError('reset'))
    return all.length
  }

  /** Ends all streams. What was not acknowledged is in the outbox, if it is anything to keep. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelSweep()
    await this.#lastWords()
    this.parts.verifier.stop()
    const error = new StreamError('system-shutdown')
    for (const route of this.#routes.values()) route.close(error)
    for (const stream of [...this.#incoming]) stream.close(error)
  }

  /** What the other side does not know that it, or we, have would be sent once more by the next process. */
  async #lastWords(): Promise<void> {
    const outgoing = [...this.#routes.values()].flatMap(({ out }) => out ?? [])
    const all = [...outgoing, ...this.#incoming].map(({ traffic }) => traffic.acks)
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, LAST_WORDS)
    await Promise.race([Promise.all(all.map((acks) => acks.drained())), late.promise])
    clearTimeout(timer)
    await this.parts.store.durable().catch(() => undefined) // whoever needs it was told
    for (const acks of all) acks.farewell()
  }

  /** @param stored its number in the outbox, if it is there already */
  #carry(stanza: Stanza, stored?: number): void {
    const { from, to } = stanza
    const route = from && to && this.#route(from.domain, to.domain, from.bare.key)
    if (route) {
      route.carry(stanza, stored)
      return
    }
    if (stored !== undefined) this.dropped([stored])
    void this.parts.router.refuse(stanza, TOO_MANY)
  }

  #carryLater(stanza: Stanza, early: Early[]): void {
    const { from, to } = stanza
    if (!from || !to) return
    const id = early.length < EARLY_MAX ? this.keep(stanza, { ours: from.domain, theirs: to.domain }) : undefined
    if (id === undefined) void this.parts.router.refuse(stanza, TOO_MANY)
    else early.push({ stanza, id })
  }

  /** @param who wants it; undefined if it is the other server */
  #route(ours: string, theirs: string, who?: string): Route | undefined {
    const pair = { ours, theirs }
    const key = wayOf(pair)
    const known = this.#routes.get(key)
    if (known) return known
    if (who !== undefined && !this.#openers.mayOpen(who)) return undefined
    if (this.#routes.size >= ROUTES_MAX && !this.#forgetOne()) return undefined
    if (who !== undefined) this.#openers.opened(key, who)
    const route = new Route(pair, this)
    this.#routes.set(key, route)
    return route
  }

  /** That a domain could not be reached is worth less than a place for another one. @returns whether there is one now */
  #forgetOne(): boolean {
    let looks = 0
    for (const [key, route] of this.#routes) {
      if (!route.isForgettable) {
        if (++looks >= LOOKS_MAX) return false
        continue
      }
      route.close()
      this.#forgetRoute(key)
      return true
    }
    return false
  }

  #forgetRoute(key: string): void {
    this.#routes.delete(key)
    this.#openers.forgot(key)
  }

  /** Its time begins anew: nobody could do anything for it while no process was there. */
  #goOnWith({ id, xml }: OutgoingMessage): void {
    try {
      const stanza = Stanza.parse(parseElement(xml, NS_CLIENT))
      const { from, to } = stanza
      const isOurs = from && this.parts.router.answersFor(from.domain) // domains may have gone since then
      if (isOurs && to) this.#carry(stanza, id)
      else this.dropped([id])
    } catch (error) {
      this.parts.log.error('message for another server not readable', { id, error })
      this.dropped([id])
    }
  }

  readonly #inOwner = {
    proved: (stream: InStream, domain: string): StreamError | undefined => {
      const before = this.#ofDomain.get(domain) ?? 0
      if (this.parts.policy.full(0, before)) return new StreamError('resource-constraint', 'Too many streams.')
      this.#ofDomain.set(domain, before + 1)
      this.#strangers.delete(stream)
      this.#routes.get(`${stream.ours} ${domain}`)?.heardOf()
      return undefined
    },
    carries: (stream: InStream, ours: string, theirs: string): void => this.#route(ours, theirs)?.offer(stream),
    has: (stream: InStream, parcels: readonly Parcel[]): void => this.#routeOf(stream)?.has(parcels),
    ping: (stream: InStream): Promise<PingAnswer> =>
      this.#routeOf(stream)?.ping() ?? Promise.resolve<PingAnswer>('silent'),
    ended: (stream: InStream, unacknowledged: readonly Parcel[]): void => {
      this.#incoming.delete(stream)
      this.#strangers.delete(stream)
      for (const { domain } of stream.info.proved) this.#forget(domain)
      this.#routeOf(stream)?.lost(stream, unacknowledged)
    },
  }

  #routeOf({ ours, theirs }: InStream): Route | undefined {
    return this.#routes.get(`${ours} ${theirs}`)
  }

  #forget(domain: string): void {
    const left = (this.#ofDomain.get(domain) ?? 1) - 1
    if (left > 0) this.#ofDomain.set(domain, left)
    else this.#ofDomain.delete(domain)
  }

  #sweep(): void {
    const now = this.parts.clock.now()
    for (const [key, route] of this.#routes) {
      route.tick(now)
      const { out } = route
      if (out?.isReady) this.#look(out, now, this.parts.limits.idleTimeout)
      else if (route.isIdle) this.#forgetRoute(key)
    }
    this.#count()
    // Whoever opened a stream shall have the chance to close it first: what is on its way then is not lost.
    for (const stream of [...this.#incoming]) {
      if (!stream.isStranger) this.#look(stream, now, this.parts.limits.idleTimeout + PATIENCE)
    }
  }

  /** Silent streams get a sign of life, those that do not answer are cut off, and those without traffic end. */
  #look(stream: InStream | OutStream, now: number, idleTimeout: number): void {
    const { acks, lastStanza, lastSent } = stream.traffic
    if (acks.active && acks.askedAt !== undefined && now - acks.askedAt > PATIENCE) {
      stream.close(new StreamError('connection-timeout'))
    } else if (acks.length === 0 && now - lastStanza > idleTimeout) stream.close()
    else if (now - lastSent > KEEPALIVE) stream.traffic.keepAlive()
  }
}
