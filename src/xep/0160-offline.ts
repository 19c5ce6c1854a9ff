// SPDX-License-Identifier: Apache-2.0
// XEP-0160: Offline Messages. What comes while nobody is there waits, within bounds, and goes to the first client that can
// take it, with the time it came at (XEP-0203).
import type { LocalAccount } from '../core/directory.ts'
import { type Feature, type FeatureContext, type MaybeAsync, PASS, type Verdict } from '../core/feature.ts'
import { recipients } from '../core/message.ts'
import type { Session } from '../core/session.ts'
import type { MessageId, NewMessage, WaitingMessage } from '../store/store.ts'
import { el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { NS_DELAY } from '../xmpp/0203-delay.ts'
import { archiveId } from '../xmpp/0313-archive-queries.ts'
import { stanzaId } from '../xmpp/0359-stanza-ids.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { type MessageType, NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { isCounted, roomFor } from './0198-stream-management/counted.ts'
import { isCarbon } from './0280-carbons.ts'
import { archiveOwners, keepingOf } from './0313-archive.ts'
import { bury } from './0424-retraction.ts'

/** Messages that are read from the store at once. */
const PAGE = 50
/** UTF-16 units of XML that are sent before the client's link has had a turn to write them. */
const PORTION = 512 * 1024
/** What may come behind what waits before a client that does not take it is cut off, as one that acknowledges nothing. */
const BEHIND_MAX = 10_000
/** Messages that are held back in memory, all others' clients having them, and UTF-16 units of their texts. */
const HELD_MAX = 1_000
const HELD_TEXT = 1024 * 1024

const KEPT: Verdict = { keep: 'stored until somebody is there' }
const BEHIND: Verdict = { keep: 'behind what waits' }
const HELD: Verdict = { keep: 'goes after what waits' }
const FLEETING: Verdict = { keep: 'nothing in it that lasts' }
const UNWANTED: Verdict = { keep: 'not to be stored' }
const FULL: Verdict = { stop: 'the offline queue is full', error: new StanzaError('cancel', 'service-unavailable') }

/** XEP-0160: Best Practices for Handling Offline Messages, with XEP-0203: Delayed Delivery. */
export const offline: Feature = {
  name: 'offline',
  implements: [
    { xep: 160, version: '1.0.1', name: 'Best Practices for Handling Offline Messages' },
    { xep: 203, version: '2.0', name: 'Delayed Delivery' },
  ],
  setup(ctx) {
    const queues = new Queues(ctx)
    return {
      only: { onReceive: ['message'], onDeliver: ['message'] },
      onReceive: (stanza, owner) => queues.behind(stanza, owner),
      onAway: (message, owner) => queues.away(message, owner),
      onAvailable: (client) => queues.handOver(client.account),
      onDeliver: (stanza, client) => queues.after(stanza, client),
      disco: { server: { features: ['msgoffline'] } },
    }
  },
}

/** A message that waits in memory; whether for its client alone. */
interface Held {
  readonly message: Stanza
  readonly alone: boolean
}

/** The queue of one account; what is in it is in the store. */
interface Queue {
  /** How many wait; a promise while they are counted. */
  count: number | Promise<number> | undefined
  /** Whether a delivery is under way: two clients that come at once do not get everything twice. */
  delivering: boolean
  /** Something happened during the delivery that it may have missed. */
  again: boolean
  /** Who is getting what waits: what comes meanwhile for this client alone goes behind it. */
  client: Session | undefined
  /** The first of that, and how many it has not got yet. */
  firstBehind: MessageId
  behind: number
  /** What it gets after all that: others have it already, it must not be stored, or came behind such a one. */
  held: Held[]
  heldText: number
  /** Whether what is delivered at this moment was kept until now. */
  handing: boolean
  /** What a client has to make, by acknowledging something, before the delivery goes on. */
  room: Promise<void> | undefined
}

/** All queues. */
class Queues {
  readonly #ctx: FeatureContext
  readonly #queues = new WeakMap<LocalAccount, Queue>()
  /** How many queues have a client. */
  #busy = 0

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** XEP-0160 §2, §3. A message whose sender does not want it stored goes back if there is something to read in it. */
  away(message: Stanza, owner: LocalAccount): MaybeAsync<Verdict> {
    const keeping = keepingOf(message)
    if (keeping === 'nothing') return FLEETING
    if (keeping === 'deny') return message.element.child('body') ? PASS : UNWANTED
    const queue = this.#queueOf(owner)
    if (typeof queue.count === 'number') return this.#add(message, owner, queue, queue.count)
    return this.#counted(owner, queue).then((count) =>
      this.#add(message, owner, queue, typeof queue.count === 'number' ? queue.count : count),
    )
  }

  /**
   * Nothing overtakes what waits, even if that takes a while: it joins the queue. The archive has it already. Where other
   * clients get it too, it goes its way, and `after` holds it back for this one.
   */
  behind(message: Stanza, owner: LocalAccount): Verdict {
    if (this.#busy === 0 || message.kind !== 'message') return PASS
    const queue = this.#queues.get(owner)
    const { from, to } = message
    if (!queue?.client || !from || !to || queue.held.length > 0) return PASS
    const fate = recipients(message.type as MessageType, to.resource, owner.sessions.values())
    if (fate.kind !== 'deliver' || fate.clients.some((client) => client !== queue.client)) return PASS
    const keeping = keepingOf(message)
    if (keeping === 'nothing' || keeping === 'deny') return PASS
    queue.again = true
    const id = this.#append(message, { from, to, archiveFor: [] }, owner, queue)
    if (++queue.behind === 1) queue.firstBehind = id
    if (queue.behind > BEHIND_MAX) queue.client.close(new StreamError('policy-violation', 'Too much waits.'))
    return BEHIND
  }

  /** What is not stored for a client that gets what waits is for it all the same, in its turn. */
  after(message: Stanza, client: Session): Verdict {
    if (this.#busy === 0 || message.kind !== 'message') return PASS
    const queue = this.#queues.get(client.account)
    const { type, to } = message
    if (queue?.client !== client || queue.handing || (type !== 'chat' && type !== 'normal')) return PASS
    if (isCarbon(message)) return PASS // of what was said to others, or by others: nothing of that waits
    const fate = recipients(type, to?.resource, client.account.sessions.values())
    queue.held.push({ message, alone: fate.kind === 'deliver' && fate.clients.length === 1 })
    queue.heldText += message.kept().length
    if (queue.held.length > HELD_MAX || queue.heldText > HELD_TEXT) {
      client.close(new StreamError('policy-violation', 'Too much waits.'))
    }
    return HELD
  }

  /** Delivers what waits to a client that can take it, if there is one. */
  handOver(owner: LocalAccount): MaybeAsync<void> {
    const queue = this.#queueOf(owner)
    queue.again = true
    if (queue.delivering) return undefined
    queue.delivering = true
    return this.#deliver(owner, queue)
  }

  #queueOf(owner: LocalAccount): Queue {
    const known = this.#queues.get(owner)
    if (known) return known
    const queue: Queue = {
      count: undefined,
      delivering: false,
      again: false,
      client: undefined,
      firstBehind: 0,
      behind: 0,
      held: [],
      heldText: 0,
      handing: false,
      room: undefined,
    }
    this.#queues.set(owner, queue)
    return queue
  }

  /** A count that a delivery has overtaken is not remembered. */
  #counted(owner: LocalAccount, queue: Queue): Promise<number> {
    if (queue.count instanceof Promise) return queue.count
    const counting = this.#ctx.store.messages.offlineCount(owner.jid).then(
      (count) => {
        if (queue.count === counting) queue.count = count
        return count
      },
      (error: unknown) => {
        if (queue.count === counting) queue.count = undefined
        throw error
      },
    )
    queue.count = counting
    return counting
  }

  /** One row for the queue and the archives (see `0313-archive.ts`): what is bounced is in neither (XEP-0313 §6.1). */
  #add(message: Stanza, owner: LocalAccount, queue: Queue, count: number): Verdict {
    const { from, to } = message
    if (!from || !to || count >= this.#ctx.limits.offlineMessages) return FULL
    const archiveFor = archiveOwners(message, owner, this.#ctx)
    const id = this.#append(message, { from, to, archiveFor }, owner, queue)
    bury(message, id, archiveFor, this.#ctx)
    // Somebody may have come while the queue was counted.
    if (reachable(owner)) void this.handOver(owner)
    return KEPT
  }

  #append(
    message: Stanza,
    row: Pick<NewMessage, 'from' | 'to' | 'archiveFor'>,
    owner: LocalAccount,
    queue: Queue,
  ): MessageId {
    if (typeof queue.count === 'number') queue.count++
    return this.#ctx.store.messages.append({ xml: message.xml(NS_CLIENT), ...row, offlineFor: owner.jid }, (error) => {
      queue.count = undefined
      this.#ctx.log.error('offline message not kept', { error })
      const refusal = new StanzaError('wait', 'internal-server-error', 'The message could not be kept.')
      void this.#ctx.router.refuse(message, refusal)
    })
  }

  /** Goes on with the next client when one goes away; what it did not get stays. Never rejects. */
  async #deliver(owner: LocalAccount, queue: Queue): Promise<void> {
    try {
      for (let client = reachable(owner); client; client = reachable(owner)) {
        queue.again = false
        this.#serve(queue, client)
        const room = roomFor(client)
        if (room) return this.#goOnAfter(room, owner, queue)
        const waiting = await this.#ctx.store.messages.offline(owner.jid, PAGE)
        if (waiting.length > 0) await this.#portion(waiting, client, queue)
        else if (!queue.again) break
      }
      this.#serve(queue, undefined)
    } catch (error) {
      this.#serve(queue, undefined)
      this.#ctx.log.error('offline messages not delivered', { error })
    } finally {
      queue.delivering = false
    }
  }

  #serve(queue: Queue, client: Session | undefined): void {
    const before = queue.client
    if (before === client) return
    this.#busy += Number(client !== undefined) - Number(before !== undefined)
    queue.client = client
    queue.behind = 0
    const { held } = queue
    queue.held = []
    queue.heldText = 0
    if (before) for (const one of held) this.#letGo(one, before, queue)
  }

  /** To its client; if that is gone, whoever else it was for has it. */
  #letGo({ message, alone }: Held, client: Session, queue: Queue): void {
    const { from, to } = message
    if (isThere(client)) void this.#ctx.router.toClient(message, client)
    if (isThere(client) || !alone || !from || !to) return
    const keeping = keepingOf(message)
    if (keeping === 'nothing') return
    if (keeping !== 'deny') this.#append(message, { from, to, archiveFor: [] }, client.account, queue)
    else if (message.element.child('body'))
      void this.#ctx.router.refuse(message, new StanzaError('cancel', 'service-unavailable'))
  }

  /** Does not wait: as long as somebody does, nothing that the client sends is read. */
  #goOnAfter(room: Promise<void>, owner: LocalAccount, queue: Queue): void {
    if (queue.room === room) return
    queue.room = room
    void room.then(() => this.handOver(owner))
  }

  async #portion(waiting: readonly WaitingMessage[], client: Session, queue: Queue): Promise<void> {
    let size = 0
    let last: MessageId | undefined
    for (const kept of waiting) {
      if (last !== undefined && size + kept.xml.length > PORTION) break
      if (!isThere(client)) break // nothing is counted any more, so nothing would come back
      const message = this.#read(kept, client.account.jid)
      // Where nothing waits, nothing comes between: what is new would overtake what is old.
      queue.handing = true
      const handing = message && this.#ctx.router.toClient(message, client)
      if (handing) await handing
      queue.handing = false
      size += kept.xml.length
      last = kept.id
      if (queue.behind > 0 && kept.id >= queue.firstBehind) queue.behind--
    }
    await new Promise<void>((resolve) => setImmediate(resolve)) // the link writes, and notices if it cannot
    // What broke off stays, unless stream management has put it back into the queue: nothing may wait twice.
    if (last === undefined || !(isThere(client) || isCounted(client))) return
    queue.count = undefined
    // Where it waits for an acknowledgement it is on disk before it is gone from here.
    if (isCounted(client)) await this.#ctx.store.durable()
    await this.#ctx.store.messages.delivered(client.account.jid, last)
    queue.count = undefined
  }

  /** One that cannot be read any more must not keep the others from being delivered. */
  #read(kept: WaitingMessage, owner: Jid): Stanza | undefined {
    try {
      return delayed(kept, owner)
    } catch (error) {
      this.#ctx.log.error('offline message not readable', { id: kept.id, error })
      return undefined
    }
  }
}

/** The message as it came (its `to` too), with our notes; one that claims to be ours is none (XEP-0203 §5). */
function delayed({ id, xml, time, archived }: WaitingMessage, owner: Jid): Stanza {
  const from = owner.domain
  const element = parseElement(xml, NS_CLIENT)
    .without((child) => child.is('delay', NS_DELAY) && child.attrs.from === from)
    .append(el('delay', NS_DELAY, { from, stamp: new Date(time).toISOString() }, 'Offline Storage'))
  return Stanza.parse(archived ? element.append(stanzaId(archiveId(id), owner)) : element)
}

/** Rather one that need not acknowledge anything before it gets more. */
function reachable(owner: LocalAccount): Session | undefined {
  let busy: Session | undefined
  for (const client of owner.sessions.values()) {
    if (!isReachable(client)) continue
    if (!roomFor(client)) return client
    busy ??= client
  }
  return busy
}

/** Still there, and available with a non-negative priority (RFC 6121 §8.5.2.1). */
function isReachable(client: Session): boolean {
  return (client.priority ?? -1) >= 0 && isThere(client)
}

function isThere(client: Session): boolean {
  return client.account.sessions.get(client.resource) === client
}
