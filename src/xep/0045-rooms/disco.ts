// SPDX-License-Identifier: Apache-2.0
// What rooms tell of themselves (XEP-0045 §6): the list of those that everybody may find, and what each of them is.
import type { Disclosed, DiscoRequest, IqRequest } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { type Field, resultElement } from '../../xmpp/0004-data-forms.ts'
import { readPageRequest, resultSetElement } from '../../xmpp/0059-result-sets.ts'
import { NS_MAM } from '../../xmpp/0313-archive-queries.ts'
import { NS_SID } from '../../xmpp/0359-stanza-ids.ts'
import { NS_CLIENT } from '../../xmpp/stanza.ts'
import { NS_ITEMS } from '../0030-disco.ts'
import { hatsHash } from './hats.ts'
import { mayRead } from './kept.ts'
import { NS_HATS, NS_MUC, NS_OCCUPANT_ID, refusal } from './names.ts'
import { NS_MODERATE, NS_RETRACT } from './retract.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

const NS_INFO_FORM = 'http://jabber.org/protocol/muc#roominfo'
const NS_SELF_PING = 'http://jabber.org/protocol/muc#self-ping-optimization'
/** Rooms on a page. */
const PAGE = 100
/** What every room can do. */
const ALL = [NS_MUC, `${NS_MUC}#stable_id`, NS_OCCUPANT_ID, 'vcard-temp']

/** The service (§6.2). */
export const SERVICE: Disclosed = {
  identities: [{ category: 'conference', type: 'text', name: 'Rooms' }],
  features: [...ALL, 'http://jabber.org/protocol/rsm', 'urn:xmpp:ping', NS_SELF_PING],
}

/** §6.4: a room; §7.12: the nick of whoever asks; §18.1.1: what may be said. */
export function info({ node, from }: DiscoRequest, room: Room): Disclosed | undefined {
  if (node === 'x-roomuser-item') {
    const name = room.places.get(from.bare.key)?.nick
    return name === undefined ? {} : { identities: [{ category: 'conference', type: 'text', name }] }
  }
  if (node === `${NS_MUC}#traffic`) throw refusal(room.jid, 'cancel', 'service-unavailable', 'All namespaces may pass.')
  if (node) return undefined
  const { config } = room
  return {
    identities: [{ category: 'conference', type: 'text', name: config.name || (room.jid.local ?? '') }],
    features: [...ALL, ...kindOf(room), ...canDo(room)],
    forms: () => [resultElement({ formType: NS_INFO_FORM, fields: formOf(room, from) })],
  }
}

function kindOf({ config }: Room): readonly string[] {
  return [
    config.listed ? 'muc_public' : 'muc_hidden',
    config.membersOnly ? 'muc_membersonly' : 'muc_open',
    config.moderated ? 'muc_moderated' : 'muc_unmoderated',
    config.password === '' ? 'muc_unsecured' : 'muc_passwordprotected',
    config.persistent ? 'muc_persistent' : 'muc_temporary',
    config.whois === 'anyone' ? 'muc_nonanonymous' : 'muc_semianonymous',
  ]
}

function canDo({ config }: Room): readonly string[] {
  return [
    NS_SELF_PING,
    NS_HATS,
    `${NS_MUC}#register`,
    `${NS_MUC}#roomconfig`,
    `${NS_MUC}#roominfo`,
    `${NS_MUC}#request`,
    'jabber:iq:register',
    'urn:xmpp:ping',
    NS_SID,
    ...(config.archive ? [NS_MAM, `${NS_MAM}#extended`, NS_MODERATE, NS_RETRACT, `${NS_RETRACT}#tombstone`] : []),
  ]
}

/** Who may not enter learns what the room is, and not what goes on in it. */
function formOf(room: Room, from: Parameters<typeof mayRead>[1]): readonly Field[] {
  const { config } = room
  const fields: Field[] = [
    { name: 'muc#roominfo_description', type: 'text-single', label: 'Description', values: [config.description] },
    { name: 'muc#roominfo_lang', type: 'text-single', label: 'Language', values: [config.language] },
    flag('muc#roominfo_subjectmod', 'All with a voice may change the subject', config.changeSubject),
    flag('muc#roomconfig_changesubject', 'All with a voice may change the subject', config.changeSubject),
    {
      name: 'muc#maxhistoryfetch',
      type: 'text-single',
      label: 'Messages of the past that are sent',
      values: [String(config.history)],
    },
  ]
  if (config.avatars.length > 0) {
    fields.push({ name: 'muc#roominfo_avatarhash', type: 'text-multi', label: 'Avatar', values: config.avatars })
  }
  if (config.hats.length > 0)
    fields.push({ name: 'hats#hash', type: 'text-single', label: 'Hats', values: [hatsHash(room)] })
  if (config.listed || mayRead(room, from)) {
    fields.push({
      name: 'muc#roominfo_occupants',
      type: 'text-single',
      label: 'In the room',
      values: [String(room.occupants.size)],
    })
  }
  if (!mayRead(room, from)) return fields
  fields.push(
    { name: 'muc#roominfo_subject', type: 'text-single', label: 'Subject', values: [subjectText(room)] },
    flag('muc#roomconfig_allowinvites', 'Members may invite others', config.allowInvites),
    {
      name: 'muc#roomconfig_allowpm',
      type: 'text-single',
      label: 'Who may send private messages',
      values: [config.allowPm],
    },
  )
  if (config.whois === 'anyone') {
    fields.push({
      name: 'muc#roominfo_contactjid',
      type: 'jid-multi',
      label: 'Owners',
      values: room.of('owner').map(([jid]) => jid),
    })
  }
  return fields
}

/** §6.3, by pages (XEP-0059); and §6.5: who is in a room is nobody's business but theirs. */
export async function items({ payload, owner, from }: IqRequest, rooms: Rooms): Promise<Element> {
  const { node } = payload.attrs
  if (owner.local !== undefined) {
    const room = await rooms.find(owner)
    if (!room || node) throw refusal(owner, 'cancel', 'item-not-found')
    const inside = room.seats.has(from.key) ? [...room.occupants.values()] : []
    return el('query', NS_ITEMS, null, ...inside.map(({ jid }) => el('item', NS_ITEMS, { jid: jid.key })))
  }
  if (node) throw refusal(owner, 'cancel', 'item-not-found')
  const { max, after, before } = readPageRequest(payload)
  const { rooms: store } = rooms.ctx.store
  const limit = Math.min(max ?? PAGE, PAGE)
  const range = { ...(after && { after }), ...(before && { before }), last: before !== undefined, limit }
  const [count, found] = await Promise.all([
    store.countListed(owner.domain),
    limit === 0 ? [] : store.list(owner.domain, range),
  ])
  const set = resultSetElement({ first: found[0]?.jid, last: found.at(-1)?.jid, count })
  const list = found.map(({ jid, name }) => el('item', NS_ITEMS, { jid, name: name || undefined }))
  return el('query', NS_ITEMS, null, ...list, set)
}

function flag(name: string, label: string, value: boolean): Field {
  return { name, type: 'boolean', label, values: [value ? '1' : '0'] }
}

function subjectText({ subject }: Room): string {
  return subject ? (parseElement(subject.xml, NS_CLIENT).childText('subject') ?? '') : ''
}
