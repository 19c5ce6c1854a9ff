// SPDX-License-Identifier: Apache-2.0
// Two whole servers in memory, joined as by streams between servers: what one sends the other reads from its wire text, in
// order, and takes only what an honest stream may bring. The road between them can be stopped, cut, and opened again.
import { andThen } from '../../src/core/feature.ts'
import type { Federation, Router } from '../../src/core/router.ts'
import { parseElement } from '../../src/xml/reader.ts'
import { StanzaError } from '../../src/xmpp/errors.ts'
import { NS_CLIENT, Stanza } from '../../src/xmpp/stanza.ts'
import { type Actor, type Stage, type Theatre, theatre } from './cast.ts'

/** The domains of the two. */
export const CAPULET = 'capulet.example'
export const MONTAGUE = 'montague.example'

/** Two servers and the road between them. */
export interface TwoServers {
  readonly capulet: Theatre
  readonly montague: Theatre
  readonly road: Road
}

/** Starts both. */
export async function twoServers(
  stages: { readonly capulet?: Stage; readonly montague?: Stage } = {},
): Promise<TwoServers> {
  const road = new Road()
  const start = (domain: string, stage: Stage = {}): Promise<Theatre> =>
    theatre({ hosts: [domain], ...stage, federation: road.federationOf(domain) })
  return { capulet: await start(CAPULET, stages.capulet), montague: await start(MONTAGUE, stages.montague), road }
}

/** Both, with a client on each. */
export async function lovers(
  stages: Parameters<typeof twoServers>[0] = {},
): Promise<TwoServers & { readonly juliet: Actor; readonly romeo: Actor }> {
  const world = await twoServers(stages)
  return { ...world, juliet: await world.capulet.enter('juliet'), romeo: await world.montague.enter('romeo') }
}

/** What may travel: `open`, `stopped` (waits for better times, as in a queue), or `cut` (comes back). */
type State = 'open' | 'stopped' | 'cut'

/** A stanza on its way. */
interface Parcel {
  readonly stanza: Stanza
  /** The domain of the server that sent it. */
  readonly by: string
}

/** What is between servers. */
export class Road {
  /** Everything that was carried, as text, with the domain of the server that sent it before it. */
  readonly log: string[] = []
  /** Domains that no server here wants to have to do with. */
  readonly refused = new Set<string>()
  readonly #ends = new Map<string, Router>()
  readonly #ways = new Map<string, Way>()
  #state: State = 'open'

  /** What one server knows of the others. */
  federationOf(domain: string): (router: Router) => Federation {
    return (router) => {
      this.#ends.set(domain, router)
      const way = new Way((parcel) => this.#deliver(parcel))
      this.#ways.set(domain, way)
      return {
        mayReach: (other) => !this.refused.has(other),
        carry: (stanza) => this.#carry({ stanza, by: domain }, router, way),
      }
    }
  }

  /** Nothing travels, and nothing gets lost. */
  stop(): void {
    this.#state = 'stopped'
    for (const way of this.#ways.values()) way.open = false
  }

  /** Everything comes back as it would if the other server could not be reached. */
  cut(): void {
    this.#state = 'cut'
  }

  /** What was stopped goes on. */
  heal(): void {
    this.#state = 'open'
    for (const way of this.#ways.values()) way.go()
  }

  /** Resolves when nothing is under way. */
  async quiet(): Promise<void> {
    for (const way of [...this.#ways.values(), ...this.#ways.values()]) await way.done
  }

  /** What a hostile server at this domain sends. @returns whether it was let in */
  async forges(by: string, xml: string): Promise<boolean> {
    return (await this.#read(Stanza.parse(parseElement(xml, NS_CLIENT)), by)) !== undefined
  }

  #carry(parcel: Parcel, router: Router, way: Way): void | Promise<void> {
    const { stanza, by } = parcel
    if (!this.#endOf(stanza.to?.domain ?? ''))
      return router.refuse(stanza, new StanzaError('cancel', 'remote-server-not-found', 'There is no such server.'))
    if (this.#state === 'cut')
      return router.refuse(stanza, new StanzaError('wait', 'remote-server-timeout', 'The server cannot be reached.'))
    this.log.push(`${by}: ${stanza.xml(NS_CLIENT)}`)
    way.put(parcel)
    return undefined
  }

  async #deliver({ stanza, by }: Parcel): Promise<void> {
    await this.#read(Stanza.parse(parseElement(stanza.xml(NS_CLIENT), NS_CLIENT)), by)
  }

  /** The sender's domain is one that this stream has proved, and is none of ours; the addressee is here (RFC 6120 §8.1.2.2). */
  #read(stanza: Stanza, by: string): Promise<true | undefined> {
    const { from, to } = stanza
    const proved = from !== undefined && (from.domain === by || from.domain.endsWith(`.${by}`))
    const end = to && this.#endOf(to.domain)
    if (!proved || !end || end.answersFor(from.domain)) return Promise.resolve(undefined)
    return Promise.resolve(andThen(end.route(stanza), () => true as const))
  }

  #endOf(domain: string): Router | undefined {
    return [...this.#ends.values()].find((router) => router.answersFor(domain))
  }
}

/** One direction. */
class Way {
  open = true
  done: Promise<void> = Promise.resolve()
  readonly #waiting: Parcel[] = []
  readonly #deliver: (parcel: Parcel) => Promise<void>
  #going = false

  constructor(deliver: (parcel: Parcel) => Promise<void>) {
    this.#deliver = deliver
  }

  put(parcel: Parcel): void {
    this.#waiting.push(parcel)
    if (this.open) this.go()
  }

  go(): void {
    this.open = true
    if (this.#going) return
    this.#going = true
    this.done = this.#run()
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#deliver(next)
      if (!this.open) break
    }
    this.#going = false
  }
}

/** Both servers have dealt with everything that these clients sent, and with what followed from it; what came is thrown away. */
export async function allSettle(...actors: readonly Actor[]): Promise<void> {
  for (let round = 0; round < 2; round++) for (const actor of actors) await actor.settles(otherThan(actor))
}

/** The server that a client is not at. */
export function otherThan({ jid }: Actor): string {
  return jid.domain === CAPULET ? MONTAGUE : CAPULET
}

/** They follow each other from now on. */
export async function befriendAcross(one: Actor, other: Actor): Promise<void> {
  for (const [fan, star] of [
    [one, other],
    [other, one],
  ] as const) {
    fan.sends(`<presence type='subscribe' to='${star.bare}'/>`)
    await allSettle(fan)
    star.sends(`<presence type='subscribed' to='${fan.bare}'/>`)
    await allSettle(star)
  }
  await allSettle(one, other)
}
