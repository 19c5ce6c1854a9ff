// SPDX-License-Identifier: Apache-2.0
// A TCP connection as a link: bytes in, elements out, one at a time; what one turn of the event loop sends leaves in one
// write. A peer that does not read, or does not close when told to, is cut off.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Cancel, Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { ChannelBindings, Link, LinkEvents, MaybeAsync, OwnHeader, Proof, Secured } from '../stream/link.ts'
import { type Element, escapeAttribute, type Writable } from '../xml/element.ts'
import { type ReadEvent, Reader, type ReaderLimits } from '../xml/reader.ts'
import type { StreamError } from '../xmpp/errors.ts'
import { Stanza } from '../xmpp/stanza.ts'
import { Allowance } from './allowance.ts'
import { securedOf } from './certificates/secured.ts'
import { streamErrorOf } from './stream-error.ts'
import { bindingsOf } from './tls-bindings.ts'

/** How long a peer may take to close its side, in ms. */
const CLOSING_TIME = 3_000

const NS_CLIENT = 'jabber:client'
const NS_STREAMS = 'http://etherx.jabber.org/streams'
const NS_SERVER = 'jabber:server'
/** Every stream between servers declares it (XEP-0220 §2.4.1). */
const DIALBACK = ` xmlns:db='jabber:server:dialback'`
const NO_BINDINGS: ChannelBindings = Object.freeze({})

/** What a link needs beside its socket. */
export interface TcpLinkOptions {
  /** Opaque, for logs. */
  readonly id: string
  readonly limits: Partial<ReaderLimits>
  /** The namespace of the stream's content, if it is not a client's stream. */
  readonly content?: string
  /** Bytes that the peer may send in a second, over some time (see `allowance.ts`). */
  readonly bytesPerSecond: number
  readonly clock: Clock
  /** Bytes that may wait to be sent. */
  readonly sendQueueBytes: number
  readonly metrics: Metrics
  readonly log: Log
  /** Negotiates TLS on a plain socket. */
  readonly secure: (socket: Socket, domain: string | undefined) => Promise<TLSSocket>
  /** Judges the certificate of another server. */
  readonly proves?: (socket: TLSSocket, domain: string) => Promise<Proof>
}

/** So much of what is to be sent, in UTF-16 units, does not wait for the end of the turn: a heap of small texts is costly to keep. */
const OUT_SOON = 32 * 1024

/**
 * Node gives a TLS connection a buffer of 1 KiB to write through. What does not fit makes it get one of 16 KiB that it keeps for good,
 * and most connections are idle: as long as little is written at a time (UTF-16 units) it goes in pieces that fit, each in a turn
 * of its own, up to so many pieces.
 */
const PIECE = 960
const LITTLE = 4 * PIECE
const PIECES = 16

/** Links with something to send, written out together at the end of the turn. */
const dirty: TcpLink[] = []

function flushAll(): void {
  for (const link of dirty.splice(0)) link.flush(false)
}

/** One connection to a client, a component or another server. */
export class TcpLink implements Link {
  readonly id: string
  readonly address: string
  readonly #options: TcpLinkOptions
  #socket: Socket | TLSSocket
  #reader: Reader
  #limits: Partial<ReaderLimits>
  #events: LinkEvents | undefined
  /** What waits to be sent, in its parts: put together one after the other, each part would be one more thing to collect. */
  #out: string[] = []
  #outLength = 0
  #isDirty = false
  #piecesLeft = PIECES
  #busy = false
  readonly #allowance: Allowance
  /** While the peer has sent too much: what ends that. */
  #rest: Cancel | undefined
  #opened = false
  #state: 'open' | 'ended' = 'open'
  /** Between `<proceed/>` and the end of the handshake nothing may be written (RFC 6120 §5.4.3.1). */
  #securing = false
  #encrypted: boolean
  #bindings: ChannelBindings | undefined

  constructor(socket: Socket | TLSSocket, encrypted: boolean, options: TcpLinkOptions) {
    this.id = options.id
    this.address = socket.remoteAddress ?? ''
    this.#options = options
    this.#limits = options.limits
    this.#allowance = new Allowance(options.bytesPerSecond, options.clock)
    this.#reader = this.#newReader()
    this.#socket = socket
    this.#encrypted = encrypted
  }

  get encrypted(): boolean {
    return this.#encrypted
  }

  get bindings(): ChannelBindings {
    if (!this.#encrypted) return NO_BINDINGS
    this.#bindings ??= bindingsOf(this.#socket as TLSSocket)
    return this.#bindings
  }

  get serverName(): string | undefined {
    const name = 'servername' in this.#socket ? this.#socket.servername : undefined
    return typeof name === 'string' ? name : undefined
  }

  start(events: LinkEvents): void {
    this.#events = events
    this.#listen()
  }

  open(header: OwnHeader): void {
    this.#opened = true
    const { content = NS_CLIENT } = this.#options
    const to = header.to === undefined ? '' : ` to='${escapeAttribute(header.to)}'`
    const id = header.id === '' ? '' : ` id='${header.id}'`
    const version = header.version === undefined ? '' : ` version='${header.version}'`
    const dialback = content === NS_SERVER ? DIALBACK : ''
    this.#write(
      `<?xml version='1.0'?><stream:stream xmlns='${content}' xmlns:stream='${NS_STREAMS}'${dialback}${version}` +
        ` from='${escapeAttribute(header.from)}'${to}${id} xml:lang='${escapeAttribute(header.lang)}'>`,
    )
  }

  /** Stanzas leave as on a client's stream, and so inherit the namespace of this one (RFC 6120 §4.8.3). */
  send(item: Writable): void {
    if (this.#state !== 'open') return
    if (item instanceof Stanza) this.#written(item.write(this.#out))
    else this.#write(item.xml(NS_CLIENT))
  }

  restart(): void {
    this.#opened = false
    this.#reader.restart()
  }

  async startTls(answer: Element | undefined, domain?: string): Promise<void> {
    if (answer) this.send(answer)
    this.flush()
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.pause()
    this.#opened = false
    this.#securing = true
    this.#reader = this.#newReader()
    const socket = await this.#options.secure(plain, domain)
    if (this.#state === 'ended') {
      socket.destroy()
      return
    }
    plain.removeAllListeners('end')
    this.#securing = false
    this.#socket = socket
    this.#encrypted = true
    this.#listen()
  }

  get unsent(): number {
    return this.#outLength + this.#socket.writableLength
  }

  async proves(domain: string): Promise<Proof> {
    if (!this.#encrypted || !this.#options.proves) return { by: undefined, why: 'the connection has no TLS' }
    return this.#options.proves(this.#socket as TLSSocket, domain)
  }

  get secured(): Secured | undefined {
    return this.#encrypted ? securedOf(this.#socket as TLSSocket) : undefined
  }

  allowStanzas(bytes: number): void {
    this.#limits = { ...this.#limits, stanzaBytes: bytes }
    this.#reader.setLimits(this.#limits)
  }

  close(error?: StreamError): void {
    if (this.#state === 'ended') return
    if (this.#securing) {
      this.#lost()
      return
    }
    if (!this.#opened && error) this.open({ from: '', id: this.id, lang: 'en', version: '1.0' })
    if (error) this.#write(error.xml())
    if (this.#opened) this.#write('</stream:stream>')
    this.flush()
    this.#ended(error ? 'error' : 'closed')
    const socket = this.#socket
    socket.end()
    socket.resume()
    setTimeout(() => socket.destroy(), CLOSING_TIME).unref()
  }

  /** Hands what waits to the socket. @param whole all of it, at once */
  flush(whole = true): void {
    this.#isDirty = false
    const text = this.#take()
    const end = whole ? text.length : this.#pieceEnd(text)
    this.#handOver(text.slice(0, end))
    if (end < text.length) this.#write(text.slice(end))
    if (this.#socket.destroyed || this.#socket.writableLength <= this.#options.sendQueueBytes) return
    this.#options.metrics.overflows++
    this.#options.log.info('peer does not read', { stream: this.id })
    this.#lost()
  }

  /** What waits, which does no more. */
  #take(): string {
    const parts = this.#out
    this.#out = []
    this.#outLength = 0
    return parts.length === 1 ? (parts[0] ?? '') : parts.join('')
  }

  #handOver(text: string): void {
    if (text === '') return
    if (this.#socket.destroyed || !this.#socket.writable) return
    this.#options.metrics.bytesOut += text.length
    this.#socket.write(text)
  }

  #newReader(): Reader {
    const { content } = this.#options
    return new Reader(this.#limits, content === undefined ? undefined : { written: content, meant: NS_CLIENT })
  }

  #write(text: string): void {
    this.#out.push(text)
    this.#written(text.length)
  }

  /** So much was added to what waits. */
  #written(length: number): void {
    this.#outLength += length
    if (this.#outLength >= OUT_SOON) this.#handOver(this.#take()) // whether the peer reads is looked at by `flush`
    if (!this.#isDirty) this.#markDirty()
  }

  /** Up to where a text is to be written in this turn. */
  #pieceEnd(text: string): number {
    if (this.#piecesLeft === 0 || !this.#encrypted || text.length <= PIECE) return text.length
    this.#piecesLeft = text.length > LITTLE ? 0 : this.#piecesLeft - 1
    if (this.#piecesLeft === 0) return text.length
    const last = text.charCodeAt(PIECE - 1)
    return last >= 0xd800 && last < 0xdc00 ? PIECE - 1 : PIECE // the halves of a character stay together
  }

  #markDirty(): void {
    this.#isDirty = true
    if (dirty.push(this) === 1) setImmediate(flushAll)
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('end', () => this.#lost())
    socket.on('error', () => this.#lost())
    socket.on('close', () => this.#lost())
    socket.resume()
  }

  #read(chunk: Buffer): void {
    if (this.#state === 'ended') return
    this.#options.metrics.bytesIn += chunk.length
    const pause = this.#allowance.spend(chunk.length)
    if (pause > 0) this.#restFor(pause)
    this.#reader.push(chunk)
    this.#events?.alive?.()
    if (!this.#busy) this.#pump()
  }

  /** What is here already is dealt with, and more is not read for a while. */
  #restFor(ms: number): void {
    this.#options.metrics.rests++
    this.#socket.pause()
    this.#rest?.()
    this.#rest = this.#options.clock.after(ms, () => {
      this.#rest = undefined
      if (!this.#busy && this.#state === 'open') this.#socket.resume()
    })
  }

  /** Hands out what was read, one thing at a time; while a handler waits, nothing more is read (STYLE: reading waits). */
  #pump(): void {
    try {
      for (;;) {
        if (this.#state === 'ended') return
        const event = this.#reader.next()
        if (!event) return
        const waiting = this.#dispatch(event)
        if (waiting) {
          this.#waitFor(waiting)
          return
        }
      }
    } catch (error) {
      this.#refuse(error)
    }
  }

  #waitFor(waiting: Promise<void>): void {
    this.#busy = true
    this.#socket.pause()
    waiting.then(
      () => {
        this.#busy = false
        if (this.#state === 'ended') return
        if (!this.#rest) this.#socket.resume()
        this.#pump()
      },
      (error: unknown) => this.#refuse(error),
    )
  }

  #dispatch(event: ReadEvent): MaybeAsync<void> {
    if (event.kind === 'element') {
      this.#allowance.spendStanza()
      return this.#events?.element(event.element)
    }
    if (event.kind === 'close') return this.close()
    const { header, contentNamespace, prefix } = event
    return this.#events?.opened({ element: header, contentNamespace, prefix })
  }

  #refuse(error: unknown): void {
    this.close(streamErrorOf(error, this.#options.log, this.id))
  }

  #lost(): void {
    this.#ended('lost')
    this.#socket.destroy()
  }

  #ended(reason: 'closed' | 'error' | 'lost'): void {
    if (this.#state === 'ended') return // lost already while the last words were written
    this.#state = 'ended'
    this.#out = []
    this.#outLength = 0
    this.#rest?.()
    this.#events?.ended(reason)
  }
}
