// SPDX-License-Identifier: Apache-2.0
// Who is told what (XEP-0060 §7.1.2, §12.1; XEP-0163 §4.3): clients whose capabilities ask for a node, as far as they may see
// it, and subscribers. Everything goes through the router, so that blocks hold, and nothing of it is stored for later.
import { LocalAccount } from '../../core/directory.ts'
import type { FeatureContext } from '../../core/feature.ts'
import { seesUs } from '../../core/roster.ts'
import type { Session } from '../../core/session.ts'
import type { PubsubItem, StoredItem } from '../../store/pubsub-store.ts'
import { type Element, el } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { NS_DELAY } from '../../xmpp/0203-delay.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { type ContactClient, contactClients, seekContacts } from '../0115-caps/contacts.ts'
import { capsOf, learnCaps } from '../0115-caps/feature.ts'
import { isBlocked } from '../0191-blocking.ts'
import { configForm } from './config.ts'
import { NS_EVENT } from './errors.ts'
import { hidden, type Node, type Owner } from './node.ts'
import type { Shelf } from './shelf.ts'

/** What the notifier has to know of a change. */
interface Changed {
  readonly shelf: Shelf
  readonly node: Node
  readonly put: readonly PubsubItem[]
  readonly removed: readonly string[]
}

/** Sends notifications. */
export class Notifier {
  readonly #ctx: FeatureContext

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** XEP-0060 §7.1.2, §7.2.2. @param tellRemoved whether to tell of what was removed */
  async changed({ shelf, node, put, removed }: Changed, tellRemoved: boolean): Promise<void> {
    const children = [
      ...(tellRemoved ? removed : []).map((id) => el('retract', NS_EVENT, { id })),
      ...put.map((item) => itemElement(item, node, shelf)),
    ]
    if (children.length > 0 && node.config.notify)
      await this.#toAll(shelf, node, el('items', NS_EVENT, { node: node.name }, ...children))
  }

  /** XEP-0060 §8.5.2. */
  async purged(shelf: Shelf, node: Node): Promise<void> {
    if (node.config.notify && node.config.notifyRetract)
      await this.#toAll(shelf, node, el('purge', NS_EVENT, { node: node.name }))
  }

  /** XEP-0060 §8.4.2. */
  async removed(shelf: Shelf, node: Node): Promise<void> {
    if (node.config.notify && node.config.notifyDelete)
      await this.#toAll(shelf, node, el('delete', NS_EVENT, { node: node.name }))
  }

  /** XEP-0060 §8.2.5.4. */
  async configured(shelf: Shelf, node: Node): Promise<void> {
    if (!node.config.notify || !node.config.notifyConfig) return
    const form = node.config.payloads ? configForm(node.config).withAttrs({ type: 'result' }) : undefined
    await this.#toAll(shelf, node, el('configuration', NS_EVENT, { node: node.name }, form))
  }

  /** XEP-0060 §8.8.4: somebody's subscription is another now. */
  async subscription(shelf: Shelf, node: Node, jid: Jid, state: string): Promise<void> {
    const change = el('subscription', NS_EVENT, { node: node.name, jid: jid.key, subscription: state })
    await this.#send(shelf, node, jid, change)
  }

  /** XEP-0060 §7.1.2.3, XEP-0163 §4.3.4: the newest item to somebody who has just come, with the time it is from. */
  async last(shelf: Shelf, node: Node, to: Jid): Promise<void> {
    const item = await shelf.last(node)
    if (!item || !node.config.notify || hidden(node, to, shelf.owner)) return
    const stamp = el('delay', NS_DELAY, { from: shelf.owner.jid.key, stamp: timeOf(item) })
    const items = el('items', NS_EVENT, { node: node.name }, itemElement(item, node, shelf))
    await this.#send(shelf, node, to, items, stamp)
  }

  /** To clients of the owner, for nodes that are made of others. @param make called only if somebody wants it */
  async toOwner(shelf: Shelf, node: string, make: () => Promise<PubsubItem>): Promise<void> {
    const { jid } = shelf.owner
    if (this.#clients(jid, node).next().done) return
    const item = await make()
    const event = el('items', NS_EVENT, { node }, el('item', NS_EVENT, { id: item.id }, parseElement(item.xml)))
    for (const client of this.#clients(jid, node))
      void this.#ctx.router.route(messageOf('headline', event, jid, client.jid))
  }

  /** Something that is no notification. */
  deliver(stanza: Stanza): void {
    void this.#ctx.router.route(stanza)
  }

  async #toAll(shelf: Shelf, node: Node, event: Element): Promise<void> {
    for (const jid of this.#audience(shelf, node)) await this.#send(shelf, node, jid, event)
  }

  /** Does not wait for delivery: nobody who reads slowly holds up the publisher. */
  async #send(shelf: Shelf, node: Node, to: Jid, event: Element, extra?: Element): Promise<void> {
    const { owner } = shelf
    const blocked = owner instanceof LocalAccount && isBlocked(this.#ctx.router, owner, to)
    if (blocked instanceof Promise ? await blocked : blocked) return
    void this.#ctx.router.route(messageOf(node.config.messageType, event, owner.jid, to, extra))
  }

  #audience(shelf: Shelf, node: Node): Iterable<Jid> {
    const { owner } = shelf
    const found = new Map<string, Jid>()
    for (const { jid } of this.#clients(owner.jid, node.name)) found.set(jid.key, jid)
    if (owner instanceof LocalAccount) seekContacts(this.#ctx.router, owner)
    for (const item of owner.roster?.items ?? []) {
      if (!seesUs(item) || hidden(node, item.jid, owner)) continue
      const { bare } = item.jid
      const clients = this.#ctx.hosts.has(bare.domain)
        ? this.#clients(bare, node.name)
        : this.#elsewhere(owner, bare, node.name)
      for (const { jid } of clients) found.set(jid.key, jid)
    }
    for (const [text, state] of node.subscriptions) {
      const jid = Jid.parse(text)
      if (state !== 'subscribed' || hidden(node, jid, owner)) continue
      if (jid.resource !== undefined || !this.#ctx.hosts.has(jid.domain)) found.set(jid.key, jid)
      else for (const one of this.#reachable(jid)) found.set(one.key, one) // nobody is told twice
    }
    return found.values()
  }

  /** The clients of a user of ours that want to hear of a node. */
  *#clients(user: Jid, node: string): Generator<Session, void> {
    const account = this.#ctx.directory.loaded(user.key)
    for (const client of account?.available() ?? []) {
      const features = capsOf(client) ?? learnCaps(this.#ctx.router, client)
      if (wants(features, node)) yield client
    }
  }

  /** Those of a contact on another server, as far as their presence came here. */
  *#elsewhere(owner: Owner, contact: Jid, node: string): Generator<ContactClient, void> {
    if (!(owner instanceof LocalAccount)) return
    for (const client of contactClients(this.#ctx.router, owner, contact))
      if (wants(client.features, node)) yield client
  }

  *#reachable(user: Jid): Iterable<Jid> {
    const account = this.#ctx.directory.loaded(user.key)
    if (account) for (const client of account.available()) if ((client.priority ?? -1) >= 0) yield client.jid
  }
}

/** Whether a client asks for a node's notifications (XEP-0163 §4.3.2). */
function wants(features: readonly string[] | undefined, node: string): boolean {
  return features?.includes(`${node}+notify`) === true
}

function messageOf(type: 'headline' | 'normal', event: Element, from: Jid, to: Jid, extra?: Element): Stanza {
  const fleeting = type === 'headline' ? undefined : el('no-store', 'urn:xmpp:hints')
  return Stanza.of(el('message', NS_CLIENT, { type }, el('event', NS_EVENT, null, event), extra, fleeting), from, to)
}

function itemElement(item: PubsubItem, node: Node, { owner }: Shelf): Element {
  const publisher = item.publisher === owner.jid.key ? undefined : item.publisher
  const payload = node.config.payloads && item.xml !== '' && parseElement(item.xml)
  return el('item', NS_EVENT, { id: item.id, publisher }, payload)
}

function timeOf({ time }: StoredItem): string {
  return new Date(time).toISOString()
}
