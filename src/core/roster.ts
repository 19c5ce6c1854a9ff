// SPDX-License-Identifier: Apache-2.0
// One account's roster in memory (RFC 6121 §2). Changes run one after the other, are stored first and seen afterwards.
import type { RosterItem, RosterStore } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { SubscriptionState } from './subscription.ts'

/** RFC 6121 §2.1. */
export const NS_ROSTER = 'jabber:iq:roster'

/** What a change made of an item; the version is the roster's new one. */
export interface RosterChange {
  readonly before: RosterItem | undefined
  /** Undefined when it was removed. */
  readonly after: RosterItem | undefined
  readonly version: number
}

/** A contact of whom nothing is known yet. */
export function newItem(jid: Jid): RosterItem {
  return {
    jid,
    name: undefined,
    groups: [],
    subscription: 'none',
    ask: false,
    approved: false,
    request: undefined,
    listed: false,
  }
}

/** The part of an item that RFC 6121 appendix A speaks of. */
export function stateOf(item: RosterItem | undefined): SubscriptionState {
  if (!item) return { subscription: 'none', ask: false, requested: false, approved: false }
  const { subscription, ask, approved, request } = item
  return { subscription, ask, requested: request !== undefined, approved }
}

/** Whether the contact may see the owner's presence. */
export function seesUs(item: RosterItem | undefined): boolean {
  return item !== undefined && (item.subscription === 'from' || item.subscription === 'both')
}

/** Whether the owner may see the contact's presence. */
export function weSee(item: RosterItem | undefined): boolean {
  return item !== undefined && (item.subscription === 'to' || item.subscription === 'both')
}

/** The `<item/>` as clients see it (RFC 6121 §2.1.2); of a removed one with `subscription='remove'`. */
export function itemElement(item: RosterItem, removed = false): Element {
  if (removed) return el('item', NS_ROSTER, { jid: item.jid.toString(), subscription: 'remove' })
  const attrs = {
    jid: item.jid.toString(),
    name: item.name,
    subscription: item.subscription,
    ask: item.ask ? 'subscribe' : undefined,
    approved: item.approved ? 'true' : undefined,
  }
  return el('item', NS_ROSTER, attrs, ...item.groups.map((group) => el('group', NS_ROSTER, null, group)))
}

/** An account's contacts. */
export class Roster {
  readonly #owner: Jid
  readonly #store: RosterStore
  readonly #items: Map<string, RosterItem>
  #version: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    owner: Jid,
    store: RosterStore,
    loaded: { readonly version: number; readonly items: readonly RosterItem[] },
  ) {
    this.#owner = owner
    this.#store = store
    this.#version = loaded.version
    this.#items = new Map(loaded.items.map((item) => [item.jid.toString(), item]))
  }

  /** The version as it goes over the wire (RFC 6121 §2.6). */
  get version(): string {
    return String(this.#version)
  }

  /** Every item, also mere requests that clients do not see. */
  get items(): Iterable<RosterItem> {
    return this.#items.values()
  }

  /** How many items there are. */
  get size(): number {
    return this.#items.size
  }

  item(contact: Jid): RosterItem | undefined {
    return this.#items.get(contact.toString())
  }

  /**
   * Changes one item when all changes before it are done.
   * @param contact mostly a bare JID
   * @param change gets the item as it then is, and returns the new one; the same one: nothing to do; undefined: remove it
   * @returns what changed once it is on disk, or undefined if nothing did
   */
  change(
    contact: Jid,
    change: (item: RosterItem | undefined) => RosterItem | undefined,
  ): Promise<RosterChange | undefined> {
    const turn = this.#last.then(() => this.#change(contact, change))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #change(
    contact: Jid,
    change: (item: RosterItem | undefined) => RosterItem | undefined,
  ): Promise<RosterChange | undefined> {
    const key = contact.toString()
    const before = this.#items.get(key)
    const after = change(before)
    if (after === before) return undefined
    this.#version = after ? await this.#store.put(this.#owner, after) : await this.#store.remove(this.#owner, contact)
    if (after) this.#items.set(key, after)
    else this.#items.delete(key)
    return { before, after, version: this.#version }
  }
}
