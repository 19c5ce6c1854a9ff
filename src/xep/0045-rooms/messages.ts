// SPDX-License-Identifier: Apache-2.0
// What is said in a room (XEP-0045 §7.4, §7.5, §8.1). The hot path: the content of a message is written once, nothing waits,
// and no promise is made for a copy.
import { randomUUID } from 'node:crypto'
import { type Element, el } from '../../xml/element.ts'
import { archiveId } from '../../xmpp/0313-archive-queries.ts'
import { NS_SID, stanzaId } from '../../xmpp/0359-stanza-ids.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { contentKeeping } from '../0313-archive.ts'
import { isHistory, isSubject, keptText } from './kept.ts'
import { SUBJECT_MAX } from './limits.ts'
import { NS_DELAY, NS_HATS, NS_OCCUPANT_ID, NS_USER, refusal } from './names.ts'
import { broadcast } from './presence.ts'
import { noteSent } from './privates.ts'
import { bury, claimsModeration, NS_RETRACT } from './retract.ts'
import type { Occupant, Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'
import { wakeAbsent } from './wake.ts'

/** §7.4: to all. */
export function groupchat(stanza: Stanza, seat: Seat, room: Room, rooms: Rooms): void {
  const { occupant } = seat
  const { clock } = rooms.ctx
  const subject = isSubject(stanza.element)
  if (occupant.role === 'visitor') throw refusal(room.jid, 'auth', 'forbidden', 'You have no voice in this room.')
  if (subject) checkSubject(stanza, occupant, room)
  if (claimsModeration(stanza.element))
    throw refusal(room.jid, 'modify', 'bad-request', 'Only a room says that it moderated something.')
  seat.heard = clock.now()
  if (!occupant.bucket.take(rooms.limits.rate, seat.heard))
    throw refusal(room.jid, 'wait', 'policy-violation', 'That was too fast; wait a little.')
  const content = cleaned(stanza.element, room.jid).append(occupant.id)
  const said = Stanza.of(content, occupant.jid, undefined, stanza.id ?? randomUUID())
  const id = keep(said, seat, room, rooms)
  const told = withId(said, id, room)
  if (subject) setSubject(said, occupant, room, rooms)
  else if (id !== undefined && isHistory(content))
    room.history.add({ id, time: seat.heard, message: told }, room.config.history)
  broadcast(rooms.router, room, told)
  if (id !== undefined) bury(said, Number(id), seat, room, rooms)
  if (id !== undefined && !subject) wakeAbsent(said, room, rooms)
}

/** §7.5: to one occupant, with all its clients. */
export function privately(stanza: Stanza, to: Jid, seat: Seat, room: Room, rooms: Rooms): void {
  if (stanza.type === 'groupchat') throw refusal(to, 'modify', 'bad-request', 'What is for one alone is no groupchat.')
  const { occupant } = seat
  const { allowPm } = room.config
  const enough =
    allowPm === 'anyone' ||
    (allowPm === 'participants' && occupant.role !== 'visitor') ||
    (allowPm === 'moderators' && occupant.role === 'moderator')
  if (!enough) throw refusal(to, 'auth', 'forbidden', 'You may not send private messages in this room.')
  const other = room.named(to.resource)
  if (!other) throw refusal(to, 'cancel', 'item-not-found', 'Nobody has this nick here.')
  seat.heard = rooms.ctx.clock.now()
  if (!occupant.bucket.take(rooms.limits.rate, seat.heard))
    throw refusal(to, 'wait', 'policy-violation', 'That was too fast; wait a little.')
  const content = cleaned(stanza.element, room.jid).append(el('x', NS_USER)).append(occupant.id)
  const said = Stanza.of(content, occupant.jid, undefined, stanza.id ?? randomUUID())
  noteSent(said, seat, other, room)
  for (const { jid } of other.seats.values()) void rooms.router.route(said.with({ to: jid }))
}

/** Without what only the room may say: whose it is, ids that it gives, addresses. */
function cleaned(message: Element, room: Jid): Element {
  for (const child of message.children) {
    if (typeof child !== 'string' && isForged(child, room)) return message.without((each) => isForged(each, room))
  }
  return message
}

function isForged({ name, ns, attrs }: Element, room: Jid): boolean {
  if (ns === NS_OCCUPANT_ID || ns === NS_HATS) return true
  if (ns === NS_USER) return name === 'x'
  if (ns === NS_DELAY) return Jid.tryParse(attrs.from)?.bare.key === room.key // §7.2.13: only the room says when it was
  if (ns === NS_RETRACT) return name === 'retracted' // XEP-0424 §3.2: only archives put tombstones
  return ns === NS_SID && name === 'stanza-id' && Jid.tryParse(attrs.by)?.key === room.key
}

/** Puts it into the archive, if the room has one and it is worth it (XEP-0313 §6.1.2). @returns its id */
function keep(said: Stanza, seat: Seat, room: Room, { ctx }: Rooms): string | undefined {
  if (contentKeeping(said) !== 'archive') return undefined
  if (!room.config.archive || ctx.options.archive === 'off') return randomUUID()
  const xml = keptText(said, seat, { affiliation: room.affiliation(seat.jid) })
  const failed = (error: Error): void => ctx.log.error('message of a room not archived', { error })
  return archiveId(
    ctx.store.messages.append(
      { xml, from: seat.jid, to: room.jid, archiveFor: [room.jid], offlineFor: undefined },
      failed,
    ),
  )
}

function withId(said: Stanza, id: string | undefined, room: Room): Stanza {
  return id === undefined ? said : said.append(stanzaId(id, room.jid))
}

/** §8.1. */
function checkSubject({ element }: Stanza, { role }: Occupant, room: Room): void {
  if (role !== 'moderator' && !room.config.changeSubject) {
    throw refusal(room.jid, 'auth', 'forbidden', 'Only moderators change the subject of this room.')
  }
  if (Buffer.byteLength(element.contentXml()) > SUBJECT_MAX) {
    throw refusal(room.jid, 'modify', 'not-acceptable', `A subject has at most ${SUBJECT_MAX} bytes.`)
  }
}

/** Everybody hears of it at once; whoever acknowledges it waits for the disk (`Store.uncommitted`). */
function setSubject(said: Stanza, { nick }: Occupant, room: Room, { ctx }: Rooms): void {
  room.subject = { xml: said.with({ from: undefined }).xml(NS_CLIENT), nick, time: ctx.clock.now() }
  ctx.store.rooms.setSubject(room.jid, JSON.stringify(room.subject)).catch((error: unknown) => {
    ctx.log.error('subject of a room not kept', { error })
  })
}
