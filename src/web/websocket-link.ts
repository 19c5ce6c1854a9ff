// SPDX-License-Identifier: Apache-2.0
// A WebSocket as a link (RFC 7395): each element is a message of its own, `<open/>` and `<close/>` stand for the tags of the
// stream. As in `net/tcp-link.ts`, what one turn of the event loop sends leaves in one write, and who does not read is cut off.
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Cancel, Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { Allowance } from '../net/allowance.ts'
import { streamErrorOf } from '../net/stream-error.ts'
import type { ChannelBindings, Link, LinkEvents, MaybeAsync, OwnHeader } from '../stream/link.ts'
import { type Element, el, escapeAttribute, type Writable } from '../xml/element.ts'
import { Reader, type ReaderLimits } from '../xml/reader.ts'
import { StreamError } from '../xmpp/errors.ts'
import { framed, NS_CLIENT, NS_STREAMS } from './framing.ts'

const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'
/** Stands for the tag that a stream over TCP would begin with. Clients that forget the namespace of a stanza are understood. */
const FRAME = Buffer.from(`<frame xmlns='${NS_CLIENT}'>`)
const CLOSE = `<close xmlns='${NS_FRAMING}'/>`
/** Bytes of a message that are no XML: the head of each of its frames. */
const FRAMING = 1024
/** Bytes of a control frame of a client beside its payload (RFC 6455 §5.2, §5.5). */
const CONTROL = 6
/** RFC 6455 §7.4.1. */
const NORMAL = 1000
const BINARY_REFUSED = 1003
const TOO_LONG = 1009

const NO_BINDINGS: ChannelBindings = Object.freeze({})

/** What a link needs beside its socket. */
export interface WebSocketLinkOptions {
  /** Opaque, for logs. */
  readonly id: string
  readonly address: string
  readonly limits: Partial<ReaderLimits>
  /** Bytes that may wait to be sent. */
  readonly sendQueueBytes: number
  /** Bytes that the peer may send in a second, over some time. */
  readonly bytesPerSecond: number
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
  /** The connection below. */
  readonly socket: Duplex
}

/** One connection of a client. */
export class WebSocketLink implements Link {
  readonly id: string
  readonly address: string
  readonly encrypted = true // nobody else gets this far
  readonly bindings = NO_BINDINGS // web pages cannot know them, and a proxy may be between
  readonly serverName = undefined
  readonly #options: WebSocketLinkOptions
  readonly #ws: WebSocket
  readonly #socket: Duplex
  #reader: Reader
  #limits: Partial<ReaderLimits>
  #events: LinkEvents | undefined
  #state: 'open' | 'ended' = 'open'
  /** Whether we have opened our side. */
  #opened = false
  /** Whether the next thing must be an `<open/>`. */
  #awaitsOpen = true
  #corked = false
  #waiting: Promise<void> | undefined
  /** Messages that came with the one that a handler waits for. */
  #queue: Buffer[] = []
  /** Bytes of a message that has not come whole. */
  #unfinished = 0
  readonly #allowance: Allowance
  /** While the peer has sent too much: what ends that. */
  #rest: Cancel | undefined

  constructor(ws: WebSocket, options: WebSocketLinkOptions) {
    this.id = options.id
    this.address = options.address
    this.#options = options
    this.#limits = options.limits
    this.#ws = ws
    this.#socket = options.socket
    this.#reader = framedReader(options.limits)
    this.#allowance = new Allowance(options.bytesPerSecond, options.clock)
  }

  start(events: LinkEvents): void {
    this.#events = events
    this.#socket.prependListener('data', (chunk: Buffer) => this.#count(chunk))
    this.#ws.on('message', (data, isBinary) => this.#read(data as Buffer, isBinary))
    this.#ws.on('ping', (data: Buffer) => this.#signs(data))
    this.#ws.on('pong', (data: Buffer) => this.#signs(data))
    this.#ws.on('error', () => this.#ended('error')) // ws says by its close code what was wrong, and ends the connection
    this.#ws.on('close', () => this.#lost())
  }

  open(header: OwnHeader): void {
    this.#opened = true
    const to = header.to === undefined ? '' : ` to='${escapeAttribute(header.to)}'`
    this.#write(
      `<open xmlns='${NS_FRAMING}' version='1.0' from='${escapeAttribute(header.from)}'${to} id='${header.id}'` +
        ` xml:lang='${escapeAttribute(header.lang)}'/>`,
    )
  }

  send(item: Writable): void {
    if (this.#state === 'open') this.#write(framed(item))
  }

  restart(): void {
    this.#opened = false
    this.#awaitsOpen = true
  }

  startTls(): Promise<void> {
    return Promise.reject(new Error('TLS is a matter of HTTP here')) // RFC 7395 §3.9; never offered
  }

  allowStanzas(bytes: number): void {
    this.#limits = { ...this.#limits, stanzaBytes: bytes }
    this.#reader.setLimits(this.#limits)
  }

  close(error?: StreamError): void {
    if (this.#state === 'ended') return
    if (!this.#opened && error) this.open({ from: '', id: this.id, lang: 'en' })
    if (error) this.#write(framed(error))
    if (this.#opened) this.#write(CLOSE)
    this.#finish(NORMAL, error ? 'error' : 'closed')
  }

  /** Says the close code; ws cuts the connection if the peer does not answer. */
  #finish(code: number, reason: 'closed' | 'error'): void {
    this.#ws.close(code)
    this.#ended(reason)
    this.#uncork()
    this.#ws.resume()
  }

  #write(text: string): void {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      setImmediate(() => this.#uncork())
    }
    this.#options.metrics.bytesOut += text.length
    this.#ws.send(text)
  }

  #uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#socket.uncork()
    if (this.#ws.bufferedAmount <= this.#options.sendQueueBytes || this.#state === 'ended') return
    this.#options.metrics.overflows++
    this.#options.log.info('peer does not read', { stream: this.id })
    this.#lost()
  }

  /** RFC 7395 §3.8. It may come in the middle of a message, which is no shorter for that. */
  #signs(data: Buffer): void {
    this.#unfinished = Math.max(0, this.#unfinished - data.length - CONTROL)
    this.#allowance.spendStanza()
    this.#events?.alive?.()
  }

  /** Before the login a message may be much shorter than ws was told. */
  #count(chunk: Buffer): void {
    const pause = this.#allowance.spend(chunk.length)
    if (pause > 0 && this.#state === 'open') this.#restFor(pause)
    this.#unfinished += chunk.length
    const most = this.#limits.stanzaBytes
    if (most === undefined || this.#waiting || this.#unfinished - chunk.length <= most + FRAMING) return
    this.#tooLong()
  }

  /** What is here already is dealt with, and more is not read for a while. */
  #restFor(ms: number): void {
    this.#options.metrics.rests++
    this.#ws.pause()
    this.#rest?.()
    this.#rest = this.#options.clock.after(ms, () => {
      this.#rest = undefined
      if (!this.#waiting && this.#state === 'open') this.#ws.resume()
    })
  }

  #tooLong(): void {
    if (this.#state === 'ended') return
    if (this.#opened) this.#write(framed(new StreamError('policy-violation', 'A message is too long.')))
    this.#finish(TOO_LONG, 'error')
  }

  #read(data: Buffer, isBinary: boolean): void {
    this.#unfinished = 0
    this.#allowance.spendStanza()
    if (this.#state === 'ended') return
    if (isBinary) {
      this.#finish(BINARY_REFUSED, 'error') // RFC 7395 §3.2
      return
    }
    this.#options.metrics.bytesIn += data.length
    this.#events?.alive?.()
    if (this.#waiting) this.#queue.push(data)
    else this.#pump(data)
  }

  /** Hands out messages one at a time; while a handler waits, nothing more is read. */
  #pump(data: Buffer | undefined): void {
    try {
      for (let next = data; next && this.#state === 'open'; next = this.#queue.shift()) {
        const waiting = this.#handle(next)
        if (!waiting) continue
        this.#waitFor(waiting)
        return
      }
    } catch (error) {
      this.#refuse(error)
    }
  }

  #waitFor(waiting: Promise<void>): void {
    this.#waiting = waiting
    this.#ws.pause()
    waiting.then(
      () => {
        this.#waiting = undefined
        if (this.#state === 'ended') return
        this.#pump(this.#queue.shift())
        if (!this.#waiting && !this.#rest) this.#ws.resume()
      },
      (error: unknown) => this.#refuse(error),
    )
  }

  #handle(data: Buffer): MaybeAsync<void> {
    const element = this.#parse(data)
    if (!element) return undefined
    if (element.ns === NS_FRAMING) return this.#frame(element)
    if (this.#awaitsOpen) throw new StreamError('invalid-namespace', 'The stream must be opened first.')
    return this.#events?.element(element)
  }

  /** One whole element; undefined for white space alone. */
  #parse(data: Buffer): Element | undefined {
    this.#reader.push(data)
    const event = this.#reader.next()
    if (event?.kind === 'element') {
      if (this.#reader.next() || this.#reader.pendingBytes > 0) throw notOneElement()
      return event.element
    }
    if (event || this.#reader.pendingBytes > 0) throw notOneElement()
    return undefined
  }

  /** RFC 7395 §3.4, §3.6, §3.7. */
  #frame(element: Element): MaybeAsync<void> {
    if (element.name === 'close') return this.close()
    if (element.name !== 'open' || !this.#awaitsOpen) throw new StreamError('bad-format')
    this.#awaitsOpen = false
    const header = el('stream', NS_STREAMS, element.attrs)
    return this.#events?.opened({ element: header, contentNamespace: NS_CLIENT, prefix: 'stream' })
  }

  #refuse(error: unknown): void {
    this.close(streamErrorOf(error, this.#options.log, this.id))
  }

  #lost(): void {
    this.#ended('lost')
    this.#ws.terminate()
  }

  #ended(reason: 'closed' | 'error' | 'lost'): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#queue = []
    this.#rest?.()
    this.#events?.ended(reason)
  }
}

function framedReader(limits: Partial<ReaderLimits>): Reader {
  const reader = new Reader(limits)
  reader.push(FRAME)
  reader.next()
  return reader
}

function notOneElement(): StreamError {
  return new StreamError('not-well-formed', 'A message must be one element.')
}
