// SPDX-License-Identifier: Apache-2.0
// What wakes a phone: something to read, a call, and somebody who asks for a subscription. What says something about the
// moment only (chat states), or about another message (receipts, markers), does not: a battery is worth more than that.
import { isImportant } from '../../xmpp/importance.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { keepingOf } from '../0313-archive.ts'

const NS_JINGLE = 'urn:xmpp:jingle:1'

/** Whether a device that is not connected should get to know of a stanza at once. */
export function wakesDevices(stanza: Stanza): boolean {
  if (stanza.kind === 'iq') return isCall(stanza)
  if (stanza.kind === 'presence') return stanza.type === 'subscribe'
  return willBeThere(stanza) && isImportant(stanza)
}

/** XEP-0166 §6.2, to a client that may yet resume its stream. */
function isCall({ type, payload }: Stanza): boolean {
  return type === 'set' && payload?.is('jingle', NS_JINGLE) === true && payload.attrs.action === 'session-initiate'
}

/** Whether the message waits until the device comes: what is not kept would wake it for nothing. */
function willBeThere(message: Stanza): boolean {
  if (message.type === 'groupchat') return true
  const keeping = keepingOf(message)
  return keeping === 'archive' || keeping === 'queue'
}
