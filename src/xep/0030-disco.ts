// SPDX-License-Identifier: Apache-2.0
// XEP-0030: Service Discovery. Puts together what all features announce about our domains and accounts, with the forms of
// XEP-0128. Accounts are described only to those who may see their presence: nobody else learns that they exist.
import type {
  Announcement,
  Disclosed,
  DiscoRequest,
  Feature,
  FeatureContext,
  IqRequest,
  MaybeAsync,
} from '../core/feature.ts'
import { seesUs } from '../core/roster.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'

/** XEP-0030 §3. */
export const NS_INFO = 'http://jabber.org/protocol/disco#info'
/** XEP-0030 §4. */
export const NS_ITEMS = 'http://jabber.org/protocol/disco#items'

/** Where somebody may ask. */
type Place = 'server' | 'account'

const OURS: Disclosed = { features: [NS_INFO, NS_ITEMS] }
const ACCOUNT: Disclosed = { identities: [{ category: 'account', type: 'registered' }], features: [NS_INFO, NS_ITEMS] }

/** XEP-0030: Service Discovery, and XEP-0128: Service Discovery Extensions. */
export const disco: Feature = {
  name: 'disco',
  implements: [
    { xep: 30, version: '2.5.0', name: 'Service Discovery' },
    { xep: 128, version: '1.0.1', name: 'Service Discovery Extensions' },
  ],
  setup: (ctx) => ({
    iq: [
      {
        at: ['server', 'account', 'service'],
        type: 'get',
        ns: NS_INFO,
        name: 'query',
        strangers: true,
        answer: (request) => info(request, ctx),
      },
      {
        at: ['server', 'account', 'service'],
        type: 'get',
        ns: NS_ITEMS,
        name: 'query',
        strangers: true,
        answer: (request) => items(request, ctx),
      },
    ],
    disco: { server: OURS, account: ACCOUNT },
  }),
}

/** Everything that is announced at a place, without a node (XEP-0030 §3.1). */
export function disclosedAt(place: Place, { announced, software }: FeatureContext): Disclosed {
  const all = announced().flatMap((one) => one[place] ?? [])
  if (place === 'account') return together(all)
  return together([{ identities: [{ category: 'server', type: 'im', name: software.name }] }, ...all])
}

/** The answer to `disco#info` (XEP-0030 §3.1). Nothing stands in it twice: XEP-0115 §5.4 would have it ignored. */
export function infoElement({ identities = [], features = [], forms }: Disclosed, node?: string): Element {
  const kinds = new Map(identities.toReversed().map((identity) => [`${identity.category}/${identity.type}`, identity]))
  return el(
    'query',
    NS_INFO,
    { node },
    ...[...kinds.values()].reverse().map((identity) => el('identity', NS_INFO, identity)),
    ...[...new Set(features)].map((feature) => el('feature', NS_INFO, { var: feature })),
    ...(forms?.() ?? []),
  )
}

function together(disclosed: readonly Disclosed[]): Disclosed {
  return {
    identities: disclosed.flatMap((one) => one.identities ?? []),
    features: disclosed.flatMap((one) => one.features ?? []),
    forms: () => disclosed.flatMap((one) => one.forms?.() ?? []),
  }
}

async function info(request: IqRequest, ctx: FeatureContext): Promise<Element> {
  const asked = asDisco(request)
  if (!asked.node) {
    if (!maySee(request)) throw new StanzaError('cancel', 'service-unavailable')
    if (request.service && request.owner.local !== undefined) {
      const about = await request.service.info?.(asked)
      if (!about) throw nothingThere(request)
      return infoElement(together([about, OURS]), asked.node)
    }
    if (request.service) return infoElement(together([request.service.about, OURS]), asked.node)
    return infoElement(disclosedAt(request.account ? 'account' : 'server', ctx), asked.node)
  }
  const found = await ask(request, ctx, (one) => one.info?.(asked))
  if (found.length === 0) throw nothingThere(request)
  return infoElement(together(found), asked.node)
}

async function items(request: IqRequest, ctx: FeatureContext): Promise<Element> {
  const asked = asDisco(request)
  const found = await ask(request, ctx, (one) => one.items?.(asked))
  if (found.length === 0 && (asked.node || !maySee(request))) throw nothingThere(request)
  const services = request.account || request.service || asked.node ? [] : ctx.router.services.of(request.owner.domain)
  return el(
    'query',
    NS_ITEMS,
    { node: asked.node },
    ...services.map((jid) => el('item', NS_ITEMS, { jid })),
    ...found.flat(),
  )
}

/** A service answers for itself, all features for a domain and an account. */
async function ask<T>(
  { service }: IqRequest,
  { announced }: FeatureContext,
  question: (one: Pick<Announcement, 'items' | 'info'>) => MaybeAsync<T | undefined>,
): Promise<readonly T[]> {
  const answers: T[] = []
  for (const one of service ? [service] : announced()) {
    const answer = await question(one)
    if (answer !== undefined) answers.push(answer)
  }
  return answers
}

/** Others than those who may see an account's presence learn only of nodes that are open to them (XEP-0060 §5). */
function maySee({ account, own, from }: IqRequest): boolean {
  return !account || own || seesUs(account.roster.item(from.bare))
}

/**
 * XEP-0030 §8. For `disco#items` it wants an empty result where this says `service-unavailable`; but for a name that nobody
 * has here RFC 6121 §8.5.1 wants `service-unavailable`, and the two must not be told apart.
 */
function nothingThere(request: IqRequest): StanzaError {
  return new StanzaError('cancel', maySee(request) ? 'item-not-found' : 'service-unavailable')
}

function asDisco({ payload, from, owner }: IqRequest): DiscoRequest {
  return { node: payload.attrs.node, from, owner }
}
