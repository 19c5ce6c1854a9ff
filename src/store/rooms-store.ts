// SPDX-License-Identifier: Apache-2.0
// Rooms (XEP-0045) as deeds; a part of `store.ts`, which says what holds for all of them.
import type { Jid } from '../xmpp/jid.ts'

/** Somebody's lasting place in a room. */
export interface StoredAffiliation {
  /** A bare JID, or a domain. */
  readonly jid: string
  readonly affiliation: string
  /** The nick that is reserved for them. */
  readonly nick: string | undefined
  readonly reason: string | undefined
}

/** What a room is, as the caller wrote it, and what lists need of it. */
export interface RoomSettings {
  readonly config: string
  readonly name: string
  /** Whether everybody may find it. */
  readonly listed: boolean
  /** Whether it goes when nobody is in it any more. */
  readonly temporary: boolean
}

/** A room as it is kept. */
export interface StoredRoom {
  readonly config: string
  readonly subject: string | undefined
  readonly affiliations: readonly StoredAffiliation[]
}

/** A room to be made. */
export interface NewRoom {
  readonly jid: Jid
  /** Bare; becomes its owner. */
  readonly creator: Jid
  readonly settings: RoomSettings
  /** How many rooms of one creator there may be. */
  readonly most: number
}

/** A client in a room. */
export interface StoredOccupant {
  /** The room's JID. */
  readonly room: string
  /** The client's full JID. */
  readonly jid: string
  readonly nick: string
  readonly role: string
  /** As the caller wrote it. */
  readonly presence: string
}

/** A part of the list of rooms, sorted by JID; the bounds are JIDs, exclusive. */
export interface RoomRange {
  readonly after?: string
  readonly before?: string
  /** From the end instead of from the start; the page itself is always in ascending order. */
  readonly last?: boolean
  readonly limit: number
}

/** A room in a list. */
export interface ListedRoom {
  readonly jid: string
  readonly name: string
}

/** A room as administrators of the server see it. */
export interface RoomSummary {
  readonly jid: string
  readonly name: string
  /** The bare JID of who made it. */
  readonly creator: string
  readonly listed: boolean
  readonly temporary: boolean
  /** How many people have a place in it, outcasts apart. */
  readonly places: number
  /** How many clients are in it. */
  readonly inside: number
}

/** What becomes of affiliations: `none` without a nick removes. */
export type AffiliationChanges = readonly StoredAffiliation[]

export interface RoomStore {
  /** Makes a room with its owner. @returns whether it was made, or why not */
  create(room: NewRoom): Promise<'made' | 'exists' | 'too many'>
  load(room: Jid): Promise<StoredRoom | undefined>
  /** Puts other settings in the place of those that are there, together with changes of affiliations. */
  configure(room: Jid, settings: RoomSettings, changes: AffiliationChanges): Promise<void>
  affiliate(room: Jid, changes: AffiliationChanges): Promise<void>
  setSubject(room: Jid, subject: string): Promise<void>
  /** Puts a document of the room in place, or removes it, together with other settings. */
  setDocument(room: Jid, settings: RoomSettings, name: string, text: string | undefined): Promise<void>
  /** Removes the room and everything that belongs to it: its archive, affiliations, occupants, documents. */
  remove(room: Jid): Promise<void>
  /** The rooms of a domain that everybody may find. */
  list(domain: string, range: RoomRange): Promise<readonly ListedRoom[]>
  /** All rooms, sorted by JID. */
  all(limit: number): Promise<readonly RoomSummary[]>
  countListed(domain: string): Promise<number>
  /** The rooms in which somebody has a place, or whose settings name them. @param jid bare */
  withPlaceOf(jid: Jid): Promise<readonly Jid[]>
  /** Those with a place in the room, outcasts apart, who want to be notified when they are away (XEP-0357). */
  wakeable(room: Jid, limit: number): Promise<readonly Jid[]>
  /** Notes that a client is in a room, or what became of it there; joins the next group commit, and makes no promise. */
  enter(occupant: StoredOccupant): void
  /** Notes that it is there no more. */
  leave(room: string, jid: string): void
  /** All clients that are in rooms. */
  occupants(): Promise<readonly StoredOccupant[]>
  /** The rooms that go when nobody is in them. */
  temporary(): Promise<readonly Jid[]>
}
