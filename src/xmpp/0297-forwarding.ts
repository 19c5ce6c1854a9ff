// SPDX-License-Identifier: Apache-2.0
// XEP-0297: Stanza Forwarding, as vocabulary: a stanza inside another one.
import { type Element, el } from '../xml/element.ts'
import type { Stanza } from './stanza.ts'

/**
 * A stanza inside a `<forwarded/>`, with its own namespace and its content as it was (§2.2).
 * @param delay an element of XEP-0203: when it came, unless that is now
 */
export function forwarded({ from, to, id, element }: Stanza, delay?: Element): Element {
  const addressed = element.withAttrs({ from: from?.toString(), to: to?.toString(), id })
  return el('forwarded', 'urn:xmpp:forward:0', null, delay, addressed)
}
