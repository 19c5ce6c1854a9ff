// SPDX-License-Identifier: Apache-2.0
// Those who are in a room only on paper (XEP-0045 §18.1.2): seen by errors that come back, and by asking whom nobody has
// heard for long.
import { el } from '../../xml/element.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'

/** How often it is looked who was silent for so long, in ms. */
const EVERY = 600_000
/** So many are asked at a time. */
const TOGETHER = 100

/** Conditions that say that somebody is not there (§18.1.2). */
const GONE = new Set([
  'gone',
  'item-not-found',
  'recipient-unavailable',
  'redirect',
  'remote-server-not-found',
  'remote-server-timeout',
])

/** An error that came back for what the room sent. */
export function bounced(stanza: Stanza, seat: Seat, room: Room, rooms: Rooms): void {
  const conditions = stanza.element.child('error')?.elements ?? []
  const says = conditions.some(({ name, ns }) => ns === 'urn:ietf:params:xml:ns:xmpp-stanzas' && GONE.has(name))
  if (says || isGone(seat, rooms)) rooms.remove(room, seat, [333])
}

/** A client of ours that has no session any more. */
function isGone({ jid }: Seat, { ctx }: Rooms): boolean {
  if (!ctx.hosts.has(jid.domain)) return false
  return ctx.directory.loaded(jid.bare.key)?.sessions.has(jid.resource ?? '') !== true
}

/** Looks for ghosts now and then. @returns what ends it */
export function hunt(rooms: Rooms): () => void {
  const { clock, log } = rooms.ctx
  let busy = false
  return clock.every(EVERY, () => {
    if (busy) return
    busy = true
    sweep(rooms)
      .catch((error: unknown) => log.error('ghosts in rooms not looked for', { error }))
      .finally(() => {
        busy = false
      })
  })
}

async function sweep(rooms: Rooms): Promise<void> {
  const { clock, hosts } = rooms.ctx
  const silent: (readonly [Room, Seat])[] = []
  for (const room of rooms.loaded()) {
    for (const seat of room.seats.values()) {
      if (isGone(seat, rooms)) rooms.remove(room, seat, [333])
      else if (!hosts.has(seat.jid.domain) && clock.now() - seat.heard >= EVERY) silent.push([room, seat])
    }
  }
  for (let first = 0; first < silent.length; first += TOGETHER) {
    await Promise.all(silent.slice(first, first + TOGETHER).map(([room, seat]) => ask(room, seat, rooms)))
  }
}

/** Somebody on another server; an answer of any kind from there says that they are there, unless it says that they are not. */
async function ask(room: Room, seat: Seat, rooms: Rooms): Promise<void> {
  const answer = await rooms.router.ask(room.jid, seat.jid, 'get', el('ping', 'urn:xmpp:ping'))
  if (room.seats.get(seat.jid.key) !== seat) return
  if (answer.type === 'error') bounced(answer, seat, room, rooms)
  else seat.heard = rooms.ctx.clock.now()
}
