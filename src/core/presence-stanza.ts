// SPDX-License-Identifier: Apache-2.0
// Presence stanzas of the server's own making.
import { el } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../xmpp/stanza.ts'

/** A presence stanza without content. @param type '' for available */
export function presence(type: string, from: Jid, to: Jid | undefined): Stanza {
  return Stanza.of(el('presence', NS_CLIENT, { type: type === '' ? undefined : type }), from, to)
}
