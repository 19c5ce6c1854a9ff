// SPDX-License-Identifier: Apache-2.0
// What becomes of the rooms of an account that is removed: whoever gets its name must not find its place there, and a room
// needs an owner.
import { Jid } from '../../xmpp/jid.ts'
import { changePlaces, expel, type PlaceChange } from './affiliations.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** @returns what is to be done when the account is gone */
export async function bury(user: Jid, rooms: Rooms): Promise<() => Promise<void>> {
  const places = await rooms.ctx.store.rooms.withPlaceOf(user)
  return async () => {
    for (const jid of places) {
      const room = await rooms.find(jid)
      if (room) await room.inTurn(() => inherit(user, room, rooms))
    }
  }
}

/** In the room's turn. The administrators are next; in a group of equals all its members; a room of nobody goes. */
async function inherit(user: Jid, room: Room, rooms: Rooms): Promise<void> {
  const gone: PlaceChange = { jid: user, affiliation: 'none' }
  if (room.of('owner').some(([jid]) => jid !== user.key)) return changePlaces([gone], room, rooms)
  const admins = room.of('admin').filter(([jid]) => jid !== user.key)
  const members = room.config.membersOnly ? room.of('member').filter(([jid]) => jid !== user.key) : []
  const heirs = admins.length > 0 ? admins : members
  if (heirs.length === 0) {
    for (const occupant of [...room.occupants.values()]) expel(occupant, room, rooms, { ...NOBODY, codes: [] })
    return rooms.destroy(room)
  }
  const changes = heirs.map(([jid]) => ({ jid: Jid.parse(jid), affiliation: 'owner' as const }))
  return changePlaces([...changes, gone], room, rooms)
}

const NOBODY = { actor: undefined, reason: undefined }
