// SPDX-License-Identifier: Apache-2.0
// What survives a restart, as deeds rather than rows: each method is atomic, and no caller loads, changes and saves.
// A promise resolves when what it did is on disk (fsync), never earlier; reads see everything written before them.
import type { Jid } from '../xmpp/jid.ts'
import type { InvitationStore, Redemption } from './invitation-store.ts'
import type { OutboxStore } from './outbox-store.ts'
import type { PubsubStore } from './pubsub-store.ts'
import type { RoomStore } from './rooms-store.ts'
import type { UploadStore } from './upload-store.ts'

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
  /** Makes an account for who was invited, in the one deed that uses the invitation. @returns whether it did */
  redeem(redemption: Redemption): Promise<boolean>
  find(jid: Jid): Promise<Credentials | undefined>
  list(range: AccountRange): Promise<readonly Account[]>
  count(domain?: string): Promise<number>
  /** Takes the tokens of all clients away, too. @returns false if there is no such account (so do the next ones) */
  setVerifiers(jid: Jid, verifiers: readonly Verifier[]): Promise<boolean>
  /**
   * Adds a verifier of the same password (XEP-0480). @param proof the stored key of another one, just proved
   * @returns false if that is none of the account's any more
   */
  addVerifier(jid: Jid, verifier: Verifier, proof: Buffer): Promise<boolean>
  /** Who is disabled loses the tokens of all clients. */
  setDisabled(jid: Jid, disabled: boolean): Promise<boolean>
  setAdmin(jid: Jid, admin: boolean): Promise<boolean>
  /** Removes the account and everything that belongs to it: roster, messages, archive, documents, sets, clients, nodes, its place in rooms. */
  remove(jid: Jid): Promise<boolean>
  /** Notes the end of a session. @param time ms since 1970 */
  seen(jid: Jid, time: number, status: string | undefined): Promise<void>
}

/** What a client logs in with instead of a password (XEP-0484). */
export interface Token {
  /** The one SASL mechanism that it may be used with. */
  readonly mechanism: string
  /** What the token is made from, together with something that only the client has; unique. */
  readonly seed: Buffer
  /** ms since 1970. */
  readonly issued: number
  readonly expires: number
}

/** A client of an account, as its owner may know it. */
export interface ClientName {
  /** Unique in its account; tells nothing about the client. */
  readonly id: string
  readonly software: string | undefined
  readonly device: string | undefined
}

/** A client that has a token. */
export interface KnownClient extends ClientName {
  /** ms since 1970. */
  readonly created: number
  readonly lastUsed: number
  /** When the last of its tokens expires. */
  readonly expires: number
}

/** A token to be given out. */
export interface NewToken {
  readonly client: ClientName
  readonly token: Token
  /** What its owner has just proved: a verifier's stored key, or the seed of a token of the same client. */
  readonly proof: Buffer
  /** How many clients of an account may have tokens; the longest unused go first. */
  readonly most: number
}

export interface ClientStore {
  /** The tokens of one client: the one that was given out last, and the one before it until that is used. */
  tokens(owner: Jid, client: string): Promise<readonly Token[]>
  /**
   * Notes that a token proved its owner; the one before it is worth nothing from now on.
   * @param count of XEP-0484 §3.4, which must be greater than each before it
   * @returns false if the token is not there any more, has expired, or the count came before
   */
  use(owner: Jid, client: string, token: Token, count: number | undefined): Promise<boolean>
  /**
   * Keeps a new token in the place of one that was given out and never used.
   * @returns false if what proved the owner does so no more: another password was set, the client was revoked
   */
  give(owner: Jid, request: NewToken): Promise<boolean>
  /** Takes one token away, and the client if it has no other. */
  drop(owner: Jid, client: string, token: Token): Promise<void>
  /** Those that have a token which has not expired, the last used first. */
  list(owner: Jid): Promise<readonly KnownClient[]>
  /** Takes all its tokens away. @returns false if there is no such client */
  revoke(owner: Jid, client: string): Promise<boolean>
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
  /** Local accounts and rooms in whose archive it appears; may be empty. */
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

/** A message that waits for somebody who is offline. */
export interface WaitingMessage extends KeptMessage {
  /** Whether it is in that one's archive too. */
  readonly archived: boolean
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

/** The first or last message of an archive. */
export type ArchiveEnd = Pick<KeptMessage, 'id' | 'time'>

/** What is looked for in a conversation. */
export interface ArchiveSearch {
  /** The contact, bare. */
  readonly with: Jid
  /** Only messages whose XML has one of these in it, give or take the case of letters. */
  readonly texts: readonly [string, string]
  /** Only among so many of the latest messages of the conversation, as far as they are among the latest 20,000 of all. */
  readonly among: number
  /** Only before this one. */
  readonly before: MessageId
  readonly limit: number
}

/** How much of an archive stays. */
export interface Retention {
  /** Messages kept before this time go; ms since 1970. */
  readonly before?: number
  /** Of more messages than so many in one archive, the oldest go. */
  readonly most?: number
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
  /** How far an owner's archive goes; undefined if it is empty. */
  ends(owner: Jid): Promise<{ readonly first: ArchiveEnd; readonly last: ArchiveEnd } | undefined>
  /** The messages of one of the owner's conversations that hold a text, newest first. */
  search(owner: Jid, search: ArchiveSearch): Promise<readonly KeptMessage[]>
  /** Puts another text in a message's place, wherever it stands; does nothing if it is gone. */
  rewrite(id: MessageId, xml: string): Promise<void>
  /** Removes what is in the owner's archive, or of it what was exchanged with a contact (bare). @returns how many */
  erase(owner: Jid, contact?: Jid): Promise<number>
  /**
   * Removes from all archives what is beyond these bounds, in small steps.
   * @param signal ends it before the next step
   * @returns how many entries went, counting each archive
   */
  trim(retention: Retention, signal?: AbortSignal): Promise<number>
  /** The oldest messages that wait for the owner. */
  offline(owner: Jid, limit: number): Promise<readonly WaitingMessage[]>
  offlineCount(owner: Jid): Promise<number>
  /** Takes the messages up to and with this id out of the owner's offline queue (not out of an archive). */
  delivered(owner: Jid, upTo: MessageId): Promise<void>
}

/** One text per owner and key: vCards, private XML. An owner is an account's bare JID, a room or one of our domains. */
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

/** Where an account wants to be notified, named by the service and its node (XEP-0357 §5). */
export interface PushTarget {
  readonly owner: Jid
  readonly service: Jid
  /** '' if it was enabled without one. */
  readonly node: string
}

/** A wish to be notified. */
export interface PushWish extends PushTarget {
  /** The resource of the client that wished it. */
  readonly device: string
  /** A form for the service as XML text: may hold its secrets. */
  readonly options: string | undefined
}

/** A wish with what became of it; times in ms since 1970, undefined for never. */
export interface PushRegistration extends PushWish {
  readonly enabled: number
  readonly lastPush: number | undefined
  readonly lastSuccess: number | undefined
  readonly lastError: number | undefined
  /** The condition of the last error. */
  readonly error: string | undefined
  /** How many errors there were since the last success. */
  readonly errors: number
  /** Whether nothing is sent any more, because of errors. */
  readonly disabled: boolean
}

export interface PushStore {
  /** Of one account, or the first of all; sorted by account. */
  list(owner: Jid | undefined, limit: number): Promise<readonly PushRegistration[]>
  /** Makes the registration, or renews it without its errors. Those of the owner beyond `most` go: disabled ones, then the oldest. */
  enable(wish: PushWish, time: number, most: number): Promise<void>
  /** Removes one registration, or all of the service. */
  disable(owner: Jid, service: Jid, node: string | undefined): Promise<void>
  /** Notes that a notification was taken. */
  succeeded(target: PushTarget, time: number): Promise<void>
  /** Notes that a notification was refused. */
  failed(target: PushTarget, time: number, error: string, disabled: boolean): Promise<void>
}

/** What a user reports about somebody else (XEP-0377). */
export interface NewReport {
  readonly reporter: Jid
  readonly subject: Jid
  readonly reason: string
  readonly text: string | undefined
  /** Messages that are meant, by whose id (XEP-0359). */
  readonly stanzas: readonly { readonly by: string; readonly id: string }[]
}

/** A kept report. */
export interface Report extends NewReport {
  readonly id: number
  /** ms since 1970. */
  readonly time: number
}

export interface ReportStore {
  /** Keeps reports. The oldest go beyond `most.each` of the reporter, and beyond `most.all`. */
  add(reports: readonly NewReport[], time: number, most: { readonly each: number; readonly all: number }): Promise<void>
  /** The newest first. */
  list(limit: number): Promise<readonly Report[]>
  /** @param ids undefined: all of them @returns how many there were */
  remove(ids: readonly number[] | undefined): Promise<number>
}

/** A session that can be resumed (XEP-0198 §5), with what its client has not acknowledged. */
export interface StoredSession {
  /** The hash of what the client must show. */
  readonly key: string
  /** The account's bare JID. */
  readonly owner: Jid
  /** How many stanzas of the client were dealt with. */
  readonly handled: number
  /** How many the client has acknowledged. */
  readonly acknowledged: number
  /** All the rest, as the caller wrote it. */
  readonly state: string
  /** Texts of what was sent, in order, without gaps; some of the first may be acknowledged. */
  readonly chunks: readonly SentChunk[]
}

/** Stanzas that were sent one after the other. */
export interface SentChunk {
  /** How many were sent before the first one. */
  readonly from: number
  readonly text: string
  /** What was shared where it was written (`SessionChanges.shared`). */
  readonly shared?: readonly string[]
}

/** What became of one session since it was written last. */
export interface SessionChange {
  readonly key: string
  readonly owner: Jid
  /** Write it anew, with nothing of what is there. */
  readonly anew: boolean
  readonly handled: number
  readonly acknowledged: number
  /** Undefined: as it was; never when written anew. */
  readonly state: string | undefined
  readonly sent: SentChunk | undefined
}

/** Changes of several sessions that are written together. */
export interface SessionChanges {
  readonly changed: readonly SessionChange[]
  /** Keys of sessions that are over. */
  readonly ended: readonly string[]
  /** What was written under lower numbers than this is not needed any more, but for what was written anew. */
  readonly floor: number
  /** Texts to which those of what was sent refer, but for what is written anew. */
  readonly shared?: readonly string[]
}

/** Sessions that can be resumed. */
export interface SessionStore {
  /**
   * Has the changes written at the end of a group commit; they are asked for when it is put together, so they are on disk
   * neither before nor much after what they follow from. By themselves they wait some time for company, unless somebody
   * waits for what is not durable. Only after `all`.
   * @param changes gets the number of the write; numbers only grow, also over restarts
   * @param failed called, once, if the disk refused them
   */
  write(changes: (number: number) => SessionChanges, failed: (error: Error) => void): void
  /** Every session, to be asked for once, at the start. */
  all(): Promise<readonly StoredSession[]>
}

/** Everything that survives a restart. */
export interface Store {
  readonly accounts: AccountStore
  readonly clients: ClientStore
  readonly rosters: RosterStore
  readonly messages: MessageStore
  readonly documents: DocumentStore
  readonly sets: SetStore
  readonly pushes: PushStore
  readonly reports: ReportStore
  readonly sessions: SessionStore
  readonly pubsub: PubsubStore
  readonly uploads: UploadStore
  readonly rooms: RoomStore
  readonly outbox: OutboxStore
  readonly invitations: InvitationStore
  /** A random secret of 32 bytes that is made on first use and then stays. */
  secret(name: string): Promise<Buffer>
  /** Resolves when everything written so far is on disk; at once when nothing waits. Rejects if some of it could not be kept. */
  durable(): Promise<void>
  /**
   * How many writes have failed since the start. `durable()` tells only of failures among what waited when it was called:
   * who acknowledges something older compares this with what it was then.
   */
  readonly failures: number
  /** How many writes wait for their commit. */
  readonly uncommitted: number
  /** Whether so much waits that no more should be taken on: streams are not read then, so that memory stays bounded. */
  readonly crowded: boolean
  /** Finishes what waits and closes; rejects if something could not be kept. */
  close(): Promise<void>
}

/** What the store tells about its work, for metrics. */
export interface StoreObserver {
  /** After each commit. @param deeds how many it carried @param ms how long it took */
  committed(deeds: number, ms: number): void
  failed(error: Error): void
}
