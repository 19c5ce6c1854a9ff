// SPDX-License-Identifier: Apache-2.0
// What owners ask of a room (XEP-0045 §10.1, §10.2, §10.9): to set it up, and to destroy it.
import type { IqRequest } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { type Answers, NS_DATA, readAnswers } from '../../xmpp/0004-data-forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { Stanza } from '../../xmpp/stanza.ts'
import { applyPlaces, checkChanges, expel, type PlaceChange, setRole, storedChange } from './affiliations.ts'
import type { RoomConfig } from './config.ts'
import { answeredConfig, configForm } from './form.ts'
import { NS_OWNER, NS_USER, rank, refusal } from './names.ts'
import { proclaim, whole } from './presence.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** UTF-16 units of what may be said about the end of a room. */
const REASON_MAX = 1000

/** §10.1.3, §10.2: the form. */
export function form({ from }: IqRequest, room: Room, { limits }: Rooms): Element {
  checkOwner(from, room)
  return el('query', NS_OWNER, null, configForm(room, limits.occupants))
}

/** §10.1.2, §10.1.3, §10.2, §10.9: the form filled in, or an end. */
export async function set({ payload, from }: IqRequest, room: Room, rooms: Rooms): Promise<undefined> {
  checkOwner(from, room)
  const [what] = payload.elements
  if (what?.is('destroy', NS_OWNER)) await room.inTurn(() => destroy(what, from, room, rooms))
  else if (!what?.is('x', NS_DATA)) throw refusal(room.jid, 'modify', 'bad-request')
  else if (what.attrs.type === 'cancel') await cancel(from, room, rooms)
  else if (what.attrs.type === 'submit') await configure(readAnswers(payload), from, room, rooms)
  else throw refusal(room.jid, 'modify', 'bad-request')
  return undefined
}

/** §10.1.3: a room that nobody wants to set up goes; later, everything stays as it is. */
async function cancel(from: Jid, room: Room, rooms: Rooms): Promise<void> {
  await room.inTurn(async () => {
    if (room.config.locked) await destroy(el('destroy', NS_OWNER), from, room, rooms)
  })
}

async function configure(answers: Answers | undefined, from: Jid, room: Room, rooms: Rooms): Promise<void> {
  await room.inTurn(async () => {
    checkOwner(from, room)
    const before = room.config
    const config: RoomConfig = answers
      ? answeredConfig(answers, room, rooms.limits.occupants)
      : { ...before, locked: false }
    const changes = answers ? newPeople(answers, room) : []
    if (changes.length > 0) checkChanges(room, changes, rooms)
    await rooms.configure(
      room,
      config,
      changes.map((change) => storedChange(room, change)),
    )
    applyPlaces(changes, room, rooms)
    if (before.locked) return
    settle(before, room, rooms)
    const codes = codesOf(before, config)
    if (codes.length > 0) proclaim(rooms.router, room, codes)
  })
}

/** §10.2.1: what those in the room have to know, or may want to. */
function codesOf(before: RoomConfig, after: RoomConfig): readonly number[] {
  const codes: number[] = []
  if (before.archive !== after.archive) codes.push(after.archive ? 170 : 171)
  if (before.whois !== after.whois) codes.push(after.whois === 'anyone' ? 172 : 173)
  const rest = (config: RoomConfig): string => JSON.stringify({ ...config, archive: true, whois: 'anyone' })
  if (rest(before) !== rest(after)) codes.unshift(104)
  return codes
}

/** §10.2: who may not be in the room any more goes, and roles follow from what the room is now. */
function settle(before: RoomConfig, room: Room, rooms: Rooms): void {
  const { config } = room
  for (const occupant of [...room.occupants.values()]) {
    const affiliation = room.affiliation(occupant.user)
    if (config.membersOnly && rank(affiliation) < rank('member')) {
      expel(occupant, room, rooms, { actor: undefined, reason: undefined, codes: [322] })
      continue
    }
    const voiceless = config.moderated && !before.moderated && affiliation === 'none' && occupant.role === 'participant'
    const role = voiceless
      ? 'visitor'
      : !config.moderated && occupant.role === 'visitor'
        ? 'participant'
        : occupant.role
    if (role !== occupant.role) setRole(occupant, role, room, rooms, { actor: undefined, reason: undefined })
  }
}

/** The form has whole lists, not what is to change in them (§10.5, footnote). */
function newPeople(answers: Answers, room: Room): readonly PlaceChange[] {
  const changes = new Map<string, PlaceChange>()
  for (const affiliation of ['admin', 'owner'] as const) {
    const field = `muc#roomconfig_room${affiliation}s`
    if (!answers.has(field)) continue
    const wanted = new Map(answers.jids(field).map((jid) => [jid.bare.key, jid.bare]))
    if ([...wanted.values()].some(({ local }) => local === undefined)) {
      throw refusal(room.jid, 'modify', 'not-acceptable', 'A whole domain can only be banned.')
    }
    for (const [key] of room.of(affiliation)) {
      if (!wanted.has(key))
        changes.set(key, { jid: Jid.parse(key), affiliation: affiliation === 'owner' ? 'admin' : 'member' })
    }
    for (const [key, jid] of wanted) {
      if (room.places.get(key)?.affiliation !== affiliation) changes.set(key, { jid, affiliation })
    }
  }
  return [...changes.values()]
}

/** §10.9: everybody is told once, with the place to go to. In the room's turn: the asker may have been an owner until now. */
async function destroy(wish: Element, from: Jid, room: Room, rooms: Rooms): Promise<void> {
  checkOwner(from, room)
  const venue = wish.attrs.jid === undefined ? undefined : Jid.parse(wish.attrs.jid)
  const more = ['reason', 'password'].flatMap((name) => {
    const text = wish.childText(name)?.slice(0, REASON_MAX)
    return text ? [el(name, NS_USER, null, text)] : []
  })
  await end(room, rooms, el('destroy', NS_USER, { jid: venue?.key }, ...more))
}

/** A room goes, and those in it are told. In the room's turn. */
export async function end(room: Room, rooms: Rooms, how: Element = el('destroy', NS_USER)): Promise<void> {
  const item = el('item', NS_USER, { affiliation: 'none', role: 'none' })
  const user = el('x', NS_USER, null, item, how)
  await rooms.destroy(room)
  for (const { jid, occupant } of room.seats.values()) {
    const gone = whole('presence', { type: 'unavailable' }, [user, occupant.id])
    void rooms.router.route(Stanza.of(gone, occupant.jid, jid))
  }
  room.seats.clear()
  room.occupants.clear()
}

function checkOwner(from: Jid, room: Room): void {
  if (room.affiliation(from) !== 'owner') throw refusal(room.jid, 'auth', 'forbidden', 'Only owners may do this.')
}
