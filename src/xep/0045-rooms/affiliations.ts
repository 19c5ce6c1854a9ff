// SPDX-License-Identifier: Apache-2.0
// Changes of affiliations (XEP-0045 §5.2.2, §9, §10.3 to §10.8), and what follows from them for those who are in the room.
import type { StoredAffiliation } from '../../store/rooms-store.ts'
import { type Element, el } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { Stanza } from '../../xmpp/stanza.ts'
import { isShown } from './config.ts'
import { type Affiliation, NS_USER, type Role, rank, refusal } from './names.ts'
import { announce, presenceOf, tellOthers, tellSelf, whole } from './presence.ts'
import type { Occupant, Place, Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** A change that somebody wants. */
export interface PlaceChange {
  /** A bare JID, or a domain. */
  readonly jid: Jid
  readonly affiliation: Affiliation
  /** The nick to be reserved; undefined: as it was, '' for none. */
  readonly nick?: string | undefined
  readonly reason?: string | undefined
}

/** As the store wants it. */
export function storedChange(room: Room, { jid, affiliation, nick, reason }: PlaceChange): StoredAffiliation {
  const before = room.places.get(jid.key)
  const kept = nick ?? before?.nick
  // §9.1: an outcast has no nick; nor has who is nobody to the room.
  const lasting = affiliation === 'outcast' || affiliation === 'none' ? undefined : kept || undefined
  return {
    jid: jid.key,
    affiliation,
    nick: lasting,
    reason: reason ?? (before?.affiliation === affiliation ? before.reason : undefined),
  }
}

/** Throws what §10.4 and our bounds want. */
export function checkChanges(room: Room, changes: readonly PlaceChange[], { limits }: Rooms): void {
  const after = new Map<string, Affiliation>([...room.places].map(([jid, place]) => [jid, place.affiliation]))
  for (const { jid, affiliation } of changes) {
    if (affiliation === 'none') after.delete(jid.key)
    else after.set(jid.key, affiliation)
  }
  if (![...after.values()].includes('owner')) throw refusal(room.jid, 'cancel', 'conflict', 'A room needs an owner.')
  const now = [...room.places.values()].map((place) => place.affiliation)
  for (const banned of [true, false]) {
    const wanted = held(after.values(), banned)
    if (wanted <= limits.affiliations || wanted <= held(now, banned)) continue
    throw refusal(room.jid, 'wait', 'resource-constraint', 'The lists of this room are full.')
  }
}

/** Who is banned counts apart: where members may invite, they must not be able to fill the list that bans go to. */
function held(affiliations: Iterable<Affiliation>, banned: boolean): number {
  let count = 0
  for (const affiliation of affiliations) if ((affiliation === 'outcast') === banned) count++
  return count
}

/** Carries out changes: on disk first. In the room's turn only. @param actor the nick of who does it */
export async function changePlaces(
  changes: readonly PlaceChange[],
  room: Room,
  rooms: Rooms,
  actor?: string,
): Promise<void> {
  await rooms.ctx.store.rooms.affiliate(
    room.jid,
    changes.map((change) => storedChange(room, change)),
  )
  applyPlaces(changes, room, rooms, actor)
}

/** What follows in memory, and what those in the room hear of it. */
export function applyPlaces(changes: readonly PlaceChange[], room: Room, rooms: Rooms, actor?: string): void {
  for (const change of changes) {
    const { jid, affiliation, reason } = change
    const before = room.places.get(jid.key)
    room.setPlace(storedChange(room, change))
    if (affiliation === 'outcast') room.forgetRole(jid)
    const whom = jid.local === undefined ? inDomain(room, jid.domain) : room.occupantsOf(jid)
    for (const occupant of whom) settle(occupant, before, room, rooms, { actor, reason })
  }
}

interface Why {
  readonly actor: string | undefined
  readonly reason: string | undefined
}

function settle(occupant: Occupant, before: Place | undefined, room: Room, rooms: Rooms, why: Why): void {
  const affiliation = room.affiliation(occupant.user)
  if (affiliation === 'outcast') expel(occupant, room, rooms, { ...why, codes: [301] })
  else if (room.config.membersOnly && rank(affiliation) < rank('member')) {
    expel(occupant, room, rooms, { ...why, codes: [321] })
  } else setRole(occupant, roleAfter(occupant, before?.affiliation ?? 'none', affiliation, room), room, rooms, why)
}

/** §5.1.3: what an affiliation brings; what it brought goes with it. */
function roleAfter({ role, user }: Occupant, before: Affiliation, after: Affiliation, room: Room): Role {
  if (rank(after) >= rank('admin')) return 'moderator'
  const lost = rank(before) >= rank('admin')
  if (lost || (role === 'visitor' && after === 'member')) return room.initialRole(user)
  if (role === 'participant' && after === 'none' && before === 'member') return room.initialRole(user)
  return role
}

/** Gives an occupant a role, and tells everybody; a role that is not shown makes it vanish for some, or appear. */
export function setRole(occupant: Occupant, role: Role, room: Room, rooms: Rooms, why: Why): void {
  const { config } = room
  const before = occupant.role
  if (isShown(config, before) && !isShown(config, role)) vanish(occupant, room, rooms)
  occupant.role = role
  rooms.noteAll(occupant, room)
  announce(rooms.router, room, occupant, why)
  // A new moderator sees more of the others than before.
  const seesMore = role === 'moderator' && before !== role
  if (!seesMore || (config.whois === 'anyone' && config.presenceBroadcast.length === 3)) return
  for (const seat of occupant.seats.values()) tellOthers(rooms.router, room, seat)
}

/** For those who will not see the occupant any more it is gone; it itself knows better. */
function vanish(occupant: Occupant, room: Room, { router }: Rooms): void {
  const gone = presenceOf(room, occupant, { gone: true })
  for (const { jid, occupant: viewer } of room.seats.values()) {
    if (viewer !== occupant && viewer.role !== 'moderator') void router.route(gone.with({ to: jid }))
  }
}

/** Takes an occupant out of the room with all its clients. */
export function expel(
  occupant: Occupant,
  room: Room,
  rooms: Rooms,
  { codes, ...why }: Why & { readonly codes: readonly number[] },
): void {
  for (const seat of occupant.seats.values()) tellSelf(rooms.router, room, seat, { gone: true, codes, ...why })
  const [last, ...others] = [...occupant.seats.values()]
  for (const seat of others) rooms.unseat(seat, room)
  if (!last) return
  rooms.unseat(last, room)
  occupant.main = last
  announce(rooms.router, room, occupant, { gone: true, codes, ...why })
  rooms.left(room)
}

/** Those whom a ban of their domain concerns: they have no place of their own. */
function inDomain(room: Room, domain: string): readonly Occupant[] {
  return [...room.occupants.values()].filter(({ user }) => user.domain === domain && !room.places.has(user.key))
}

/** §7.8.2, §9.5: an invitation of the room. @param from who invites */
export function invitation(room: Room, from: Jid, to: Jid, more: readonly Element[] = []): Stanza {
  const { password } = room.config
  const user = el(
    'x',
    NS_USER,
    null,
    el('invite', NS_USER, { from: from.key }, ...more),
    password !== '' && el('password', NS_USER, null, password),
  )
  return Stanza.of(whole('message', {}, [user]), room.jid, to)
}
