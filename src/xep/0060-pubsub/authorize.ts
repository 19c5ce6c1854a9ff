// SPDX-License-Identifier: Apache-2.0
// Subscriptions that an owner has to approve (XEP-0060 §8.6): a form to the owner, and the answer.
import type { LocalAccount } from '../../core/directory.ts'
import { el } from '../../xml/element.ts'
import { formElement, NS_DATA, readAnswers } from '../../xmpp/0004-data-forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import type { Asked } from './asked.ts'
import type { Pubsub } from './engine.ts'
import { NS_PUBSUB } from './errors.ts'
import type { Node } from './node.ts'

const FORM = `${NS_PUBSUB}#subscribe_authorization`

/** XEP-0060 §8.6.1: asks the owner's clients that are there; whoever comes later finds it among the subscriptions (§8.8.1). */
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
  engine.notifier.deliver(Stanza.of(message, shelf.account.jid, shelf.account.jid))
}

/** Whether a message is an owner's answer to such a form. */
export function isApproval(stanza: Stanza, { jid }: LocalAccount): boolean {
  if (stanza.kind !== 'message' || !stanza.from?.bare.equals(jid)) return false
  const form = stanza.element.child('x', NS_DATA)
  return form?.attrs.type === 'submit' && readAnswers(stanza.element)?.formType === FORM
}

/** XEP-0060 §8.6.2. What is no longer asked for is not answered. */
export async function approve(stanza: Stanza, account: LocalAccount, engine: Pubsub): Promise<void> {
  const answers = readAnswers(stanza.element)
  const jid = Jid.tryParse(answers?.text('pubsub#subscriber_jid'))
  const shelf = await engine.shelf(account)
  if (!answers || !jid) return
  const state = answers.flag('pubsub#allow') ? 'subscribed' : 'none'
  const node = await shelf.inTurn(async () => {
    const node = shelf.node(answers.text('pubsub#node') ?? '')
    if (node?.subscriptions.get(jid.key) !== 'pending') return undefined
    await shelf.subscribe(node, new Map([[jid.key, state]]))
    return node
  })
  if (!node) return
  await engine.notifier.subscription(shelf, node, jid, state)
  if (state === 'subscribed' && node.config.sendLast !== 'never') await engine.notifier.last(shelf, node, jid)
}
