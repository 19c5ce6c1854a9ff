// SPDX-License-Identifier: Apache-2.0
// What moderators, administrators and owners ask of a room about others (XEP-0045 §8, §9, §10.3 to §10.8): lists, and changes
// of roles and affiliations. A request is carried out as a whole or not at all.
import type { IqRequest } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { readPageRequest, resultSetElement } from '../../xmpp/0059-result-sets.ts'
import { Jid } from '../../xmpp/jid.ts'
import { nickname, nicknameKey } from '../../xmpp/precis.ts'
import { changePlaces, checkChanges, expel, invitation, type PlaceChange, setRole } from './affiliations.ts'
import { NICK_MAX } from './limits.ts'
import { type Affiliation, affiliationOf, NS_ADMIN, type Role, rank, refusal, roleOf } from './names.ts'
import type { Occupant, Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** Items in one request, and in one answer unless pages are asked for. */
const ITEMS_MOST = 1000
/** UTF-16 units of a reason. */
const REASON_MAX = 1000
/** Somebody's role becomes this, or they leave. */
type NewRole = Role | 'none'

interface RoleChange {
  readonly occupant: Occupant
  readonly role: NewRole
  readonly reason: string | undefined
}

/** §8.5, §9.2, §9.5, §9.8, §10.5, §10.8: a list. */
export function list({ payload, from }: IqRequest, room: Room): Element {
  const [item, ...others] = payload.childrenNamed('item')
  const affiliation = affiliationOf(item?.attrs.affiliation)
  const role = roleOf(item?.attrs.role)
  if (!item || others.length > 0 || (affiliation === undefined) === (role === undefined)) {
    throw refusal(room.jid, 'modify', 'bad-request', 'One list, please: of a role or of an affiliation.')
  }
  if (role) return el('query', NS_ADMIN, null, ...occupantsOfRole(role, from, room))
  if (!affiliation || affiliation === 'none') throw refusal(room.jid, 'modify', 'bad-request', 'There is no such list.')
  if (!maySee(affiliation, from, room)) throw refusal(room.jid, 'auth', 'forbidden')
  return page(affiliation, payload, room)
}

/** §8.2 to §8.5, §9, §10.3 to §10.8: changes. */
export async function change({ payload, from }: IqRequest, room: Room, rooms: Rooms): Promise<undefined> {
  const items = payload.childrenNamed('item')
  if (items.length === 0 || items.length > ITEMS_MOST) throw refusal(room.jid, 'modify', 'bad-request')
  await room.inTurn(async () => {
    const roles: RoleChange[] = []
    const places: PlaceChange[] = []
    for (const item of items) {
      const { role, affiliation } = item.attrs
      if ((role === undefined) === (affiliation === undefined)) {
        throw refusal(room.jid, 'modify', 'bad-request', 'Either a role or an affiliation.') // §17.4
      }
      if (role === undefined) places.push(placeChange(item, from, room))
      else roles.push(roleChange(item, from, room))
    }
    const actor = room.seats.get(from.key)?.occupant ?? room.occupantsOf(from)[0]
    checkNicks(places, room)
    if (places.length > 0) await changeTheirPlaces(places, from, room, rooms, actor?.nick)
    for (const { occupant, role, reason } of roles) {
      if (occupant.seats.size === 0) continue // out already, by this request or meanwhile
      const why = { actor: actor?.nick, reason }
      if (role === 'none') expel(occupant, room, rooms, { ...why, codes: [307] })
      else if (role !== occupant.role) {
        room.keepRole(occupant.user, role)
        setRole(occupant, role, room, rooms, why)
      }
    }
  })
  return undefined
}

async function changeTheirPlaces(
  places: readonly PlaceChange[],
  from: Jid,
  room: Room,
  rooms: Rooms,
  actor: string | undefined,
): Promise<void> {
  checkChanges(room, places, rooms)
  const strangers = places.filter(
    ({ jid, affiliation }) => affiliation === 'member' && room.affiliation(jid) === 'none',
  )
  await changePlaces(places, room, rooms, actor)
  if (!room.config.membersOnly) return
  // §9.5: who may come from now on is told so.
  for (const { jid } of strangers) {
    if (room.occupantsOf(jid).length === 0) void rooms.router.route(invitation(room, from.bare, jid))
  }
}

/** Throws unless the asker may give the role. */
function roleChange(item: Element, from: Jid, room: Room): RoleChange {
  const { nick } = item.attrs
  const role: NewRole | undefined = item.attrs.role === 'none' ? 'none' : roleOf(item.attrs.role)
  if (role === undefined || nick === undefined) throw refusal(room.jid, 'modify', 'bad-request')
  const own = room.affiliation(from)
  const asker = room.seats.get(from.key)?.occupant ?? room.occupantsOf(from)[0]
  const isAdmin = rank(own) >= rank('admin')
  if (!isAdmin && asker?.role !== 'moderator') throw refusal(room.jid, 'auth', 'forbidden')
  const occupant = room.named(nickname(nick))
  if (!occupant) throw refusal(room.jid, 'cancel', 'item-not-found', 'Nobody has this nick here.')
  if (role === 'moderator' && !isAdmin) throw refusal(room.jid, 'auth', 'forbidden')
  const theirs = room.affiliation(occupant.user)
  if (!mayDemote(role, own, theirs, occupant, isAdmin)) throw refusal(room.jid, 'cancel', 'not-allowed')
  return { occupant, role, reason: reasonOf(item) }
}

/** §8.2, §8.4, §9.7: nobody is kicked or silenced from below; and an administrator is a moderator, whatever anybody says. */
function mayDemote(
  role: NewRole,
  own: Affiliation,
  theirs: Affiliation,
  { role: before }: Occupant,
  isAdmin: boolean,
): boolean {
  if (role === 'moderator') return true
  if (role === 'none') return rank(theirs) <= rank(own) && (before !== 'moderator' || isAdmin)
  if (rank(theirs) >= rank('admin')) return false
  if (before === 'moderator') return isAdmin
  return role === 'participant' || rank(theirs) < rank(own) || theirs === 'none'
}

/** Throws unless the asker may change the affiliation. */
function placeChange(item: Element, from: Jid, room: Room): PlaceChange {
  const affiliation = affiliationOf(item.attrs.affiliation)
  const jid = whom(item, room)
  if (!affiliation || !jid) throw refusal(room.jid, 'modify', 'bad-request', 'An affiliation needs a JID.')
  if (jid.local === undefined && affiliation !== 'outcast' && affiliation !== 'none') {
    throw refusal(room.jid, 'modify', 'bad-request', 'A whole domain can only be banned.')
  }
  const own = room.affiliation(from)
  const theirs = room.places.get(jid.key)?.affiliation ?? 'none'
  if (rank(own) < rank('admin')) throw refusal(room.jid, 'auth', 'forbidden')
  if (affiliation === 'outcast' && jid.equals(from.bare))
    throw refusal(room.jid, 'cancel', 'conflict', 'You cannot ban yourself.')
  if (own !== 'owner' && rank(theirs) >= rank('admin')) {
    if (affiliation === 'outcast') throw refusal(room.jid, 'cancel', 'not-allowed')
    if (theirs !== affiliation) throw refusal(room.jid, 'auth', 'forbidden')
  }
  if (own !== 'owner' && rank(affiliation) >= rank('admin') && theirs !== affiliation)
    throw refusal(room.jid, 'auth', 'forbidden')
  return { jid, affiliation, nick: reservedNick(item, jid, room), reason: reasonOf(item) }
}

/** By JID; by nick if there is none. */
function whom({ attrs }: Element, room: Room): Jid | undefined {
  if (attrs.jid !== undefined) return Jid.parse(attrs.jid).bare
  return room.named(nickname(attrs.nick ?? ''))?.user
}

/** §9.3, §9.5: with a JID a nick is one to be reserved. */
function reservedNick({ attrs }: Element, jid: Jid, room: Room): string | undefined {
  if (attrs.jid === undefined || attrs.nick === undefined || attrs.nick === '') return attrs.jid && attrs.nick
  const nick = nickname(attrs.nick)
  if (nick === undefined || Buffer.byteLength(nick) > NICK_MAX)
    throw refusal(room.jid, 'modify', 'not-acceptable', 'This is no nick.')
  const holder = room.reservedFor(nick)
  if (holder !== undefined && holder !== jid.key)
    throw refusal(room.jid, 'cancel', 'conflict', 'This nick is reserved for somebody else.')
  return nick
}

/** Throws if one request gives a nick to two people. */
function checkNicks(places: readonly PlaceChange[], room: Room): void {
  const owners = new Map<string, string>()
  for (const { jid, nick } of places) {
    if (!nick) continue
    const key = nicknameKey(nick)
    if ((owners.get(key) ?? jid.key) !== jid.key)
      throw refusal(room.jid, 'cancel', 'conflict', 'This nick is reserved for somebody else.')
    owners.set(key, jid.key)
  }
}

function reasonOf(item: Element): string | undefined {
  return item.childText('reason')?.slice(0, REASON_MAX) || undefined
}

function occupantsOfRole(role: Role, from: Jid, room: Room): readonly Element[] {
  const asker = room.seats.get(from.key)?.occupant
  if (asker?.role !== 'moderator' && rank(room.affiliation(from)) < rank('admin'))
    throw refusal(room.jid, 'auth', 'forbidden')
  return [...room.occupants.values()]
    .filter((one) => one.role === role)
    .map(({ nick, main, user }) =>
      el('item', NS_ADMIN, { affiliation: room.affiliation(user), jid: main?.jid.key, nick, role }),
    )
}

/** §9.2, §9.5, §10.5, §10.8. */
function maySee(affiliation: Affiliation, from: Jid, room: Room): boolean {
  const own = room.affiliation(from)
  if (own === 'owner') return true
  if (rank(own) >= rank('admin') && (affiliation === 'member' || affiliation === 'outcast')) return true
  if (affiliation === 'outcast' || room.config.whois !== 'anyone') return false
  const role = room.seats.get(from.key)?.occupant.role
  return role === undefined ? rank(own) >= rank('member') : room.config.memberList.includes(role)
}

/** A list sorted by JID, by pages if they are asked for (XEP-0059). */
function page(affiliation: Affiliation, payload: Element, room: Room): Element {
  const all = room.of(affiliation)
  const asked = payload.child('set', 'http://jabber.org/protocol/rsm') ? readPageRequest(payload) : undefined
  if (!asked) return el('query', NS_ADMIN, null, ...all.map(([jid, place]) => placeItem(jid, place)))
  const most = Math.min(asked.max ?? ITEMS_MOST, ITEMS_MOST)
  const { after, before } = asked
  const within = all.filter(([jid]) => (!after || jid > after) && (!before || jid < before))
  const found = before === undefined ? within.slice(0, most) : most === 0 ? [] : within.slice(-most)
  const set = resultSetElement({ first: found[0]?.[0], last: found.at(-1)?.[0], count: all.length })
  return el('query', NS_ADMIN, null, ...found.map(([jid, place]) => placeItem(jid, place)), set)
}

function placeItem(jid: string, { affiliation, nick, reason }: ReturnType<Room['of']>[number][1]): Element {
  return el(
    'item',
    NS_ADMIN,
    { affiliation, jid, nick: affiliation === 'outcast' ? undefined : nick },
    reason !== undefined && el('reason', NS_ADMIN, null, reason),
  )
}
