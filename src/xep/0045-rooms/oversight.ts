// SPDX-License-Identifier: Apache-2.0
// What administrators of the server do with rooms, whoever owns them.
import type { Store } from '../../store/store.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { end } from './owner.ts'
import type { Rooms } from './rooms.ts'

const byStore = new WeakMap<Store, Rooms>()

/** Makes the rooms of a store known to what follows. */
export function oversee(rooms: Rooms): void {
  byStore.set(rooms.ctx.store, rooms)
}

/** Removes a room with everything that was said there, and tells those in it. @returns false if there is no such room */
export async function removeRoom(store: Store, jid: Jid): Promise<boolean> {
  const rooms = byStore.get(store)
  const room = await rooms?.find(jid)
  if (!rooms || !room) return false
  await room.inTurn(() => end(room, rooms))
  return true
}
