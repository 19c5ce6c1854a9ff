// SPDX-License-Identifier: Apache-2.0
// XEP-0313: Message Archive Management. Every message with lasting content goes into the archives of its sender and of its
// addressee, as one row. This is the hot path: it makes no promise and waits for nothing. And what is asked of an archive.

import * as v from 'valibot'
import type { LocalAccount } from '../core/directory.ts'
import { type Feature, type FeatureContext, type IqRequest, PASS, type Verdict } from '../core/feature.ts'
import { recipients } from '../core/message.ts'
import type { ArchiveRange, KeptMessage, MessageId } from '../store/store.ts'
import type { Element } from '../xml/element.ts'
import { withoutForgedTimes } from '../xmpp/0203-delay.ts'
import {
  type ArchiveQuery,
  archiveId,
  finElement,
  metadataElement,
  NS_MAM,
  queryForm,
  readArchiveId,
  readQuery,
  resultMessages,
} from '../xmpp/0313-archive-queries.ts'
import { NS_SID, stanzaId, withoutForgedIds } from '../xmpp/0359-stanza-ids.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { type MessageType, NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { buried, bury } from './0424-retraction.ts'
import { wantsKept } from './0441-archive-preferences.ts'

/** XEP-0334: Message Processing Hints. */
const NS_HINTS = 'urn:xmpp:hints'
/** XEP-0045 §7.5. */
const NS_MUC_USER = 'http://jabber.org/protocol/muc#user'
/** XEP-0085. */
const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates'
/** At most one line of the log in so many ms tells of messages that could not be kept. */
const COMPLAINT = 1000
/** Messages on a page, unless fewer are asked for; and the most that one may ask for. */
const PAGE = 50
const PAGE_MOST = 250
/** A page ends with the message that goes beyond so many UTF-16 units of XML. */
const PAGE_TEXT = 512 * 1024
/** When archives are looked through for what they need not keep: how long after the start, and how often, in ms. */
const FIRST_TRIM = 60_000
const TRIM_EVERY = 3_600_000

const NOBODY: readonly Jid[] = Object.freeze([])

/** Namespaces whose elements say something about the moment, or about another element, only. */
const FLEETING: ReadonlySet<string> = new Set([
  NS_CHAT_STATES,
  NS_HINTS,
  'jabber:x:event', // XEP-0022
  'jabber:x:delay', // XEP-0091
  'urn:xmpp:delay', // XEP-0203
  'urn:xmpp:sid:0', // XEP-0359
  'urn:xmpp:occupant-id:0', // XEP-0421
  'http://jabber.org/protocol/nick', // XEP-0172
  NS_MAM, // what an archive answered: it is there already
])

/**
 * How long a message may be kept: in an archive; until it was delivered (XEP-0334 §4.1); not at all, because its sender
 * wishes so (§4.2); not at all, because nothing in it lasts.
 */
export type Keeping = 'archive' | 'queue' | 'deny' | 'nothing'

/**
 * XEP-0313 §6.1.1, XEP-0160 §3 and XEP-0334 §4: messages of type chat and normal are kept unless all they have is fleeting
 * (chat states above all). So receipts, markers and encrypted content are kept, and what future protocols may bring.
 */
export function keepingOf(message: Stanza): Keeping {
  return message.type === 'chat' || message.type === 'normal' ? contentKeeping(message) : 'nothing'
}

/** The same whatever the type of the message is: rooms have archives too. */
export function contentKeeping(message: Stanza): Keeping {
  let lasts = false
  let archive = true
  for (const child of message.element.children) {
    if (typeof child === 'string') continue
    if (child.ns === NS_HINTS) {
      if (child.name === 'no-store') return 'deny'
      if (child.name === 'no-permanent-store') archive = false
      if (child.name === 'store') lasts = true
    } else if (!lasts) {
      lasts = !isFleeting(child)
    }
  }
  if (!lasts) return 'nothing'
  return archive ? 'archive' : 'queue'
}

/** Whose archives a message belongs in: its sender's if that is one of our accounts, and its addressee's, if they want it. */
export function archiveOwners(
  message: Stanza,
  owner: LocalAccount,
  { options, hosts, directory }: Pick<FeatureContext, 'options' | 'hosts' | 'directory'>,
): readonly Jid[] {
  const { from, to } = message
  if (options.archive === 'off' || !from || !to || keepingOf(message) !== 'archive') return NOBODY
  const sender = from.bare
  const mine = wantsKept(owner, from)
  if (sender.local === undefined || !hosts.has(sender.domain) || sender.equals(owner.jid))
    return mine ? [owner.jid] : NOBODY
  if (wantsKept(directory.loaded(sender.key), to)) return mine ? [sender, owner.jid] : [sender]
  return mine ? [owner.jid] : NOBODY
}

/** XEP-0313: Message Archive Management. */
export const archive: Feature = {
  name: 'archive',
  implements: [
    { xep: 313, version: '1.1.3', name: 'Message Archive Management' },
    { xep: 334, version: '1.0.0', name: 'Message Processing Hints', note: 'no-store, no-permanent-store, store' },
  ],
  options: {
    archive: v.optional(
      v.pipe(
        v.picklist(['on', 'off']),
        v.metadata({
          description: 'Keep messages, so that all clients of an account can have them.',
          kind: 'on, off',
        }),
      ),
      'on',
    ),
    archiveKeep: keepOption(),
    archiveMessages: v.optional(
      v.pipe(
        v.number(),
        v.safeInteger(),
        v.minValue(100),
        v.metadata({
          description: 'Messages that the archive of one account keeps; of more, the oldest go.',
          kind: 'number',
        }),
      ),
      1_000_000,
    ),
  },
  setup(ctx) {
    const complain = complaints(ctx)
    const desk = new ArchiveDesk(ctx)
    const trimmer = new Trimmer(ctx)
    return {
      iq: [
        { at: ['account'], type: 'set', ns: NS_MAM, name: 'query', answer: (request) => desk.answer(request) },
        { at: ['account'], type: 'get', ns: NS_MAM, name: 'query', answer: queryForm },
        { at: ['account'], type: 'get', ns: NS_MAM, name: 'metadata', answer: ({ owner }) => desk.metadata(owner) },
      ],
      only: { onSend: ['message'], onReceive: ['message', 'groupchat'] },
      onSend(stanza, { account }): Verdict {
        // What is for one of our accounts is kept when it is there.
        if (stanza.kind === 'message' && stanza.to && !ctx.hosts.has(stanza.to.domain))
          keepSent(stanza, stanza.to, account, ctx, complain)
        return PASS
      },
      onReceive(stanza, owner): Verdict {
        if (stanza.kind !== 'message') return PASS
        const message = withoutForged(stanza, owner.jid)
        const id = keep(message, owner, ctx, complain)
        if (id !== undefined) return { pass: message.append(stanzaId(archiveId(id), owner.jid)) }
        return message === stanza ? PASS : { pass: message }
      },
      inline: {
        onBound: ({ account }) => (ctx.options.archive === 'off' ? undefined : desk.told(account.jid)),
      },
      disco: { account: { features: [NS_MAM, `${NS_MAM}#extended`, `${NS_MAM}#groupchat-field`, NS_SID] } },
      start: () => trimmer.start(),
      stop: () => trimmer.stop(),
    }
  },
}

/** Without what only we say: under which id the account keeps it, and when it came. */
function withoutForged(message: Stanza, account: Jid): Stanza {
  const unnamed = withoutForgedIds(message, account)
  return message.from?.bare.equals(account) ? unnamed : withoutForgedTimes(unnamed, account)
}

/** Keeps a message that somebody is there to get. @returns its id in the owner's archive, if it went there */
function keep(
  message: Stanza,
  owner: LocalAccount,
  ctx: FeatureContext,
  complain: (error: Error) => void,
): MessageId | undefined {
  const { from, to } = message
  const archiveFor = archiveOwners(message, owner, ctx)
  if (archiveFor.length === 0 || !from || !to) return undefined
  // A message for which nobody is there becomes one row in archives and queue, or is bounced and then in neither:
  // `0160-offline.ts` decides. From here to the router's own look at the clients nothing waits (a hook between them
  // that does must come before this one), so both see the same.
  const fate = recipients(message.type as MessageType, to.resource, owner.sessions.values())
  if (fate.kind !== 'deliver') return undefined
  // It is delivered whatever the disk says, so a failure is not the sender's to know.
  const id = ctx.store.messages.append(
    { xml: message.xml(NS_CLIENT), from, to, archiveFor, offlineFor: undefined },
    complain,
  )
  bury(message, id, archiveFor, ctx)
  return archiveFor.at(-1) === owner.jid ? id : undefined
}

/** Keeps what goes to another server, a component or somebody in a room, for its sender; what cannot even leave is bounced. */
function keepSent(
  message: Stanza,
  to: Jid,
  account: LocalAccount,
  ctx: FeatureContext,
  complain: (error: Error) => void,
): void {
  const { options, router, store } = ctx
  const { from } = message
  if (options.archive === 'off' || !from || keepingOf(message) !== 'archive' || !wantsKept(account, to)) return
  // What is for a service of ours is no conversation.
  if (!router.knowsWay(to.domain) || (to.isBare && router.services.at(to.domain))) return
  const kept = withoutForgedIds(message, account.jid)
  const archiveFor = [account.jid]
  const id = store.messages.append({ xml: kept.xml(NS_CLIENT), from, to, archiveFor, offlineFor: undefined }, complain)
  bury(kept, id, archiveFor, ctx)
}

/** Part of an answer, in the direction of the question, and whether nothing comes behind it. */
interface Portion {
  readonly messages: readonly KeptMessage[]
  readonly complete: boolean
}

/** Answers what is asked of the archive of an account, or of a room. */
export class ArchiveDesk {
  readonly #ctx: FeatureContext

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** §4: the messages first, then the end. @param seen a message's text as the asker may see it */
  async answer(request: IqRequest, seen: (xml: string) => string = (xml) => xml): Promise<Element> {
    const { owner, account, payload, from, session } = request
    // What is asked for a node belongs to XEP-0442.
    if (payload.attrs.node) throw new StanzaError('cancel', 'item-not-found', 'There are no nodes here.')
    const query = readQuery(payload)
    if (account) await buried(account)
    const { messages, complete } = await this.#page(owner, query)
    const { router } = this.#ctx
    const carry = resultMessages(query.queryId)
    for (const kept of query.flipped ? messages.toReversed() : messages) {
      const message = Stanza.of(carry({ id: kept.id, time: kept.time, xml: seen(kept.xml) }), owner, from)
      const waiting = session ? router.toClient(message, session) : router.route(message)
      if (waiting) await waiting
    }
    const [first, last] = [messages[0], messages.at(-1)]
    const whole = complete && query.page.after === undefined && !query.page.before
    return finElement(
      {
        first: first && archiveId(first.id),
        last: last && archiveId(last.id),
        ...(whole ? { count: messages.length } : {}),
      },
      complete,
    )
  }

  /** XEP-0386 §3.2. Read once the session has begun: what comes later the client gets by itself. */
  told(owner: Jid): Promise<Element | undefined> {
    return this.metadata(owner).catch((error: unknown) => {
      this.#ctx.log.error('archive not read', { error })
      return undefined // nobody should be kept out for that
    })
  }

  /** §5. */
  async metadata(owner: Jid): Promise<Element> {
    const ends = await this.#ctx.store.messages.ends(owner)
    return metadataElement(ends?.first, ends?.last)
  }

  /** In ascending order: as many as were asked for, or as are fit to be sent at once. */
  async #page(owner: Jid, query: ArchiveQuery): Promise<Portion> {
    const most = Math.min(query.page.max ?? PAGE, PAGE_MOST)
    const backwards = query.page.before !== undefined
    const found: KeptMessage[] = []
    const done = (complete: boolean): Portion => ({ messages: backwards ? found.reverse() : found, complete })
    let size = 0
    for await (const { messages, complete } of this.#portions(owner, query, most)) {
      for (const kept of messages) {
        if (found.length === most || (found.length > 0 && size + kept.xml.length > PAGE_TEXT)) return done(false)
        found.push(kept)
        size += kept.xml.length
      }
      if (complete) return done(true)
      if (found.length === most) return done(false)
    }
    return done(true)
  }

  /** What matches, in the direction of the question. Throws `item-not-found` if it names what is not there (§4.1.4, §4.3.2). */
  async *#portions(owner: Jid, query: ArchiveQuery, most: number): AsyncIterable<Portion> {
    const cursor = (text: string | undefined): number | undefined => (text ? readArchiveId(text) : undefined)
    const { ids, page } = query
    const [after, before, last] = [cursor(page.after), cursor(page.before), page.before !== undefined]
    const named = [query.afterId, query.beforeId, after, before, ...(ids ?? [])].filter((id) => id !== undefined)
    if (named.length > 0) await this.#check(owner, named)
    const range: ArchiveRange = {
      ...(query.with && { with: query.with }),
      ...(query.start !== undefined && { start: query.start }),
      ...(query.end !== undefined && { end: query.end }),
      after: Math.max(query.afterId ?? 0, after ?? 0),
      before: Math.min(query.beforeId ?? Number.MAX_SAFE_INTEGER, before ?? Number.MAX_SAFE_INTEGER),
      last,
      limit: Math.min(PAGE, most),
    }
    if (ids) yield* this.#picked(owner, ids, range)
    else yield* this.#following(owner, range, most)
  }

  /** A few at a time: what is too much to be sent need not be read. */
  async *#following(owner: Jid, range: ArchiveRange, most: number): AsyncIterable<Portion> {
    let next = range
    for (let rest = most; ; rest -= next.limit) {
      next = { ...next, limit: Math.min(PAGE, rest) }
      const { messages, complete } = await this.#ctx.store.messages.page(owner, next)
      yield { messages: range.last ? messages.toReversed() : messages, complete }
      const end = range.last ? messages[0] : messages.at(-1)
      if (complete || !end) return
      next = range.last ? { ...next, before: end.id } : { ...next, after: end.id }
    }
  }

  async *#picked(owner: Jid, ids: readonly number[], range: ArchiveRange): AsyncIterable<Portion> {
    const { after = 0, before = 0 } = range
    const wanted = ids.filter((id) => id > after && id < before).sort((a, b) => (range.last ? b - a : a - b))
    for (const [place, id] of wanted.entries()) {
      const { messages } = await this.#ctx.store.messages.page(owner, {
        ...range,
        after: id - 1,
        before: id + 1,
        limit: 1,
      })
      yield { messages, complete: place === wanted.length - 1 }
    }
  }

  async #check(owner: Jid, ids: readonly number[]): Promise<void> {
    const found = await Promise.all(
      ids.map(async (id) => {
        if (Number.isNaN(id)) return false
        const { messages } = await this.#ctx.store.messages.page(owner, { after: id - 1, before: id + 1, limit: 1 })
        return messages.length > 0
      }),
    )
    if (found.includes(false)) throw new StanzaError('cancel', 'item-not-found', 'There is no such message here.')
  }
}

function isFleeting({ name, ns, children }: Element): boolean {
  if (FLEETING.has(ns)) return true
  if (ns === NS_CLIENT) return name === 'thread'
  if (ns === NS_MUC_USER) return children.length === 0 // what tells a private message in a room
  return (name === 'request' && ns === 'urn:xmpp:receipts') || (name === 'markable' && ns === 'urn:xmpp:chat-markers:0')
}

/** Counts failures and logs how many there were. */
function complaints({ clock, log }: FeatureContext): (error: Error) => void {
  let failed = 0
  return (error) => {
    if (failed++ > 0) return
    clock.after(COMPLAINT, () => {
      log.error('messages not archived', { count: failed, error })
      failed = 0
    })
  }
}

/** How long messages stay, in ms; undefined for ever. */
function keepOption() {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000, y: 31_557_600_000 }
  return v.optional(
    v.pipe(
      v.unknown(),
      v.rawTransform(({ dataset: { value }, addIssue, NEVER }) => {
        if (value === 'forever') return undefined
        const [, amount, unit] = /^(\d{1,6})\s*([hdwy])$/.exec(String(value).trim()) ?? []
        const time = Number(amount) * (units[unit ?? ''] ?? Number.NaN)
        if (time >= (units.d ?? 0)) return time
        addIssue({ message: 'must be a time such as 30d or 1y, at least 1d, or forever' })
        return NEVER
      }),
      v.metadata({
        description: 'How long messages stay in archives.',
        kind: 'time such as 30d or 1y, or forever',
        least: '1d',
      }),
    ),
    '1y',
  )
}

/** Removes by the hour what archives need not keep any more. */
class Trimmer {
  readonly #ctx: FeatureContext
  readonly #stopping = new AbortController()
  #cancel: readonly (() => void)[] = []
  #running: Promise<void> | undefined

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  start(): void {
    const { clock } = this.#ctx
    const trim = (): void => {
      this.#running ??= this.#trim().finally(() => {
        this.#running = undefined
      })
    }
    this.#cancel = [clock.after(FIRST_TRIM, trim), clock.every(TRIM_EVERY, trim)]
  }

  /** The store closes after this: a step that is under way is waited for. */
  async stop(): Promise<void> {
    for (const cancel of this.#cancel) cancel()
    this.#stopping.abort()
    await this.#running
  }

  async #trim(): Promise<void> {
    const { options, store, clock, log } = this.#ctx
    const { archiveKeep, archiveMessages } = options
    if (typeof archiveKeep !== 'number' && typeof archiveMessages !== 'number') return
    const bounds = {
      ...(typeof archiveKeep === 'number' && { before: clock.now() - archiveKeep }),
      ...(typeof archiveMessages === 'number' && { most: archiveMessages }),
    }
    try {
      const removed = await store.messages.trim(bounds, this.#stopping.signal)
      if (removed > 0) log.info('old messages left the archives', { removed })
    } catch (error) {
      log.error('archives not trimmed', { error })
    }
  }
}
