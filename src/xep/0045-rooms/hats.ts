// SPDX-License-Identifier: Apache-2.0
// Hats (XEP-0317): what else somebody is in a room. Owners make them and say who wears which, by commands (XEP-0050) of one
// stage, so nothing is remembered between a form and its answer.
import { createHash, randomUUID } from 'node:crypto'
import type { IqRequest } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { type Answers, type Field, formElement, readAnswers, tableElement } from '../../xmpp/0004-data-forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { Hat, RoomConfig } from './config.ts'
import { refusal } from './names.ts'
import { announce, proclaim } from './presence.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** XEP-0050. */
export const NS_COMMANDS = 'http://jabber.org/protocol/commands'
const COMMANDS = 'urn:xmpp:hats:commands'
const HATS_MOST = 50
const WEARERS_MOST = 500
/** Each presence of somebody has all of theirs. */
const WORN_MOST = 10
const TEXT_MOST = 256

const TITLE: Field = { name: 'hats#title', type: 'text-single', label: 'Title', required: true }
const URI: Field = { name: 'hats#uri', type: 'text-single', label: 'URI', required: true }
const HUE: Field = { name: 'hats#hue', type: 'text-single', label: 'Hue' }
const WHO: Field = { name: 'hats#jid', type: 'jid-single', label: 'Who', required: true }

/** What a command asks, and what it makes of the answers. */
interface HatCommand {
  readonly title: string
  fields(room: Room): readonly Field[]
  change(answers: Answers, room: Room): RoomConfig
}

const CHANGES: Readonly<Record<string, HatCommand>> = {
  create: { title: 'Make a hat', fields: () => [TITLE, URI, HUE], change: create },
  destroy: { title: 'Remove a hat', fields: (room) => [choice(room)], change: destroy },
  assign: { title: 'Give a hat', fields: (room) => [WHO, choice(room)], change: assign },
  unassign: { title: 'Take a hat', fields: (room) => [WHO, choice(room)], change: unassign },
}

/** XEP-0317 §3: tells that the hats are others than before. */
export function hatsHash({ config }: Room): string {
  return createHash('sha256').update(JSON.stringify(config.hats)).digest('hex').slice(0, 40)
}

/** A command of XEP-0317 §4.2 to §4.7. */
export async function command({ payload, from }: IqRequest, room: Room, rooms: Rooms): Promise<Element> {
  const { node = '', action, sessionid = randomUUID() } = payload.attrs
  const name = node.startsWith(`${COMMANDS}:`) ? node.slice(COMMANDS.length + 1) : ''
  const answer = (status: string, ...content: readonly Element[]): Element =>
    el('command', NS_COMMANDS, { node, sessionid, status }, ...content)
  if (action === 'cancel') return answer('canceled')
  const isOwner = room.affiliation(from) === 'owner'
  if (name === 'list' && (isOwner || room.isMember(from) || room.seats.has(from.key)))
    return answer('completed', hats(room))
  if (name === 'list-assigned' && isOwner) return answer('completed', assigned(room))
  const known = Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined
  if (!known && !name.startsWith('list')) throw refusal(room.jid, 'cancel', 'item-not-found')
  if (!known || !isOwner) throw refusal(room.jid, 'auth', 'forbidden')
  const answers = readAnswers(payload)
  if (!answers) {
    const form = formElement({ formType: COMMANDS, title: known.title, fields: known.fields(room) })
    return answer('executing', el('actions', NS_COMMANDS, { execute: 'complete' }, el('complete', NS_COMMANDS)), form)
  }
  await room.inTurn(async () => {
    if (room.affiliation(from) !== 'owner') throw refusal(room.jid, 'auth', 'forbidden')
    const before = room.config
    await rooms.configure(room, known.change(answers, room))
    tell(before, room, rooms)
  })
  return answer('completed')
}

/** Everybody whose hats are others now, and that the list is another one. */
function tell(before: RoomConfig, room: Room, { router }: Rooms): void {
  const worn = ({ hats: all, wearers }: RoomConfig, user: Jid): string =>
    JSON.stringify(all.filter(({ uri }) => wearers[user.key]?.includes(uri)))
  for (const occupant of room.occupants.values()) {
    if (worn(before, occupant.user) !== worn(room.config, occupant.user)) announce(router, room, occupant, {})
  }
  if (JSON.stringify(before.hats) !== JSON.stringify(room.config.hats)) proclaim(router, room, [104])
}

function create(answers: Answers, room: Room): RoomConfig {
  const [title, uri, hue] = ['hats#title', 'hats#uri', 'hats#hue'].map((name) => answers.text(name)?.trim() ?? '')
  if (!title || !uri || [title, uri, hue ?? ''].some((one) => one.length > TEXT_MOST)) {
    throw refusal(room.jid, 'modify', 'bad-request', 'A hat needs a title and a URI, neither of them long.')
  }
  if (hue && !(Number(hue) >= 0 && Number(hue) <= 360))
    throw refusal(room.jid, 'modify', 'bad-request', 'A hue is an angle.')
  const hat: Hat = { uri, title, ...(hue && { hue }) }
  const others = room.config.hats.filter((one) => one.uri !== uri)
  if (others.length >= HATS_MOST) throw refusal(room.jid, 'wait', 'resource-constraint', 'There are too many hats.')
  return { ...room.config, hats: [...others, hat] }
}

function destroy(answers: Answers, room: Room): RoomConfig {
  const uri = hatOf(answers, room)
  const wearers = Object.entries(room.config.wearers).map(
    ([jid, uris]) => [jid, uris.filter((one) => one !== uri)] as const,
  )
  return {
    ...room.config,
    hats: room.config.hats.filter((one) => one.uri !== uri),
    wearers: Object.fromEntries(wearers.filter(([, uris]) => uris.length > 0)),
  }
}

function assign(answers: Answers, room: Room): RoomConfig {
  const uri = hatOf(answers, room)
  const { key } = Jid.parse(answers.text('hats#jid')).bare
  const { wearers } = room.config
  if (Object.keys(wearers).length >= WEARERS_MOST && !wearers[key]) {
    throw refusal(room.jid, 'wait', 'resource-constraint', 'Too many people wear hats.')
  }
  const worn = new Set([...(wearers[key] ?? []), uri])
  if (worn.size > WORN_MOST)
    throw refusal(room.jid, 'wait', 'resource-constraint', `Nobody wears more than ${WORN_MOST} hats.`)
  return { ...room.config, wearers: { ...wearers, [key]: [...worn] } }
}

function unassign(answers: Answers, room: Room): RoomConfig {
  const uri = hatOf(answers, room)
  const { key } = Jid.parse(answers.text('hats#jid')).bare
  const { [key]: worn = [], ...others } = room.config.wearers
  const left = worn.filter((one) => one !== uri)
  return { ...room.config, wearers: left.length === 0 ? others : { ...others, [key]: left } }
}

function hatOf(answers: Answers, room: Room): string {
  const uri = answers.text('hats#uri') ?? ''
  if (!room.config.hats.some((one) => one.uri === uri))
    throw refusal(room.jid, 'cancel', 'item-not-found', 'There is no such hat.')
  return uri
}

function choice({ config }: Room): Field {
  const options = config.hats.map(({ uri, title }) => ({ label: title, value: uri }))
  return { name: 'hats#uri', type: 'list-single', label: 'Hat', options, required: true }
}

function hats({ config }: Room): Element {
  const rows = config.hats.map(({ title, uri, hue = '' }) => ({
    'hats#title': title,
    'hats#uri': uri,
    'hats#hue': hue,
  }))
  return tableElement({ columns: [{ name: 'hats#title' }, { name: 'hats#uri' }, { name: 'hats#hue' }], rows })
}

function assigned({ config }: Room): Element {
  const rows = Object.entries(config.wearers).flatMap(([jid, uris]) =>
    config.hats
      .filter(({ uri }) => uris.includes(uri))
      .map(({ title, uri, hue = '' }) => ({ 'hats#jid': jid, 'hats#uri': uri, 'hats#title': title, 'hats#hue': hue })),
  )
  const columns = ['hats#jid', 'hats#uri', 'hats#title', 'hats#hue'].map((name) => ({ name }))
  return tableElement({ columns, rows })
}
