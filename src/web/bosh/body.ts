// SPDX-License-Identifier: Apache-2.0
// The `<body/>` around everything (XEP-0124 §6): read from a request, written into an answer.
import { type Attributes, attributesXml, Element, type Node } from '../../xml/element.ts'
import { ReadError } from '../../xml/errors.ts'
import { Reader, type ReaderLimits } from '../../xml/reader.ts'
import { NS_CLIENT, NS_STREAMS } from '../framing.ts'

/** XEP-0124. */
export const NS_BOSH = 'http://jabber.org/protocol/httpbind'
const NS_XBOSH = 'urn:xmpp:xbosh'

/** What else is said at the start of a session (XEP-0206 §4), with the prefix that clients look for. */
const XMPP_ATTRS = ` xmlns:xmpp='${NS_XBOSH}' xmpp:version='1.0' xmpp:restartlogic='true'`

/** Why a binding ends (XEP-0124 §17.2). */
export type Condition =
  | 'bad-request'
  | 'host-gone'
  | 'host-unknown'
  | 'item-not-found'
  | 'policy-violation'
  | 'remote-stream-error'
  | 'system-shutdown'

/** What a request says. */
export interface RequestBody {
  readonly attrs: Attributes
  readonly payloads: readonly Element[]
}

/** A body that cannot be understood. */
export class BadBody extends Error {
  override readonly name = 'BadBody'
  readonly condition: Condition
  /** Of the session that it names. */
  readonly sid: string | undefined

  constructor(condition: Condition, sid: string | undefined) {
    super(condition)
    this.condition = condition
    this.sid = sid
  }
}

/** An attribute of XEP-0206. */
export function xbosh(attrs: Attributes, name: string): string | undefined {
  return attrs[`{${NS_XBOSH}}${name}`]
}

/** Reads a body. @param limits of the session that it names @throws BadBody */
export function parseBody(bytes: Buffer, limits: (sid: string | undefined) => Partial<ReaderLimits>): RequestBody {
  const reader = new Reader()
  let sid: string | undefined
  try {
    reader.push(bytes)
    const start = reader.next()
    if (start?.kind !== 'open' || !start.header.is('body', NS_BOSH)) throw new BadBody('bad-request', undefined)
    const { attrs } = start.header
    sid = attrs.sid
    reader.setLimits(limits(sid))
    const payloads: Element[] = []
    for (let event = reader.next(); event?.kind !== 'close'; event = reader.next()) {
      if (event?.kind !== 'element') throw new BadBody('bad-request', sid)
      payloads.push(asClient(event.element))
    }
    if (reader.next() || reader.pendingBytes > 0) throw new BadBody('bad-request', sid)
    return { attrs, payloads }
  } catch (error) {
    if (!(error instanceof ReadError)) throw error
    throw new BadBody(error.condition === 'policy-violation' ? 'policy-violation' : 'bad-request', sid)
  }
}

/** Clients that forget the namespace of stanzas are understood (XEP-0206 §2). */
function asClient(element: Element): Element {
  return element.ns === NS_BOSH ? renamed(element) : element
}

function renamed({ name, ns, attrs, children }: Element): Element {
  const inside = children.map((child): Node => (typeof child === 'string' ? child : renamed(child)))
  return new Element(name, ns === NS_BOSH ? NS_CLIENT : ns, attrs, inside)
}

/** Writes a body. @param content payloads that need nothing around them but the prefix `stream` */
export function bodyXml(attrs: Attributes, content: string): string {
  const streams = content.includes('<stream:') ? ` xmlns:stream='${NS_STREAMS}'` : ''
  const xmpp = attrs.sid === undefined ? '' : XMPP_ATTRS
  const start = `<body xmlns='${NS_BOSH}'${streams}${xmpp}${attributesXml(attrs)}`
  return content === '' ? `${start}/>` : `${start}>${content}</body>`
}

/** The answer that ends a session. */
export function terminateXml(condition: Condition | undefined, content = ''): string {
  return bodyXml(condition === undefined ? { type: 'terminate' } : { type: 'terminate', condition }, content)
}
