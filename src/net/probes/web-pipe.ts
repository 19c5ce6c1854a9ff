// SPDX-License-Identifier: Apache-2.0
// A client's stream over WebSocket (RFC 7395) and over BOSH (XEP-0124, XEP-0206), so that above it is one like over TCP.
import { randomInt } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { ClientPipe } from './client-socket.ts'
import { boundOf, fetchFrom, placed, type WebPlace } from './web-client.ts'

const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'
const NS_BOSH = 'http://jabber.org/protocol/httpbind'
const NS_XBOSH = 'urn:xmpp:xbosh'
/** What stands for the server's stream header. */
const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
/** How long a server may hold a request back, in seconds: what is to be said waits as long. */
const HOLD = 1
/** How long we think of something to say before we let the server hold a request back, in ms. */
const PAUSE = 100

/** What both have. */
abstract class WebPipe implements ClientPipe {
  readonly tls = undefined
  readonly namespace = '' // RFC 7395 §3.3.3; XEP-0206 §4
  #onData: (bytes: Uint8Array) => void = () => undefined
  #onEnd: (why: string) => void = () => undefined
  #why: string | undefined

  listen(onData: (bytes: Uint8Array) => void, onEnd: (why: string) => void): void {
    this.#onData = onData
    this.#onEnd = onEnd
    if (this.#why !== undefined) onEnd(this.#why)
  }

  abstract opens(domain: string): void
  abstract write(text: string): void
  abstract end(): void
  abstract cut(): void

  /** Nothing more will come. */
  protected get isOver(): boolean {
    return this.#why !== undefined
  }

  protected came(text: string): void {
    this.#onData(Buffer.from(text))
  }

  protected over(why: string): void {
    if (this.#why !== undefined) return
    this.#why = why
    this.#onEnd(why)
  }
}

/** A stream over a WebSocket. */
export class WebSocketPipe extends WebPipe {
  readonly #socket: WebSocket

  private constructor(socket: WebSocket) {
    super()
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#heard(String(data)))
    socket.addEventListener('error', () => this.over('the WebSocket broke'))
    socket.addEventListener('close', () => this.over('the server closed the WebSocket'))
  }

  /** Connects. */
  static async dial(place: WebPlace, url: string): Promise<WebSocketPipe> {
    const at = placed(place, url)
    at.protocol = at.protocol.replace('http', 'ws')
    const socket = new WebSocket(at, 'xmpp')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    boundOf(place).addEventListener('abort', () => reject(new Error('the WebSocket did not open in time')))
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error('the WebSocket was refused')))
    try {
      await promise
      if (socket.protocol !== 'xmpp') throw new Error('the WebSocket is not for XMPP')
      return new WebSocketPipe(socket)
    } catch (error) {
      socket.close()
      throw error
    }
  }

  opens(domain: string): void {
    this.write(`<open xmlns='${NS_FRAMING}' to='${domain}' version='1.0'/>`)
  }

  write(text: string): void {
    if (!this.isOver) this.#socket.send(text)
  }

  end(): void {
    this.write(`<close xmlns='${NS_FRAMING}'/>`) // without it some servers wait half a minute, and we with them
    this.cut()
  }

  cut(): void {
    this.#socket.close()
  }

  #heard(text: string): void {
    if (/^<open[\s/>]/.test(text)) this.came(HEADER)
    else if (/^<close[\s/>]/.test(text)) this.over('the server closed the stream')
    else this.came(text)
  }
}

/** A stream over HTTP. */
export class BoshPipe extends WebPipe {
  readonly #place: WebPlace
  readonly #url: string
  #rid = randomInt(1, 2 ** 31)
  #sid: string | undefined
  #domain = ''
  #waiting = ''
  #restarts = false
  #runs = false
  #leaves = false
  #said: () => void = () => undefined

  constructor(place: WebPlace, url: string) {
    super()
    this.#place = place
    this.#url = url
  }

  opens(domain: string): void {
    this.#domain = domain
    this.#restarts = this.#sid !== undefined
    this.came(HEADER)
    this.#said()
    this.#run()
  }

  write(text: string): void {
    this.#waiting += text
    this.#said()
    this.#run()
  }

  end(): void {
    this.#leaves = true
    this.#said()
    this.#run()
  }

  cut(): void {
    this.over('cut')
  }

  #run(): void {
    if (this.#runs) return
    this.#runs = true
    this.#loop().catch((error: unknown) => this.over(error instanceof Error ? error.message : String(error)))
  }

  /** One request after another: each brings what is to be said, and takes what came. */
  async #loop(): Promise<void> {
    while (!this.isOver) {
      if (!this.#hasToSay()) await Promise.race([wait(PAUSE), new Promise<void>((resolve) => (this.#said = resolve))])
      const last = this.#leaves
      const answer = await fetchFrom(this.#place, this.#url, {
        method: 'POST',
        headers: { 'content-type': 'text/xml; charset=utf-8' },
        body: this.#body(last),
      })
      const start = /^\s*(?:<\?xml[^>]*\?>\s*)?<body\b[^>]*>/.exec(answer.text)?.[0]
      if (answer.status !== 200 || start === undefined) throw new Error(`BOSH answered with status ${answer.status}`)
      this.#sid ??= /\ssid=['"]([^'"]+)/.exec(start)?.[1]
      if (!start.endsWith('/>')) this.came(answer.text.slice(start.length).replace(/<\/body>\s*$/, ''))
      if (last || /\stype=['"]terminate/.test(start)) return this.over('the server ended the session')
    }
  }

  #hasToSay(): boolean {
    return this.#waiting !== '' || this.#restarts || this.#leaves || this.#sid === undefined
  }

  #body(last: boolean): string {
    const said = this.#waiting
    this.#waiting = ''
    const rid = `rid='${this.#rid++}'`
    if (this.#sid === undefined) {
      const session = `to='${this.#domain}' ver='1.11' wait='${HOLD}' hold='1' xml:lang='en' xmpp:version='1.0'`
      return `<body xmlns='${NS_BOSH}' xmlns:xmpp='${NS_XBOSH}' ${rid} ${session}/>`
    }
    const restart = this.#restarts ? ` xmpp:restart='true' xmlns:xmpp='${NS_XBOSH}' to='${this.#domain}'` : ''
    this.#restarts = false
    return `<body xmlns='${NS_BOSH}' ${rid} sid='${this.#sid}'${restart}${last ? " type='terminate'" : ''}>${said}</body>`
  }
}
