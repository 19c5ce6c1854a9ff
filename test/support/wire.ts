// SPDX-License-Identifier: Apache-2.0
// The client's end of a socket, as text: what it writes is written as it stands, what it reads is kept.
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls'

/** How long anything may take, in ms; only a test that fails waits so long. */
const PATIENCE = 10_000

/** The start of a stream to `localhost`. */
export const HEADER =
  `<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client'` +
  ` xmlns:stream='http://etherx.jabber.org/streams'>`

/** Asks for TLS. */
export const STARTTLS = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`

/** Binds a resource. */
export function bind(resource: string): string {
  return `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`
}

/** One connection. */
export class Wire {
  /** Settled when the connection is closed, for whatever reason. */
  readonly closed: Promise<void>
  #socket: Socket
  #text = ''
  #over = false
  #changed: () => void = () => undefined

  /** @param socket connected, or about to be */
  constructor(socket: Socket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#over = true
        resolve()
        this.#changed()
      })
    })
    socket.on('error', () => undefined)
    this.#listen(socket)
  }

  /** Connects without TLS. */
  static plain(port: number): Wire {
    return new Wire(connect({ port, host: '127.0.0.1', noDelay: true }))
  }

  /** Connects with TLS from the start; rejects if the handshake fails. */
  static async direct(port: number, options: ConnectionOptions = {}): Promise<Wire> {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ...options })
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('closed during the handshake')))
    })
    socket.setNoDelay(true)
    return new Wire(socket)
  }

  /** Everything that came and was not taken by `until` yet. */
  get text(): string {
    return this.#text
  }

  /** The TLS connection that it has. */
  get tls(): TLSSocket {
    return this.#socket instanceof TLSSocket ? this.#socket : assert.fail('this connection has no TLS')
  }

  /** The socket itself. */
  get socket(): Socket {
    return this.#socket
  }

  /** Writes text or bytes; resolves when they are on their way. */
  write(data: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.#socket.write(data, () => resolve()))
  }

  /** Writes the bytes one by one. */
  async drips(text: string): Promise<void> {
    for (const byte of Buffer.from(text)) await this.write(Buffer.of(byte))
  }

  /** Takes everything up to the end of the first match. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#text)
      if (match) {
        const end = match.index + match[0].length
        const taken = this.#text.slice(0, end)
        this.#text = this.#text.slice(end)
        return taken
      }
      if (this.#over) assert.fail(`closed before ${pattern}: ${this.#text}`)
      await this.#change(`${pattern}`)
    }
  }

  /** Everything until the connection is closed. */
  async rest(): Promise<string> {
    while (!this.#over) await this.#change('the end')
    return this.#text
  }

  /** Negotiates TLS on this connection, from the `<starttls/>` on. */
  async startTls(options: ConnectionOptions = {}): Promise<void> {
    await this.write(STARTTLS)
    await this.until(/<proceed [^>]*>/)
    await this.secure(options)
  }

  /** Negotiates TLS here and now. */
  async secure(options: ConnectionOptions = {}): Promise<void> {
    assert.equal(this.#text, '', 'nothing may come between <proceed/> and TLS')
    const plain = this.#socket
    plain.removeAllListeners('data')
    const secured = connectTls({ socket: plain, servername: 'localhost', ...options })
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve)
      secured.once('error', reject)
      plain.once('close', () => reject(new Error('closed during the handshake')))
    })
    this.#socket = secured
    this.#listen(secured)
  }

  /** Opens the stream, logs in by PLAIN and binds. */
  async logsIn(username: string, resource: string): Promise<void> {
    const data = Buffer.from(`\0${username}\0secret`).toString('base64')
    await this.write(HEADER)
    await this.until(/<\/stream:features>/)
    await this.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${data}</auth>`)
    await this.until(/<success [^>]*>/)
    await this.write(HEADER)
    await this.until(/<\/stream:features>/)
    await this.write(bind(resource))
    await this.until(/<\/iq>/)
  }

  /** Proves that the server has dealt with everything that was written. */
  async pings(): Promise<string> {
    await this.write(`<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
    return this.until(/<iq [^>]*id='ping'[^>]*>/)
  }

  #listen(socket: Socket): void {
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#changed()
    })
  }

  #change(what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what} in: ${this.#text.slice(-500)}`)), PATIENCE)
      this.#changed = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
