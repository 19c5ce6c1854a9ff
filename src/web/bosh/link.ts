// SPDX-License-Identifier: Apache-2.0
// A session over BOSH as a link (XEP-0124, XEP-0206): requests are taken in the order of their numbers, one is held back until
// there is something to say, and the last answers are kept for a client that did not get them.
import type { Cancel, Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import { Allowance } from '../../net/allowance.ts'
import { streamErrorOf } from '../../net/stream-error.ts'
import type { ChannelBindings, Link, LinkEvents, MaybeAsync, OwnHeader } from '../../stream/link.ts'
import { type Attributes, type Element, el, type Writable } from '../../xml/element.ts'
import type { ReaderLimits } from '../../xml/reader.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { NS_CLIENT, NS_STREAMS } from '../framing.ts'
import { bodyXml, type Condition, terminateXml, xbosh } from './body.ts'
import { type BoshRequest, Replies, replaced } from './replies.ts'
import { pauseOf, Rules, restarts } from './rules.ts'
import { sessionTerms, type Terms } from './terms.ts'

/** Characters of an answer; the rest goes into the next one. */
const ANSWER_MAX = 512 * 1024
/** How many requests that came before may come again, until a new one comes. */
const REPEATS_MAX = 10
const EMPTY = bodyXml({}, '')
const NO_BINDINGS: ChannelBindings = Object.freeze({})
/** Stream errors that the binding has a name for. */
const CONDITIONS: Readonly<Record<string, Condition>> = {
  'host-gone': 'host-gone',
  'host-unknown': 'host-unknown',
  'system-shutdown': 'system-shutdown',
}

/** What a link works with. */
export interface BoshLinkOptions {
  /** Opaque, for logs. */
  readonly id: string
  /** The secret that requests show. */
  readonly sid: string
  readonly address: string
  readonly limits: Partial<ReaderLimits>
  /** Bytes that may wait to be sent. */
  readonly sendQueueBytes: number
  /** Bytes that the client may send in a second, over some time. */
  readonly bytesPerSecond: number
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
  /** Called once, when nothing that comes later needs to know this session. */
  readonly forget: () => void
}

/** One session of a client. */
export class BoshLink implements Link {
  readonly id: string
  readonly address: string
  readonly encrypted = true // nobody else gets this far
  readonly bindings = NO_BINDINGS // it is many connections
  readonly serverName = undefined
  readonly #options: BoshLinkOptions
  readonly #terms: Terms
  readonly #rules: Rules
  readonly #replies: Replies
  #limits: Partial<ReaderLimits>
  #events: LinkEvents | undefined
  /** The answer to all that still comes; the session is over. */
  #farewell: string | undefined
  #awaitsOpen = true
  /** Our answer to the first request. */
  #greeting: Attributes | undefined

  /** The number of the request that began the session. */
  readonly #first: number
  /** The highest number up to which all requests have come. */
  #last: number
  /** Requests that have overtaken others. */
  readonly #early = new Map<number, BoshRequest>()
  #repeats = 0

  /** What requests brought, to be done one after the other, and how many bytes that is. */
  #todo: (() => MaybeAsync<void>)[] = []
  #todoBytes = 0
  #busy = false
  readonly #allowance: Allowance
  /** While the client has sent too much: what ends that. */
  #rest: Cancel | undefined

  #out: string[] = []
  #outBytes = 0
  #scheduled = false
  #pause: number | undefined
  #cancelTimer: Cancel = () => undefined

  constructor(first: BoshRequest, options: BoshLinkOptions) {
    this.id = options.id
    this.address = options.address
    this.#options = options
    this.#limits = options.limits
    this.#terms = sessionTerms(first.attrs)
    this.#rules = new Rules(this.#terms, options.clock)
    this.#replies = new Replies(this.#terms.requests)
    this.#allowance = new Allowance(options.bytesPerSecond, options.clock)
    this.#first = first.rid
    this.#last = first.rid - 1
    this.#greeting = { sid: options.sid, ...this.#terms.attrs }
  }

  /** What a request may bring at this time. */
  get limits(): Partial<ReaderLimits> {
    return this.#limits
  }

  start(events: LinkEvents): void {
    this.#events = events
  }

  open({ from, id }: OwnHeader): void {
    this.#awaitsOpen = false
    if (this.#greeting) this.#greeting = { ...this.#greeting, from, authid: id }
  }

  send(item: Writable): void {
    if (this.#farewell !== undefined) return
    const text = item.xml('')
    this.#out.push(text)
    this.#outBytes += text.length
    if (this.#outBytes > this.#options.sendQueueBytes) this.#overflow()
    else this.#schedule()
  }

  restart(): void {
    this.#awaitsOpen = true
  }

  startTls(): Promise<void> {
    return Promise.reject(new Error('TLS is a matter of HTTP here')) // XEP-0206 §2; never offered
  }

  allowStanzas(bytes: number): void {
    this.#limits = { ...this.#limits, stanzaBytes: bytes }
  }

  close(error?: StreamError): void {
    if (this.#farewell !== undefined) return
    const condition = error && (CONDITIONS[error.condition] ?? 'remote-stream-error')
    const last = this.#out.join('') + (condition === 'remote-stream-error' ? (error?.xml() ?? '') : '')
    this.#finish(terminateXml(condition, last), error ? 'error' : 'closed')
  }

  /** Takes a request of this session. */
  take(request: BoshRequest): void {
    const { rid } = request
    this.#spend(request)
    if (this.#farewell !== undefined) this.#sayFarewell(request)
    else if ((rid <= this.#last || this.#early.has(rid)) && ++this.#repeats > REPEATS_MAX) {
      this.#terminate('policy-violation', request)
    } else if (rid <= this.#last) this.#repeat(request)
    else if (rid > this.#last + this.#rules.window(request) || this.#differs(request)) {
      this.#terminate('item-not-found', request)
    } else {
      const same = this.#early.get(rid)
      if (same) replaced(same)
      this.#early.set(rid, request)
      this.#takeInOrder()
    }
  }

  /** What came is dealt with; without an answer, a client may not send more than one more (XEP-0124 §11). */
  #spend({ bytes, payloads }: BoshRequest): void {
    for (const _ of payloads) this.#allowance.spendStanza()
    const pause = this.#allowance.spend(bytes)
    if (pause === 0 || this.#farewell !== undefined) return
    this.#options.metrics.rests++
    this.#rest?.()
    this.#rest = this.#options.clock.after(pause, () => {
      this.#rest = undefined
      this.#settle()
    })
  }

  /** Whether another one with its number waits for its turn. */
  #differs({ rid, digest }: BoshRequest): boolean {
    return (this.#early.get(rid)?.digest ?? digest) !== digest
  }

  /** A client has given up waiting for an answer. */
  left(): void {
    this.#watch()
  }

  /** A body that names this session cannot be understood. */
  refuse(condition: Condition, request: Pick<BoshRequest, 'answer'>): void {
    this.#terminate(condition, request)
  }

  #takeInOrder(): void {
    for (let next = this.#early.get(this.#last + 1); next; next = this.#early.get(this.#last + 1)) {
      this.#early.delete(next.rid)
      this.#last = next.rid
      const wrong = this.#rules.judge(next, this.#replies.waiting)
      if (wrong) {
        this.#terminate(wrong, next)
        return
      }
      this.#accept(next)
    }
    this.#watch()
  }

  #accept(request: BoshRequest): void {
    const { attrs, payloads, bytes } = request
    this.#repeats = 0
    this.#replies.hold(request, this.#options.clock.now())
    this.#options.metrics.bytesIn += bytes
    this.#pause = pauseOf(attrs)
    this.#events?.alive?.()
    this.#todoBytes += bytes
    if (request.rid === this.#first || restarts(attrs)) this.#todo.push(() => this.#opened(attrs))
    else for (const payload of payloads) this.#todo.push(() => this.#element(payload))
    if (attrs.type === 'terminate') this.#todo.push(() => this.close())
    this.#todo.push(() => {
      this.#todoBytes -= bytes
    })
    if (!this.#busy) this.#pump()
  }

  #opened(attrs: Attributes): MaybeAsync<void> {
    if (!this.#awaitsOpen) throw new StreamError('bad-format', 'The stream is open already.')
    const version = xbosh(attrs, 'version') ?? '1.0' // XEP-0206 §3 asks for it at the start only, and not always
    const header = { to: attrs.to, from: attrs.from, version, 'xml:lang': attrs['xml:lang'] }
    const element = el('stream', NS_STREAMS, header)
    return this.#events?.opened({ element, contentNamespace: NS_CLIENT, prefix: 'stream' })
  }

  #element(payload: Element): MaybeAsync<void> {
    if (this.#awaitsOpen) throw new StreamError('bad-format', 'The stream must be opened first.')
    return this.#events?.element(payload)
  }

  /** Does what requests brought; while a handler waits, nothing more is done. */
  #pump(): void {
    try {
      for (let next = this.#todo.shift(); next && this.#farewell === undefined; next = this.#todo.shift()) {
        const waiting = next()
        if (waiting) {
          this.#waitFor(waiting)
          return
        }
      }
    } catch (error) {
      this.#failed(error)
    }
    this.#schedule()
  }

  #waitFor(waiting: Promise<void>): void {
    this.#busy = true
    waiting.then(
      () => {
        this.#busy = false
        this.#pump()
      },
      (error: unknown) => this.#failed(error),
    )
  }

  #failed(error: unknown): void {
    this.close(streamErrorOf(error, this.#options.log, this.id))
  }

  /** What one turn of the event loop produced leaves together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#settle()
    })
  }

  /** Answers what can be answered; as long as much waits to be done, that is nothing, so that no more comes. */
  #settle(): void {
    if (this.#farewell !== undefined || this.#rest) return
    if (this.#busy && this.#todoBytes > (this.#limits.stanzaBytes ?? 0)) return
    if (this.#out.length > 0 && this.#pause === undefined) this.#answer(this.#takeOut())
    const hold = this.#pause === undefined ? this.#terms.hold : 0
    while (this.#replies.waiting > hold && !this.#greets()) this.#answer('')
    this.#watch()
  }

  /** Whether the first answer must wait for the stream features. */
  #greets(): boolean {
    return this.#greeting !== undefined && this.#busy
  }

  #takeOut(): string {
    if (this.#replies.waiting === 0) return ''
    let content = ''
    let taken = 0
    for (const text of this.#out) {
      if (taken > 0 && content.length + text.length > ANSWER_MAX) break
      content += text
      taken++
    }
    this.#out = this.#out.slice(taken)
    this.#outBytes -= content.length
    return content
  }

  /** Answers the oldest request. */
  #answer(content: string): void {
    if (this.#replies.waiting === 0) return
    const body = this.#greeting || content !== '' ? bodyXml(this.#greeting ?? {}, content) : EMPTY
    this.#greeting = undefined
    if (content !== '') this.#rules.gave()
    this.#options.metrics.bytesOut += body.length
    this.#replies.answer(body)
    if (this.#out.length > 0 && this.#replies.waiting > 0) this.#schedule()
  }

  #repeat(request: BoshRequest): void {
    const wrong = this.#replies.repeat(request)
    if (wrong) this.#terminate(wrong, request)
    this.#events?.alive?.()
    this.#watch()
  }

  /** Waits for whatever comes first: it is time to answer, or the client is gone. */
  #watch(): void {
    this.#cancelTimer()
    if (this.#farewell !== undefined || this.#rest) return
    const { clock } = this.#options
    const { wait, inactivity } = this.#terms
    const { since } = this.#replies
    if (since !== undefined) {
      const left = Math.max(0, since + wait * 1000 - clock.now())
      this.#cancelTimer = clock.after(left, () => {
        this.#answer('')
        this.#watch()
      })
    } else {
      this.#cancelTimer = clock.after((this.#pause ?? inactivity) * 1000, () => {
        this.#finish(terminateXml('item-not-found'), 'lost')
      })
    }
  }

  #overflow(): void {
    this.#options.metrics.overflows++
    this.#options.log.info('peer does not read', { stream: this.id })
    this.#finish(terminateXml('policy-violation'), 'lost')
  }

  #terminate(condition: Condition, request: Pick<BoshRequest, 'answer'>): void {
    if (this.#farewell === undefined) this.#finish(terminateXml(condition), 'error', request)
    request.answer(terminateXml(condition))
  }

  /** The session is over: the oldest request learns why; if there is none, the next one does. */
  #finish(farewell: string, reason: 'closed' | 'error' | 'lost', asks?: Pick<BoshRequest, 'answer'>): void {
    const waiting = [...this.#replies.clear(), ...this.#early.values()].filter((one) => one !== asks)
    this.#farewell = farewell
    this.#cancelTimer()
    this.#rest?.()
    this.#early.clear()
    this.#out = []
    this.#todo = []
    const told = waiting.find((one) => !one.gone)
    for (const request of waiting) request.answer(request === told ? farewell : EMPTY)
    if (told || asks || reason === 'lost') this.#options.forget()
    else this.#cancelTimer = this.#options.clock.after(this.#terms.inactivity * 1000, this.#options.forget)
    this.#events?.ended(reason)
  }

  #sayFarewell(request: BoshRequest): void {
    request.answer(this.#farewell ?? EMPTY)
    this.#cancelTimer()
    this.#options.forget()
  }
}
