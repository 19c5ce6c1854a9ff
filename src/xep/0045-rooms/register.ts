// SPDX-License-Identifier: Apache-2.0
// Registering with a room (XEP-0045 §7.10, §7.12, §9.9): members have a nick reserved; strangers become members of open
// rooms at once, and of rooms for members if an administrator says so.
import { randomUUID } from 'node:crypto'
import type { IqRequest } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { type Answers, type Form, formElement, readAnswers } from '../../xmpp/0004-data-forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { nickname } from '../../xmpp/precis.ts'
import { Stanza } from '../../xmpp/stanza.ts'
import { changePlaces, checkChanges } from './affiliations.ts'
import { NICK_MAX } from './limits.ts'
import { rank, refusal } from './names.ts'
import { whole } from './presence.ts'
import type { Occupant, Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** XEP-0077. */
export const NS_REGISTER = 'jabber:iq:register'
/** §16.5.1. */
export const NS_FORM = 'http://jabber.org/protocol/muc#register'
/** So many who wait for an answer are remembered for one room. */
const WAITING = 50

/** Nobody asks more often for the same room, in ms. */
const PAUSE = 60_000

interface Applicant {
  readonly nick: string
  /** ms since 1970. */
  readonly asked: number
}

/** Who asked to become a member: by bare JID. */
const waiting = new WeakMap<Room, Map<string, Applicant>>()

const FORM: Form = {
  formType: NS_FORM,
  title: 'Registration',
  instructions: 'Choose the nick that will be yours in this room.',
  fields: [{ name: 'muc#register_roomnick', type: 'text-single', label: 'Nick', required: true }],
}

/** §7.10: what is needed, or the nick that somebody has. */
export function ask({ from }: IqRequest, room: Room): Element {
  checkMay(from, room)
  const nick = room.places.get(from.bare.key)?.nick
  if (nick === undefined) return el('query', NS_REGISTER, null, formElement(FORM))
  return el('query', NS_REGISTER, null, el('registered', NS_REGISTER), el('username', NS_REGISTER, null, nick))
}

/** §7.10: the form filled in, or the wish not to be registered any more (XEP-0077 §3.2). */
export async function set({ payload, from }: IqRequest, room: Room, rooms: Rooms): Promise<undefined> {
  checkMay(from, room)
  if (payload.child('remove')) await remove(from, room, rooms)
  else await register(wantedNick(readAnswers(payload), room), from, room, rooms)
  return undefined
}

async function register(nick: string, from: Jid, room: Room, rooms: Rooms): Promise<void> {
  await room.inTurn(async () => {
    const holder = room.reservedFor(nick)
    const user = room.named(nick)?.user
    if ((holder !== undefined && holder !== from.bare.key) || (user && !user.equals(from.bare))) {
      throw refusal(room.jid, 'cancel', 'conflict', 'Somebody else has this nick.')
    }
    const affiliation = room.affiliation(from)
    if (affiliation === 'none' && !isFree(from, room)) return wait(nick, from, room, rooms)
    const change = { jid: from.bare, affiliation: affiliation === 'none' ? ('member' as const) : affiliation, nick }
    checkChanges(room, [change], rooms)
    await changePlaces([change], room, rooms)
  })
}

/** Whether a stranger becomes a member without being asked about: who gains nothing by it that the room would refuse. */
function isFree(from: Jid, { config, seats }: Room): boolean {
  if (config.membersOnly) return false
  const role = seats.get(from.key)?.occupant.role
  if (config.moderated && (role === undefined || role === 'visitor')) return false
  return config.password === '' || role !== undefined
}

async function remove(from: Jid, room: Room, rooms: Rooms): Promise<void> {
  await room.inTurn(async () => {
    const affiliation = room.affiliation(from)
    if (affiliation === 'none') throw refusal(room.jid, 'cancel', 'item-not-found', 'You are not registered here.')
    const change = { jid: from.bare, affiliation: affiliation === 'member' ? ('none' as const) : affiliation, nick: '' }
    await changePlaces([change], room, rooms)
  })
}

/** §9.9: those administrators who are in the room are asked. */
function wait(nick: string, from: Jid, room: Room, { router, ctx }: Rooms): void {
  const admins = [...room.occupants.values()].filter(({ user }) => rank(room.affiliation(user)) >= rank('admin'))
  const known = waiting.get(room) ?? new Map<string, Applicant>()
  const before = known.get(from.bare.key)
  const now = ctx.clock.now()
  if (before && now - before.asked < PAUSE)
    throw refusal(room.jid, 'wait', 'policy-violation', 'You have asked already; wait for the answer.')
  if (admins.length === 0 || (known.size >= WAITING && !before)) {
    throw refusal(room.jid, 'cancel', 'not-allowed', 'Nobody is there who could decide about it; ask to be invited.')
  }
  waiting.set(room, known)
  known.set(from.bare.key, { nick, asked: now })
  const form = formElement({
    formType: NS_FORM,
    title: 'Registration request',
    instructions: 'To let this person become a member, say yes. To leave it open, cancel.',
    fields: [
      { name: 'muc#register_jid', type: 'jid-single', label: 'Address', values: [from.bare.key] },
      { name: 'muc#register_roomnick', type: 'text-single', label: 'Nick', values: [nick] },
      { name: 'muc#register_allow', type: 'boolean', label: 'Let this person become a member?', values: ['0'] },
    ],
  })
  for (const { seats } of admins) {
    for (const { jid } of seats.values()) {
      void router.route(Stanza.of(whole('message', {}, [form]), room.jid, jid, randomUUID()))
    }
  }
}

/** §9.9: what an administrator says to a request. */
export async function decide(answers: Answers, admin: Occupant, room: Room, rooms: Rooms): Promise<void> {
  if (rank(room.affiliation(admin.user)) < rank('admin')) throw refusal(room.jid, 'auth', 'forbidden')
  const jid = Jid.parse(answers.text('muc#register_jid')).bare
  await room.inTurn(async () => {
    const nick = waiting.get(room)?.get(jid.key)?.nick
    if (nick === undefined)
      throw refusal(room.jid, 'cancel', 'item-not-found', 'Nobody of this address waits for an answer.')
    const allowed = answers.flag('muc#register_allow')
    waiting.get(room)?.delete(jid.key)
    if (allowed !== true || room.affiliation(jid) !== 'none') return
    const change = { jid, affiliation: 'member' as const, ...(room.reservedFor(nick) === undefined && { nick }) }
    checkChanges(room, [change], rooms)
    await changePlaces([change], room, rooms, admin.nick)
  })
}

function checkMay(from: Jid, room: Room): void {
  if (room.config.locked) throw refusal(room.jid, 'cancel', 'item-not-found')
  if (room.affiliation(from) === 'outcast')
    throw refusal(room.jid, 'cancel', 'not-allowed', 'You are banned from this room.')
}

/** Throws `bad-request` if the form is none (§7.10). */
function wantedNick(answers: Answers | undefined, room: Room): string {
  const text = answers?.formType === NS_FORM ? answers.text('muc#register_roomnick') : undefined
  const nick = text === undefined ? undefined : nickname(text)
  if (nick === undefined) throw refusal(room.jid, 'modify', 'bad-request', 'The form needs a nick.')
  if (Buffer.byteLength(nick) > NICK_MAX)
    throw refusal(room.jid, 'modify', 'not-acceptable', `A nick has at most ${NICK_MAX} bytes.`)
  return nick
}
