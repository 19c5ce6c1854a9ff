// SPDX-License-Identifier: Apache-2.0
// XEP-0163: Personal Eventing Protocol. Every account is a publish-subscribe service (XEP-0060) for those who may see its
// presence; what their clients want to hear of stands in their capabilities.

import * as v from 'valibot'
import type { LocalAccount } from '../core/directory.ts'
import {
  type Disclosed,
  type DiscoRequest,
  type Feature,
  type FeatureContext,
  type MaybeAsync,
  PASS,
} from '../core/feature.ts'
import { seesUs, weSee } from '../core/roster.ts'
import type { Session } from '../core/session.ts'
import { type Element, el } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { NS_ITEMS } from './0030-disco.ts'
import { approve, isApproval } from './0060-pubsub/authorize.ts'
import { pubsubFeatures } from './0060-pubsub/can.ts'
import { metaData } from './0060-pubsub/config.ts'
import { type Pubsub, pubsubOf } from './0060-pubsub/engine.ts'
import { NS_PUBSUB } from './0060-pubsub/errors.ts'
import { hidden } from './0060-pubsub/node.ts'
import { routes } from './0060-pubsub/routes.ts'
import type { Shelf } from './0060-pubsub/shelf.ts'
import { type ContactClient, contactClients, onContactCaps } from './0115-caps/contacts.ts'
import { capsOf, onCaps } from './0115-caps/feature.ts'

const ACCOUNT: Disclosed = {
  identities: [{ category: 'pubsub', type: 'pep' }],
  features: pubsubFeatures(
    'access-presence',
    'access-roster',
    'auto-subscribe',
    'filtered-notifications',
    'presence-notifications',
    'presence-subscribe',
  ),
}

/** XEP-0163: Personal Eventing Protocol, with what needs no more than it. */
export const pep: Feature = {
  name: 'pep',
  implements: [
    { xep: 163, version: '1.2.2', name: 'Personal Eventing Protocol' },
    { xep: 84, version: '1.1.4', name: 'User Avatar' },
    { xep: 172, version: '1.1', name: 'User Nickname' },
    { xep: 222, version: '1.0', name: 'Persistent Storage of Public Data via PubSub' },
    { xep: 223, version: '1.1.1', name: 'Persistent Storage of Private Data via PubSub' },
    { xep: 292, version: '0.12.0', name: 'vCard4 Over XMPP' },
    { xep: 384, version: '0.9.1', name: 'OMEMO Encryption' },
    { xep: 490, version: '1.0.1', name: 'Message Displayed Synchronization' },
  ],
  options: {
    pubsubBytes: v.optional(
      v.pipe(
        v.number(),
        v.safeInteger(),
        v.minValue(65_536),
        v.metadata({
          description:
            'Most bytes of everything that an account publishes; the same again at `pubsub.` for all nodes that it made, and 16 times that for all.',
          kind: 'a number of bytes',
        }),
      ),
      16 * 1024 * 1024,
    ),
  },
  setup(ctx) {
    const engine = () => pubsubOf(ctx)
    const greeter = new Greeter(ctx)
    return {
      iq: routes('account', engine),
      start() {
        onCaps(ctx.router, (client) => greeter.capsChanged(client))
        onContactCaps(ctx.router, (owner, client) => greeter.greetContact(owner, client))
      },
      only: { onSend: ['presence'], onReceive: ['message'], onDeliver: ['presence'] },
      onSend({ kind, type, to }, { account }) {
        // A contact elsewhere is shown a presence: perhaps for the first time, since it may see it now.
        if (kind === 'presence' && type === '' && to?.isBare && !ctx.hosts.has(to.domain))
          for (const client of contactClients(ctx.router, account, to)) greeter.greetContact(account, client)
        return PASS
      },
      onAvailable: (client) => greeter.greet(client),
      onReceive(stanza, owner) {
        if (!stanza.from?.bare.equals(owner.jid) || !isApproval(stanza)) return PASS
        return approveFor(stanza, owner, engine()).then(() => ({ keep: 'an answer to a request for a subscription' }))
      },
      onDeliver(stanza, client) {
        if (stanza.type === 'subscribed' && stanza.kind === 'presence') greeter.accepted(stanza, client)
        return PASS
      },
      disco: { account: ACCOUNT, items: (request) => items(request, ctx), info: (request) => info(request, ctx) },
    }
  },
}

async function approveFor(stanza: Stanza, owner: LocalAccount, engine: Pubsub): Promise<void> {
  await approve(stanza, await engine.shelf(owner), engine)
}

/** Of how many nodes one client is told when it comes. */
const NODES_MAX = 500

/** Tells clients that have come what was published last (XEP-0163 §4.3.4). */
class Greeter {
  readonly #ctx: FeatureContext
  /** The nodes of which a client was told, until it is no longer there. */
  readonly #told = new WeakMap<Session, Set<string>>()
  readonly #toldContacts = new WeakMap<ContactClient, Set<string>>()
  /** Those of which it still has to be told, while it is being told of others: one round at a time for each client. */
  readonly #waiting = new WeakMap<Session, Set<string>>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** Capabilities come with presence, or after it: the presence itself is only known when it has been dealt with. */
  capsChanged(client: Session): void {
    if (capsOf(client)) queueMicrotask(() => this.greet(client))
    else this.#told.delete(client)
  }

  /** Tells a client of those nodes that it had not asked for before. Does not wait. */
  greet(client: Session): void {
    if (!client.presence) return
    const told = this.#told.get(client) ?? new Set()
    this.#told.set(client, told)
    const news = newsFor(capsOf(client), told)
    if (news.length === 0) return
    const waiting = this.#waiting.get(client)
    if (waiting) for (const node of news) waiting.add(node)
    else void this.#rounds(client, new Set(news))
  }

  async #rounds(client: Session, first: Set<string>): Promise<void> {
    for (let nodes = first; nodes.size > 0; nodes = this.#waiting.get(client) ?? new Set()) {
      this.#waiting.set(client, new Set())
      await this.#greet(client, [...nodes])
    }
    this.#waiting.delete(client)
  }

  /** A contact lets the client's user see its presence, and so its nodes. */
  accepted({ from }: Stanza, client: Session): void {
    const wanted = [...wantedNodes(capsOf(client))]
    if (from && client.presence && wanted.length > 0) void this.#from(client, from.bare, wanted)
  }

  /**
   * Tells a client on another server of the account's nodes that it had not asked for before, if its user may see them: its
   * own server cannot. Does not wait.
   */
  greetContact(owner: LocalAccount, client: ContactClient): void {
    if (!client.features || !seesUs(owner.roster.item(client.jid.bare))) return
    const told = this.#toldContacts.get(client) ?? new Set()
    this.#toldContacts.set(client, told)
    const news = newsFor(client.features, told)
    if (news.length > 0) void this.#last(pubsubOf(this.#ctx).shelf(owner), client.jid, news)
  }

  /** One contact after the other, and only while the client is there: a login is no storm. */
  async #greet(client: Session, nodes: readonly string[]): Promise<void> {
    await this.#from(client, client.account.jid, nodes)
    for (const item of [...client.account.roster.items]) {
      if (!client.presence) return
      if (weSee(item) && this.#ctx.hosts.has(item.jid.domain)) await this.#from(client, item.jid.bare, nodes)
    }
  }

  #from(client: Session, owner: LocalAccount['jid'], nodes: readonly string[]): Promise<void> {
    const engine = pubsubOf(this.#ctx)
    const own = owner.equals(client.account.jid)
    return this.#last(own ? engine.shelf(client.account) : engine.shelfOf(owner), client.jid, nodes)
  }

  /** Never rejects. */
  async #last(whose: MaybeAsync<Shelf | undefined>, to: Jid, nodes: readonly string[]): Promise<void> {
    try {
      const shelf = await whose
      if (!shelf) return
      const { notifier } = pubsubOf(this.#ctx)
      for (const name of nodes) {
        const node = shelf.node(name)
        if (node?.config.sendLast === 'on_sub_and_presence') await notifier.last(shelf, node, to)
      }
    } catch (error) {
      this.#ctx.log.error('last items not sent', { error })
    }
  }
}

const NOTIFY = '+notify'

function wantedNodes(features: readonly string[] | undefined): ReadonlySet<string> {
  const wanted = new Set<string>()
  for (const feature of features ?? []) if (feature.endsWith(NOTIFY)) wanted.add(feature.slice(0, -NOTIFY.length))
  return wanted
}

/** The nodes that a client wants to hear of and was not told of; from now on it was. */
function newsFor(features: readonly string[] | undefined, told: Set<string>): readonly string[] {
  const news = [...wantedNodes(features)].filter((node) => !told.has(node)).slice(0, NODES_MAX - told.size)
  for (const node of news) told.add(node)
  return news
}

/** Nodes of an account, or items of a node (XEP-0060 §5.2, §5.5): those that the asker may see. */
async function items({ owner, node: name, from }: DiscoRequest, ctx: FeatureContext): Promise<Element[] | undefined> {
  const shelf = await shelfFor(owner, ctx)
  if (!shelf) return undefined
  const seen = [...shelf.nodes].filter((node) => !hidden(node, from, shelf.owner))
  if (!name) {
    const nodes = seen.map((node) =>
      el('item', NS_ITEMS, { jid: owner.key, node: node.name, name: node.config.title || undefined }),
    )
    return nodes.length > 0 ? nodes : undefined
  }
  const node = seen.find((one) => one.name === name)
  return node && (await shelf.ids(node)).map(({ id }) => el('item', NS_ITEMS, { jid: owner.key, name: id }))
}

/** A node (XEP-0060 §5.3, §5.4). */
async function info({ owner, node: name, from }: DiscoRequest, ctx: FeatureContext): Promise<Disclosed | undefined> {
  const shelf = await shelfFor(owner, ctx)
  const node = name ? shelf?.node(name) : undefined
  if (!shelf || !node || hidden(node, from, shelf.owner)) return undefined
  return {
    identities: [{ category: 'pubsub', type: 'leaf' }],
    features: [NS_PUBSUB],
    forms: () => [metaData(node.config, [owner.key], node.items)],
  }
}

async function shelfFor(owner: DiscoRequest['owner'], ctx: FeatureContext): Promise<Shelf | undefined> {
  return owner.local === undefined ? undefined : pubsubOf(ctx).shelfOf(owner)
}
