// SPDX-License-Identifier: Apache-2.0
// What is taken back in a room, by whoever said it (XEP-0424) or by a moderator (XEP-0425): a tombstone takes its place in
// the archive, and nobody who enters later is sent it.
import { randomUUID } from 'node:crypto'
import type { IqRequest } from '../../core/feature.ts'
import type { KeptMessage, MessageId } from '../../store/store.ts'
import { type Element, el, Element as XmlElement } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { archiveId, readArchiveId } from '../../xmpp/0313-archive-queries.ts'
import { stanzaId } from '../../xmpp/0359-stanza-ids.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { authorOf, isSubject } from './kept.ts'
import { NS_OCCUPANT_ID, NS_USER, refusal } from './names.ts'
import { broadcast, whole } from './presence.ts'
import type { Room, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'

/** XEP-0424 and XEP-0425. */
export const NS_RETRACT = 'urn:xmpp:message-retract:1'
export const NS_MODERATE = 'urn:xmpp:message-moderate:1'

/** So many retractions of one room may wait; more are passed on, but change nothing here. */
const WAITING = 100
/** UTF-16 units of a reason. */
const REASON_MAX = 1000

/** XEP-0425 §5: only a room says that a message was moderated. */
export function claimsModeration(message: Element): boolean {
  const retract = message.child('retract', NS_RETRACT)
  return retract?.elements.some(({ ns }) => ns === NS_MODERATE) === true
}

/** Carries out a retraction that was just said, if the message is one. @param before its own id */
export function bury(said: Stanza, before: MessageId, seat: Seat, room: Room, rooms: Rooms): void {
  const target = said.element.child('retract', NS_RETRACT)?.attrs.id
  if (target === undefined || room.busy >= WAITING) return
  const { ctx } = rooms
  const grave = el('retracted', NS_RETRACT, { id: said.id, stamp: new Date(ctx.clock.now()).toISOString() })
  room
    .inTurn(async () => {
      const kept = await find(target, room, rooms)
      if (!kept || kept.id >= before) return
      const message = parseElement(kept.xml, NS_CLIENT)
      if (
        !mayBeRetracted(message) ||
        message.child('retract', NS_RETRACT) ||
        authorOf(message)?.bare.equals(seat.occupant.user) !== true
      )
        return
      await replace(kept, message, grave, room, rooms)
    })
    .catch((error: unknown) => ctx.log.error('message of a room not retracted', { error }))
}

/** XEP-0425 §4. */
export function moderate({ payload, from }: IqRequest, room: Room, rooms: Rooms): Promise<undefined> {
  const seat = room.seats.get(from.key)
  const moderator = seat?.occupant ?? room.occupantsOf(from).find(({ role }) => role === 'moderator')
  if (moderator?.role !== 'moderator') {
    throw refusal(room.jid, 'auth', 'forbidden', 'Only moderators moderate what others say.')
  }
  if (!payload.child('retract', NS_RETRACT)) throw refusal(room.jid, 'cancel', 'feature-not-implemented')
  const reason = payload.child('reason')
  const moderated = el('moderated', NS_MODERATE, { by: moderator.jid.key }, moderator.id)
  const why = reason && el('reason', NS_MODERATE, null, reason.text.slice(0, REASON_MAX))
  return room.inTurn(async () => {
    if (moderator.role !== 'moderator' || moderator.seats.size === 0) throw refusal(room.jid, 'auth', 'forbidden')
    const kept = await find(payload.attrs.id ?? '', room, rooms)
    const message = kept && parseElement(kept.xml, NS_CLIENT)
    if (!kept || !message || message.child('retracted', NS_RETRACT)) {
      throw refusal(room.jid, 'cancel', 'item-not-found', 'There is no such message here.')
    }
    if (!mayBeRetracted(message)) throw refusal(room.jid, 'cancel', 'not-allowed', 'This cannot be retracted.')
    const stamp = new Date(rooms.ctx.clock.now()).toISOString()
    await replace(kept, message, el('retracted', NS_RETRACT, { stamp }, moderated, why), room, rooms)
    tell(archiveId(kept.id), moderated, why, room, rooms)
    return undefined
  })
}

/** Everybody in the room hears of it, and who reads the archive later (XEP-0425 §4.1). */
function tell(id: string, moderated: Element, why: Element | undefined, room: Room, rooms: Rooms): void {
  const retract = el('retract', NS_RETRACT, { id }, moderated, why && el('reason', NS_RETRACT, null, why.text))
  const message = Stanza.of(whole('message', { type: 'groupchat' }, [retract]), room.jid, undefined, randomUUID())
  const { store, log } = rooms.ctx
  const kept = store.messages.append(
    { xml: message.xml(NS_CLIENT), from: room.jid, to: room.jid, archiveFor: [room.jid], offlineFor: undefined },
    (error) => log.error('moderation of a room not archived', { error }),
  )
  broadcast(rooms.router, room, message.append(stanzaId(archiveId(kept), room.jid)))
}

async function find(text: string, { jid }: Room, { ctx }: Rooms): Promise<KeptMessage | undefined> {
  const id = readArchiveId(text)
  if (Number.isNaN(id)) return undefined
  const { messages } = await ctx.store.messages.page(jid, { after: id - 1, before: id + 1, limit: 1 })
  return messages[0]
}

/** Neither retracted already, nor what is no message of somebody; what the room itself says of a moderation has no author. */
function mayBeRetracted(message: Element): boolean {
  return authorOf(message) !== undefined && !message.child('retracted', NS_RETRACT) && !isSubject(message)
}

/** Of the content nothing stays but who said it. */
async function replace(kept: KeptMessage, message: Element, grave: Element, room: Room, { ctx }: Rooms): Promise<void> {
  const whose = message.elements.filter(({ ns }) => ns === NS_OCCUPANT_ID)
  const really = message.childrenNamed('x', NS_USER).slice(-1)
  const tombstone = new XmlElement('message', NS_CLIENT, message.attrs, [...whose, grave, ...really])
  room.history.remove(archiveId(kept.id))
  await ctx.store.messages.rewrite(kept.id, tombstone.xml(NS_CLIENT))
}
