// SPDX-License-Identifier: Apache-2.0
// The rooms of a server: those in memory, and how others get there. A room stays while somebody is in it, and as long as
// there is no need for its place.
import type { FeatureContext, MaybeAsync } from '../../core/feature.ts'
import type { Router } from '../../core/router.ts'
import type { AffiliationChanges, StoredOccupant, StoredRoom } from '../../store/rooms-store.ts'
import { parseElement } from '../../xml/reader.ts'
import { archiveId } from '../../xmpp/0313-archive-queries.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT } from '../../xmpp/stanza.ts'
import { expel } from './affiliations.ts'
import { newConfig, type RoomConfig, readConfig, settingsOf } from './config.ts'
import { appoint } from './heirs.ts'
import { HISTORY_MOST } from './history.ts'
import { readKept } from './kept.ts'
import { limitsOf, mayCreate, type RoomLimits } from './limits.ts'
import { refusal, roleOf } from './names.ts'
import { announce } from './presence.ts'
import { Room, type Seat, type Subject } from './room.ts'

/** Rooms with nobody in them that stay in memory. */
const IDLE_ROOMS = 500
/** Rooms that are read together at the start. */
const RESTORED_AT_ONCE = 100

/** All rooms. */
export class Rooms {
  readonly ctx: FeatureContext
  readonly #loaded = new Map<string, Room>()
  readonly #loading = new Map<string, Promise<Room | undefined>>()
  #secret: Buffer = Buffer.alloc(0)

  constructor(ctx: FeatureContext) {
    this.ctx = ctx
  }

  get router(): Router {
    return this.ctx.router
  }

  get limits(): RoomLimits {
    return limitsOf(this.ctx)
  }

  /** Makes ready; before this there are no rooms. */
  async open(): Promise<void> {
    this.#secret = await this.ctx.store.secret('occupant-id')
  }

  /** Those in memory. */
  loaded(): readonly Room[] {
    return [...this.#loaded.values()]
  }

  /** The room of a bare address; undefined if there is none. */
  find(jid: Jid): MaybeAsync<Room | undefined> {
    const known = this.#loaded.get(jid.key)
    if (known?.alive) return known
    return this.#loading.get(jid.key) ?? this.#once(jid, () => this.#load(jid))
  }

  /** Makes a room, which its creator has to configure (§10.1). If somebody else was faster, theirs is the room. */
  async create(jid: Jid, creator: Jid): Promise<Room> {
    if (!mayCreate(this.ctx, jid, creator)) throw refusal(jid, 'cancel', 'not-allowed', 'You may not make rooms here.')
    const room = await this.#once(jid, async () => {
      const settings = settingsOf(newConfig())
      const most = this.limits.perUser
      const outcome = await this.ctx.store.rooms.create({ jid, creator: creator.bare, settings, most })
      if (outcome !== 'too many') return this.#load(jid)
      throw refusal(
        jid,
        'wait',
        'resource-constraint',
        `You have ${most} rooms already, which is as many as one may have.`,
      )
    })
    if (!room) throw refusal(jid, 'wait', 'internal-server-error')
    return room
  }

  /** Puts other settings in place, once they are on disk. In the room's turn only. */
  async configure(room: Room, config: RoomConfig, changes: AffiliationChanges = []): Promise<void> {
    await this.ctx.store.rooms.configure(room.jid, settingsOf(config), changes)
    room.config = config
  }

  /** Writes down that a client is in a room, and as what. */
  note({ jid, occupant, presence }: Seat, room: Room): void {
    const { nick, role } = occupant
    const text = presence.map((one) => one.xml(NS_CLIENT)).join('')
    this.ctx.store.rooms.enter({ room: room.jid.key, jid: jid.key, nick, role, presence: text })
  }

  /** The same for all clients of an occupant. */
  noteAll(occupant: Seat['occupant'], room: Room): void {
    for (const seat of occupant.seats.values()) this.note(seat, room)
  }

  /** Takes a client out of the room, without telling anybody. @returns whether its occupant is gone */
  unseat(seat: Seat, room: Room): boolean {
    const gone = room.leave(seat)
    this.ctx.store.rooms.leave(room.jid.key, seat.jid.key)
    return gone
  }

  /** After somebody left: a room that is not to last goes with the last one (§10.1.3, §7.14). */
  left(room: Room): void {
    if (room.seats.size > 0 || !room.alive) return
    const changing = room.settled()
    // A change that is under way may make it last.
    if (changing) void changing.then(() => this.left(room))
    else if (room.config.persistent && !room.config.locked) this.#trim()
    else this.destroy(room).catch((error: unknown) => this.ctx.log.error('room not removed', { error }))
  }

  /** Removes a room for good; nobody may be in it any more. */
  async destroy(room: Room): Promise<void> {
    room.alive = false
    const removed = this.#once(room.jid, async () => {
      await this.ctx.store.rooms.remove(room.jid)
      this.#loaded.delete(room.jid.key)
      return undefined
    })
    try {
      await removed
    } catch (error) {
      room.alive = true
      throw error
    }
  }

  /** Puts those in the room again who were in it when an earlier process ended, if they are still there. */
  async restore(): Promise<void> {
    const byRoom = [...Map.groupBy(await this.ctx.store.rooms.occupants(), ({ room }) => room)]
    for (let first = 0; first < byRoom.length; first += RESTORED_AT_ONCE) {
      await Promise.all(
        byRoom.slice(first, first + RESTORED_AT_ONCE).map(([key, stored]) =>
          this.#restore(Jid.parse(key), stored).catch((error: unknown) => {
            this.ctx.log.error('occupants of a room not restored', { error })
          }),
        ),
      )
    }
    for (const jid of await this.ctx.store.rooms.temporary()) {
      const room = await this.find(jid)
      if (room) this.left(room)
    }
  }

  async #restore(jid: Jid, stored: readonly StoredOccupant[]): Promise<void> {
    const { directory, hosts, clock } = this.ctx
    const room = await this.find(jid)
    if (!room) return
    const gone: Seat[] = []
    for (const { jid: text, nick, role, presence } of stored) {
      const client = Jid.parse(text)
      const words = parseElement(`<x xmlns='${NS_CLIENT}'>${presence}</x>`).elements
      const seat = room.enter(client, nick, roleOf(role) ?? 'visitor', words, clock.now())
      const here = !hosts.has(client.domain) || directory.loaded(client.bare.key)?.sessions.has(client.resource ?? '')
      if (!here) gone.push(seat)
    }
    for (const seat of gone) this.remove(room, seat, [333])
    // The server may have died between a ban, or a change of the room, and what follows from it.
    for (const occupant of [...room.occupants.values()]) {
      const code = whyGone(room, occupant.user)
      if (code) expel(occupant, room, this, { actor: undefined, reason: undefined, codes: [code] })
    }
  }

  /** Takes one client out of the room, and tells the others. The client itself is told by whoever calls, if it can be. */
  remove(room: Room, seat: Seat, codes: readonly number[], words?: Seat['presence']): void {
    if (this.#takeOut(room, seat, codes, words)) this.left(room)
  }

  /** The same for one that enters again at once, under another nick. */
  moveOut(room: Room, seat: Seat): void {
    this.#takeOut(room, seat, [])
  }

  /** @returns whether its occupant is gone */
  #takeOut(room: Room, seat: Seat, codes: readonly number[], words?: Seat['presence']): boolean {
    const { occupant } = seat
    const wasMain = occupant.main === seat
    if (!this.unseat(seat, room)) {
      if (wasMain) announce(this.router, room, occupant, {})
      return false
    }
    occupant.main = seat
    announce(this.router, room, occupant, { gone: true, codes, ...(words && { presence: words }) })
    return true
  }

  /** Does it once for all who ask meanwhile; a room that is made or removed at this moment is waited for. */
  #once(jid: Jid, act: () => Promise<Room | undefined>): Promise<Room | undefined> {
    const before = this.#loading.get(jid.key)
    const loading = (before ? before.then(act, act) : act()).then((room) => {
      if (room) this.#loaded.set(jid.key, room)
      return room
    })
    const done = loading.finally(() => {
      if (this.#loading.get(jid.key) === done) this.#loading.delete(jid.key)
    })
    this.#loading.set(jid.key, done)
    return done
  }

  async #load(jid: Jid): Promise<Room | undefined> {
    const known = this.#loaded.get(jid.key)
    if (known?.alive) return known
    const [stored, kept] = await Promise.all([
      this.ctx.store.rooms.load(jid),
      this.ctx.store.messages.page(jid, { last: true, limit: HISTORY_MOST }),
    ])
    if (!stored) return undefined
    const room = roomOf(jid, stored, this.#secret)
    for (const { id, time, xml } of kept.messages) {
      const message = readKept(xml)
      if (message) room.history.add({ id: archiveId(id), time, message }, room.config.history)
    }
    // A room that lost its owner while nobody could see to it: the server died between the two.
    if (room.of('owner').length === 0 && !(await appoint(room, this))) {
      await this.ctx.store.rooms.remove(jid)
      return undefined
    }
    this.#trim()
    return room
  }

  #trim(): void {
    if (this.#loaded.size <= IDLE_ROOMS) return
    for (const [key, room] of this.#loaded) {
      if (room.seats.size > 0 || room.busy > 0) continue
      this.#loaded.delete(key)
      if (this.#loaded.size <= IDLE_ROOMS) return
    }
  }
}

/** Why somebody who was in the room may not be in it any more, as a status code; undefined if they may. */
function whyGone(room: Room, user: Jid): number | undefined {
  if (room.affiliation(user) === 'outcast') return 301
  return room.config.membersOnly && !room.isMember(user) ? 321 : undefined
}

function roomOf(jid: Jid, { config, subject, affiliations }: StoredRoom, secret: Buffer): Room {
  const room = new Room(jid, readConfig(config), secret)
  room.subject = subject === undefined ? undefined : (JSON.parse(subject) as Subject)
  for (const place of affiliations) room.setPlace(place)
  return room
}
