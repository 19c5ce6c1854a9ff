// SPDX-License-Identifier: Apache-2.0
// What a room's archive holds: each message once, as the room sent it, and at its end who really sent it (XEP-0313 §6.1.2),
// which not everybody gets to see. Clients cannot put this there: a room takes it out of what they send.
import type { IqRequest } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { NS_DATA } from '../../xmpp/0004-data-forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { NS_USER, rank, refusal } from './names.ts'
import type { Room, Seat } from './room.ts'

const MARK = `<x xmlns='${NS_USER}'><item `
const END = '</message>'
const NS_RETRACT = 'urn:xmpp:message-retract:1'

/** A message as the archive has it. */
export function keptText(
  message: Stanza,
  { jid, occupant }: Seat,
  { affiliation }: { readonly affiliation: string },
): string {
  const item = el('item', NS_USER, { affiliation, jid: jid.key, role: occupant.role })
  return message.append(el('x', NS_USER, null, item)).xml(NS_CLIENT)
}

/** The same for somebody who may not know who really sent it. */
export function withoutAddress(xml: string): string {
  const mark = xml.lastIndexOf(MARK)
  return mark < 0 ? xml : `${xml.slice(0, mark)}${END}`
}

/** Who really sent it. */
export function authorOf(message: Element): Jid | undefined {
  return Jid.tryParse(message.childrenNamed('x', NS_USER).at(-1)?.child('item')?.attrs.jid)
}

/** A message for those who enter; undefined for what is not for them: subjects (XEP-0045 §7.2.13), and what was taken back. */
export function readKept(xml: string): Stanza | undefined {
  const stanza = Stanza.parse(parseElement(withoutAddress(xml), NS_CLIENT))
  return isSubject(stanza.element) || !isHistory(stanza.element) ? undefined : stanza
}

/** §8.1: a subject and nothing that would make it an ordinary message. */
export function isSubject(message: Element): boolean {
  return message.child('subject') !== undefined && !message.child('body') && !message.child('thread')
}

/** Whether a message is worth to be sent to those who come later. */
export function isHistory(message: Element): boolean {
  return message.child('retracted', NS_RETRACT) === undefined && message.child('retract', NS_RETRACT) === undefined
}

/** Whether somebody may read what was said (XEP-0313 §6.1.2: who may enter). */
export function mayRead(room: Room, user: Jid): boolean {
  const affiliation = room.affiliation(user)
  if (affiliation === 'outcast') return false
  if (rank(affiliation) >= rank('member') || room.seats.has(user.key)) return true
  return !room.config.membersOnly && room.config.password === '' && !room.config.locked
}

/** Throws unless the asker may read the archive, and look in it for what they ask for. */
export function checkReader({ from, payload }: IqRequest, room: Room): void {
  if (!mayRead(room, from)) throw refusal(room.jid, 'auth', 'forbidden', 'You may not read what is said in this room.')
  if (mayKnow(from, room)) return
  const asksForSender = payload
    .child('x', NS_DATA)
    ?.childrenNamed('field')
    .some(({ attrs }) => attrs.var === 'with')
  // XEP-0313 §4.1.1: whose messages they are is not to be found out in this way.
  if (asksForSender) throw refusal(room.jid, 'auth', 'forbidden', 'In this room you may not look for real addresses.')
}

/** How the asker gets to see what is kept (XEP-0313 §6.1.2). */
export function viewFor(from: Jid, room: Room): (xml: string) => string {
  return mayKnow(from, room) ? (xml) => xml : withoutAddress
}

function mayKnow(from: Jid, room: Room): boolean {
  if (room.config.whois === 'anyone' || rank(room.affiliation(from)) >= rank('admin')) return true
  return room.seats.get(from.key)?.occupant.role === 'moderator'
}
