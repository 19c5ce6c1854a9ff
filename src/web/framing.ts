// SPDX-License-Identifier: Apache-2.0
// Elements that stand for themselves: over WebSocket and BOSH there is no stream element above them that declares anything.
import type { Writable } from '../xml/element.ts'

/** Stanzas. */
export const NS_CLIENT = 'jabber:client'
/** Stream features and errors. */
export const NS_STREAMS = 'http://etherx.jabber.org/streams'

const PREFIXED = /^<stream:[a-z]+/

/** An element as text that needs nothing around it (RFC 7395 §3.3.2). */
export function framed(item: Writable): string {
  const text = item.xml('')
  return text.startsWith('<stream:') ? text.replace(PREFIXED, `$& xmlns:stream='${NS_STREAMS}'`) : text
}
