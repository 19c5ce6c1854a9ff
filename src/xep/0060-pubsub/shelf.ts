// SPDX-License-Identifier: Apache-2.0
// The nodes of one account, in memory while the account is, or of a service. Changes run one after the other, are stored first and seen
// afterwards.
import { randomUUID } from 'node:crypto'
import type { FeatureContext } from '../../core/feature.ts'
import type { ItemRange, PubsubItem, StoredItem } from '../../store/pubsub-store.ts'
import { itemsKept, type NodeConfig } from './config.ts'
import { refusal } from './errors.ts'
import { Node, type Owner } from './node.ts'

/** Nodes of one account: clients of OMEMO's old version make one for each device. */
const NODES_MAX = 500
/** Nodes of one service, and of one creator there. */
const SERVICE_NODES_MAX = 2000
const CREATOR_NODES_MAX = 50
/** How many times the bytes of one creator a service takes. */
const SERVICE_SHARES = 16
/** Affiliations and subscriptions of one node. */
const PEOPLE_MAX = 1000
/** Bytes of all payloads of an account, unless told. */
const BYTES_MAX = 16 * 1024 * 1024
/** A newest item up to so many characters is kept in memory, since each client that comes online is sent it. */
const LAST_MAX = 8192
/** Names of nodes and items, in bytes, as the parts of a JID. */
const NAME_MAX = 1023

/** What is published at once. */
export interface Publication {
  readonly put?: readonly PubsubItem[]
  readonly remove?: readonly string[]
  /** The configuration of the node if it does not exist yet. */
  readonly create: NodeConfig
}

/** The nodes of an account, or of a service. */
export class Shelf {
  readonly owner: Owner
  readonly #ctx: FeatureContext
  readonly #nodes: Map<string, Node>
  #turn: Promise<unknown> = Promise.resolve()

  constructor(owner: Owner, ctx: FeatureContext, nodes: readonly Node[]) {
    this.owner = owner
    this.#ctx = ctx
    this.#nodes = new Map(nodes.map((node) => [node.name, node]))
  }

  get nodes(): Iterable<Node> {
    return this.#nodes.values()
  }

  node(name: string): Node | undefined {
    return this.#nodes.get(name)
  }

  /** Does something when all changes before it are done. What it does must not wait for a turn itself. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Makes a node. */
  async create(name: string, config: NodeConfig): Promise<Node> {
    return this.change(name, { create: config })
  }

  /** Publishes and retracts, and makes the node if there is none. */
  async change(name: string, { put = [], remove = [], create }: Publication): Promise<Node> {
    const known = this.#nodes.get(name)
    if (!known) this.#checkRoom(name, create)
    for (const { id } of put) checkName(id)
    const node = known ?? new Node(name, create)
    const keep = itemsKept(node.config)
    const kept = keep === 0 ? [] : put
    this.#checkBytes(kept, node.config)
    const { creator } = create
    const size = await this.#ctx.store.pubsub.change(this.owner.jid, name, {
      ...(known ? {} : { create: JSON.stringify(create), ...(creator !== undefined && { creator }) }),
      put: kept,
      remove,
      keep,
    })
    Object.assign(node, size)
    if (!known && creator !== undefined) node.affiliations.set(creator, 'owner')
    if (kept.length > 0 || remove.length > 0) node.last = size.items === 0 ? null : undefined
    this.#nodes.set(name, node)
    return node
  }

  async configure(node: Node, config: NodeConfig): Promise<void> {
    const size = await this.#ctx.store.pubsub.configure(
      this.owner.jid,
      node.name,
      JSON.stringify(config),
      itemsKept(config),
    )
    node.config = config
    Object.assign(node, size)
    if (size.items === 0) node.last = null
  }

  async purge(node: Node): Promise<void> {
    await this.#ctx.store.pubsub.purge(this.owner.jid, node.name)
    node.items = 0
    node.bytes = 0
    node.last = null
  }

  async remove(node: Node): Promise<void> {
    await this.#ctx.store.pubsub.remove(this.owner.jid, node.name)
    this.#nodes.delete(node.name)
  }

  /** @param changes by bare JID; `none` removes */
  async affiliate(node: Node, changes: ReadonlyMap<string, string>): Promise<void> {
    await this.#ctx.store.pubsub.affiliate(this.owner.jid, node.name, within(node.affiliations, changes))
    apply(node.affiliations, changes)
  }

  /** @param changes by the JID that is notified; `none` removes */
  async subscribe(node: Node, changes: ReadonlyMap<string, string>): Promise<void> {
    await this.#ctx.store.pubsub.subscribe(this.owner.jid, node.name, within(node.subscriptions, changes))
    apply(node.subscriptions, changes)
  }

  item(node: Node, id: string): Promise<StoredItem | undefined> {
    return this.#ctx.store.pubsub.item(this.owner.jid, node.name, id)
  }

  items(node: Node, range: ItemRange): Promise<readonly StoredItem[]> {
    return this.#ctx.store.pubsub.items(this.owner.jid, node.name, range)
  }

  /** All items in order, without what is in them. */
  ids(node: Node): Promise<readonly { readonly id: string; readonly time: number }[]> {
    return this.#ctx.store.pubsub.ids(this.owner.jid, node.name)
  }

  /** The newest item of a node. */
  async last(node: Node): Promise<StoredItem | undefined> {
    if (node.last !== undefined) return node.last ?? undefined
    const [last] = await this.items(node, { last: true, limit: 1 })
    if (last && last.xml.length <= LAST_MAX && node.last === undefined && this.#nodes.get(node.name) === node) {
      await this.inTurn(async () => this.#remember(node))
    }
    return last
  }

  /** In turn, so that what is remembered is the newest indeed. */
  async #remember(node: Node): Promise<void> {
    const [last] = await this.items(node, { last: true, limit: 1 })
    if (!last || last.xml.length <= LAST_MAX) node.last = last ?? null
  }

  /** At a service everybody who makes nodes has bounds of their own, and all together have some. */
  #checkRoom(name: string, { creator }: NodeConfig): void {
    checkName(name)
    const most = creator === undefined ? NODES_MAX : CREATOR_NODES_MAX
    let nodes = 0
    for (const { config } of this.#nodes.values()) if (config.creator === creator) nodes++
    if (nodes < most && this.#nodes.size < (creator === undefined ? NODES_MAX : SERVICE_NODES_MAX)) return
    throw refusal('wait', 'resource-constraint', undefined, 'There are too many nodes.')
  }

  /** What is replaced or trimmed counts until the next publication: the bound is one of order, not of accounting. */
  #checkBytes(items: readonly PubsubItem[], { creator }: NodeConfig): void {
    if (items.length === 0) return
    let [bytes, all] = [0, 0]
    for (const { xml } of items) bytes += Buffer.byteLength(xml)
    for (const node of this.#nodes.values()) {
      all += node.bytes
      if (node.config.creator === creator) bytes += node.bytes
    }
    const { pubsubBytes } = this.#ctx.options
    const most = typeof pubsubBytes === 'number' ? pubsubBytes : BYTES_MAX
    if (bytes <= most && all <= most * SERVICE_SHARES) return
    throw refusal('wait', 'resource-constraint', undefined, 'There is no room for this; remove something else first.')
  }
}

/** An id for an item or a node that came without one (XEP-0060 §7.1.2, §8.1.2). */
export function newId(): string {
  return randomUUID()
}

function checkName(name: string): void {
  if (name !== '' && Buffer.byteLength(name) <= NAME_MAX) return
  throw refusal('modify', 'bad-request', undefined, 'Names have from 1 to 1023 bytes.')
}

function within(
  people: ReadonlyMap<string, string>,
  changes: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  if (people.size + changes.size <= PEOPLE_MAX) return changes
  let size = people.size
  for (const [jid, what] of changes) if (what !== 'none' && !people.has(jid)) size++
  if (size <= PEOPLE_MAX) return changes
  throw refusal('wait', 'resource-constraint', undefined, 'There are too many people at this node.')
}

function apply(people: Map<string, string>, changes: ReadonlyMap<string, string>): void {
  for (const [jid, what] of changes) {
    if (what === 'none') people.delete(jid)
    else people.set(jid, what)
  }
}
