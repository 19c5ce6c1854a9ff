// SPDX-License-Identifier: Apache-2.0
// The engine that XEP-0163 and what builds on it share: the shelves of accounts, changes to them, and who is told.
import type { LocalAccount } from '../../core/directory.ts'
import type { FeatureContext, MaybeAsync } from '../../core/feature.ts'
import type { Router } from '../../core/router.ts'
import type { PubsubItem } from '../../store/pubsub-store.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { NodeConfig } from './config.ts'
import { Node, type Owner, type ServiceRules } from './node.ts'
import { Notifier } from './notifier.ts'
import { Shelf } from './shelf.ts'

/** What was published and retracted, once it is on disk. */
export interface Change {
  readonly shelf: Shelf
  readonly node: Node
  readonly put: readonly PubsubItem[]
  readonly removed: readonly string[]
}

/** A change that somebody wants. It is prepared in turn, so what it finds is what is changed. */
export interface Wish {
  readonly put?: readonly PubsubItem[]
  readonly remove?: readonly string[]
  readonly create: NodeConfig
  /** Whether those who see the node hear that something was removed; what the node says unless told. */
  readonly tellRemoved?: boolean
}

/** A node that is made of another one, for its owner. */
export interface MirrorNode {
  items(shelf: Shelf): Promise<readonly PubsubItem[]>
  publish(shelf: Shelf, item: PubsubItem): Promise<void>
}

/** One engine for each server. */
export class Pubsub {
  readonly #ctx: FeatureContext
  readonly #shelves = new WeakMap<LocalAccount, Shelf>()
  readonly #loading = new WeakMap<LocalAccount, Promise<Shelf>>()
  readonly #listeners: ((change: Change) => MaybeAsync<void>)[] = []
  readonly #services = new Map<string, Promise<Shelf>>()
  readonly notifier: Notifier
  /** The rules of the service at a domain, if there are services. */
  rules: ((domain: string) => ServiceRules) | undefined
  /** By the name of the node. */
  readonly mirrors = new Map<string, MirrorNode>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
    this.notifier = new Notifier(ctx)
  }

  /** Called after each publication and retraction of an account, before the publisher gets the result. */
  onChange(listener: (change: Change) => MaybeAsync<void>): void {
    this.#listeners.push(listener)
  }

  /** The nodes of an account. */
  shelf(account: LocalAccount): MaybeAsync<Shelf> {
    return this.#shelves.get(account) ?? this.#loading.get(account) ?? this.#load(account)
  }

  /** The nodes of an account or a service by its address; undefined if there is none. */
  async shelfOf(owner: Jid): Promise<Shelf | undefined> {
    if (owner.local === undefined) return this.#serviceShelf(owner)
    const account = await this.#ctx.directory.find(owner)
    return account && this.shelf(account)
  }

  /**
   * Publishes and retracts, tells who wants to know, and then the listeners.
   * @param wish gets the node, if there is one, when it is its turn; throws to refuse; undefined: nothing to do
   */
  async change(
    shelf: Shelf,
    name: string,
    wish: (node: Node | undefined) => MaybeAsync<Wish | undefined>,
  ): Promise<Change | undefined> {
    const change = await shelf.inTurn(async () => {
      const wanted = await wish(shelf.node(name))
      if (!wanted) return undefined
      const node = await shelf.change(name, wanted)
      const done: Change = { shelf, node, put: wanted.put ?? [], removed: wanted.remove ?? [] }
      await this.notifier.changed(done, wanted.tellRemoved ?? node.config.notifyRetract)
      return done
    })
    if (change) await this.#tellAll(change)
    return change
  }

  /** Empties a node, and tells. @param find gives the node when it is its turn; throws to refuse */
  async purge(shelf: Shelf, find: () => Node): Promise<void> {
    await this.#all(shelf, find, async (node) => {
      await shelf.purge(node)
      await this.notifier.purged(shelf, node)
    })
  }

  /** Removes a node with all that is in it, and tells. @param find as above */
  async remove(shelf: Shelf, find: () => Node): Promise<void> {
    await this.#all(shelf, find, async (node) => {
      await shelf.remove(node)
      await this.notifier.removed(shelf, node)
    })
  }

  async #all(shelf: Shelf, find: () => Node, act: (node: Node) => Promise<void>): Promise<void> {
    const node = await shelf.inTurn(async () => {
      const found = find()
      await act(found)
      return found
    })
    await this.#tellAll({ shelf, node, put: [], removed: [] })
  }

  /** What stands at a service is made into nothing else. */
  async #tellAll(change: Change): Promise<void> {
    if (change.shelf.owner.rules) return
    for (const listener of this.#listeners) await this.#tell(listener, change)
  }

  /** What was published is published, whatever becomes of what is made of it. */
  async #tell(listener: (change: Change) => MaybeAsync<void>, change: Change): Promise<void> {
    try {
      await listener(change)
    } catch (error) {
      this.#ctx.log.warn('a publication was not converted', { node: change.node.name, error })
    }
  }

  /** A service that is gone for a while (our domains may change) keeps its place. */
  #serviceShelf(owner: Jid): Promise<Shelf | undefined> | undefined {
    const { router, store } = this.#ctx
    if (!this.rules || router.services.at(owner.domain)?.label !== 'pubsub') return undefined
    const known = this.#services.get(owner.domain)
    if (known) return known
    const whose: Owner = { jid: owner.bare, rules: this.rules(owner.domain) }
    const loading = store.pubsub.load(whose.jid).then((nodes) => new Shelf(whose, this.#ctx, nodes.map(Node.stored)))
    this.#services.set(owner.domain, loading)
    loading.catch(() => this.#services.delete(owner.domain))
    return loading
  }

  #load(account: LocalAccount): Promise<Shelf> {
    const loading = this.#ctx.store.pubsub
      .load(account.jid)
      .then((nodes) => {
        const shelf = new Shelf(account, this.#ctx, nodes.map(Node.stored))
        this.#shelves.set(account, shelf)
        return shelf
      })
      .finally(() => this.#loading.delete(account))
    this.#loading.set(account, loading)
    return loading
  }
}

// One engine for each router, so for each server: features that share it need no order among themselves.
const engines = new WeakMap<Router, Pubsub>()

/** The engine of this server. Not before `start`. */
export function pubsubOf(ctx: FeatureContext): Pubsub {
  const known = engines.get(ctx.router)
  if (known) return known
  const engine = new Pubsub(ctx)
  engines.set(ctx.router, engine)
  return engine
}
