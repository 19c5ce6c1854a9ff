// SPDX-License-Identifier: Apache-2.0
// What becomes of the rooms of an account that is removed: whoever gets its name must not find its place there, and a room
// needs an owner.
import { Jid } from '../../xmpp/jid.ts'
import { changePlaces, expel, type PlaceChange } from './affiliations.ts'
import type { Affiliation } from './names.ts'
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

/** In the room's turn. */
async function inherit(user: Jid, room: Room, rooms: Rooms): Promise<void> {
  const gone: PlaceChange = { jid: user, affiliation: 'none' }
  const { [user.key]: worn, ...wearers } = room.config.wearers
  if (worn) await rooms.configure(room, { ...room.config, wearers })
  if (room.of('owner').some(([jid]) => jid !== user.key)) return changePlaces([gone], room, rooms)
  if (await appoint(room, rooms, [gone])) return undefined
  for (const occupant of [...room.occupants.values()]) expel(occupant, room, rooms, { ...NOBODY, codes: [] })
  return rooms.destroy(room)
}

/**
 * Gives a room other owners: its administrators; in a group of equals all its members. In the room's turn, or before
 * anybody else has it.
 * @returns false if there is nobody
 */
export async function appoint(room: Room, rooms: Rooms, more: readonly PlaceChange[] = []): Promise<boolean> {
  const leaving = new Set(more.map(({ jid }) => jid.key))
  const those = (affiliation: Affiliation) => room.of(affiliation).filter(([jid]) => !leaving.has(jid))
  const admins = those('admin')
  const heirs = admins.length > 0 ? admins : room.config.membersOnly ? those('member') : []
  if (heirs.length === 0) return false
  const changes = heirs.map(([jid]) => ({ jid: Jid.parse(jid), affiliation: 'owner' as const }))
  await changePlaces([...changes, ...more], room, rooms)
  return true
}

const NOBODY = { actor: undefined, reason: undefined }
