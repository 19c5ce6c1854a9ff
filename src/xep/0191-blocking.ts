// SPDX-License-Identifier: Apache-2.0
// XEP-0191: Blocking Command. Nothing passes between an account and those whom it blocks; to them it looks offline. The
// list is in memory while its account is, so that the path of a stanza never waits; one that cannot be loaded stops it.
import { randomUUID } from 'node:crypto'
import type { LocalAccount } from '../core/directory.ts'
import {
  andThen,
  type Feature,
  type FeatureContext,
  type IqRequest,
  type MaybeAsync,
  PASS,
  type Verdict,
} from '../core/feature.ts'
import { presence } from '../core/presence-stanza.ts'
import { seesUs, weSee } from '../core/roster.ts'
import type { Router } from '../core/router.ts'
import type { Session } from '../core/session.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { keepReports, reportsIn } from './0377-reports.ts'

const NS = 'urn:xmpp:blocking'
/** The name of the stored set. */
const SET = 'blocked'
/** How many addresses an account may block, so that nobody fills our memory. */
const MOST = 2000

/** Goes into our own refusals only: by this very object they are told from errors that a blocked contact sends. */
const BLOCKED = el('blocked', 'urn:xmpp:blocking:errors')
const SENDING_REFUSED: Verdict = {
  stop: 'the sender blocks the addressee',
  error: new StanzaError('cancel', 'not-acceptable', undefined, BLOCKED),
}
const RECEIVING_REFUSED: Verdict = {
  stop: 'the addressee blocks the sender',
  error: new StanzaError('cancel', 'service-unavailable'),
}
const DROPPED: Verdict = { stop: 'the addressee blocks the sender' }

/** XEP-0191: Blocking Command. */
export const blocking: Feature = {
  name: 'blocking',
  implements: [{ xep: 191, version: '1.3', name: 'Blocking Command' }],
  setup(ctx) {
    const lists = new BlockLists(ctx)
    const commands = new Commands(ctx, lists)
    return {
      iq: [
        { at: ['account'], type: 'get', ns: NS, name: 'blocklist', answer: (request) => commands.list(request) },
        { at: ['account'], type: 'set', ns: NS, name: 'block', answer: (request) => commands.block(request) },
        { at: ['account'], type: 'set', ns: NS, name: 'unblock', answer: (request) => commands.unblock(request) },
      ],
      onSend: (stanza, { account }) => lists.judge(account, stanza.to, stanza, sending),
      onReceive: (stanza, account) => lists.judge(account, stanza.from, stanza, receiving),
      // For what was kept before the block: requests of contacts, offline messages.
      onDeliver: (stanza, { account }) => lists.judge(account, stanza.from, stanza, delivering),
      disco: { server: { features: [NS] } },
      start: () => void books.set(ctx.router, lists),
    }
  },
}

// For features that send on an account's behalf while none of its clients does.
const books = new WeakMap<Router, BlockLists>()

/** Whether an account blocks somebody (§3.3): for what is sent on its behalf while none of its clients does. */
export function isBlocked(router: Router, account: LocalAccount, peer: Jid): MaybeAsync<boolean> {
  const verdict = books.get(router)?.judge(account, peer, presence('', account.jid, peer), sending)
  return verdict !== undefined && andThen(verdict, (judged) => judged !== PASS)
}

/** What becomes of a stanza because of a block. */
type Refusal = (stanza: Stanza) => Verdict

const sending: Refusal = () => SENDING_REFUSED

/** XEP-0191 §3.3: a blocked contact learns no more than from somebody who is offline, and nothing from presence. */
const receiving: Refusal = (stanza) => {
  if (isOurRefusal(stanza)) return PASS
  return stanza.kind === 'presence' ? DROPPED : RECEIVING_REFUSED // answers and errors are never answered
}

const delivering: Refusal = (stanza) => (isOurRefusal(stanza) ? PASS : DROPPED)

/** What the account's own client gets back for what it sent to somebody it blocks. */
function isOurRefusal(stanza: Stanza): boolean {
  return stanza.type === 'error' && stanza.element.child('error')?.children.includes(BLOCKED) === true
}

/** Whom one account blocks. */
class BlockList {
  /** Prepared addresses as text. */
  readonly texts: Set<string>
  #last: Promise<unknown> = Promise.resolve()

  constructor(texts: readonly string[]) {
    this.texts = new Set(texts)
  }

  /** Carries out changes one after the other. */
  inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(change)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

/** XEP-0191 §6: the full JID, the bare one, the domain with its resource (a full JID, too), the domain. */
function covers(texts: ReadonlySet<string>, jid: Jid): boolean {
  if (texts.size === 0) return false
  return texts.has(jid.key) || texts.has(jid.bare.key) || texts.has(jid.domain)
}

/** The lists of the accounts in memory. */
class BlockLists {
  readonly #ctx: FeatureContext
  readonly #loaded = new WeakMap<LocalAccount, BlockList>()
  readonly #loading = new WeakMap<LocalAccount, Promise<BlockList>>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** The list of an account; a promise only until it is there. */
  of(account: LocalAccount): MaybeAsync<BlockList> {
    return this.#loaded.get(account) ?? this.#loading.get(account) ?? this.#load(account)
  }

  /**
   * What becomes of a stanza between an account and a peer: `refuse` says it if the peer is blocked. The first stanza
   * that an account sends or gets waits for its list, whoever the peer is, and no other one does.
   */
  judge(account: LocalAccount, peer: Jid | undefined, stanza: Stanza, refuse: Refusal): MaybeAsync<Verdict> {
    const list = this.#loaded.get(account)
    if (!list) return this.#judgeLater(account, peer, stanza, refuse)
    if (list.texts.size === 0 || peer === undefined || isHome(account, peer)) return PASS
    return covers(list.texts, peer) ? refuse(stanza) : PASS
  }

  /** By itself, since a closure would be paid for by every stanza. */
  #judgeLater(account: LocalAccount, peer: Jid | undefined, stanza: Stanza, refuse: Refusal): MaybeAsync<Verdict> {
    return andThen(this.of(account), () => this.judge(account, peer, stanza, refuse))
  }

  #load(account: LocalAccount): Promise<BlockList> {
    const loading = this.#ctx.store.sets
      .all(account.jid, SET)
      .then((texts) => {
        const list = new BlockList(texts)
        this.#loaded.set(account, list)
        return list
      })
      .finally(() => this.#loading.delete(account))
    this.#loading.set(account, loading)
    return loading
  }
}

/** The account itself and its server: whoever blocks those, or their whole domain, must still be able to take it back. */
function isHome({ jid }: LocalAccount, peer: Jid): boolean {
  return peer.domain === jid.domain && (peer.local === undefined || peer.local === jid.local)
}

/** What clients ask of their list. */
class Commands {
  readonly #ctx: FeatureContext
  readonly #lists: BlockLists
  /** Clients that asked for the list, and so are told about changes (XEP-0191 §3.3). */
  readonly #interested = new WeakSet<Session>()

  constructor(ctx: FeatureContext, lists: BlockLists) {
    this.#ctx = ctx
    this.#lists = lists
  }

  /** XEP-0191 §3.2. */
  async list({ account, session }: IqRequest): Promise<Element | undefined> {
    if (!account) return undefined
    const { texts } = await this.#lists.of(account)
    if (session) this.#interested.add(session)
    return el('blocklist', NS, null, ...[...texts].map((key) => itemElement({ key })))
  }

  /** XEP-0191 §3.3. */
  async block({ payload, account }: IqRequest): Promise<undefined> {
    if (!account) return undefined
    const jids = itemsOf(payload)
    if (jids.length === 0) throw new StanzaError('modify', 'bad-request', 'Whom?')
    const reported = reportsIn(payload, account.jid)
    const list = await this.#lists.of(account)
    return list.inTurn(async () => {
      const added = jids.filter((jid) => !list.texts.has(jid.key))
      if (list.texts.size + added.length > MOST)
        throw new StanzaError('wait', 'resource-constraint', 'The list is full.')
      const before = new Set(list.texts)
      if (added.length > 0) await this.#ctx.store.sets.add(account.jid, SET, added.map(String))
      for (const { key } of added) list.texts.add(key)
      this.#disappear(account, added, before)
      this.#push(account, el('block', NS, null, ...jids.map(itemElement)))
      await keepReports(reported, this.#ctx)
      return undefined
    })
  }

  /** XEP-0191 §3.4; all of them for an empty request (§3.5). */
  async unblock({ payload, account }: IqRequest): Promise<undefined> {
    if (!account) return undefined
    const all = payload.elements.length === 0
    const jids = itemsOf(payload)
    if (!all && jids.length === 0) throw new StanzaError('modify', 'bad-request', 'Whom?')
    const list = await this.#lists.of(account)
    return list.inTurn(async () => {
      const removed = all
        ? [...list.texts].map((text) => Jid.parse(text))
        : jids.filter(({ key }) => list.texts.has(key))
      if (all) await this.#ctx.store.sets.clear(account.jid, SET)
      else if (removed.length > 0) await this.#ctx.store.sets.remove(account.jid, SET, removed.map(String))
      for (const { key } of removed) list.texts.delete(key)
      this.#reappear(account, removed, list.texts)
      this.#push(account, el('unblock', NS, null, ...jids.map(itemElement)))
      return undefined
    })
  }

  /** XEP-0191 §3.3: for those now blocked the user goes offline. Not `onBehalf`, which our own hook stops from now on. */
  #disappear(account: LocalAccount, added: readonly Jid[], before: ReadonlySet<string>): void {
    const texts = keysOf(added)
    const gone = (jid: Jid): boolean => !covers(before, jid) && !isHome(account, jid)
    const watchers = contactsAmong(account, added, seesUs).filter(gone)
    for (const client of account.sessions.values()) {
      const told = new Map(client.presence && watchers.map((jid) => [jid.key, jid]))
      for (const [key, jid] of client.directed) {
        if (!covers(texts, jid) || !gone(jid)) continue
        told.set(key, jid)
        client.directed.delete(key)
      }
      for (const jid of told.values()) void this.#ctx.router.route(presence('unavailable', client.jid, jid))
    }
  }

  /** XEP-0191 §3.4; and who was not heard is asked, since what clients show of them is what it was before the block. */
  #reappear(account: LocalAccount, removed: readonly Jid[], still: ReadonlySet<string>): void {
    const { router } = this.#ctx
    const watchers = contactsAmong(account, removed, seesUs).filter((jid) => !covers(still, jid))
    const watched = contactsAmong(account, removed, weSee).filter((jid) => !covers(still, jid))
    for (const client of account.available()) {
      for (const jid of watchers) if (client.presence) void router.onBehalf(client.presence.with({ to: jid }), client)
      for (const jid of watched) void router.onBehalf(presence('probe', client.jid, jid), client)
    }
  }

  #push(account: LocalAccount, change: Element): void {
    for (const client of account.sessions.values()) {
      if (!this.#interested.has(client)) continue
      const push = Stanza.of(
        el('iq', NS_CLIENT, { type: 'set' }, change),
        undefined,
        client.jid,
        `block-${randomUUID()}`,
      )
      void this.#ctx.router.toClient(push, client)
    }
  }
}

/** The contacts that the addresses cover, and those full addresses whose contact is picked. */
function contactsAmong(account: LocalAccount, jids: readonly Jid[], picks: typeof seesUs): readonly Jid[] {
  const texts = keysOf(jids)
  const found: Jid[] = []
  for (const item of account.roster.items) if (picks(item) && covers(texts, item.jid)) found.push(item.jid)
  for (const jid of jids) {
    if (jid.local === undefined || jid.resource === undefined || texts.has(jid.bare.key)) continue
    if (picks(account.roster.item(jid.bare))) found.push(jid)
  }
  return found
}

/** The addresses of a request, each once. Throws `bad-request` or `jid-malformed`. */
function itemsOf(payload: Element): readonly Jid[] {
  const items = payload.childrenNamed('item')
  if (items.length > MOST) throw new StanzaError('modify', 'bad-request', 'Too many at once.')
  const jids = new Map<string, Jid>()
  for (const item of items) {
    if (item.attrs.jid === undefined) throw new StanzaError('modify', 'bad-request', 'An item needs a jid.')
    const jid = Jid.parse(item.attrs.jid)
    jids.set(jid.key, jid)
  }
  return [...jids.values()]
}

function itemElement(jid: { readonly key: string }): Element {
  return el('item', NS, { jid: jid.key })
}

function keysOf(jids: readonly Jid[]): ReadonlySet<string> {
  return new Set(jids.map(({ key }) => key))
}
