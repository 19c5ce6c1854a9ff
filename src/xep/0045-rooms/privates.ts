// SPDX-License-Identifier: Apache-2.0
// Private messages that are on their way (XEP-0045 §7.5): one that comes back goes to who sent it, and nobody leaves for it.
import { type Element, el } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import type { Occupant, Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'

const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
/** Of so many messages of a room it is known who sent them; the oldest go. */
const KNOWN = 500
/** Longer ids are not remembered. */
const LONGEST_ID = 200

/** A private message. */
interface Sent {
  readonly by: Seat
  /** The addressee's address in the room. */
  readonly to: Jid
  /** How many of the addressee's clients it may still have reached. */
  left: number
}

const sent = new WeakMap<Room, Map<string, Sent>>()

/** Notes to whom a private message went. */
export function noteSent(said: Stanza, by: Seat, to: Occupant, room: Room): void {
  if (said.id === undefined || said.id.length > LONGEST_ID) return
  const known = sent.get(room) ?? new Map<string, Sent>()
  sent.set(room, known)
  const message = { by, to: to.jid, left: to.seats.size }
  for (const key of to.seats.keys()) known.set(`${said.id} ${key}`, message)
  while (known.size > KNOWN) known.delete(known.keys().next().value ?? '')
}

/**
 * An error came back from somebody in the room. When it is the last thing that became of a private message, who sent it gets
 * it, as from who should have got it.
 * @returns whether it is about a private message
 */
export function cameBack(error: Stanza, seat: Seat, room: Room, { router }: Rooms): boolean {
  const key = `${error.id} ${seat.jid.key}`
  const known = sent.get(room)
  const message = known?.get(key)
  if (!message) return false
  known?.delete(key)
  message.left--
  const { by, to } = message
  if (message.left === 0 && room.seats.get(by.jid.key) === by)
    void router.route(Stanza.of(anonymous(error), to, by.jid, error.id))
  return true
}

/** The reason and nothing else: the rest may tell who it is. */
function anonymous({ element }: Stanza): Element {
  const error = element.child('error')
  const reason = error?.elements.find(({ ns }) => ns === NS_STANZAS)?.name ?? 'undefined-condition'
  return el(
    'message',
    NS_CLIENT,
    { type: 'error' },
    el('error', NS_CLIENT, { type: error?.attrs.type ?? 'cancel' }, el(reason, NS_STANZAS)),
  )
}
