// SPDX-License-Identifier: Apache-2.0
// Those who are in a room only on paper (XEP-0045 §18.1.2): seen by errors that come back, and by asking whom nobody has
// heard for long.
import { isSilence } from '../../core/router.ts'
import { el } from '../../xml/element.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { NS_INFO } from '../0030-disco.ts'
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

/** An error that came back for what the room sent. @param privately whether it is about a message to that one alone */
export function bounced(stanza: Stanza, seat: Seat, room: Room, rooms: Rooms, privately: boolean): void {
  if (saysGone(stanza) || isGone(seat, rooms) || (!privately && isUnserved(stanza, seat, rooms)))
    rooms.remove(room, seat, [333])
}

function saysGone(error: Stanza): boolean {
  return conditionsOf(error).some((name) => GONE.has(name))
}

/**
 * What servers say for a client that is not there (RFC 6121 §8.5.3.2.1). It is not said of what is for all in a room for any
 * other reason, but it may be for a private message: one who blocks the sender says so too (XEP-0191 §3.3).
 */
function isUnserved(error: Stanza, { jid }: Seat, { ctx }: Rooms): boolean {
  return !ctx.hosts.has(jid.domain) && conditionsOf(error).includes('service-unavailable')
}

function conditionsOf({ element }: Stanza): readonly string[] {
  const all = element.child('error')?.elements ?? []
  return all.filter(({ ns }) => ns === 'urn:ietf:params:xml:ns:xmpp-stanzas').map(({ name }) => name)
}

/** A client of ours that has no session any more, or one at a place that we have nothing to do with any more. */
function isGone({ jid }: Seat, { ctx }: Rooms): boolean {
  if (!ctx.hosts.has(jid.domain)) return !ctx.router.knowsWay(jid.domain)
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

/**
 * Somebody on another server. Any answer says that they are there, unless it says that they are not. None says nothing: their
 * server took the question, and keeps it for a client that has no connection at the moment (XEP-0198 §5).
 */
async function ask(room: Room, seat: Seat, rooms: Rooms): Promise<void> {
  const { router, ctx } = rooms
  let answer = await router.ask(room.jid, seat.jid, 'get', el('ping', 'urn:xmpp:ping'))
  // So says a client that knows no pings, and the server of one that is not there. All clients know this other question.
  if (isUnserved(answer, seat, rooms)) answer = await router.ask(room.jid, seat.jid, 'get', el('query', NS_INFO))
  if (room.seats.get(seat.jid.key) !== seat || isSilence(answer)) return
  if (answer.type === 'error') bounced(answer, seat, room, rooms, false)
  if (room.seats.get(seat.jid.key) === seat) seat.heard = ctx.clock.now()
}
