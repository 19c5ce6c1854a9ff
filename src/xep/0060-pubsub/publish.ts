// SPDX-License-Identifier: Apache-2.0
// Publishing and retracting (XEP-0060 §7), with preconditions (§7.1.5).
import { type Element, el } from '../../xml/element.ts'
import { NS_DATA, readAnswers } from '../../xmpp/0004-data-forms.ts'
import { type Act, type Asked, missing, newConfig, nodeName } from './asked.ts'
import { checkPreconditions, preconfigured } from './config.ts'
import { NS_PUBSUB, refusal } from './errors.ts'
import { mayCreate, mayPublish, type Node } from './node.ts'
import { newId } from './shelf.ts'

/** Bytes of one payload: an avatar fits, and it still fits into what clients are willing to read at once. */
const PAYLOAD_MAX = 192 * 1024

/** XEP-0060 §7.1; the owner's node is made when it is missing (§7.1.4). */
export const publish: Act = async (asked) => {
  const { request, shelf, engine } = asked
  const name = nodeName(asked)
  const { id, xml } = itemIn(asked.action)
  const item = { id, xml, publisher: request.from.bare.key }
  const options = request.payload.child('publish-options')
  const answers = options && readAnswers(options)
  const names = options ? namesIn(options) : []
  const mirror = request.own ? engine.mirrors.get(name) : undefined
  if (mirror) await mirror.publish(shelf, item)
  else
    await engine.change(shelf, name, (node) => {
      checkPublisher(asked, node)
      if (node) checkPreconditions(node.config, answers, names)
      return { put: [item], create: node ? node.config : preconfigured(newConfig(asked), answers, names) }
    })
  return el('pubsub', NS_PUBSUB, null, el('publish', NS_PUBSUB, { node: name }, el('item', NS_PUBSUB, { id })))
}

/** XEP-0060 §7.2. */
export const retract: Act = async (asked) => {
  const { request, shelf, engine, action } = asked
  const name = nodeName(asked)
  const [item, ...others] = action.childrenNamed('item')
  const id = item?.attrs.id
  if (!id || others.length > 0) throw refusal('modify', 'bad-request', 'item-required')
  const { notify } = action.attrs
  await engine.change(shelf, name, async (node) => {
    if (!node) throw missing(shelf, request.from)
    checkPublisher(asked, node)
    if (!(await shelf.item(node, id))) throw refusal('cancel', 'item-not-found')
    const told = notify === undefined ? {} : { tellRemoved: notify === '1' || notify === 'true' }
    return { remove: [id], create: node.config, ...told }
  })
  return undefined
}

/** XEP-0060 §7.1.3.1; not everybody makes nodes. */
function checkPublisher({ shelf, request }: Asked, node: Node | undefined): void {
  if (!node && mayCreate(request.from, shelf.owner)) return
  if (!node) throw missing(shelf, request.from)
  if (!mayPublish(node, request.from, shelf.owner)) throw refusal('auth', 'forbidden')
}

/** XEP-0060 §7.1.3.5, §7.1.3.6. */
function itemIn(action: Element): { readonly id: string; readonly xml: string } {
  const [item, ...others] = action.childrenNamed('item')
  if (!item) throw refusal('modify', 'bad-request', 'item-required')
  if (others.length > 0) throw refusal('cancel', 'not-allowed', 'max-items-exceeded', 'One item at a time.')
  const [payload, ...more] = item.elements
  if (!payload) throw refusal('modify', 'bad-request', 'payload-required')
  if (more.length > 0) throw refusal('modify', 'bad-request', 'invalid-payload')
  const xml = payload.xml('')
  if (Buffer.byteLength(xml) > PAYLOAD_MAX) throw refusal('modify', 'not-acceptable', 'payload-too-big')
  return { id: item.attrs.id || newId(), xml }
}

/** The names of the fields of a form, without the one that says which form it is. */
function namesIn(options: Element): readonly string[] {
  const fields = options.child('x', NS_DATA)?.childrenNamed('field') ?? []
  return fields.flatMap(({ attrs }) => (attrs.var === undefined || attrs.var === 'FORM_TYPE' ? [] : [attrs.var]))
}
