// SPDX-License-Identifier: Apache-2.0
// XEP-0045: Multi-User Chat, as a service beside each of our domains (`rooms.example.org`). Rooms are private groups unless
// their owners say otherwise. This file says who deals with which stanza; `room.ts` is what a room is.
import {
  andThen,
  type Feature,
  type IqRequest,
  type IqRoute,
  type MaybeAsync,
  type Service,
} from '../../core/feature.ts'
import type { Element } from '../../xml/element.ts'
import { NS_MAM, queryForm } from '../../xmpp/0313-archive-queries.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { NS_ITEMS } from '../0030-disco.ts'
import { ArchiveDesk } from '../0313-archive.ts'
import { change, list } from './admin.ts'
import { NS_CARD, read, write } from './avatar.ts'
import { info, items, SERVICE } from './disco.ts'
import { create, enter } from './enter.ts'
import { bounced, hunt } from './ghosts.ts'
import { command, NS_COMMANDS } from './hats.ts'
import { bury } from './heirs.ts'
import { checkReader, viewFor } from './kept.ts'
import { roomOptions } from './limits.ts'
import { mediate } from './mediate.ts'
import { groupchat, privately } from './messages.ts'
import { leave, notInside, probed, update } from './move.ts'
import { NS_ADMIN, NS_MUC, NS_OWNER, refusal } from './names.ts'
import { oversee } from './oversight.ts'
import { set as configure, form } from './owner.ts'
import { cameBack } from './privates.ts'
import { question } from './questions.ts'
import { ask, NS_REGISTER, set as register } from './register.ts'
import { moderate, NS_MODERATE } from './retract.ts'
import type { Room } from './room.ts'
import { Rooms } from './rooms.ts'

/** XEP-0045: Multi-User Chat. */
export const rooms: Feature = {
  name: 'rooms',
  implements: [
    { xep: 45, version: '1.35.5', name: 'Multi-User Chat', note: 'on `rooms.` of each domain' },
    { xep: 249, version: '1.2', name: 'Direct MUC Invitations' },
    { xep: 317, version: '0.3.1', name: 'Hats' },
    { xep: 410, version: '1.1.0', name: 'MUC Self-Ping', note: 'with the optimisation' },
    { xep: 421, version: '1.0.1', name: 'Occupant identifiers for semi-anonymous MUCs' },
    { xep: 425, version: '0.3.0', name: 'Moderated Message Retraction' },
    { xep: 486, version: '0.1.0', name: 'MUC Avatars' },
  ],
  options: roomOptions,
  setup(ctx) {
    const all = new Rooms(ctx)
    let rest = (): void => undefined
    let forget = (): void => undefined
    return {
      iq: routes(all, new ArchiveDesk(ctx)),
      service: serviceOf(all),
      async start() {
        await all.open()
        await all.restore()
        oversee(all)
        rest = hunt(all)
        forget = ctx.accounts.beforeRemove((jid) => bury(jid, all))
      },
      stop() {
        rest()
        forget()
      },
    }
  },
}

function serviceOf(rooms: Rooms): Service {
  return {
    label: 'rooms',
    inhabited: true,
    about: SERVICE,
    info: async (request) => {
      const room = await rooms.find(request.owner)
      return room && info(request, room)
    },
    onStanza: (stanza) => take(stanza, rooms),
  }
}

/** What an iq to a room does. */
type Act = (request: IqRequest, room: Room, rooms: Rooms) => MaybeAsync<Element | undefined>

function routes(rooms: Rooms, desk: ArchiveDesk): readonly IqRoute[] {
  const route = (type: 'get' | 'set', ns: string, name: string, act: Act): IqRoute => ({
    at: ['rooms'],
    type,
    ns,
    name,
    answer: (request) =>
      andThen(rooms.find(request.owner), (room) => act(request, existing(room, request.owner), rooms)),
  })
  return [
    { at: ['rooms'], type: 'get', ns: NS_ITEMS, name: 'query', answer: (request) => items(request, rooms) },
    route('get', NS_ADMIN, 'query', list),
    route('set', NS_ADMIN, 'query', change),
    route('get', NS_OWNER, 'query', form),
    route('set', NS_OWNER, 'query', configure),
    route('get', NS_REGISTER, 'query', ask),
    route('set', NS_REGISTER, 'query', register),
    route('get', NS_CARD, 'vCard', read),
    route('set', NS_CARD, 'vCard', write),
    route('set', NS_MODERATE, 'moderate', moderate),
    route('set', NS_COMMANDS, 'command', command),
    route('get', NS_MAM, 'query', queryForm),
    route('set', NS_MAM, 'query', async (request, room) => {
      checkReader(request, room)
      await room.settled() // what was taken back is not shown any more
      return desk.answer(request, viewFor(request.from, room))
    }),
    route('get', NS_MAM, 'metadata', (request, room) => {
      checkReader(request, room)
      return desk.metadata(room.jid)
    }),
  ]
}

function existing(room: Room | undefined, jid: Jid): Room {
  if (!room) throw refusal(jid, 'cancel', 'item-not-found', 'There is no such room.')
  return room
}

/** A stanza to a room or to somebody in it. */
function take(stanza: Stanza, rooms: Rooms): MaybeAsync<boolean> {
  const { to, from, kind } = stanza
  if (!to || !from) return false
  return andThen(rooms.find(to.bare), (room) => {
    if (kind === 'iq') question(stanza, to, from, room, rooms)
    else if (stanza.type === 'error') failed(stanza, from, room, rooms)
    else
      return andThen(
        kind === 'presence' ? presence(stanza, to, from, room, rooms) : message(stanza, to, from, room, rooms),
        () => true,
      )
    return true
  })
}

function failed(stanza: Stanza, from: Jid, room: Room | undefined, rooms: Rooms): void {
  const seat = room?.seats.get(from.key)
  if (!room || !seat) return
  const privately = stanza.kind === 'message' && cameBack(stanza, seat, room, rooms)
  bounced(stanza, seat, room, rooms, privately)
}

function presence(stanza: Stanza, to: Jid, from: Jid, room: Room | undefined, rooms: Rooms): MaybeAsync<void> {
  const { type } = stanza
  const seat = room?.seats.get(from.key)
  const joins = stanza.element.child('x', NS_MUC) !== undefined
  if (type === 'unavailable') return room && seat && leave(stanza, seat, room, rooms)
  if (type === 'probe') return room && seat && probed(to, seat, room, rooms)
  if (type !== '') return undefined
  if (!room) return joins ? create(stanza, to, from, rooms) : notInside(to, from, rooms)
  if (joins) return enter(stanza, to, from, room, rooms)
  return seat ? update(stanza, to, seat, room, rooms) : notInside(to, from, rooms)
}

function message(stanza: Stanza, to: Jid, from: Jid, room: Room | undefined, rooms: Rooms): MaybeAsync<void> {
  const there = existing(room, to)
  const seat = there.seats.get(from.key)
  if (there.config.locked && !seat) throw refusal(to, 'cancel', 'item-not-found', 'This room is not ready yet.') // §17.2
  if (to.resource === undefined && stanza.type !== 'groupchat') return mediate(stanza, from, there, rooms)
  if (!seat) throw refusal(to, 'modify', 'not-acceptable', 'You are not in this room.')
  return to.resource === undefined ? groupchat(stanza, seat, there, rooms) : privately(stanza, to, seat, there, rooms)
}
