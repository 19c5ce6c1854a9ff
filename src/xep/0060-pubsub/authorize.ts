// SPDX-License-Identifier: Apache-2.0
// Subscriptions that an owner has to approve (XEP-0060 §8.6): a form to the owner, and the answer.
import { el } from '../../xml/element.ts'
import { formElement, NS_DATA, readAnswers } from '../../xmpp/0004-data-forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import type { Asked } from './asked.ts'
import type { Pubsub } from './engine.ts'
import { NS_PUBSUB } from './errors.ts'
import { isOwner, type Node } from './node.ts'
import type { Shelf } from './shelf.ts'

const FORM = `${NS_PUBSUB}#subscribe_authorization`

/** XEP-0060 §8.6.1: asks the owner's clients that are there (at a service, who made the node); whoever comes later finds it among the subscriptions (§8.8.1). */
export function requestApproval({ shelf, engine }: Asked, node: Node, jid: Jid): void {
  const form = formElement({
    formType: FORM,
    title: 'Somebody wants to subscribe',
    fields: [
      { name: 'pubsub#node', type: 'text-single', label: 'Node', values: [node.name] },
      { name: 'pubsub#subscriber_jid', type: 'jid-single', label: 'Who', values: [jid.key] },
      { name: 'pubsub#allow', type: 'boolean', label: 'Allow it?', values: ['0'] },
    ],
  })
  const message = el('message', NS_CLIENT, { type: 'headline' }, form)
  const { jid: from, rules } = shelf.owner
  const to = rules ? makerOf(node) : from
  if (to) engine.notifier.deliver(Stanza.of(message, from, to))
}

/** Whether a message is an answer to such a form; `approve` sees who may give it. */
export function isApproval(stanza: Stanza): boolean {
  if (stanza.kind !== 'message') return false
  const form = stanza.element.child('x', NS_DATA)
  return form?.attrs.type === 'submit' && readAnswers(stanza.element)?.formType === FORM
}

/** XEP-0060 §8.6.2. @returns false if there is nothing that the sender could answer (any more) */
export async function approve(stanza: Stanza, shelf: Shelf, engine: Pubsub): Promise<boolean> {
  const answers = readAnswers(stanza.element)
  const jid = Jid.tryParse(answers?.text('pubsub#subscriber_jid'))
  const { from } = stanza
  if (!answers || !jid || !from) return false
  const state = answers.flag('pubsub#allow') ? 'subscribed' : 'none'
  const node = await shelf.inTurn(async () => {
    const node = shelf.node(answers.text('pubsub#node') ?? '')
    if (node?.subscriptions.get(jid.key) !== 'pending' || !isOwner(node, from, shelf.owner)) return undefined
    await shelf.subscribe(node, new Map([[jid.key, state]]))
    return node
  })
  if (!node) return false
  await engine.notifier.subscription(shelf, node, jid, state)
  if (state === 'subscribed' && node.config.sendLast !== 'never') await engine.notifier.last(shelf, node, jid)
  return true
}

/** At a service only who made the node is asked: to be made an owner by somebody is no reason to be pestered. */
function makerOf({ config, affiliations }: Node): Jid | undefined {
  return config.creator !== undefined && affiliations.get(config.creator) === 'owner'
    ? Jid.parse(config.creator)
    : undefined
}
