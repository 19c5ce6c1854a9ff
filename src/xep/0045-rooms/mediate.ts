// SPDX-License-Identifier: Apache-2.0
// Messages to a room that are not for all: invitations and what becomes of them (XEP-0045 §7.8.2), and requests for a voice
// (§7.13, §8.6).
import { randomUUID } from 'node:crypto'
import type { MaybeAsync } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { type Answers, formElement, NS_DATA, readAnswers } from '../../xmpp/0004-data-forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { nickname } from '../../xmpp/precis.ts'
import { Stanza } from '../../xmpp/stanza.ts'
import { changePlaces, checkChanges, invitation, setRole } from './affiliations.ts'
import { NS_USER, rank, refusal } from './names.ts'
import { whole } from './presence.ts'
import { decide, NS_FORM as NS_REGISTER_FORM } from './register.ts'
import type { Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'

const NS_REQUEST = 'http://jabber.org/protocol/muc#request'
/** Invitations in one message. */
const TOGETHER = 20
/** So many invitations of one room are remembered, for those who decline. */
const REMEMBERED = 500
/** UTF-16 units of a reason. */
const REASON_MAX = 1000

/** Who was invited by whom: the inviter's address by `invitee inviter`. */
const invited = new WeakMap<Room, Map<string, Jid>>()

/** A message to the room that is none for all of them. */
export function mediate(stanza: Stanza, from: Jid, room: Room, rooms: Rooms): MaybeAsync<void> {
  const seat = room.seats.get(from.key)
  const user = stanza.element.child('x', NS_USER)
  const declined = user?.child('decline')
  if (declined) return decline(declined, stanza, from, room, rooms)
  if (!seat) throw refusal(room.jid, 'modify', 'not-acceptable', 'You are not in this room.')
  if (!seat.occupant.bucket.take(rooms.limits.rate, rooms.ctx.clock.now())) {
    throw refusal(room.jid, 'wait', 'policy-violation', 'That was too fast; wait a little.')
  }
  const invites = user?.childrenNamed('invite') ?? []
  if (invites.length > 0) return invite(invites, seat, room, rooms)
  const answers = stanza.element.child('x', NS_DATA) && readAnswers(stanza.element)
  if (answers?.formType === NS_REQUEST) return voice(answers, seat, room, rooms)
  if (answers?.formType === NS_REGISTER_FORM) return decide(answers, seat.occupant, room, rooms)
  throw refusal(room.jid, 'modify', 'bad-request', 'What is for all is a groupchat.')
}

async function invite(invites: readonly Element[], seat: Seat, room: Room, rooms: Rooms): Promise<void> {
  const { config, jid } = room
  const { user } = seat.occupant
  if (invites.length > TOGETHER)
    throw refusal(jid, 'modify', 'policy-violation', `At most ${TOGETHER} people together.`)
  const own = rank(room.affiliation(user))
  const needs = config.membersOnly ? (config.allowInvites ? rank('member') : rank('admin')) : rank('none')
  if (own < needs || seat.occupant.role === 'visitor')
    throw refusal(jid, 'auth', 'forbidden', 'You may not invite others.')
  // The message was counted as one.
  for (let more = 1; more < invites.length; more++) {
    if (!seat.occupant.bucket.take(rooms.limits.rate, rooms.ctx.clock.now()))
      throw refusal(jid, 'wait', 'policy-violation', 'That are too many invitations; wait a little.')
  }
  const whom = invites.map((one) => ({ one, to: Jid.parse(one.attrs.to) }))
  for (const { to } of whom) await checkInvitee(to, room, rooms)
  if (config.membersOnly) {
    await room.inTurn(async () => {
      const strangers = whom.filter(({ to }) => room.affiliation(to) === 'none')
      const changes = strangers.map(({ to }) => ({ jid: to.bare, affiliation: 'member' as const }))
      if (changes.length === 0) return
      checkChanges(room, changes, rooms)
      await changePlaces(changes, room, rooms, seat.occupant.nick)
    })
  }
  // Who is not to be known by the real address is not told to strangers either.
  const from = config.whois === 'anyone' ? user : seat.occupant.jid
  for (const { one, to } of whom) {
    const reason = one.childText('reason')?.slice(0, REASON_MAX)
    const goesOn = one.child('continue')
    const more = [
      ...(reason ? [el('reason', NS_USER, null, reason)] : []),
      ...(goesOn ? [el('continue', NS_USER, { thread: goesOn.attrs.thread })] : []),
    ]
    remember(room, to, from, seat.jid)
    void rooms.router.route(invitation(room, from, to, more))
  }
}

/** Throws for who cannot come: nobody of this name, or somebody who is banned. */
async function checkInvitee(to: Jid, room: Room, { ctx }: Rooms): Promise<void> {
  if (room.affiliation(to) === 'outcast')
    throw refusal(room.jid, 'cancel', 'not-allowed', 'They are banned from this room.')
  if (to.local === undefined) throw refusal(room.jid, 'cancel', 'item-not-found')
  if (ctx.hosts.has(to.domain) && !(await ctx.directory.find(to.bare))) {
    throw refusal(room.jid, 'cancel', 'item-not-found', 'There is nobody of this address.')
  }
}

function remember(room: Room, invitee: Jid, shown: Jid, inviter: Jid): void {
  const known = invited.get(room) ?? new Map<string, Jid>()
  invited.set(room, known)
  known.set(`${invitee.bare.key} ${shown.bare.key}`, inviter)
  known.set(`${invitee.bare.key} ${shown.key}`, inviter)
  while (known.size > REMEMBERED) known.delete(known.keys().next().value ?? '')
}

/** §7.8.2: only who was invited declines, and only to who invited them; once. */
function decline(wish: Element, stanza: Stanza, from: Jid, room: Room, { router }: Rooms): void {
  const to = Jid.parse(wish.attrs.to)
  const known = invited.get(room)
  const key = [`${from.bare.key} ${to.key}`, `${from.bare.key} ${to.bare.key}`].find((one) => known?.has(one))
  const inviter = key === undefined ? undefined : known?.get(key)
  if (!inviter || key === undefined)
    throw refusal(room.jid, 'cancel', 'item-not-found', 'They did not invite you to this room.')
  known?.delete(key)
  const reason = wish.childText('reason')?.slice(0, REASON_MAX)
  const declined = el('decline', NS_USER, { from: from.bare.key }, reason ? el('reason', NS_USER, null, reason) : false)
  const message = whole('message', {}, [el('x', NS_USER, null, declined)])
  void router.route(Stanza.of(message, room.jid, inviter, stanza.id))
}

/** §7.13: a visitor asks; §8.6: a moderator answers. */
function voice(answers: Answers, seat: Seat, room: Room, rooms: Rooms): void {
  const { occupant } = seat
  if (answers.has('muc#request_allow')) {
    answerVoice(answers, seat, room, rooms)
    return
  }
  if (answers.text('muc#role') !== 'participant') throw refusal(room.jid, 'modify', 'bad-request')
  if (occupant.role !== 'visitor') throw refusal(room.jid, 'modify', 'bad-request', 'You have a voice.')
  const form = formElement({
    formType: NS_REQUEST,
    title: 'Voice request',
    instructions: 'To give this person a voice, say yes. To leave it open, cancel.',
    fields: [
      {
        name: 'muc#role',
        type: 'list-single',
        label: 'Requested role',
        values: ['participant'],
        options: [{ value: 'participant' }],
      },
      { name: 'muc#jid', type: 'jid-single', label: 'Address', values: [seat.jid.key] },
      { name: 'muc#roomnick', type: 'text-single', label: 'Nick', values: [occupant.nick] },
      { name: 'muc#request_allow', type: 'boolean', label: 'Give this person a voice?', values: ['false'] },
    ],
  })
  const message = Stanza.of(whole('message', {}, [form]), room.jid, undefined, randomUUID())
  for (const { jid, occupant: other } of room.seats.values()) {
    if (other.role === 'moderator') void rooms.router.route(message.with({ to: jid }))
  }
}

function answerVoice(answers: Answers, seat: Seat, room: Room, rooms: Rooms): void {
  if (seat.occupant.role !== 'moderator') throw refusal(room.jid, 'auth', 'forbidden')
  const occupant = room.named(nickname(answers.text('muc#roomnick') ?? ''))
  if (answers.flag('muc#request_allow') !== true) return
  if (!occupant) throw refusal(room.jid, 'cancel', 'item-not-found', 'They are not in the room any more.')
  if (occupant.role !== 'visitor') return
  room.keepRole(occupant.user, 'participant')
  setRole(occupant, 'participant', room, rooms, { actor: undefined, reason: undefined })
}
