// SPDX-License-Identifier: Apache-2.0
// All streams between servers: the routes to other domains, and the streams that other servers opened.
import type { Cancel } from '../../clock.ts'
import type { Federation } from '../../core/router.ts'
import { StanzaError, StreamError } from '../../xmpp/errors.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { Link } from '../link.ts'
import type { RouteInfo, StreamInfo } from './carrier.ts'
import { InStream } from './in.ts'
import type { ServerStreamParts } from './parts.ts'
import type { Parcel } from './queue.ts'
import { Route, type RouteOwner } from './route.ts'

/** How often streams and queues are looked at, in ms. */
const SWEEP = 15_000
/** Pairs of domains that something is known of; whoever writes to more at a time has to wait. */
const ROUTES_MAX = 10_000

/** Everything about other servers. */
export class ServerStreams implements Federation, RouteOwner {
  readonly parts: ServerStreamParts
  readonly #routes = new Map<string, Route>()
  readonly #incoming = new Set<InStream>()
  /** How many streams have proved a domain. */
  readonly #ofDomain = new Map<string, number>()
  readonly #cancelSweep: Cancel
  #closed = false

  constructor(parts: ServerStreamParts) {
    this.parts = parts
    this.#cancelSweep = parts.clock.every(SWEEP, () => this.#sweep())
  }

  mayReach(domain: string): boolean {
    return this.parts.policy.refusal(domain) === undefined
  }

  carry(stanza: Stanza): void {
    const { from, to } = stanza
    if (!from || !to || this.#closed) return
    const route = this.#route(from.domain, to.domain)
    if (route) route.carry(stanza)
    else void this.parts.router.refuse(stanza, TOO_MANY)
  }

  /** Takes over a connection of another server. */
  accept(link: Link): void {
    const stream = new InStream(link, this.parts, this.#inOwner)
    this.#incoming.add(stream)
    if (this.#closed) stream.close(new StreamError('system-shutdown'))
    else if (this.parts.policy.full(this.#incoming.size - 1)) stream.close(new StreamError('resource-constraint'))
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

  random(): number {
    return Math.random()
  }

  done(_parcels: readonly Parcel[]): void {}

  /** Ends the streams that could not begin any more, after the configuration changed. */
  endRefused(): void {
    const { policy, router } = this.parts
    for (const stream of [...this.#incoming]) {
      const { ours, theirs } = stream
      if (theirs !== undefined && policy.refusal(theirs)) stream.close(new StreamError('policy-violation'))
      else if (ours !== undefined && !router.answersFor(ours)) stream.close(new StreamError('host-gone'))
    }
    for (const { out } of this.#routes.values()) {
      if (out && (policy.refusal(out.theirs) || !router.answersFor(out.ours))) out.close()
    }
  }

  /** Ends all streams. */
  close(): void {
    this.#closed = true
    this.#cancelSweep()
    const error = new StreamError('system-shutdown')
    for (const route of this.#routes.values()) route.close(error)
    for (const stream of [...this.#incoming]) stream.close(error)
  }

  #route(ours: string, theirs: string): Route | undefined {
    const key = `${ours} ${theirs}`
    const known = this.#routes.get(key)
    if (known) return known
    if (this.#routes.size >= ROUTES_MAX) return undefined
    const route = new Route({ ours, theirs }, this)
    this.#routes.set(key, route)
    return route
  }

  readonly #inOwner = {
    proved: (_: InStream, domain: string): StreamError | undefined => {
      const before = this.#ofDomain.get(domain) ?? 0
      if (this.parts.policy.full(0, before)) return new StreamError('resource-constraint', 'Too many streams.')
      this.#ofDomain.set(domain, before + 1)
      return undefined
    },
    carries: (stream: InStream, ours: string, theirs: string): void => this.#route(ours, theirs)?.adopt(stream),
    has: ({ ours, theirs }: InStream, parcels: readonly Parcel[]): void =>
      this.#routes.get(`${ours} ${theirs}`)?.has(parcels),
    ended: (stream: InStream, unacknowledged: readonly Parcel[]): void => {
      this.#incoming.delete(stream)
      for (const { domain } of stream.info.proved) this.#forget(domain)
      this.#routes.get(`${stream.ours} ${stream.theirs}`)?.lost(stream, unacknowledged, undefined)
    },
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
      if (route.isIdle) this.#routes.delete(key)
    }
  }
}

const TOO_MANY = new StanzaError('wait', 'resource-constraint', 'This server talks to too many others at the moment.')
