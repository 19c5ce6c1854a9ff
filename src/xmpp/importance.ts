// SPDX-License-Identifier: Apache-2.0
// How much a stanza matters to somebody who is not looking at the moment: what must reach a sleeping device (XEP-0352,
// XEP-0357), what may wait until something does, and what is only the state of something, of which the last is enough.
import type { Element } from '../xml/element.ts'
import { NS_CLIENT, type Stanza } from './stanza.ts'

const NS_CARBONS = 'urn:xmpp:carbons:2'
const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates'
const NS_EVENT = 'http://jabber.org/protocol/pubsub#event'
const NS_MUC_USER = 'http://jabber.org/protocol/muc#user'

/** Namespaces of what may stand beside a chat state and says nothing by itself: XEP-0334, 0203, 0359, 0172. */
const BESIDE_CHAT_STATE: ReadonlySet<string> = new Set([
  NS_CHAT_STATES,
  'urn:xmpp:hints',
  'urn:xmpp:delay',
  'urn:xmpp:sid:0',
  'http://jabber.org/protocol/nick',
])

/** Encryption whose element carries a text only if it has a `<payload/>` (XEP-0384); without one it only exchanges keys. */
const OMEMO: ReadonlySet<string> = new Set(['eu.siacs.conversations.axolotl', 'urn:xmpp:omemo:1', 'urn:xmpp:omemo:2'])

/** Elements that make a message one to wake up for, as `name namespace`. */
const URGENT: ReadonlySet<string> = new Set([
  `body ${NS_CLIENT}`,
  `subject ${NS_CLIENT}`,
  'openpgp urn:xmpp:openpgp:0', // XEP-0373
  'x jabber:x:encrypted', // XEP-0027
  'x jabber:x:conference', // XEP-0249
])

/** XEP-0353: calls. */
const JINGLE_MESSAGES: ReadonlySet<string> = new Set(['urn:xmpp:jingle-message:0', 'urn:xmpp:jingle-message:1'])

/** PEP nodes of one item, whatever its id: the new one replaces the old one. Of others, items replace those of their id. */
const SINGLE_ITEM: ReadonlySet<string> = new Set([
  'urn:xmpp:avatar:metadata', // XEP-0084
  'http://jabber.org/protocol/mood', // XEP-0107
  'http://jabber.org/protocol/activity', // XEP-0108
  'http://jabber.org/protocol/tune', // XEP-0118
  'http://jabber.org/protocol/geoloc', // XEP-0080
  'http://jabber.org/protocol/nick', // XEP-0172
  'eu.siacs.conversations.axolotl.devicelist', // XEP-0384
  'urn:xmpp:omemo:1:devices',
  'urn:xmpp:omemo:2:devices',
  'urn:xmpp:openpgp:0:public-keys', // XEP-0373
])

/** What a stanza is to somebody who is not looking. */
export type Importance =
  /** Somebody would want to know now, or something waits for it. */
  | { readonly kind: 'urgent' }
  /** Must not be lost, but may wait: receipts, markers. */
  | { readonly kind: 'patient' }
  /** The state of something: a later one of the same key makes it void. */
  | { readonly kind: 'state'; readonly key: string }
  /** What somebody does with the keyboard: the same, and nobody misses it (XEP-0085). */
  | { readonly kind: 'typing'; readonly key: string; readonly writing: boolean }

const IS_URGENT: Importance = Object.freeze({ kind: 'urgent' })
const IS_PATIENT: Importance = Object.freeze({ kind: 'patient' })

/** Judges a stanza on its way to a client. */
export function importanceOf(stanza: Stanza): Importance {
  if (stanza.kind === 'iq') return IS_URGENT
  if (stanza.kind === 'presence') return ofPresence(stanza)
  const from = stanza.from?.toString() ?? ''
  const copied = copyIn(stanza)
  if (!copied) return ofMessage(stanza.element, stanza.type, from)
  return ofMessage(copied, copied.attrs.type ?? 'normal', `${copied.attrs.from} ${copied.attrs.to}`)
}

/** Whether somebody who is not looking must get a stanza now: worth a wake-up, or a push notification (XEP-0357). */
export function isImportant(stanza: Stanza): boolean {
  return importanceOf(stanza).kind === 'urgent'
}

/** Requests and errors are urgent, and so is what a room says about the client itself (XEP-0045, status 110). */
function ofPresence({ type, from, element }: Stanza): Importance {
  if (type !== '' && type !== 'unavailable') return IS_URGENT
  const status = element.child('x', NS_MUC_USER)?.childrenNamed('status')
  if (status?.some(({ attrs }) => attrs.code === '110')) return IS_URGENT
  return { kind: 'state', key: `presence ${from?.toString()}` }
}

/** The message inside a carbon (XEP-0280), which only the account itself sends: nobody else's makes anything void. */
function copyIn({ from, to, element: message }: Stanza): Element | undefined {
  if (!from || !to || !from.equals(to.bare)) return undefined
  const carbon = message.child('received', NS_CARBONS) ?? message.child('sent', NS_CARBONS)
  return carbon?.child('forwarded', 'urn:xmpp:forward:0')?.child('message', NS_CLIENT)
}

function ofMessage(message: Element, type: string, who: string): Importance {
  if (type === 'error') return IS_URGENT
  let typing: Element | undefined
  let more = false
  let event: Element | undefined
  for (const child of message.children) {
    if (typeof child === 'string') continue
    if (isUrgent(child, message)) return IS_URGENT
    if (child.is('event', NS_EVENT)) event = child
    if (child.ns === NS_CHAT_STATES) typing = child
    else if (!BESIDE_CHAT_STATE.has(child.ns) && !child.is('thread', NS_CLIENT)) more = true
  }
  if (event) return ofEvent(event, who)
  if (!typing || more) return IS_PATIENT
  return { kind: 'typing', key: `typing ${who}`, writing: typing.name === 'composing' }
}

function isUrgent(child: Element, message: Element): boolean {
  if (URGENT.has(`${child.name} ${child.ns}`) || JINGLE_MESSAGES.has(child.ns)) return true
  if (OMEMO.has(child.ns)) return child.child('payload') !== undefined
  if (child.is('x', NS_MUC_USER)) return child.child('invite') !== undefined // XEP-0045 §7.8.2
  if (!child.is('encryption', 'urn:xmpp:eme:0')) return false
  return !message.elements.some(({ ns }) => OMEMO.has(ns)) // of OMEMO we know what is inside
}

/** An event of publish-subscribe (XEP-0060 §7.1.2.1): what happened to which items of which node. */
function ofEvent(event: Element, publisher: string): Importance {
  const what = event.elements[0]
  const node = what?.attrs.node
  if (!what || node === undefined) return IS_PATIENT
  const ids = SINGLE_ITEM.has(node) ? '' : what.elements.map(({ attrs }) => attrs.id).join(' ')
  return { kind: 'state', key: `event ${publisher} ${what.name} ${node} ${ids}` }
}
