// SPDX-License-Identifier: Apache-2.0
// XEP-0203: Delayed Delivery. When something was said, as somebody says who kept it; and no one else may say it in that name.
import type { Element } from '../xml/element.ts'
import { Jid } from './jid.ts'
import type { Stanza } from './stanza.ts'

/** The namespace. */
export const NS_DELAY = 'urn:xmpp:delay'

/** The stanza without times that somebody else gave in the name of an account or its server (§5); itself if there are none. */
export function withoutForgedTimes(stanza: Stanza, account: Jid): Stanza {
  for (const child of stanza.element.children) {
    if (typeof child === 'string' || child.ns !== NS_DELAY || !isTimeBy(child, account)) continue
    return stanza.withElement(stanza.element.without((each) => isTimeBy(each, account)))
  }
  return stanza
}

function isTimeBy(element: Element, account: Jid): boolean {
  if (!element.is('delay', NS_DELAY)) return false
  const by = Jid.tryParse(element.attrs.from)
  return by !== undefined && (by.key === account.domain || by.bare.key === account.key)
}
