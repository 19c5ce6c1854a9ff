// SPDX-License-Identifier: Apache-2.0
// Retrieving items (XEP-0060 §6.5), in pages (§6.5.4, XEP-0059).
import type { PubsubItem } from '../../store/pubsub-store.ts'
import { type Element, el } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { type Act, type Asked, visibleNode } from './asked.ts'
import { ITEMS_MAX } from './config.ts'
import { NS_PUBSUB, refusal } from './errors.ts'
import type { Node } from './node.ts'
import type { Shelf } from './shelf.ts'

const NS_RSM = 'http://jabber.org/protocol/rsm'
/** Characters of payloads in one answer; the first item is in it however long it is. */
const ANSWER_MAX = 512 * 1024
/** Items that are asked for by their ids at once. */
const IDS_MAX = 100

/** XEP-0060 §6.5. */
export const items: Act = async (asked) => {
  const { action, request, shelf, engine } = asked
  const mirror = request.own ? engine.mirrors.get(action.attrs.node ?? '') : undefined
  if (mirror) return itemsElement(action.attrs.node ?? '', await mirror.items(shelf))
  const node = visibleNode(asked)
  const wanted = action.childrenNamed('item')
  if (wanted.length > 0) return byIds(asked, node, wanted)
  const set = request.payload.child('set', NS_RSM)
  return page(shelf, node, set, numberIn(action.attrs.max_items))
}

/** XEP-0060 §6.5.8. Those that are there; an error if none is (§6.5.9.11). */
async function byIds({ shelf }: Asked, node: Node, wanted: readonly Element[]): Promise<Element> {
  if (wanted.length > IDS_MAX) throw refusal('modify', 'not-acceptable', undefined, 'Too many items at once.')
  const found: PubsubItem[] = []
  for (const id of new Set(wanted.map(({ attrs }) => attrs.id ?? ''))) {
    const item = await shelf.item(node, id)
    if (item) found.push(item)
  }
  if (found.length === 0) throw refusal('cancel', 'item-not-found')
  const { taken } = cut(found, false)
  return itemsElement(node.name, taken)
}

/** @param most `max_items`: the newest ones (§6.5.7) */
async function page(shelf: Shelf, node: Node, set: Element | undefined, most: number | undefined): Promise<Element> {
  const all = await shelf.ids(node)
  const last = set ? set.child('before') !== undefined : true
  const limit = Math.min(numberIn(set?.childText('max')) ?? most ?? ITEMS_MAX, ITEMS_MAX)
  const [after, before] = [set?.childText('after'), set?.childText('before')]
  const from = after ? indexOf(all, after) + 1 : 0
  const to = before ? indexOf(all, before) : all.length
  const range = {
    ...(from > 0 && { after: all[from - 1]?.time ?? 0 }),
    ...(to < all.length && { before: all[to]?.time ?? 0 }),
  }
  const found = limit === 0 ? [] : await shelf.items(node, { ...range, last, limit })
  const { taken, whole } = cut(found, last)
  const payload = itemsElement(node.name, taken)
  if (!set && whole) return payload
  const first = taken[0]?.id
  const index = all.findIndex(({ id }) => id === first)
  return payload.append(
    el(
      'set',
      NS_RSM,
      null,
      first !== undefined && el('first', NS_RSM, { index: index < 0 ? undefined : String(index) }, first),
      first !== undefined && el('last', NS_RSM, null, taken.at(-1)?.id ?? ''),
      el('count', NS_RSM, null, String(all.length)),
    ),
  )
}

function itemsElement(node: string, found: readonly PubsubItem[]): Element {
  return el(
    'pubsub',
    NS_PUBSUB,
    null,
    el(
      'items',
      NS_PUBSUB,
      { node },
      ...found.map(({ id, xml }) => el('item', NS_PUBSUB, { id }, xml !== '' && parseElement(xml))),
    ),
  )
}

/** As many as fit into one answer, from the end that was asked for. */
function cut(found: readonly PubsubItem[], last: boolean): { taken: readonly PubsubItem[]; whole: boolean } {
  const ordered = last ? found.toReversed() : found
  let size = 0
  let count = 0
  for (const { xml } of ordered) {
    size += xml.length
    if (count > 0 && size > ANSWER_MAX) break
    count++
  }
  const taken = ordered.slice(0, count)
  return { taken: last ? taken.toReversed() : taken, whole: count === found.length }
}

/** XEP-0059 §2.5: who continues after something that is gone begins anew. */
function indexOf(all: readonly { readonly id: string }[], id: string): number {
  const index = all.findIndex((item) => item.id === id)
  if (index < 0) throw refusal('cancel', 'item-not-found')
  return index
}

function numberIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text.trim())) return Number(text)
  throw refusal('modify', 'bad-request', undefined, 'A number, please.')
}
