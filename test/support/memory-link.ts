// SPDX-License-Identifier: Apache-2.0
// A link without a socket: the client's end of a stream, for tests that read like conversations.
import { randomUUID } from 'node:crypto'
import type { ChannelBindings, Link, LinkEvents, OwnHeader, Proof, StreamHeader } from '../../src/stream/link.ts'
import { type Element, el, type Writable } from '../../src/xml/element.ts'
import { parseElement } from '../../src/xml/reader.ts'
import { StreamError } from '../../src/xmpp/errors.ts'

/** What the client gets to see. */
export type Heard =
  | { readonly kind: 'opened'; readonly header: OwnHeader }
  | { readonly kind: 'element'; readonly element: Element }
  | { readonly kind: 'closed'; readonly error: StreamError | undefined }

/** Both ends of a stream in one object. */
export class MemoryLink implements Link {
  readonly id = randomUUID()
  readonly address: string
  readonly bindings: ChannelBindings
  readonly serverName = undefined
  encrypted: boolean
  /** Bytes of a stanza that the server allowed. */
  allowed = 0
  /** How often the server wrote nothing but white space. */
  spaces = 0
  /** What the other side has not read, as the system says. */
  unsent = 0
  /** What the certificate of the other server proves; only on links between servers. */
  proof: ((domain: string) => Proof) | undefined
  #events: LinkEvents | undefined
  #turn: Promise<void> = Promise.resolve()
  #over = false
  readonly #heard: Heard[] = []
  readonly #waiting: ((heard: Heard) => void)[] = []

  constructor(options: { encrypted?: boolean; address?: string; bindings?: ChannelBindings } = {}) {
    this.encrypted = options.encrypted ?? true
    this.address = options.address ?? '192.0.2.1'
    this.bindings = options.bindings ?? {}
  }

  start(events: LinkEvents): void {
    this.#events = events
  }

  open(header: OwnHeader): void {
    this.#tell({ kind: 'opened', header })
  }

  send(item: Writable): void {
    if (this.#over) return
    const text = item.xml('jabber:client')
    if (text.trim() === '') {
      this.spaces++
      return
    }
    const xml = text.replaceAll(/<(\/?)stream:/g, '<$1')
    this.#tell({ kind: 'element', element: parseElement(xml, 'jabber:client') })
  }

  restart(): void {}

  startTls(answer: Element | undefined): Promise<void> {
    if (answer) this.send(answer)
    this.encrypted = true
    return Promise.resolve()
  }

  proves(domain: string): Promise<Proof> {
    return Promise.resolve(this.proof?.(domain) ?? { by: undefined, why: 'It showed no certificate.' })
  }

  allowStanzas(bytes: number): void {
    this.allowed = bytes
  }

  close(error?: StreamError): void {
    if (this.#over) return
    this.#over = true
    this.#tell({ kind: 'closed', error })
    this.#events?.ended(error ? 'error' : 'closed')
  }

  /** The client opens the stream. */
  clientOpens(
    attrs: Readonly<Record<string, string>>,
    contentNamespace = 'jabber:client',
    prefix = 'stream',
    ns = 'http://etherx.jabber.org/streams',
  ): void {
    const element = el('stream', ns, attrs)
    const header: StreamHeader = { element, contentNamespace, prefix }
    this.#inTurn((events) => events.opened(header))
  }

  /** The client sends an element. */
  clientSends(xml: string): void {
    const element = parseElement(xml, 'jabber:client')
    this.#inTurn((events) => events.element(element))
  }

  /** The client ends its stream with an end tag. */
  clientCloses(): void {
    this.#inTurn(() => this.close())
  }

  /** The client's connection breaks. */
  clientVanishes(): void {
    if (this.#over) return
    this.#over = true
    this.#events?.ended('lost')
  }

  /** The next thing that the server said; fails if it says nothing. */
  async next(): Promise<Heard> {
    const heard = this.#heard.shift()
    if (heard) return heard
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the server said nothing')), 5000)
      this.#waiting.push((late) => {
        clearTimeout(timer)
        resolve(late)
      })
    })
  }

  /** As on a socket: one thing at a time, and nothing more is read while a handler waits. */
  #inTurn(handle: (events: LinkEvents) => void | Promise<void>): void {
    this.#events?.alive?.()
    this.#turn = this.#turn.then(() => {
      if (this.#events && !this.#over) return handle(this.#events)
      return undefined
    })
    this.#turn = this.#turn.catch((error: unknown) => {
      if (!(error instanceof StreamError)) throw error
      this.close(error)
    })
  }

  #tell(heard: Heard): void {
    const waiting = this.#waiting.shift()
    if (waiting) waiting(heard)
    else this.#heard.push(heard)
  }
}
