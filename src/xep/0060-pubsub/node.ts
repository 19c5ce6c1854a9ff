// SPDX-License-Identifier: Apache-2.0
// A node in memory, and who may do what with it (XEP-0060 §4): pure functions.
import { type Roster, seesUs } from '../../core/roster.ts'
import type { StoredItem, StoredNode } from '../../store/pubsub-store.ts'
import type { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { type NodeConfig, readConfig } from './config.ts'
import { refusal } from './errors.ts'

/** XEP-0060 §4.1; `publish-only` is not supported. */
export const AFFILIATIONS = ['owner', 'publisher', 'member', 'none', 'outcast'] as const
/** XEP-0060 §4.2; `unconfigured` is not supported. */
export const STATES = ['subscribed', 'pending', 'none'] as const

/** A node without its items. */
export class Node {
  readonly name: string
  config: NodeConfig
  /** By bare JID. */
  readonly affiliations: Map<string, string>
  /** By the JID that is notified. */
  readonly subscriptions: Map<string, string>
  items: number
  bytes: number
  /** The newest item: null if there is none, undefined if it is not known. */
  last: StoredItem | null | undefined

  constructor(name: string, config: NodeConfig) {
    this.name = name
    this.config = config
    this.affiliations = new Map()
    this.subscriptions = new Map()
    this.items = 0
    this.bytes = 0
    this.last = null
  }

  /** As it was stored. */
  static stored({ name, config, affiliations, subscriptions, items, bytes }: StoredNode): Node {
    const node = new Node(name, readConfig(config))
    for (const [jid, affiliation] of affiliations) node.affiliations.set(jid, affiliation)
    for (const [jid, state] of subscriptions) node.subscriptions.set(jid, state)
    node.items = items
    node.bytes = bytes
    node.last = items === 0 ? null : undefined
    return node
  }
}

/** Whose nodes: an account's, or a service's. */
export interface Owner {
  readonly jid: Jid
  /** Of an account. */
  readonly roster?: Roster
  /** At a service: who may do everything, and who makes nodes. */
  readonly rules?: ServiceRules
}

/** Who may do what at a service, apart from what stands in its nodes. */
export interface ServiceRules {
  isAdmin(jid: Jid): boolean
  mayCreate(jid: Jid): boolean
}

/** Whether somebody owns a node: its account or an administrator of the service does, and whom they made an owner. */
export function isOwner(node: Node, jid: Jid, owner: Owner): boolean {
  return (
    jid.bare.equals(owner.jid) ||
    node.affiliations.get(jid.bare.key) === 'owner' ||
    owner.rules?.isAdmin(jid.bare) === true
  )
}

/** Why somebody may not see what is in a node (XEP-0060 §6.1.3, §6.5.9); undefined if they may. */
export function hidden(node: Node, jid: Jid, owner: Owner): StanzaError | undefined {
  if (isOwner(node, jid, owner)) return undefined
  const affiliation = node.affiliations.get(jid.bare.key)
  if (affiliation === 'outcast') return refusal('auth', 'forbidden')
  if (affiliation === 'publisher' || affiliation === 'member') return undefined
  const { access, groups } = node.config
  const item = owner.roster?.item(jid.bare)
  switch (access) {
    case 'open':
      return undefined
    case 'presence':
      return seesUs(item) ? undefined : refusal('auth', 'not-authorized', 'presence-subscription-required')
    case 'roster':
      return seesUs(item) && item?.groups.some((group) => groups.includes(group))
        ? undefined
        : refusal('auth', 'not-authorized', 'not-in-roster-group')
    case 'authorize':
      return isSubscribed(node, jid) ? undefined : refusal('auth', 'not-authorized', 'not-subscribed')
    case 'whitelist':
      return refusal('cancel', 'not-allowed', 'closed-node')
  }
}

/** Whether somebody may make nodes (XEP-0060 §8.1): an account itself, and at a service whom it lets. */
export function mayCreate(jid: Jid, { jid: own, rules }: Owner): boolean {
  return rules ? rules.mayCreate(jid.bare) : jid.bare.equals(own)
}

/** Whether somebody may publish and retract (XEP-0060 §4.5, §7). */
export function mayPublish(node: Node, jid: Jid, owner: Owner): boolean {
  if (isOwner(node, jid, owner) || node.affiliations.get(jid.bare.key) === 'publisher') return true
  if (hidden(node, jid, owner)) return false
  const { publish } = node.config
  return publish === 'open' || (publish === 'subscribers' && isSubscribed(node, jid))
}

/** Whether somebody has a subscription that works, with whichever of their addresses. */
function isSubscribed(node: Node, jid: Jid): boolean {
  return node.subscriptions.get(jid.bare.key) === 'subscribed' || node.subscriptions.get(jid.key) === 'subscribed'
}
