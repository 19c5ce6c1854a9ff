// SPDX-License-Identifier: Apache-2.0
// What owners do: create, configure, delete, purge, and manage who may do what (XEP-0060 §8).
import { type Element, el } from '../../xml/element.ts'
import { NS_DATA, readAnswers } from '../../xmpp/0004-data-forms.ts'
import type { StanzaError } from '../../xmpp/errors.ts'
import { type Act, type Asked, jidIn, missing, newConfig, nodeOf, ownedNode } from './asked.ts'
import { configForm, configured } from './config.ts'
import { NS_OWNER, NS_PUBSUB, refusal } from './errors.ts'
import { AFFILIATIONS, mayCreate, type Node, STATES } from './node.ts'
import { newId } from './shelf.ts'

/** Entries of one request. */
const ENTRIES_MAX = 1000

/** XEP-0060 §8.1. */
export const create: Act = async (asked) => {
  const { request, action, shelf, engine } = asked
  if (!mayCreate(request.from, shelf.owner)) throw mayNotCreate(asked)
  const name = action.attrs.node || newId()
  const form = request.payload.child('configure')
  const config = configured(newConfig(asked), form && readAnswers(form))
  await shelf.inTurn(async () => {
    if (shelf.node(name) || (request.own && engine.mirrors.has(name))) throw refusal('cancel', 'conflict')
    await shelf.create(name, config)
  })
  return el('pubsub', NS_PUBSUB, null, el('create', NS_PUBSUB, { node: name }))
}

/** XEP-0060 §8.2.1. */
export const configuration: Act = async (asked) => {
  const node = ownedNode(asked)
  return owners(el('configure', NS_OWNER, { node: node.name }, configForm(node.config)))
}

/** XEP-0060 §8.3. */
export const defaults: Act = async (asked) => owners(el('default', NS_OWNER, null, configForm(newConfig(asked))))

/** XEP-0060 §8.2.4, §8.2.5. A form that is cancelled changes nothing. */
export const configure: Act = async (asked) => {
  const { action, shelf, engine } = asked
  if (action.child('x', NS_DATA)?.attrs.type === 'cancel') return undefined
  const answers = readAnswers(action)
  if (!answers) throw refusal('modify', 'bad-request')
  await shelf.inTurn(async () => {
    const node = ownedNode(asked)
    await shelf.configure(node, configured(node.config, answers))
    await engine.notifier.configured(shelf, node)
  })
  return undefined
}

/** XEP-0060 §8.4. Who could see the node learns that it is gone. */
export const remove: Act = async (asked) => {
  const { shelf, engine } = asked
  await engine.remove(shelf, () => ownedNode(asked))
  return undefined
}

/** XEP-0060 §8.5. */
export const purge: Act = async (asked) => {
  const { shelf, engine } = asked
  await engine.purge(shelf, () => ownedNode(asked))
  return undefined
}

/** XEP-0060 §8.8.1. */
export const subscriptions: Act = async (asked) => {
  const node = ownedNode(asked)
  return owners(list('subscriptions', node, node.subscriptions))
}

/** XEP-0060 §8.8.2. */
export const setSubscriptions: Act = async (asked) => {
  const { shelf, engine } = asked
  const changes = entries(asked, 'subscription', STATES, (jid) => jid.key)
  const node = await shelf.inTurn(async () => {
    const node = ownedNode(asked)
    if (shelf.owner.rules && [...changes.keys()].some((key) => !node.subscriptions.has(key)))
      throw refusal('cancel', 'not-allowed', undefined, 'Only who has asked for it can be subscribed.') // or it is a way to pester everybody
    await shelf.subscribe(node, new Map([...changes].map(([key, { value }]) => [key, value])))
    return node
  })
  for (const { jid, value } of changes.values()) await engine.notifier.subscription(shelf, node, jid, value)
  return undefined
}

/** XEP-0060 §8.9.1. */
export const affiliations: Act = async (asked) => {
  const node = ownedNode(asked)
  const { jid, rules } = asked.shelf.owner
  const all = rules ? node.affiliations : new Map([[jid.key, 'owner'], ...node.affiliations])
  return owners(list('affiliations', node, all))
}

/** XEP-0060 §8.9.2. The account itself stays the owner, and a node of a service has one (§8.9.2.4). */
export const setAffiliations: Act = async (asked) => {
  const { shelf } = asked
  const changes = entries(asked, 'affiliation', AFFILIATIONS, (jid) => jid.bare.key)
  await shelf.inTurn(async () => {
    const node = ownedNode(asked)
    const all = new Map([...node.affiliations, ...[...changes].map(([key, { value }]) => [key, value] as const)])
    const orphaned = shelf.owner.rules && ![...all.values()].includes('owner')
    if (orphaned || changes.has(shelf.owner.jid.key)) throw refusal('cancel', 'not-acceptable')
    await shelf.affiliate(node, new Map([...changes].map(([key, { value }]) => [key, value])))
  })
  return undefined
}

function mayNotCreate({ request, action, shelf }: Asked): StanzaError {
  const known = shelf.node(action.attrs.node ?? '') !== undefined || shelf.owner.rules !== undefined
  return known ? refusal('auth', 'forbidden') : missing(shelf, request.from)
}

function owners(child: Element): Element {
  return el('pubsub', NS_OWNER, null, child)
}

function list(name: 'subscriptions' | 'affiliations', node: Node, people: ReadonlyMap<string, string>): Element {
  const one = name.slice(0, -1)
  return el(
    name,
    NS_OWNER,
    { node: node.name },
    ...[...people].map(([jid, value]) => el(one, NS_OWNER, { jid, [one]: value })),
  )
}

function entries(
  asked: Asked,
  name: 'subscription' | 'affiliation',
  values: readonly string[],
  keyOf: (jid: ReturnType<typeof jidIn>) => string,
): ReadonlyMap<string, { readonly jid: ReturnType<typeof jidIn>; readonly value: string }> {
  nodeOf(asked)
  const all = asked.action.childrenNamed(name)
  if (all.length === 0 || all.length > ENTRIES_MAX) throw refusal('modify', 'bad-request')
  return new Map(
    all.map((entry) => {
      const jid = jidIn(entry)
      const value = entry.attrs[name] ?? ''
      if (!values.includes(value)) throw refusal('modify', 'not-acceptable')
      return [keyOf(jid), { jid, value }]
    }),
  )
}
