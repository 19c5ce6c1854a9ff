// SPDX-License-Identifier: Apache-2.0
// What requests have in common: which shelf, which node, and what somebody who may not know learns.
import type { IqRequest } from '../../core/feature.ts'
import { seesUs } from '../../core/roster.ts'
import type { Element } from '../../xml/element.ts'
import type { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { DEFAULT_CONFIG, type NodeConfig, serviceConfig } from './config.ts'
import type { Pubsub } from './engine.ts'
import { refusal } from './errors.ts'
import { hidden, isOwner, type Node } from './node.ts'
import type { Shelf } from './shelf.ts'

/** A request, with the shelf that it is for. */
export interface Asked {
  readonly request: IqRequest
  /** The child of the payload that says what is wanted. */
  readonly action: Element
  readonly shelf: Shelf
  readonly engine: Pubsub
}

/** What answers a kind of request. */
export type Act = (asked: Asked) => Promise<Element | undefined>

/** Who asks has neither our presence nor anything that is open to all: to them the account looks as if it did not exist. */
export function isOutsider({ owner, nodes }: Shelf, from: Jid): boolean {
  if (!owner.roster) return false // everybody may know a service
  if (from.bare.equals(owner.jid) || seesUs(owner.roster.item(from.bare))) return false
  for (const node of nodes) if (node.config.access === 'open' || node.affiliations.has(from.bare.key)) return false
  return true
}

/** There is no such node (XEP-0060 §6.1.3.11 and others), or none that somebody may know of (RFC 6120 §8.3.3.19). */
export function missing(shelf: Shelf, from: Jid): StanzaError {
  return isOutsider(shelf, from) ? refusal('cancel', 'service-unavailable') : refusal('cancel', 'item-not-found')
}

/** The name of the node that is asked about. @throws StanzaError `nodeid-required` */
export function nodeName({ action }: Asked): string {
  const { node } = action.attrs
  if (!node) throw refusal('modify', 'bad-request', 'nodeid-required')
  return node
}

/** The node that is asked about. */
export function nodeOf(asked: Asked): Node {
  const node = asked.shelf.node(nodeName(asked))
  if (!node) throw missing(asked.shelf, asked.request.from)
  return node
}

/** The same, if the asker may see what is in it. */
export function visibleNode(asked: Asked): Node {
  const node = nodeOf(asked)
  const refused = hidden(node, asked.request.from, asked.shelf.owner)
  if (refused) throw refused
  return node
}

/** The same, if the asker is one of its owners. */
export function ownedNode(asked: Asked): Node {
  const node = nodeOf(asked)
  if (!isOwner(node, asked.request.from, asked.shelf.owner)) throw refusal('auth', 'forbidden')
  return node
}

/** What a node is that the asker makes. */
export function newConfig({ shelf, request }: Asked): NodeConfig {
  return shelf.owner.rules ? serviceConfig(request.from.bare.key) : DEFAULT_CONFIG
}

/** Answers a request by the name of its first child. */
export function dispatch(
  acts: Readonly<Record<string, Act>>,
  otherwise: (action: Element) => StanzaError,
): (request: IqRequest, engine: Pubsub) => Promise<Element | undefined> {
  return async (request, engine) => {
    const { payload, account, owner, from } = request
    const action = payload.elements.find(({ ns }) => ns === payload.ns)
    const shelf = account ? await engine.shelf(account) : await engine.shelfOf(owner)
    if (!shelf) throw refusal('cancel', 'service-unavailable')
    const act = action && Object.hasOwn(acts, action.name) ? acts[action.name] : undefined
    // Before anything is looked at: what is wrong with a question would tell that there is somebody who read it. Who asks
    // for subscriptions may have some that wait for approval; that answer hides the account itself.
    const mayAct = shelf.node(action?.attrs.node ?? '') !== undefined || (act && action?.name === 'subscriptions')
    if (!mayAct && isOutsider(shelf, from)) throw missing(shelf, from)
    if (!action) throw refusal('modify', 'bad-request')
    if (!act) throw otherwise(action)
    return act({ request, action, shelf, engine })
  }
}

/** An address in an attribute. @throws StanzaError `invalid-jid` (XEP-0060 §6.1.3.1) */
export function jidIn({ attrs }: Element): Jid {
  const jid = Jid.tryParse(attrs.jid)
  if (!jid) throw refusal('modify', 'bad-request', 'invalid-jid')
  return jid
}
