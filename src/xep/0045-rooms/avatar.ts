// SPDX-License-Identifier: Apache-2.0
// The card of a room with its avatar (XEP-0486): owners write it, who may know of the room reads it.
import { createHash } from 'node:crypto'
import type { IqRequest } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { settingsOf } from './config.ts'
import { refusal } from './names.ts'
import { proclaim } from './presence.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** XEP-0054. */
export const NS_CARD = 'vcard-temp'

/** XEP-0486 §3.4: an empty card if there is none. */
export async function read(_: IqRequest, room: Room, { ctx }: Rooms): Promise<Element> {
  const text = await ctx.store.documents.get(room.jid, NS_CARD)
  return text === undefined ? el('vCard', NS_CARD) : parseElement(text)
}

/** XEP-0486 §3.2. */
export async function write({ payload, from }: IqRequest, room: Room, rooms: Rooms): Promise<undefined> {
  if (room.affiliation(from) !== 'owner') throw refusal(room.jid, 'auth', 'forbidden', 'Only owners change the avatar.')
  const text = payload.elements.length === 0 ? undefined : payload.xml('')
  const { ctx, router } = rooms
  if (Buffer.byteLength(text ?? '') > ctx.limits.privateBytes)
    throw refusal(room.jid, 'modify', 'not-acceptable', 'The card is too large.')
  const avatars = payload.childrenNamed('PHOTO').flatMap((photo) => {
    const data = photo.childText('BINVAL')?.replace(/\s/g, '')
    return data ? [createHash('sha1').update(Buffer.from(data, 'base64')).digest('hex')] : []
  })
  await room.inTurn(async () => {
    if (room.affiliation(from) !== 'owner') throw refusal(room.jid, 'auth', 'forbidden')
    const config = { ...room.config, avatars }
    await ctx.store.rooms.setDocument(room.jid, settingsOf(config), NS_CARD, text)
    room.config = config
    proclaim(router, room, [104])
  })
  return undefined
}
