// SPDX-License-Identifier: Apache-2.0
// Questions from one occupant to another (XEP-0045 §17.4), without either learning the other's address; and to oneself, which
// the room answers (XEP-0410).
import { randomUUID } from 'node:crypto'
import type { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { NS_INFO, NS_ITEMS } from '../0030-disco.ts'
import { refusal } from './names.ts'
import type { Occupant, Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'

/** Questions of one room that wait for their answers; the oldest go. */
const WAITING = 500
/** What an account answers, whichever of its clients is in the room. */
const OF_ACCOUNTS = new Set(['vcard-temp', 'http://jabber.org/protocol/pubsub'])

/** A question that was passed on. */
interface Asked {
  readonly by: Seat
  /** As the asker called it, and whom. */
  readonly id: string
  readonly whom: Jid
  /** Whose answer counts. */
  readonly from: Jid
}

const asked = new WeakMap<Room, Map<string, Asked>>()

/** An iq for an address in the room. */
export function question(stanza: Stanza, to: Jid, from: Jid, room: Room | undefined, rooms: Rooms): void {
  const { type, payload, id = '' } = stanza
  if (type === 'result' || type === 'error') {
    if (room) answered(stanza, from, room, rooms)
    return
  }
  const seat = room?.seats.get(from.key)
  if (!room || !seat) {
    const disco = payload?.ns === NS_INFO || payload?.ns === NS_ITEMS
    throw disco
      ? refusal(to, 'modify', 'bad-request')
      : refusal(to, 'cancel', 'not-acceptable', 'You are not in this room.') // §6.6
  }
  seat.heard = rooms.ctx.clock.now()
  const occupant = room.named(to.resource)
  if (payload?.is('ping', 'urn:xmpp:ping') && (occupant === seat.occupant || occupant === undefined)) {
    if (!occupant) throw refusal(to, 'cancel', 'item-not-found', 'Nobody has this nick here.')
    void rooms.router.route(stanza.result())
    return
  }
  if (!occupant?.main) throw refusal(to, 'cancel', 'item-not-found', 'Nobody has this nick here.')
  if (!seat.occupant.bucket.take(rooms.limits.rate, seat.heard))
    throw refusal(to, 'wait', 'policy-violation', 'That was too fast.')
  pass(stanza, { by: seat, id, whom: to, from: addressee(occupant, payload?.ns, type) }, room, rooms)
}

function addressee({ main, user }: Occupant, ns: string | undefined, type: string): Jid {
  return main === undefined || (type === 'get' && OF_ACCOUNTS.has(ns ?? '')) ? user : main.jid
}

function pass(stanza: Stanza, question: Asked, room: Room, { router }: Rooms): void {
  const waiting = asked.get(room) ?? new Map<string, Asked>()
  asked.set(room, waiting)
  const id = randomUUID()
  waiting.set(id, question)
  while (waiting.size > WAITING) waiting.delete(waiting.keys().next().value ?? '')
  void router.route(stanza.with({ from: question.by.occupant.jid, to: question.from, id }))
}

function answered(stanza: Stanza, from: Jid, room: Room, { router }: Rooms): void {
  const waiting = asked.get(room)
  const question = waiting?.get(stanza.id ?? '')
  if (!question?.from.equals(from)) return
  waiting?.delete(stanza.id ?? '')
  if (room.seats.get(question.by.jid.key) !== question.by) return
  void router.route(stanza.with({ from: question.whom, to: question.by.jid, id: question.id }))
}
