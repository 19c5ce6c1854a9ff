// SPDX-License-Identifier: Apache-2.0
// Subscribing and unsubscribing (XEP-0060 §6.1, §6.2), and what somebody has to do with the nodes of an account (§5.6, §5.7).
import { type Element, el } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { type Act, isOutsider, jidIn, missing, nodeOf } from './asked.ts'
import { requestApproval } from './authorize.ts'
import { NS_PUBSUB, refusal } from './errors.ts'
import { hidden, type Node } from './node.ts'

/** Subscriptions of one user to one node, so that nobody takes the places of all. */
const EACH_MAX = 20

/** XEP-0060 §6.1. */
export const subscribe: Act = async (asked) => {
  const { request, shelf, engine, action } = asked
  const { from } = request
  const jid = jidIn(action)
  if (!jid.bare.equals(from.bare)) throw refusal('modify', 'bad-request', 'invalid-jid')
  const { node, state, known } = await shelf.inTurn(async () => {
    const node = nodeOf(asked)
    const known = node.subscriptions.get(jid.key)
    if (known !== undefined) return { node, state: known, known: true }
    const refused = hidden(node, jid, shelf.owner)
    const asks =
      refused?.type === 'auth' && refused.condition === 'not-authorized' && node.config.access === 'authorize'
    if (refused && !asks) throw refused
    const state = asks ? 'pending' : 'subscribed'
    const others = [...node.subscriptions.keys()].filter((key) => belongs(key, jid))
    if (others.length >= EACH_MAX) throw refusal('wait', 'policy-violation', 'too-many-subscriptions')
    await shelf.subscribe(node, new Map([[jid.key, state]]))
    return { node, state, known: false }
  })
  if (!known && state === 'pending') requestApproval(asked, node, jid)
  if (!known && state === 'subscribed' && node.config.sendLast !== 'never') await engine.notifier.last(shelf, node, jid)
  return el('pubsub', NS_PUBSUB, null, subscriptionElement(node, jid.key, state))
}

/** XEP-0060 §6.2. */
export const unsubscribe: Act = async (asked) => {
  const { request, shelf, action } = asked
  const jid = jidIn(action)
  if (!jid.bare.equals(request.from.bare)) throw refusal('auth', 'forbidden')
  return shelf.inTurn(async () => {
    const node = nodeOf(asked)
    if (!node.subscriptions.has(jid.key)) throw refusal('cancel', 'unexpected-request', 'not-subscribed')
    await shelf.subscribe(node, new Map([[jid.key, 'none']]))
    return undefined
  })
}

/** XEP-0060 §5.6. */
export const subscriptions: Act = async (asked) => {
  const { from } = asked.request
  const found = nodesAsked(asked).flatMap((node) =>
    [...node.subscriptions].flatMap(([jid, state]) =>
      belongs(jid, from) ? [subscriptionElement(node, jid, state)] : [],
    ),
  )
  if (found.length === 0 && isOutsider(asked.shelf, from)) throw missing(asked.shelf, from)
  return el('pubsub', NS_PUBSUB, null, el('subscriptions', NS_PUBSUB, { node: asked.action.attrs.node }, ...found))
}

/** XEP-0060 §5.7. */
export const affiliations: Act = async (asked) => {
  const { from, own } = asked.request
  const found = nodesAsked(asked).flatMap((node) => {
    const affiliation = own ? 'owner' : node.affiliations.get(from.bare.key)
    return affiliation ? [el('affiliation', NS_PUBSUB, { node: node.name, affiliation })] : []
  })
  if (found.length === 0 && isOutsider(asked.shelf, from)) throw missing(asked.shelf, from)
  return el('pubsub', NS_PUBSUB, null, el('affiliations', NS_PUBSUB, { node: asked.action.attrs.node }, ...found))
}

function nodesAsked(asked: Parameters<Act>[0]): readonly Node[] {
  return asked.action.attrs.node === undefined ? [...asked.shelf.nodes] : [nodeOf(asked)]
}

function belongs(jid: string, { bare }: Jid): boolean {
  return jid === bare.key || jid.startsWith(`${bare.key}/`)
}

function subscriptionElement({ name }: Node, jid: string, subscription: string): Element {
  return el('subscription', NS_PUBSUB, { node: name, jid, subscription })
}
