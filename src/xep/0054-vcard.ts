// SPDX-License-Identifier: Apache-2.0
// XEP-0054: vcard-temp. An account's card: its owner writes it, everybody may read it (§5).
import type { Feature, FeatureContext, IqRequest } from '../core/feature.ts'
import type { Element } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { keepDocument } from './0049-private-xml.ts'
import { publishPhoto, splitCard, withAvatar } from './0398-avatar-conversion.ts'

const NS = 'vcard-temp'
/** The key of the document. */
const KEY = 'vcard-temp'

/** XEP-0054: vcard-temp. */
export const vcard: Feature = {
  name: 'vcard',
  implements: [{ xep: 54, version: '1.3.0', name: 'vcard-temp' }],
  setup: (ctx) => ({
    iq: [
      {
        at: ['account'],
        type: 'get',
        ns: NS,
        name: 'vCard',
        strangers: true,
        answer: (request) => read(request, ctx),
      },
      {
        at: ['account'],
        type: 'set',
        ns: NS,
        name: 'vCard',
        answer: (request) => write(request, ctx),
      },
    ],
    disco: { server: { features: [NS] }, account: { features: [NS] } },
  }),
}

/** XEP-0054 §3.1, §3.3: of somebody else a missing card looks like a missing account. */
async function read({ owner, own, account, from }: IqRequest, ctx: FeatureContext): Promise<Element> {
  const text = await ctx.store.documents.get(owner, KEY)
  const kept = text === undefined ? undefined : parseElement(text)
  const card = account ? await withAvatar(kept, account, from, ctx) : kept
  if (!card) throw new StanzaError('cancel', own ? 'item-not-found' : 'service-unavailable')
  return card
}

/** XEP-0054 §3.2; others get `service-unavailable`, as if there were no such account. */
async function write({ owner, payload, account }: IqRequest, ctx: FeatureContext): Promise<undefined> {
  if (!account) throw new StanzaError('cancel', 'service-unavailable')
  const { kept, photo } = splitCard(payload)
  await keepDocument(ctx, owner, KEY, kept.xml(''))
  await publishPhoto(photo, account, ctx)
  return undefined
}
