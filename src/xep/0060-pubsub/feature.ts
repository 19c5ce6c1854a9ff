// SPDX-License-Identifier: Apache-2.0
// XEP-0060: Publish-Subscribe, as a service beside each of our domains (`pubsub.example.org`). The same engine as for
// accounts; here nodes have owners of their own, and there is no roster to decide who sees what.

import * as v from 'valibot'
import type { Disclosed, DiscoRequest, Feature, FeatureContext, Service } from '../../core/feature.ts'
import { type Element, el } from '../../xml/element.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_ITEMS } from '../0030-disco.ts'
import { approve, isApproval } from './authorize.ts'
import { pubsubFeatures } from './can.ts'
import { metaData } from './config.ts'
import { type Pubsub, pubsubOf } from './engine.ts'
import { NS_PUBSUB } from './errors.ts'
import { hidden, type Node, type ServiceRules } from './node.ts'
import { routes } from './routes.ts'
import type { Shelf } from './shelf.ts'

const ABOUT: Disclosed = {
  identities: [{ category: 'pubsub', type: 'service' }],
  features: pubsubFeatures(),
}

/** Characters of names and titles in one list of nodes. */
const LIST_MAX = 256 * 1024

/** Who may make nodes. */
const CREATE = v.picklist(['users', 'admins', 'nobody'])

/** XEP-0060: Publish-Subscribe. */
export const pubsub: Feature = {
  name: 'pubsub',
  implements: [
    {
      xep: 60,
      version: '1.30.0',
      name: 'Publish-Subscribe',
      note: 'on accounts and on `pubsub.` of each domain; no collections, no subscription options',
    },
  ],
  options: {
    pubsubCreate: v.optional(
      v.pipe(
        CREATE,
        v.metadata({
          description: 'Who may make nodes at `pubsub.` of their domain: all its users, administrators, or nobody.',
        }),
      ),
      'users',
    ),
  },
  setup(ctx) {
    const engine = () => pubsubOf(ctx)
    let forget = () => {}
    return {
      iq: routes('pubsub', engine),
      service: serviceOf(ctx),
      start() {
        engine().rules = (domain) => rulesOf(domain, ctx)
        forget = ctx.accounts.beforeRemove(async (jid) => () => bury(jid, ctx))
      },
      stop: () => forget(),
    }
  },
}

function serviceOf(ctx: FeatureContext): Service {
  return {
    label: 'pubsub',
    about: ABOUT,
    items: (request) => items(request, ctx),
    info: (request) => info(request, ctx),
    async onMessage(stanza) {
      const shelf = stanza.to && isApproval(stanza) && (await pubsubOf(ctx).shelfOf(stanza.to.bare))
      return shelf ? approve(stanza, shelf, pubsubOf(ctx)) : false
    },
  }
}

function rulesOf(domain: string, { options, hosts, isAdmin }: FeatureContext): ServiceRules {
  const host = domain.slice(domain.indexOf('.') + 1)
  return {
    isAdmin,
    mayCreate(jid) {
      if (jid.local === undefined || !hosts.has(jid.domain)) return false
      const who = v.parse(v.fallback(CREATE, 'users'), options.pubsubCreate)
      return isAdmin(jid) ? who !== 'nobody' : who === 'users' && jid.domain === host
    },
  }
}

/** Who gets the name of an account that is gone must not get what was its own: the store has already seen to that, this to what is in memory and to nodes without an owner. */
async function bury(jid: Jid, ctx: FeatureContext): Promise<void> {
  const engine = pubsubOf(ctx)
  for (const domain of ctx.router.services.addresses('pubsub')) {
    const shelf = await engine.shelfOf(Jid.parse(domain))
    for (const node of shelf ? [...shelf.nodes] : []) if (shelf) await leave(jid, node, shelf, engine)
  }
}

/** A node that has no other owner goes with its last one. */
async function leave(jid: Jid, node: Node, shelf: Shelf, engine: Pubsub): Promise<void> {
  const affiliation = node.affiliations.get(jid.key)
  const others = [...node.affiliations].some(([key, value]) => value === 'owner' && key !== jid.key)
  if (affiliation === 'owner' && !others) return engine.remove(shelf, () => node)
  const subscriptions = [...node.subscriptions.keys()].filter((key) => key === jid.key || key.startsWith(`${jid.key}/`))
  if (affiliation === undefined && subscriptions.length === 0) return
  await shelf.inTurn(async () => {
    if (affiliation !== undefined) await shelf.affiliate(node, new Map([[jid.key, 'none']]))
    if (subscriptions.length > 0) await shelf.subscribe(node, new Map(subscriptions.map((key) => [key, 'none'])))
  })
}

/** Nodes of a service, or items of a node (XEP-0060 §5.2, §5.5): those that the asker may see. */
async function items({ owner, node: name, from }: DiscoRequest, ctx: FeatureContext): Promise<Element[] | undefined> {
  const shelf = await pubsubOf(ctx).shelfOf(owner)
  const seen = [...(shelf?.nodes ?? [])].filter((node) => shelf && listed(node, from, shelf))
  if (!name) return list(owner.key, seen)
  const node = seen.find((one) => one.name === name)
  return shelf && node && (await shelf.ids(node)).map(({ id }) => el('item', NS_ITEMS, { jid: owner.key, name: id }))
}

/** As many nodes as fit into one answer. */
function list(jid: string, nodes: readonly Node[]): Element[] {
  const found: Element[] = []
  let size = 0
  for (const { name, config } of nodes) {
    size += name.length + config.title.length
    if (size > LIST_MAX) break
    found.push(el('item', NS_ITEMS, { jid, node: name, name: config.title || undefined }))
  }
  return found
}

/** A node (XEP-0060 §5.3, §5.4). */
async function info({ owner, node: name, from }: DiscoRequest, ctx: FeatureContext): Promise<Disclosed | undefined> {
  const shelf = await pubsubOf(ctx).shelfOf(owner)
  const node = name ? shelf?.node(name) : undefined
  if (!shelf || !node || !listed(node, from, shelf)) return undefined
  const owners = [...node.affiliations].flatMap(([jid, value]) => (value === 'owner' ? [jid] : []))
  return {
    identities: [{ category: 'pubsub', type: 'leaf' }],
    features: [NS_PUBSUB],
    forms: () => [metaData(node.config, owners, node.items)],
  }
}

/** Whether somebody is told that there is a node: who may see what is in it. */
function listed(node: Node, from: Jid, { owner }: Shelf): boolean {
  return hidden(node, from, owner) === undefined
}
