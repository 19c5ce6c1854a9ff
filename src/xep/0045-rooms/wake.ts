// SPDX-License-Identifier: Apache-2.0
// Those who have a place in a room and are not in it: what is said there waits for them in its archive, and their phones are
// told that there is something (XEP-0357). One notification is enough: what is woken enters the room, and is there then.

import { isImportant } from '../../xmpp/importance.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { wakeAccount } from '../0357-push/feature.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** How long it is remembered who has devices to wake, and how often somebody is woken for one room at most, in ms. */
const REMEMBERED = 60_000
const PAUSE = 300_000
/** So many people of one room are woken at most. */
const MOST = 1000

/** What is known of those who are away from a room. */
interface Absent {
  readonly asked: number
  readonly users: readonly Jid[]
  /** When somebody was woken last, in ms since 1970, by bare JID. */
  readonly woken: Map<string, number>
}

const absents = new WeakMap<Room, Absent>()
const asking = new WeakSet<Room>()

/** Wakes the devices of those who have a place in the room and no client in it. Nobody waits for it. */
export function wakeAbsent(said: Stanza, room: Room, rooms: Rooms): void {
  if (!isImportant(said)) return
  const now = rooms.ctx.clock.now()
  const known = absents.get(room)
  if (known && now - known.asked < REMEMBERED) {
    wake(known, room, rooms, now)
    return
  }
  if (asking.has(room)) return
  asking.add(room)
  const { store, log } = rooms.ctx
  store.rooms
    .wakeable(room.jid, MOST)
    .then((users) => {
      const absent = { asked: now, users, woken: known?.woken ?? new Map<string, number>() }
      absents.set(room, absent)
      wake(absent, room, rooms, now)
    })
    .catch((error: unknown) => log.error('members of a room not woken', { error }))
    .finally(() => asking.delete(room))
}

function wake({ users, woken }: Absent, room: Room, { ctx }: Rooms, now: number): void {
  for (const user of users) {
    if (room.has(user)) {
      woken.delete(user.key)
      continue
    }
    if (now - (woken.get(user.key) ?? 0) < PAUSE || !ctx.hosts.has(user.domain)) continue
    woken.set(user.key, now)
    void Promise.resolve(ctx.directory.find(user)).then(
      (account) => account && wakeAccount(ctx, account),
      (error: unknown) => ctx.log.error('member of a room not woken', { error }),
    )
  }
}
