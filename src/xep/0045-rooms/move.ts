// SPDX-License-Identifier: Apache-2.0
// Presence of those in a room (XEP-0045 §7.6, §7.7, §7.14): another nick, another availability, and leaving.

import { el } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { nicknameKey } from '../../xmpp/precis.ts'
import { Stanza } from '../../xmpp/stanza.ts'
import { nickFor } from './enter.ts'
import { NS_USER, refusal } from './names.ts'
import { announce, ownWords, presenceOf, seesOccupant, tellSelf, whole } from './presence.ts'
import type { Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'

/** Available presence of somebody who is in the room. */
export function update(stanza: Stanza, to: Jid, seat: Seat, room: Room, rooms: Rooms): void {
  const { clock, router } = rooms.ctx
  const { occupant } = seat
  seat.heard = clock.now()
  if (!occupant.bucket.take(rooms.limits.rate, seat.heard))
    throw refusal(to, 'wait', 'policy-violation', 'That was too fast.')
  if (to.resource !== undefined && nicknameKey(nickFor(room, seat.jid, to).nick) !== nicknameKey(occupant.nick)) {
    if (room.config.lockNicks)
      throw refusal(to, 'cancel', 'not-acceptable', 'Members have the nick that is reserved for them here.')
    rename(stanza, to, seat, room, rooms)
    return
  }
  seat.presence = ownWords(stanza)
  occupant.main = seat
  rooms.note(seat, room)
  announce(router, room, occupant, {})
}

/** §7.6. A client that shares its nick with others takes them along: they are one occupant. */
function rename(stanza: Stanza, to: Jid, seat: Seat, room: Room, rooms: Rooms): void {
  const { occupant } = seat
  const { nick } = nickFor(room, seat.jid, to)
  const words = ownWords(stanza)
  if (room.named(nick)) throw refusal(to, 'cancel', 'conflict', 'You have this nick already, with another client.')
  announce(rooms.router, room, occupant, { gone: true, codes: [303], nick })
  room.rename(occupant, nick)
  seat.presence = words
  occupant.main = seat
  rooms.noteAll(occupant, room)
  announce(rooms.router, room, occupant, {}, seat)
  tellSelf(rooms.router, room, seat, nick === to.resource ? {} : { codes: [210] }, stanza.id)
}

/** §7.14. */
export function leave(stanza: Stanza, seat: Seat, room: Room, rooms: Rooms): void {
  const words = ownWords(stanza)
  tellSelf(rooms.router, room, seat, { gone: true, presence: words })
  rooms.remove(room, seat, [], words)
}

/** §7.2.18: presence of somebody who thinks to be in the room, and is not. */
export function notInside(to: Jid, from: Jid, rooms: Rooms): void {
  const item = el(
    'item',
    NS_USER,
    { affiliation: 'none', role: 'none' },
    el('reason', NS_USER, null, 'You are not in the room.'),
  )
  const codes = ['110', '307', '333'].map((code) => el('status', NS_USER, { code }))
  const user = el('x', NS_USER, null, item, ...codes)
  void rooms.router.route(Stanza.of(whole('presence', { type: 'unavailable' }, [user]), to, from))
}

/** §17.3: who is in the room may ask how somebody is there. */
export function probed(to: Jid, seat: Seat, room: Room, rooms: Rooms): void {
  const occupant = room.named(to.resource)
  if (!occupant || !seesOccupant(room, seat, occupant)) return
  void rooms.router.route(presenceOf(room, occupant, {}).with({ to: seat.jid }))
}
