// SPDX-License-Identifier: Apache-2.0
// XEP-0049: Private XML Storage. What clients keep for themselves with the server: one document for each kind of element,
// within a quota that all documents of an account share.
import type { Feature, FeatureContext, IqRequest } from '../core/feature.ts'
import { type Element, el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/stanza.ts'
import { isBookmarks, readBookmarks, writeBookmarks } from './0402-bookmarks.ts'

const NS = 'jabber:iq:private'
/** More kinds of element than any client asks for at once. */
const KINDS_MAX = 20

/** XEP-0049: Private XML Storage. Others than the owner get `service-unavailable` from the router (§2.3). */
export const privateXml: Feature = {
  name: 'private-xml',
  implements: [{ xep: 49, version: '1.2', name: 'Private XML Storage' }],
  setup: (ctx) => ({
    iq: [
      { at: ['account'], type: 'get', ns: NS, name: 'query', answer: (request) => read(request, ctx) },
      { at: ['account'], type: 'set', ns: NS, name: 'query', answer: (request) => write(request, ctx) },
    ],
    disco: { server: { features: [NS] } },
  }),
}

/**
 * Puts a document in the place of the one with the same key, if all of the owner's then fit into the quota.
 * @throws StanzaError `resource-constraint` (RFC 6120 §8.3.3.18) if they do not
 */
export async function keepDocument(ctx: FeatureContext, owner: Jid, key: string, text: string): Promise<void> {
  const { documents } = ctx.store
  const [all, before] = await Promise.all([documents.size(owner), documents.get(owner, key)])
  const size = all - Buffer.byteLength(before ?? '') + Buffer.byteLength(text)
  if (size > ctx.limits.privateBytes) {
    throw new StanzaError('wait', 'resource-constraint', 'There is no room for this; remove something else first.')
  }
  await documents.put(owner, key, text)
}

/** What was never stored comes back as it was asked for: empty. */
async function read({ payload, owner, account }: IqRequest, ctx: FeatureContext): Promise<Element> {
  const { store } = ctx
  const kinds = [...kindsIn(payload)]
  const found = await Promise.all(
    kinds.map(async ([key, asked]) => {
      const shared = account && asked[0] && isBookmarks(asked[0]) ? await readBookmarks(account, ctx) : undefined
      if (shared) return [shared]
      const text = await store.documents.get(owner, key)
      if (text === undefined) return asked.slice(0, 1).map((element) => el(element.name, element.ns))
      return parseElement(`<all>${text}</all>`).elements
    }),
  )
  return el('query', NS, null, ...found.flat())
}

async function write({ payload, owner, account }: IqRequest, ctx: FeatureContext): Promise<undefined> {
  for (const [key, elements] of kindsIn(payload)) {
    const [first] = elements
    if (account && first && elements.length === 1 && isBookmarks(first)) {
      await writeBookmarks(account, first, ctx)
      continue
    }
    await keepDocument(ctx, owner, key, elements.map((element) => element.xml('')).join(''))
  }
  return undefined
}

/** XEP-0049 §2.3: at least one element, in a namespace of its own, and all in the same one. */
function kindsIn(payload: Element): ReadonlyMap<string, readonly Element[]> {
  const { elements } = payload
  const ns = elements[0]?.ns ?? ''
  if (ns === '' || ns === NS || ns === NS_CLIENT || elements.some((element) => element.ns !== ns)) {
    throw new StanzaError('modify', 'not-acceptable', 'Elements of one namespace other than ours, please.')
  }
  const kinds = Map.groupBy(elements, (element) => `private {${element.ns}}${element.name}`)
  if (kinds.size > KINDS_MAX) throw new StanzaError('modify', 'not-acceptable', 'Too many elements at once.')
  return kinds
}
