// SPDX-License-Identifier: Apache-2.0
// XEP-0402: PEP Native Bookmarks, the only place where bookmarks are. Clients of the older protocols (XEP-0048 in private XML,
// and over PEP) see the same ones, and what they write becomes items (§5, XEP-0411).
import type { LocalAccount } from '../core/directory.ts'
import type { Feature, FeatureContext } from '../core/feature.ts'
import type { PubsubItem } from '../store/pubsub-store.ts'
import { type Element, el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { Jid } from '../xmpp/jid.ts'
import { DEFAULT_CONFIG, ITEMS_MAX, type NodeConfig } from './0060-pubsub/config.ts'
import { pubsubOf } from './0060-pubsub/engine.ts'
import { refusal } from './0060-pubsub/errors.ts'
import type { Shelf } from './0060-pubsub/shelf.ts'

const NS = 'urn:xmpp:bookmarks:1'
const NS_LEGACY = 'storage:bookmarks'
/** What of the older format are no bookmarks of rooms: web pages, above all. The key of a document. */
const REST = 'bookmarks-rest'

/** XEP-0402 §3.1: for nobody else. */
const CONFIG: NodeConfig = { ...DEFAULT_CONFIG, access: 'whitelist', maxItems: 'max', sendLast: 'never' }

/** XEP-0402: PEP Native Bookmarks. */
export const bookmarks: Feature = {
  name: 'bookmarks',
  implements: [
    { xep: 402, version: '1.2.0', name: 'PEP Native Bookmarks' },
    { xep: 48, version: '1.2', name: 'Bookmarks' },
    { xep: 411, version: '1.1.0', name: 'Bookmarks Conversion' },
  ],
  setup(ctx) {
    return {
      start() {
        const engine = pubsubOf(ctx)
        engine.mirrors.set(NS_LEGACY, {
          items: async (shelf) => [legacyItem(shelf, await storageOf(shelf, ctx))],
          async publish(shelf, { xml }) {
            const storage = parseElement(xml)
            if (!isBookmarks(storage)) throw refusal('modify', 'bad-request', 'invalid-payload')
            await write(shelf, storage, ctx)
          },
        })
        engine.onChange(async ({ shelf, node }) => {
          if (node.name !== NS) return
          await engine.notifier.toOwner(shelf, NS_LEGACY, async () => legacyItem(shelf, await storageOf(shelf, ctx)))
        })
      },
      disco: {
        account: { features: [`${NS}#compat`, `${NS}#compat-pep`, 'urn:xmpp:bookmarks-conversion:0'] },
      },
    }
  },
}

/** Whether an element of private XML is the bookmarks of XEP-0048. */
export function isBookmarks(element: Element): boolean {
  return element.is('storage', NS_LEGACY)
}

/** The bookmarks as XEP-0048 has them; undefined if there never were any. */
export async function readBookmarks(account: LocalAccount, ctx: FeatureContext): Promise<Element | undefined> {
  const shelf = await pubsubOf(ctx).shelf(account)
  const storage = await storageOf(shelf, ctx)
  return shelf.node(NS) || storage.elements.length > 0 ? storage : undefined
}

/** Puts the bookmarks of XEP-0048 in the place of all there are. */
export async function writeBookmarks(account: LocalAccount, storage: Element, ctx: FeatureContext): Promise<void> {
  await write(await pubsubOf(ctx).shelf(account), storage, ctx)
}

async function write(shelf: Shelf, storage: Element, ctx: FeatureContext): Promise<void> {
  const rooms = new Map<string, Element>()
  const rest: Element[] = []
  for (const child of storage.elements) {
    const jid = child.is('conference', NS_LEGACY) ? Jid.tryParse(child.attrs.jid) : undefined
    if (jid) rooms.set(jid.bare.key, child)
    else rest.push(child)
  }
  if (rooms.size > ITEMS_MAX) throw refusal('wait', 'resource-constraint', undefined, 'There are too many bookmarks.')
  const text = rest.map((child) => child.xml('')).join('')
  if (Buffer.byteLength(text) > ctx.limits.privateBytes) throw refusal('wait', 'resource-constraint')
  if (text === '') await ctx.store.documents.remove(shelf.owner.jid, REST)
  else await ctx.store.documents.put(shelf.owner.jid, REST, text)
  await pubsubOf(ctx).change(shelf, NS, async (node) => {
    const current = new Map((await itemsIn(shelf)).map(({ id, xml }) => [id, xml]))
    const put: PubsubItem[] = []
    for (const [id, room] of rooms) {
      const before = current.get(id)
      const xml = converted(room, before === undefined ? undefined : parseElement(before)).xml('')
      if (xml !== before) put.push({ id, xml, publisher: shelf.owner.jid.key })
    }
    const remove = [...current.keys()].filter((id) => !rooms.has(id))
    if (put.length === 0 && remove.length === 0 && node) return undefined
    return { put, remove, create: CONFIG, tellRemoved: true }
  })
}

/** XEP-0402 §5: what the older format cannot say stays as it was. */
function converted(room: Element, before: Element | undefined): Element {
  const { name, autojoin } = room.attrs
  const [nick, password] = [room.childText('nick'), room.childText('password')]
  const others = before?.elements.filter((child) => !child.is('nick', NS) && !child.is('password', NS)) ?? []
  return el(
    'conference',
    NS,
    { ...before?.attrs, name, autojoin },
    nick !== undefined && el('nick', NS, null, nick),
    password !== undefined && el('password', NS, null, password),
    ...others,
  )
}

async function storageOf(shelf: Shelf, ctx: FeatureContext): Promise<Element> {
  const rest = await ctx.store.documents.get(shelf.owner.jid, REST)
  const rooms = (await itemsIn(shelf)).map(({ id, xml }) => legacy(id, parseElement(xml)))
  return el('storage', NS_LEGACY, null, ...rooms, ...(rest ? parseElement(`<all>${rest}</all>`).elements : []))
}

function legacy(jid: string, conference: Element): Element {
  const { name, autojoin } = conference.attrs
  const texts = ['nick', 'password'].flatMap((child) => {
    const text = conference.childText(child, NS)
    return text === undefined ? [] : [el(child, NS_LEGACY, null, text)]
  })
  return el('conference', NS_LEGACY, { jid, name, autojoin }, ...texts)
}

function legacyItem({ owner }: Shelf, storage: Element): PubsubItem {
  return { id: 'current', publisher: owner.jid.key, xml: storage.xml('') }
}

async function itemsIn(shelf: Shelf): Promise<readonly PubsubItem[]> {
  const node = shelf.node(NS)
  return node ? shelf.items(node, { limit: ITEMS_MAX }) : []
}
