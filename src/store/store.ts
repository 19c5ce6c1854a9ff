// SPDX-License-Identifier: Apache-2.0
// What survives a restart, as deeds rather than rows: each method is atomic, and no caller loads, changes and saves.
// A promise resolves when what it did is on disk (fsync), never earlier; reads see everything written before them.
import type { Jid } from '../xmpp/jid.ts'

/** The hash of a SCRAM mechanism. */
export type ScramHash = 'SCRAM-SHA-1' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** What is kept instead of a password (RFC 5802 §3). */
export interface Verifier {
  readonly mechanism: ScramHash
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** Somebody who may log in. */
export interface Account {
  /** Always bare. */
  readonly jid: Jid
  readonly admin: boolean
  readonly disabled: boolean
  /** ms since 1970. */
  readonly created: number
  /** When the last session ended, in ms since 1970, and what its status text was; undefined before the first. */
  readonly lastSeen: number | undefined
  readonly lastStatus: string | undefined
}

/** An account together with what proves its owner. */
export interface Credentials extends Account {
  readonly verifiers: readonly Verifier[]
}

/** An account to be made. */
export interface NewAccount {
  readonly jid: Jid
  readonly admin: boolean
  readonly verifiers: readonly Verifier[]
}

/** Which accounts to list: sorted by JID text. */
export interface AccountRange {
  readonly domain?: string
  /** Only those that sort after this bare JID. */
  readonly after?: string
  readonly limit: number
}

export interface AccountStore {
  /** Makes the accounts that do not exist yet. @returns those that did exist and were left as they are */
  create(accounts: readonly NewAccount[]): Promise<readonly Jid[]>
  find(jid: Jid): Promise<Credentials | undefined>
  list(range: AccountRange): Promise<readonly Account[]>
  count(domain?: string): Promise<number>
  /** @returns false if there is no such account (so do the next four) */
  setVerifiers(jid: Jid, verifiers: readonly Verifier[]): Promise<boolean>
  setDisabled(jid: Jid, disabled: boolean): Promise<boolean>
  setAdmin(jid: Jid, admin: boolean): Promise<boolean>
  /** Removes the account and everything that belongs to it: roster, offline messages, archive, documents, sets, nodes. */
  remove(jid: Jid): Promise<boolean>
  /** Notes the end of a session. @param time ms since 1970 */
  seen(jid: Jid, time: number, status: string | undefined): Promise<void>
}

/** RFC 6121 §2.1.2.5. */
export type Subscription = 'none' | 'to' | 'from' | 'both'

/** One contact of one account (RFC 6121 §2.1.2 and appendix A). */
export interface RosterItem {
  /** The contact's bare JID (or a full one, if the user wants that). */
  readonly jid: Jid
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly subscription: Subscription
  /** We asked and wait for the answer ("Pending Out"). */
  readonly ask: boolean
  /** The contact's request is approved in advance (RFC 6121 §3.4). */
  readonly approved: boolean
  /** The contact asked and waits ("Pending In"): its `<presence type='subscribe'/>` as XML text. */
  readonly request: string | undefined
  /** False for a mere request by somebody who is not in the roster: clients never see it. */
  readonly listed: boolean
}

export interface RosterStore {
  /** @returns version 0 and no items for a roster that was never changed */
  load(owner: Jid): Promise<{ readonly version: number; readonly items: readonly RosterItem[] }>
  /** Puts the item in the place of the one with the same JID. @returns the roster's new version */
  put(owner: Jid, item: RosterItem): Promise<number>
  /** @returns the roster's new version */
  remove(owner: Jid, contact: Jid): Promise<number>
}

/** Order and identity of a kept message: a positive safe integer that only ever grows, derived from the time. */
export type MessageId = number

/** A message to keep. It is stored once, however many owners index it. */
export interface NewMessage {
  /** The whole stanza as it will be read later (default namespace `jabber:client`). */
  readonly xml: string
  readonly from: Jid
  readonly to: Jid
  /** Local accounts in whose archive it appears; may be empty. */
  readonly archiveFor: readonly Jid[]
  /** The local account in whose offline queue it waits. */
  readonly offlineFor: Jid | undefined
}

/** A kept message. */
export interface KeptMessage {
  readonly id: MessageId
  /** When it was kept, in ms since 1970. */
  readonly time: number
  readonly xml: string
}

/** Part of an archive, in the order of the ids. */
export interface ArchiveRange {
  /** Only messages exchanged with this address (bare: any of its resources). */
  readonly with?: Jid
  /** ms since 1970, inclusive. */
  readonly start?: number
  readonly end?: number
  /** Exclusive bounds. */
  readonly after?: MessageId
  readonly before?: MessageId
  /** From the end instead of from the start; the page itself is always in ascending order. */
  readonly last?: boolean
  readonly limit: number
}

export interface MessageStore {
  /**
   * Takes the message at once and returns its id; it joins the next group commit (DESIGN: deliver now, acknowledge when
   * durable). Nothing may be acknowledged before `Store.durable()`.
   * @param failed called instead of being durable, once, if the disk refused it
   */
  append(message: NewMessage, failed?: (error: Error) => void): MessageId
  /** A page of an owner's archive. @returns `complete` when nothing lies beyond the page in its direction */
  page(
    owner: Jid,
    range: ArchiveRange,
  ): Promise<{ readonly messages: readonly KeptMessage[]; readonly complete: boolean }>
  /** The oldest messages that wait for the owner. */
  offline(owner: Jid, limit: number): Promise<readonly KeptMessage[]>
  offlineCount(owner: Jid): Promise<number>
  /** Takes the messages up to and with this id out of the owner's offline queue (not out of an archive). */
  delivered(owner: Jid, upTo: MessageId): Promise<void>
}

/** One text per owner and key: vCards, private XML. An owner is an account's bare JID or one of our domains. */
export interface DocumentStore {
  get(owner: Jid, key: string): Promise<string | undefined>
  put(owner: Jid, key: string, text: string): Promise<void>
  /** Bytes of all the owner's documents together, for quotas. */
  size(owner: Jid): Promise<number>
  remove(owner: Jid, key: string): Promise<void>
}

/** Named sets of texts per owner: block lists. */
export interface SetStore {
  all(owner: Jid, name: string): Promise<readonly string[]>
  add(owner: Jid, name: string, values: readonly string[]): Promise<void>
  remove(owner: Jid, name: string, values: readonly string[]): Promise<void>
  clear(owner: Jid, name: string): Promise<void>
}

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

/** Everything that survives a restart. */
export interface Store {
  readonly accounts: AccountStore
  readonly rosters: RosterStore
  readonly messages: MessageStore
  readonly documents: DocumentStore
  readonly sets: SetStore
  readonly pubsub: PubsubStore
  /** A random secret of 32 bytes that is made on first use and then stays. */
  secret(name: string): Promise<Buffer>
  /** Resolves when everything written so far is on disk; at once when nothing waits. Rejects if some of it could not be kept. */
  durable(): Promise<void>
  /** How many writes wait for their commit; readers pause above a bound. */
  readonly uncommitted: number
  /** Finishes what waits and closes; rejects if something could not be kept. */
  close(): Promise<void>
}

/** What the store tells about its work, for metrics. */
export interface StoreObserver {
  /** After each commit. @param deeds how many it carried @param ms how long it took */
  committed(deeds: number, ms: number): void
  failed(error: Error): void
}
