// SPDX-License-Identifier: Apache-2.0
// What wakes a phone: something to read, a call, and somebody who asks for a subscription. What says something about the moment only (chat states), or about
// another message (receipts, markers), does not: a battery is worth more than that.
import type { Element } from '../../xml/element.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { keepingOf } from '../0313-archive.ts'

const NS_JINGLE = 'urn:xmpp:jingle:1'
const NS_OMEMO_2 = 'urn:xmpp:omemo:2'
const NS_OMEMO_0 = 'eu.siacs.conversations.axolotl'

/** Children of a message that are news by themselves, by their name and namespace. */
const NEWS: ReadonlySet<string> = new Set([
  'openpgp urn:xmpp:openpgp:0', // XEP-0373
  'x jabber:x:encrypted', // XEP-0027
  'propose urn:xmpp:jingle-message:0', // XEP-0353
  'propose urn:xmpp:jingle-message:1',
  'x jabber:x:conference', // XEP-0249
  'reactions urn:xmpp:reactions:0', // XEP-0444
])

/** Whether somebody who is away should get to know of it at once. */
export function isImportant(stanza: Stanza): boolean {
  if (stanza.kind === 'iq') return isCall(stanza)
  if (stanza.kind === 'presence') return stanza.type === 'subscribe'
  if (stanza.type !== 'groupchat') {
    const keeping = keepingOf(stanza)
    if (keeping === 'nothing' || keeping === 'deny') return false // it will not be there when the phone comes
  }
  const { children } = stanza.element
  return children.some(isNews) || (children.some(isSealed) && !children.some(isKeysOnly))
}

/** XEP-0380: something that only the addressee can read, in whatever way that was sealed. */
function isSealed(child: Element | string): boolean {
  return typeof child !== 'string' && child.is('encryption', 'urn:xmpp:eme:0')
}

/** Sets up keys, and has nothing to read (XEP-0384 §4.5). */
function isKeysOnly(child: Element | string): boolean {
  return typeof child !== 'string' && isOmemo(child) && child.child('payload') === undefined
}

function isOmemo({ name, ns }: Element): boolean {
  return name === 'encrypted' && (ns === NS_OMEMO_2 || ns === NS_OMEMO_0)
}

/** XEP-0166 §6.2, to a client that may yet resume its stream. */
function isCall({ type, payload }: Stanza): boolean {
  return type === 'set' && payload?.is('jingle', NS_JINGLE) === true && payload.attrs.action === 'session-initiate'
}

function isNews(child: Element | string): boolean {
  if (typeof child === 'string') return false
  const { name, ns } = child
  if (name === 'body' && ns === 'jabber:client') return child.text !== ''
  if (isOmemo(child)) return !isKeysOnly(child)
  if (name === 'x' && ns === 'http://jabber.org/protocol/muc#user') return child.child('invite') !== undefined
  return NEWS.has(`${name} ${ns}`)
}
