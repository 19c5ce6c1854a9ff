// SPDX-License-Identifier: Apache-2.0
// Who may see whose presence: the deeds of RFC 6121 §3 around the pure functions of `subscription.ts`.

import type { RosterItem } from '../store/store.ts'
import { el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import type { LocalAccount } from './directory.ts'
import { presence } from './presence-stanza.ts'
import { itemElement, NS_ROSTER, newItem, type RosterChange, stateOf } from './roster.ts'
import type { Router } from './router.ts'
import type { Session } from './session.ts'
import {
  type InboundOutcome,
  inbound,
  type OutboundOutcome,
  outbound,
  removal,
  type SubscriptionState,
  type SubscriptionType,
} from './subscription.ts'

/** Bytes of a kept subscription request; a longer one is kept without its content. */
const REQUEST_MAX = 2048

/** Bounds on rosters. */
export interface RosterLimits {
  /** How many contacts, with those that only ask, an account may have. */
  readonly rosterItems: number
}

/** Carries out what subscription stanzas mean. */
export class Subscriptions {
  readonly #router: Router
  readonly #limits: RosterLimits

  constructor(router: Router, limits: RosterLimits) {
    this.#router = router
    this.#limits = limits
  }

  /** A client asks, allows, or takes back. @param contact bare */
  async fromClient(stanza: Stanza, type: SubscriptionType, contact: Jid, session: Session): Promise<void> {
    await this.send(session.account, type, contact, stanza)
  }

  /** What an account sends to a contact about subscriptions; also for what a roster removal implies. */
  async send(account: LocalAccount, type: SubscriptionType, contact: Jid, stanza?: Stanza): Promise<void> {
    if (contact.equals(account.jid)) return // one always sees oneself
    const seen: { outcome?: OutboundOutcome } = {}
    const change = await account.roster.change(contact, (item) => {
      const state = stateOf(item)
      const outcome = outbound(state, type)
      seen.outcome = outcome
      if (!item && outcome.state !== state) this.#makeRoom(account)
      return withState(item, contact, outcome.state, outcome.changed && type.startsWith('subscribe'))
    })
    const { outcome } = seen
    if (!outcome) return
    if (change && outcome.changed) this.push(account, change)
    if (outcome.presence === 'withdraw') this.#withdraw(account, contact)
    if (outcome.route)
      await this.#router.route(
        (stanza ?? presence(type, account.jid, contact)).with({ from: account.jid, to: contact }),
      )
    if (outcome.presence === 'send') this.#show(account, contact)
  }

  /** A contact asks, allows, or takes back. */
  async toAccount(stanza: Stanza, type: SubscriptionType, account: LocalAccount): Promise<void> {
    const contact = stanza.from?.bare
    if (!contact || contact.equals(account.jid)) return
    const seen: { outcome?: InboundOutcome } = {}
    const change = await account.roster.change(contact, (item) => {
      const outcome = inbound(stateOf(item), type)
      seen.outcome = outcome
      if (!item && outcome.state.requested) this.#makeRoom(account)
      return withState(item, contact, outcome.state, false, stanza)
    })
    const { outcome } = seen
    if (!outcome) return
    if (outcome.deliver) {
      const clients = type === 'subscribe' ? account.available() : account.interested()
      for (const client of clients) void this.#router.toClient(stanza.with({ from: contact, to: account.jid }), client)
    }
    if (change && outcome.changed && (change.after ?? change.before)?.listed) this.push(account, change)
    if (outcome.presence === 'withdraw') this.#withdraw(account, contact)
    if (outcome.reply) await this.#router.route(presence(outcome.reply, account.jid, contact))
    if (outcome.presence === 'send') this.#show(account, contact)
  }

  /** Ends what is between an account and a contact that it removes from its roster (RFC 6121 §2.5.2). */
  async end(account: LocalAccount, contact: Jid): Promise<void> {
    for (const type of removal(stateOf(account.roster.item(contact)))) await this.send(account, type, contact)
  }

  /** Requests that wait for an answer, to a client that has become available (RFC 6121 §3.1.3). */
  pending(session: Session): void {
    const { account } = session
    for (const item of account.roster.items) {
      if (item.request === undefined) continue
      void this.#router.toClient(keptRequest(item, account.jid), session)
    }
  }

  /** As `pushRoster`. */
  push(account: LocalAccount, change: RosterChange): void {
    pushRoster(this.#router, account, change)
  }

  #makeRoom(account: LocalAccount): void {
    if (account.roster.size < this.#limits.rosterItems) return
    throw new StanzaError('wait', 'resource-constraint', 'The roster is full.')
  }

  #show(account: LocalAccount, contact: Jid): void {
    for (const client of account.available()) {
      if (client.presence) void this.#router.onBehalf(client.presence.with({ to: contact }), client)
    }
  }

  #withdraw(account: LocalAccount, contact: Jid): void {
    for (const client of account.available()) {
      void this.#router.onBehalf(presence('unavailable', client.jid, contact), client)
    }
  }
}

/** Tells the clients that asked for the roster what changed (RFC 6121 §2.1.6). */
export function pushRoster(router: Router, account: LocalAccount, { before, after, version }: RosterChange): void {
  const item = after ?? before
  if (!item) return
  const query = el('query', NS_ROSTER, { ver: String(version) }, itemElement(item, !after))
  for (const client of account.interested()) {
    const push = Stanza.of(el('iq', NS_CLIENT, { type: 'set' }, query), undefined, client.jid, `push-${version}`)
    void router.toClient(push, client)
  }
}

/** The item with another state; the same item if nothing is different; undefined if nothing is left of it. */
function withState(
  item: RosterItem | undefined,
  contact: Jid,
  state: SubscriptionState,
  list: boolean,
  stanza?: Stanza,
): RosterItem | undefined {
  const { subscription, ask, approved, requested } = state
  const base = item ?? newItem(contact)
  const request = requested ? (base.request ?? keep(stanza)) : undefined
  const listed = base.listed || list
  const same =
    base.subscription === subscription &&
    base.ask === ask &&
    base.approved === approved &&
    base.request === request &&
    base.listed === listed
  if (same) return item
  if (!listed && !requested && !approved && !ask && subscription === 'none') return undefined
  return { ...base, subscription, ask, approved, request, listed }
}

function keep(stanza: Stanza | undefined): string {
  const xml = stanza?.with({ to: undefined }).xml('') ?? ''
  return Buffer.byteLength(xml) <= REQUEST_MAX ? xml : ''
}

/** The request as it came, or a bare one if it was too long to be kept whole. */
function keptRequest(item: RosterItem, owner: Jid): Stanza {
  if (!item.request) return presence('subscribe', item.jid, owner)
  return Stanza.parse(parseElement(item.request)).with({ from: item.jid, to: owner })
}
