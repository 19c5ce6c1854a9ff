// SPDX-License-Identifier: Apache-2.0
// A room in memory: its settings, who has a place in it, and who is in it. It sends nothing and stores nothing.
import { createHmac } from 'node:crypto'
import type { StoredAffiliation } from '../../store/rooms-store.ts'
import { type Element, el } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { nicknameKey } from '../../xmpp/precis.ts'
import { Bucket } from './bucket.ts'
import type { RoomConfig } from './config.ts'
import { History } from './history.ts'
import { type Affiliation, affiliationOf, NS_OCCUPANT_ID, type Role, rank, refusal } from './names.ts'

/** Whose role is remembered while they are away (§5.1: for moderated rooms), and who was in the room lately. */
const ROLES_KEPT = 1000
const GUESTS_KEPT = 5000

/** One client of an occupant. */
export interface Seat {
  /** The client's full JID. */
  readonly jid: Jid
  occupant: Occupant
  /** What it said of itself, without what only rooms may say. */
  presence: readonly Element[]
  /** When it was heard last, in ms since 1970. */
  heard: number
}

/** Somebody who is in the room under a nick, with one client or more. */
export interface Occupant {
  nick: string
  /** The address in the room. */
  jid: Jid
  /** The real bare JID. */
  readonly user: Jid
  /** XEP-0421. */
  readonly id: Element
  role: Role
  /** By full JID. */
  readonly seats: Map<string, Seat>
  /** The client whose presence the others see; undefined only when there is none. */
  main: Seat | undefined
  readonly bucket: Bucket
}

/** Somebody's lasting place in the room. */
export interface Place {
  readonly affiliation: Affiliation
  readonly nick: string | undefined
  readonly reason: string | undefined
}

/** What the room is about. */
export interface Subject {
  /** The content of the message that set it, as XML. */
  readonly xml: string
  readonly nick: string
  /** ms since 1970. */
  readonly time: number
}

/** A room. */
export class Room {
  readonly jid: Jid
  config: RoomConfig
  subject: Subject | undefined
  readonly history = new History()
  /** By bare JID, or by domain. */
  readonly places = new Map<string, Place>()
  /** All clients in the room, by full JID. */
  readonly seats = new Map<string, Seat>()
  /** By the key of their nicks. */
  readonly occupants = new Map<string, Occupant>()
  /** False when it was destroyed. */
  alive = true
  /** How many changes wait for their turn. */
  busy = 0
  readonly #secret: Buffer
  readonly #roles = new Map<string, Role>()
  /** Bare JIDs by the keys of the nicks that are theirs. */
  readonly #reserved = new Map<string, string>()
  /** How much each user may do yet, whichever nick and client; those who left are remembered for a while. */
  readonly #buckets = new Map<string, Bucket>()
  /** How many clients of each user are in the room. */
  readonly #users = new Map<string, number>()
  #turn: Promise<unknown> = Promise.resolve()

  /** @param secret from which occupant ids are made */
  constructor(jid: Jid, config: RoomConfig, secret: Buffer) {
    this.jid = jid
    this.config = config
    this.#secret = secret
  }

  /**
   * Does something when all changes before it are done; rejects with `item-not-found` if the room was destroyed meanwhile:
   * another one may have its name. What is done must not wait for a turn itself.
   */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    this.busy++
    const whileAlive = (): Promise<T> => {
      if (!this.alive) throw refusal(this.jid, 'cancel', 'item-not-found', 'There is no such room.')
      return act()
    }
    const turn = this.#turn.then(whileAlive).finally(() => {
      this.busy--
    })
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Resolves when all changes so far are done; undefined if none waits. */
  settled(): Promise<unknown> | undefined {
    return this.busy > 0 ? this.#turn : undefined
  }

  /** What somebody is to the room (§9.2: a ban of the user counts before one of the domain). @param jid any of their addresses */
  affiliation(jid: Jid): Affiliation {
    const own = this.places.get(jid.bare.key)
    if (own) return own.affiliation
    return this.places.get(jid.domain)?.affiliation === 'outcast' ? 'outcast' : 'none'
  }

  /** Whether somebody may read and enter what is for members. */
  isMember(jid: Jid): boolean {
    return rank(this.affiliation(jid)) >= rank('member')
  }

  /** Those of an affiliation, sorted. */
  of(affiliation: Affiliation): readonly (readonly [jid: string, place: Place])[] {
    return [...this.places]
      .filter(([, place]) => place.affiliation === affiliation)
      .sort(([one], [other]) => (one < other ? -1 : 1))
  }

  /** Notes what became of a place. */
  setPlace({ jid, affiliation, nick, reason }: StoredAffiliation): void {
    const known = affiliationOf(affiliation) ?? 'none'
    const before = this.places.get(jid)?.nick
    if (before !== undefined) this.#reserved.delete(nicknameKey(before))
    if (nick !== undefined) this.#reserved.set(nicknameKey(nick), jid)
    if (known === 'none' && nick === undefined) this.places.delete(jid)
    else this.places.set(jid, { affiliation: known, nick, reason })
  }

  /** Whose nick it is, if it is reserved (§7.12): a bare JID. */
  reservedFor(nick: string): string | undefined {
    return this.#reserved.get(nicknameKey(nick))
  }

  /** The occupant of this nick. */
  named(nick: string | undefined): Occupant | undefined {
    return nick === undefined ? undefined : this.occupants.get(nicknameKey(nick))
  }

  /** The occupants that are one user. */
  occupantsOf(user: Jid): readonly Occupant[] {
    return [...this.occupants.values()].filter((one) => one.user.equals(user.bare))
  }

  /** What somebody becomes on entering (§5.1.2), unless a moderator has said otherwise before. */
  initialRole(user: Jid): Role {
    const affiliation = this.affiliation(user)
    if (rank(affiliation) >= rank('admin')) return 'moderator'
    const kept = this.config.moderated ? this.#roles.get(user.bare.key) : undefined
    if (kept) return kept
    return this.config.moderated && affiliation === 'none' ? 'visitor' : 'participant'
  }

  /** Remembers a role that a moderator gave. */
  keepRole(user: Jid, role: Role): void {
    if (role === 'moderator') return
    this.#roles.delete(user.key)
    this.#roles.set(user.key, role)
    if (this.#roles.size > ROLES_KEPT) this.#roles.delete(this.#roles.keys().next().value ?? '')
  }

  /** Forgets it: from now on the affiliation counts. */
  forgetRole(user: Jid): void {
    this.#roles.delete(user.key)
  }

  /** What a user may do yet. @param user bare */
  bucket(user: Jid): Bucket {
    const known = this.#buckets.get(user.key)
    if (known) return known
    const bucket = new Bucket()
    this.#buckets.set(user.key, bucket)
    if (this.#buckets.size > Math.max(GUESTS_KEPT, this.seats.size)) {
      this.#buckets.delete(this.#buckets.keys().next().value ?? '')
    }
    return bucket
  }

  /** Whether some client of a user is in the room. @param user bare */
  has(user: Jid): boolean {
    return this.#users.has(user.key)
  }

  /** Puts a client into the room. */
  enter(jid: Jid, nick: string, role: Role, presence: readonly Element[], now: number): Seat {
    const known = this.named(nick)
    const occupant: Occupant = known ?? this.#newOccupant(jid.bare, nick, role)
    const seat: Seat = { jid, occupant, presence, heard: now }
    occupant.seats.set(jid.key, seat)
    occupant.main ??= seat
    this.seats.set(jid.key, seat)
    this.#users.set(occupant.user.key, (this.#users.get(occupant.user.key) ?? 0) + 1)
    this.occupants.set(nicknameKey(nick), occupant)
    return seat
  }

  /** Gives an occupant another nick. */
  rename(occupant: Occupant, nick: string): void {
    this.occupants.delete(nicknameKey(occupant.nick))
    occupant.nick = nick
    occupant.jid = this.jid.withResource(nick)
    this.occupants.set(nicknameKey(nick), occupant)
  }

  /** Takes a client out of the room. @returns whether its occupant is gone */
  leave(seat: Seat): boolean {
    const { occupant, jid } = seat
    this.seats.delete(jid.key)
    occupant.seats.delete(jid.key)
    const left = (this.#users.get(occupant.user.key) ?? 1) - 1
    if (left > 0) this.#users.set(occupant.user.key, left)
    else this.#users.delete(occupant.user.key)
    if (occupant.seats.size === 0) {
      this.occupants.delete(nicknameKey(occupant.nick))
      return true
    }
    if (occupant.main === seat) occupant.main = [...occupant.seats.values()].at(-1)
    return false
  }

  /** XEP-0421 §4.1. @param user bare */
  occupantId(user: Jid): Element {
    const id = createHmac('sha256', this.#secret).update(`${this.jid.key}\0${user.key}`).digest('base64url')
    return el('occupant-id', NS_OCCUPANT_ID, { id })
  }

  #newOccupant(user: Jid, nick: string, role: Role): Occupant {
    const seats = new Map<string, Seat>()
    const id = this.occupantId(user)
    const jid = this.jid.withResource(nick)
    return { nick, jid, user, id, role, seats, bucket: this.bucket(user), main: undefined }
  }
}
