// SPDX-License-Identifier: Apache-2.0
// Presence (RFC 6121 §4): who is there, and who gets to know it. Subscriptions are in `subscriptions.ts`.

import type { RosterItem } from '../store/store.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Directory, LocalAccount } from './directory.ts'
import type { Hooks, MaybeAsync } from './feature.ts'
import { presence } from './presence-stanza.ts'
import { seesUs, weSee } from './roster.ts'
import type { PresenceHandler, Router } from './router.ts'
import type { Session } from './session.ts'
import type { Subscriptions } from './subscriptions.ts'

/** How many addresses one client's directed presence is remembered for, so that it cannot fill the memory. */
const DIRECTED_MAX = 1000

/** What presence needs. */
export interface PresenceParts {
  readonly router: Router
  readonly directory: Directory
  readonly hosts: ReadonlySet<string>
  readonly subscriptions: Subscriptions
  readonly hooks: readonly Hooks[]
}

/** Follows the presence of our clients. */
export class Presence implements PresenceHandler {
  readonly #parts: PresenceParts

  constructor(parts: PresenceParts) {
    this.#parts = parts
  }

  /** Presence that one of our clients sent. */
  fromClient(stanza: Stanza, session: Session): MaybeAsync<void> {
    const { type, to } = stanza
    if (type === 'subscribe' || type === 'subscribed' || type === 'unsubscribe' || type === 'unsubscribed') {
      if (!to) throw new StanzaError('modify', 'bad-request', 'A subscription needs an address.')
      if (type === 'subscribe') this.#needsWay(to)
      return this.#parts.subscriptions.fromClient(stanza, type, to.bare, session)
    }
    if (to) return this.#directed(stanza, to, session)
    if (type === '') return this.#available(stanza, session)
    if (type === 'unavailable') return this.unavailable(session, stanza)
    return undefined
  }

  /** Presence for one of our accounts (RFC 6121 §8.5). */
  toAccount(stanza: Stanza, to: Jid, account: LocalAccount): MaybeAsync<void> {
    const { type } = stanza
    if (type === 'subscribe' || type === 'subscribed' || type === 'unsubscribe' || type === 'unsubscribed') {
      return this.#parts.subscriptions.toAccount(stanza, type, account)
    }
    if (type === 'probe') return this.#probed(stanza, to, account)
    if (to.resource !== undefined) {
      const client = account.sessions.get(to.resource)
      return client && this.#parts.router.toClient(stanza, client)
    }
    if (type === 'error') return this.#failed(stanza, account)
    for (const client of account.available()) void this.#parts.router.toClient(stanza, client)
    return undefined
  }

  /**
   * RFC 6121 §8.5.1: a probe is answered as by somebody who does not want it, all else is silently ignored, a request
   * too: so it looks like one that waits for somebody who is away, and nobody learns who has an account.
   */
  toNobody(stanza: Stanza, to: Jid): MaybeAsync<void> {
    if (stanza.type !== 'probe') return undefined
    return this.#parts.router.route(presence('unsubscribed', to.bare, stanza.from?.bare))
  }

  /**
   * What was said of presence while the servers could not be reached is lost, on both sides. So our users' clients show
   * themselves again to those who may see them there, and ask for those whom they see; the answer is for all of an account.
   * Until then clients show what they last knew, beside the errors that they got.
   */
  regained(domains: ReadonlySet<string>): void {
    for (const account of this.#parts.directory.online()) {
      for (const item of account.roster.items) if (domains.has(item.jid.domain)) this.#renew(account, item)
    }
  }

  /** The client's stream ended: if it had not said so itself, it is unavailable now (RFC 6121 §4.5.1). */
  ended(session: Session): void {
    void this.unavailable(session, presence('unavailable', session.jid, undefined))
  }

  /** RFC 6121 §4.5: tells everybody who knew that the client was there. */
  unavailable(session: Session, stanza: Stanza): MaybeAsync<void> {
    const known = session.presence !== undefined
    const { directed } = session
    const goodbye = stanza.with({ to: undefined })
    session.presence = undefined
    session.priority = undefined
    const told = [...directed.values()]
    directed.clear()
    const { jid, roster } = session.account
    for (const to of told) {
      if (known && (to.bare.equals(jid) || seesUs(roster.item(to.bare)))) continue // the broadcast tells them
      void this.#parts.router.onBehalf(goodbye.with({ to }), session)
    }
    if (known) this.#broadcast(goodbye, session)
  }

  /** Who asked somebody on another server for a subscription learns that it did not get there; other errors bother nobody. */
  #failed(stanza: Stanza, account: LocalAccount): void {
    const { from } = stanza
    if (!from || this.#parts.hosts.has(from.domain) || account.roster.item(from.bare)?.ask !== true) return
    for (const client of account.interested()) void this.#parts.router.toClient(stanza, client)
  }

  #available(stanza: Stanza, session: Session): MaybeAsync<void> {
    const priority = priorityOf(stanza)
    const initial = session.presence === undefined
    const wasReachable = session.priority !== undefined && session.priority >= 0
    session.presence = stanza.with({ to: undefined })
    session.priority = priority
    this.#broadcast(session.presence, session)
    if (initial) this.#catchUp(session)
    if (priority < 0 || wasReachable) return undefined
    return this.#announceAvailable(session, stanza, 0)
  }

  /** RFC 6121 §4.2.2, §4.4.2: to the contacts that may see it, and to all clients of the account, this one too. */
  #broadcast(stanza: Stanza, session: Session): void {
    const { router } = this.#parts
    for (const item of session.account.roster.items) {
      if (seesUs(item)) void router.onBehalf(stanza.with({ to: item.jid }), session)
    }
    for (const client of session.account.available()) void router.toClient(stanza.with({ to: client.jid.bare }), client)
    if (stanza.type === 'unavailable') void router.toClient(stanza.with({ to: session.jid.bare }), session)
  }

  #renew(account: LocalAccount, item: RosterItem): void {
    const { router } = this.#parts
    let asked = !weSee(item)
    for (const client of account.available()) {
      if (seesUs(item) && client.presence) void router.onBehalf(client.presence.with({ to: item.jid }), client)
      if (!asked) void router.onBehalf(presence('probe', account.jid, item.jid), client)
      asked = true
    }
  }

  /** What a client that has just become available must learn: who is there (RFC 6121 §4.3) and who asks (§3.1.3). */
  #catchUp(session: Session): void {
    const { router, directory, hosts } = this.#parts
    const { account } = session
    for (const other of account.available()) {
      if (other !== session && other.presence)
        void router.toClient(other.presence.with({ to: session.jid.bare }), session)
    }
    for (const item of account.roster.items) {
      if (!weSee(item)) continue
      const online = !hosts.has(item.jid.domain) || directory.loaded(item.jid.bare.toString())?.sessions.size
      if (online) void router.onBehalf(presence('probe', session.jid, item.jid), session)
    }
    this.#parts.subscriptions.pending(session)
  }

  #announceAvailable(session: Session, stanza: Stanza, first: number): MaybeAsync<void> {
    const { hooks } = this.#parts
    for (let index = first; index < hooks.length; index++) {
      const waiting = hooks[index]?.onAvailable?.(session, stanza)
      if (waiting) return waiting.then(() => this.#announceAvailable(session, stanza, index + 1))
    }
    return undefined
  }

  /** RFC 6121 §4.6: remembered, so that its addressee learns when the client goes. */
  #directed(stanza: Stanza, to: Jid, session: Session): MaybeAsync<void> {
    if (stanza.type === '') {
      this.#needsWay(to)
      if (session.directed.size >= DIRECTED_MAX && !session.directed.has(to.toString())) {
        throw new StanzaError('wait', 'resource-constraint', 'Directed presence to too many addresses.')
      }
      session.directed.set(to.toString(), to)
    }
    if (stanza.type === 'unavailable') session.directed.delete(to.toString())
    return this.#parts.router.route(stanza, session)
  }

  /** What cannot arrive is refused at once (RFC 6120 §10.4.3); goodbyes to who cannot be reached do not matter. */
  #needsWay(to: Jid): void {
    const { router } = this.#parts
    if (!router.knowsWay(to.domain)) throw router.noWay()
  }

  /**
   * RFC 6121 §4.3.2: only who may see the presence gets it; of one client no more than that it is there, and this also
   * who got directed presence from that client (§4.6.6).
   */
  #probed(stanza: Stanza, to: Jid, account: LocalAccount): MaybeAsync<void> {
    const { from } = stanza
    const { router, hosts } = this.#parts
    if (!from) return undefined
    const client = to.resource === undefined ? undefined : account.sessions.get(to.resource)
    const allowed = from.bare.equals(account.jid) || seesUs(account.roster.item(from.bare))
    if (client && ((allowed && client.presence) || knows(client, from))) {
      return router.route(presence('', client.jid, from))
    }
    if (!allowed) return router.route(presence('unsubscribed', to.bare, from.bare))
    if (to.resource !== undefined) return undefined
    let there = false
    for (const other of account.available()) {
      if (!other.presence) continue
      there = true
      void router.route(other.presence.with({ to: from }))
    }
    // Another server does not know what ours sees: who is away.
    if (!there && !hosts.has(from.domain)) return router.route(presence('unavailable', to.bare, from))
    return undefined
  }
}

/** Whether a client sent directed presence to this address, or to the account that it belongs to. */
function knows({ directed }: Session, address: Jid): boolean {
  return directed.has(address.toString()) || directed.has(address.bare.toString())
}

/** RFC 6121 §4.7.2.3: an integer from -128 to 127; 0 when absent. Throws `bad-request` for anything else. */
function priorityOf(stanza: Stanza): number {
  const text = stanza.element.childText('priority')?.trim()
  if (text === undefined || text === '') return 0
  const priority = /^[+-]?\d{1,3}$/.test(text) ? Number(text) : Number.NaN
  if (priority >= -128 && priority <= 127) return priority
  throw new StanzaError('modify', 'bad-request', 'A priority is a whole number from -128 to 127.')
}
