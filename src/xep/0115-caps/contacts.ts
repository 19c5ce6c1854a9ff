// SPDX-License-Identifier: Apache-2.0
// What the clients of contacts on other servers have. Their servers cannot tell ours, so each account that hears of them keeps
// in mind who is there, and one of each kind and domain is asked what that kind has (XEP-0115 §5.4, §6.2).
import type { LocalAccount } from '../../core/directory.ts'
import type { FeatureContext } from '../../core/feature.ts'
import { presence } from '../../core/presence-stanza.ts'
import { weSee } from '../../core/roster.ts'
import type { Router } from '../../core/router.ts'
import { type Element, el } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { NS_INFO } from '../0030-disco.ts'
import { isUsable, keyOf, NS_CAPS, provedBy } from './hash.ts'
import type { Kinds } from './kinds.ts'

/** Clients of one contact that are remembered; of more, the first ones are forgotten. */
const EACH_MAX = 10
/**
 * So many questions are under way, of all and of one domain, and so many clients wait for the answer to one; others are asked
 * when they show themselves again.
 */
const QUESTIONS_MAX = 1000
const DOMAIN_MAX = 100
const WAITING_MAX = 100

/** A client of a contact, as an account knows it. */
export interface ContactClient {
  /** Its full JID. */
  readonly jid: Jid
  /** What kind it says it is. */
  kind: string | undefined
  /** What it has, once that is proved. */
  features: readonly string[] | undefined
}

/** A client whose kind nobody knows yet. */
interface Waiting {
  readonly owner: LocalAccount
  readonly client: ContactClient
  readonly c: Element
}

type Listener = (owner: LocalAccount, client: ContactClient) => void

const listeners = new WeakMap<Router, Listener>()
const books = new WeakMap<Router, Contacts>()

/** Calls the listener whenever it becomes known what a contact's client has. There is one listener. */
export function onContactCaps(router: Router, listener: Listener): void {
  listeners.set(router, listener)
}

/** The clients of a contact on another server that an account knows to be there. */
export function contactClients(router: Router, owner: LocalAccount, contact: Jid): Iterable<ContactClient> {
  return books.get(router)?.of(owner, contact) ?? []
}

/** Asks who is there, unless that was done: sessions that an earlier process left have never asked this one. */
export function seekContacts(router: Router, owner: LocalAccount): void {
  books.get(router)?.seek(owner)
}

/** Everything that is known of them. It hangs on the accounts, and is gone with them. */
export class Contacts {
  readonly #ctx: FeatureContext
  readonly #kinds: Kinds
  /** By the contact's bare JID, then by the full one. */
  readonly #known = new WeakMap<LocalAccount, Map<string, Map<string, ContactClient>>>()
  /** Accounts that have asked for the presence of all their contacts. */
  readonly #asked = new WeakSet<LocalAccount>()
  /** Whose answer is awaited, by domain and kind: nobody keeps those of other domains waiting. */
  readonly #questions = new Map<string, Waiting[]>()

  constructor(ctx: FeatureContext, kinds: Kinds) {
    this.#ctx = ctx
    this.#kinds = kinds
  }

  /** From now on others may ask. */
  start(): void {
    books.set(this.#ctx.router, this)
  }

  /** Presence that came for an account from another server; without `<c/>` what is known stays (XEP-0115 §8.4). */
  heard(stanza: Stanza, from: Jid, owner: LocalAccount): void {
    if (stanza.type === 'unavailable') this.#gone(from, owner)
    if (stanza.type !== '' || from.isBare || !owner.roster.item(from.bare)?.listed) return
    const client = this.#client(from, owner)
    const c = stanza.element.child('c', NS_CAPS)
    if (!c || !isUsable(c) || (client.kind === keyOf(c) && client.features)) return
    client.kind = keyOf(c)
    client.features = undefined
    const known = this.#kinds.recall(client.kind)
    if (known) this.#note(known, client, owner)
    else this.#ask({ owner, client, c })
  }

  /** The account's clients have asked for the presence of all contacts, as they do when they come (RFC 6121 §4.2.2). */
  asked(owner: LocalAccount): void {
    this.#asked.add(owner)
  }

  of(owner: LocalAccount, contact: Jid): Iterable<ContactClient> {
    return this.#known.get(owner)?.get(contact.key)?.values() ?? []
  }

  /** As `seekContacts`. */
  seek(owner: LocalAccount): void {
    const [client] = owner.available()
    if (!client || this.#asked.has(owner)) return
    this.#asked.add(owner)
    for (const item of owner.roster.items) {
      if (!weSee(item) || this.#ctx.hosts.has(item.jid.domain)) continue
      void this.#ctx.router.onBehalf(presence('probe', owner.jid, item.jid), client)
    }
  }

  #client(jid: Jid, owner: LocalAccount): ContactClient {
    const book = this.#known.get(owner) ?? new Map<string, Map<string, ContactClient>>()
    this.#known.set(owner, book)
    const clients = book.get(jid.bare.key) ?? new Map<string, ContactClient>()
    book.set(jid.bare.key, clients)
    const client = clients.get(jid.key) ?? { jid, kind: undefined, features: undefined }
    clients.set(jid.key, client)
    if (clients.size > EACH_MAX) clients.delete(clients.keys().next().value ?? '')
    return client
  }

  /** One client, or all of them. */
  #gone(jid: Jid, owner: LocalAccount): void {
    const book = this.#known.get(owner)
    const clients = book?.get(jid.bare.key)
    clients?.delete(jid.key)
    if (jid.isBare || clients?.size === 0) book?.delete(jid.bare.key)
  }

  #ask(one: Waiting): void {
    const { domain } = one.client.jid
    const key = `${domain} ${one.client.kind}`
    const waiting = this.#questions.get(key)
    if (waiting) {
      if (waiting.length < WAITING_MAX) waiting.push(one)
      return
    }
    const ofDomain = [...this.#questions.keys()].filter((other) => other.startsWith(`${domain} `)).length
    if (this.#questions.size >= QUESTIONS_MAX || ofDomain >= DOMAIN_MAX) return
    const queue = [one]
    this.#questions.set(key, queue)
    void this.#askAll(queue).finally(() => this.#questions.delete(key))
  }

  /** One after the other, until one of them proves what all have. */
  async #askAll(queue: Waiting[]): Promise<void> {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const { owner, client, c } = one
      if (!this.#isStill(one)) continue
      const known = this.#kinds.recall(keyOf(c))
      if (known) {
        this.#note(known, client, owner)
        continue
      }
      const query = el('query', NS_INFO, { node: `${c.attrs.node}#${c.attrs.ver}` })
      const proved = provedBy(await this.#ctx.router.ask(owner.jid, client.jid, 'get', query), c)
      if (!proved) continue
      if (proved.ofAll) this.#kinds.remember(keyOf(c), proved.features)
      if (this.#isStill(one)) this.#note(proved.features, client, owner)
    }
  }

  #isStill({ owner, client, c }: Waiting): boolean {
    const there = this.#known.get(owner)?.get(client.jid.bare.key)?.get(client.jid.key)
    return there === client && client.kind === keyOf(c) && !client.features
  }

  #note(features: readonly string[], client: ContactClient, owner: LocalAccount): void {
    client.features = features
    listeners.get(this.#ctx.router)?.(owner, client)
  }
}
