// SPDX-License-Identifier: Apache-2.0
// Entering a room (XEP-0045 §7.2): who may, under which nick, and what they are sent, in the order of §7.1.
import type { Element } from '../../xml/element.ts'
import { el, Element as XmlElement } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { nickname, nicknameKey } from '../../xmpp/precis.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { wantedHistory } from './history.ts'
import { NICK_MAX } from './limits.ts'
import { NS_DELAY, NS_MUC, rank, refusal } from './names.ts'
import { announce, ownWords, tellOthers, tellSelf, whole } from './presence.ts'
import type { Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'

/** So many more may enter a full room if they are its owners or administrators (§7.2.9). */
const RESERVED = 20

/** A client wants to be in a room that does not exist. */
export async function create(stanza: Stanza, to: Jid, from: Jid, rooms: Rooms): Promise<void> {
  nickOf(to)
  const room = await rooms.create(to.bare, from)
  try {
    enter(stanza, to, from, room, rooms)
  } catch (error) {
    rooms.left(room)
    throw error
  }
}

/** A client wants to be in the room. One that is in it already gets everything once more (§7.2.1). */
export function enter(stanza: Stanza, to: Jid, from: Jid, room: Room, rooms: Rooms): void {
  const join = stanza.element.child('x', NS_MUC)
  const known = room.seats.get(from.key)
  const now = rooms.ctx.clock.now()
  const wanted = wantedHistory(join, room.config.history, now)
  // Before it is looked whether they may: nobody tries out passwords fast.
  if (!room.bucket(from.bare).take(rooms.limits.rate, now))
    throw refusal(to, 'wait', 'policy-violation', 'That was too fast; wait a little.')
  if (!known) check(room, from, join, rooms)
  const words = ownWords(stanza)
  const { nick, changed } = nickFor(room, from, to)
  const stays = known !== undefined && nicknameKey(known.occupant.nick) === nicknameKey(nick)
  // It does not know that it is in the room, or it would have changed its nick (§7.6).
  if (known && !stays) rooms.moveOut(room, known)
  const seat = stays ? again(words, known, room, rooms, now) : first(words, from, nick, room, rooms, now)
  const codes = [...(changed || nick !== to.resource ? [210] : []), ...warnings(room)]
  tellOthers(rooms.router, room, seat)
  tellSelf(rooms.router, room, seat, { codes }, stanza.id)
  for (const message of room.history.pick(wanted, room.jid)) void rooms.router.route(message.with({ to: from }))
  void rooms.router.route(subjectOf(room).with({ to: from }))
}

/** §7.2.15: the subject as it is; an empty one if there is none. */
export function subjectOf({ subject, jid }: Room): Stanza {
  if (!subject) return Stanza.of(whole('message', { type: 'groupchat' }, [el('subject', NS_CLIENT)]), jid, undefined)
  const delay = el('delay', NS_DELAY, { from: jid.key, stamp: new Date(subject.time).toISOString() })
  const content = parseElement(subject.xml, NS_CLIENT)
  const message = new XmlElement('message', NS_CLIENT, { type: 'groupchat' }, content.children).append(delay)
  return Stanza.of(message, jid.withResource(subject.nick), undefined, content.attrs.id)
}

function first(words: Seat['presence'], from: Jid, nick: string, room: Room, rooms: Rooms, now: number): Seat {
  const seat = room.enter(from, nick, room.initialRole(from), words, now)
  rooms.note(seat, room)
  // A second client of somebody who is there already is news to nobody else.
  if (seat.occupant.seats.size === 1) announce(rooms.router, room, seat.occupant, {}, seat)
  return seat
}

/** §17.3: it lost what it knew; the others only hear of it if it says something new of itself. */
function again(words: Seat['presence'], seat: Seat, room: Room, rooms: Rooms, now: number): Seat {
  const news = textOf(words) !== textOf(seat.presence)
  seat.presence = words
  seat.heard = now
  if (news) {
    rooms.note(seat, room)
    seat.occupant.main = seat
    announce(rooms.router, room, seat.occupant, {}, seat)
  }
  return seat
}

function textOf(words: readonly Element[]): string {
  return words.map((word) => word.xml(NS_CLIENT)).join('')
}

/** What somebody who enters has to know: §7.2.3, §7.2.12, §10.1.1. */
function warnings({ config }: Room): readonly number[] {
  return [
    ...(config.whois === 'anyone' ? [100] : []),
    ...(config.archive ? [170] : []),
    ...(config.locked ? [201] : []),
  ]
}

/** Throws unless somebody may enter (§7.2.5 to §7.2.10). */
function check(room: Room, from: Jid, join: Element | undefined, { limits }: Rooms): void {
  const { config, jid } = room
  const affiliation = room.affiliation(from)
  if (affiliation === 'outcast') throw refusal(jid, 'auth', 'forbidden', 'You are banned from this room.')
  if (config.locked && affiliation !== 'owner')
    throw refusal(jid, 'cancel', 'item-not-found', 'This room is not ready yet.')
  if (config.membersOnly && rank(affiliation) < rank('member')) {
    throw refusal(jid, 'auth', 'registration-required', 'This room is for its members.')
  }
  if (config.password !== '' && affiliation !== 'owner' && join?.childText('password') !== config.password) {
    throw refusal(jid, 'auth', 'not-authorized', 'This room needs a password.')
  }
  const most = Math.min(limits.occupants, config.maxUsers || limits.occupants)
  if (room.seats.size >= most + (rank(affiliation) >= rank('admin') ? RESERVED : 0)) {
    throw refusal(jid, 'wait', 'service-unavailable', 'The room is full.')
  }
}

/** The nick in its one form. Throws `jid-malformed` if it is none (§7.2.1, §17.1). */
export function nickOf(to: Jid): string {
  const nick = to.resource === undefined ? undefined : nickname(to.resource)
  if (nick === undefined) throw refusal(to, 'modify', 'jid-malformed', 'You need a nick to be in a room.')
  if (Buffer.byteLength(nick) > NICK_MAX)
    throw refusal(to, 'modify', 'jid-malformed', `A nick has at most ${NICK_MAX} bytes.`)
  return nick
}

/** The nick that somebody gets (§7.2.8, §7.10). Throws `conflict` if it is somebody else's. */
export function nickFor(room: Room, from: Jid, to: Jid): { readonly nick: string; readonly changed: boolean } {
  const own = room.places.get(from.bare.key)?.nick
  const wanted = nickOf(to)
  const nick = room.config.lockNicks && own !== undefined ? own : wanted
  const holder = room.named(nick)
  const reserved = room.reservedFor(nick)
  if ((holder && !holder.user.equals(from.bare)) || (reserved !== undefined && reserved !== from.bare.key)) {
    throw refusal(to, 'cancel', 'conflict', 'Somebody else has this nick.')
  }
  return { nick: holder?.nick ?? nick, changed: nick !== wanted }
}
