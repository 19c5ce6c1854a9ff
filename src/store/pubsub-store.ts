// SPDX-License-Identifier: Apache-2.0
// What accounts and our domains publish (XEP-0060), as deeds; a part of `store.ts`, which says what holds for all of them.
import type { Jid } from '../xmpp/jid.ts'

/** How much is in a node. */
export interface NodeSize {
  readonly items: number
  /** Bytes of all its items' payloads together. */
  readonly bytes: number
}

/** A node of XEP-0060 without its items. */
export interface StoredNode extends NodeSize {
  readonly name: string
  /** As it was given to the store. */
  readonly config: string
  /** Bare JIDs and what they are to the node. */
  readonly affiliations: readonly (readonly [jid: string, affiliation: string])[]
  readonly subscriptions: readonly (readonly [jid: string, state: string])[]
}

/** An item to be kept. */
export interface PubsubItem {
  readonly id: string
  /** A bare JID. */
  readonly publisher: string
  /** The payload; '' if it has none. */
  readonly xml: string
}

/** An item that is kept. Its time, in ms since 1970, is its place in the order of the node, and its alone. */
export interface StoredItem extends PubsubItem {
  readonly time: number
}

/** What becomes of a node's items at once. */
export interface ItemChanges {
  /** The node is made with this configuration if it does not exist. */
  readonly create?: string
  /** A bare JID, which is made the owner of the node that is made. */
  readonly creator?: string
  /** Each replaces the item of the same id, and becomes the newest. */
  readonly put?: readonly PubsubItem[]
  readonly remove?: readonly string[]
  /** How many items stay at most, the newest ones. */
  readonly keep?: number
}

/** Which items: in the order in which they were published. The bounds are times, exclusive. */
export interface ItemRange {
  readonly after?: number
  readonly before?: number
  /** From the end instead of from the start; the page itself is always in ascending order. */
  readonly last?: boolean
  readonly limit: number
}

/** What an owner (an account's bare JID or one of our domains) publishes. */
export interface PubsubStore {
  load(owner: Jid): Promise<readonly StoredNode[]>
  /** @returns what is in the node now */
  change(owner: Jid, node: string, changes: ItemChanges): Promise<NodeSize>
  /** @param keep as in `ItemChanges` */
  configure(owner: Jid, node: string, config: string, keep: number): Promise<NodeSize>
  purge(owner: Jid, node: string): Promise<void>
  /** Removes the node and all that is in it. */
  remove(owner: Jid, node: string): Promise<void>
  /** @param changes `none` removes */
  affiliate(owner: Jid, node: string, changes: ReadonlyMap<string, string>): Promise<void>
  /** @param changes `none` removes */
  subscribe(owner: Jid, node: string, changes: ReadonlyMap<string, string>): Promise<void>
  item(owner: Jid, node: string, id: string): Promise<StoredItem | undefined>
  items(owner: Jid, node: string, range: ItemRange): Promise<readonly StoredItem[]>
  /** All items without their payloads. */
  ids(owner: Jid, node: string): Promise<readonly { readonly id: string; readonly time: number }[]>
}
