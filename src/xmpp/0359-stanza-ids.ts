// SPDX-License-Identifier: Apache-2.0
// XEP-0359: Unique and Stable Stanza IDs. What an archive calls a message, said with the message; and no one else may say it.
import { type Element, el } from '../xml/element.ts'
import { Jid } from './jid.ts'
import type { Stanza } from './stanza.ts'

/** The namespace. */
export const NS_SID = 'urn:xmpp:sid:0'

/** `<stanza-id/>` (§3). @param by who keeps the message under this id */
export function stanzaId(id: string, by: Jid): Element {
  return el('stanza-id', NS_SID, { by: by.key, id })
}

/** The stanza without ids that somebody else gave in this name (§5); itself if there are none. */
export function withoutForgedIds(stanza: Stanza, by: Jid): Stanza {
  for (const child of stanza.element.children) {
    if (typeof child === 'string' || child.ns !== NS_SID || !isIdBy(child, by)) continue
    return stanza.withElement(stanza.element.without((each) => isIdBy(each, by)))
  }
  return stanza
}

/** The `<origin-id/>` that the sender gave (§3). */
export function originId(message: Element): string | undefined {
  return message.child('origin-id', NS_SID)?.attrs.id
}

/** Also an address that is written in another way: clients may compare prepared ones. */
function isIdBy(element: Element, by: Jid): boolean {
  return element.is('stanza-id', NS_SID) && Jid.tryParse(element.attrs.by)?.key === by.key
}
