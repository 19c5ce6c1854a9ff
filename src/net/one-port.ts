// SPDX-License-Identifier: Apache-2.0
// One port for everything: what somebody says first tells what they want, and they get it as if they had come to its own port.
// Networks that let nothing but web pages through let this through.
import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Challenges } from './challenges.ts'
import { beginsTls, type ClientHello, HELLO_BYTES, readClientHello } from './client-hello.ts'
import type { Address } from './listen.ts'

/** How long somebody may take to say what they want, in ms. */
const FIRST_WORDS = 10_000
/** Who has said nothing for so long waits for the other side to speak first, as some clients of SSH do, in ms. */
const SILENCE = 3_000
/** How long whoever stands behind may take to answer, in ms. */
const CONNECT_TIME = 5_000
/** Pieces that first words may come in. */
const PIECES = 100

/** RFC 7443 §3. */
const ALPN_TURN: ReadonlySet<string> = new Set(['stun.turn', 'stun.nat-discovery'])

/** Who gets which connections. None of what was said has been read yet. */
export interface OnePortParts {
  /** TLS with `xmpp-client` (XEP-0368), or a stream that asks for TLS. */
  readonly client: (socket: Socket, direct: boolean) => void
  /** TLS with `xmpp-server`. */
  readonly server: (socket: Socket) => void
  /** TLS with a version of HTTP. */
  readonly web: (socket: Socket) => void
  /** HTTP without TLS. */
  readonly plainWeb: (socket: Socket) => void
  /** Negotiates TLS with somebody who does not say what they want to speak. */
  readonly secure: (socket: Socket) => Promise<TLSSocket>
  /** Takes what `secure` made, once it is known what it speaks. */
  readonly secured: { readonly client: (socket: TLSSocket) => void; readonly web: (socket: TLSSocket) => void }
  readonly challenges: Challenges
  /** The SSH server that gets SSH; nobody if undefined. Read anew each time. */
  readonly ssh: Address | undefined
  /** The TURN server that gets TLS for it, as it is; nobody if undefined. */
  readonly turn: Address | undefined
  readonly clock: Clock
  readonly log: Log
}

/** Tells apart what comes to one port. */
export class OnePort {
  readonly #parts: OnePortParts
  /** Those whom nobody else ends: who have not said what they want, and who are passed on. */
  readonly #own = new Set<Socket>()

  constructor(parts: OnePortParts) {
    this.#parts = parts
  }

  /** Takes a connection, and gives it to whom it is for; whoever says nothing in time is cut off. */
  take(socket: Socket): void {
    const { clock } = this.#parts
    socket.on('error', ignoreReset)
    const decided = this.#listen(socket, FIRST_WORDS, (bytes) => this.#isDecided(socket, bytes))
    const stop = clock.after(SILENCE, () => {
      const { ssh } = this.#parts
      if (ssh && decided.silent) decided.end(() => this.#passOn(socket, ssh))
    })
    socket.once('close', stop)
  }

  /** Cuts off those who have not said what they want, and those who speak to others through us: a server that stops waits for nobody. */
  stop(): void {
    for (const socket of this.#own) socket.destroy()
  }

  /** @returns ends it */
  #holds(socket: Socket): () => void {
    const end = (): void => void this.#own.delete(socket)
    this.#own.add(socket)
    socket.once('close', end)
    return end
  }

  /**
   * Looks at what comes until it is clear who gets it; it is all put back then.
   * @param decide gets all that came so far; what it returns is called with the connection as it was
   */
  #listen(socket: Socket, time: number, decide: (bytes: Buffer) => (() => void) | undefined) {
    let bytes: Buffer = Buffer.alloc(0)
    let pieces = 0
    const letGo = this.#holds(socket)
    const end = (next: () => void): void => {
      cancel()
      socket.off('data', read)
      socket.pause()
      if (bytes.length > 0) socket.unshift(bytes)
      letGo()
      next()
    }
    const read = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const next = decide(bytes)
      if (next) end(next)
      else if (++pieces >= PIECES) socket.destroy()
    }
    const cancel = this.#parts.clock.after(time, () => socket.destroy())
    socket.once('close', cancel)
    socket.on('data', read)
    socket.resume() // somebody before us may have read from it
    return {
      end,
      get silent() {
        return bytes.length === 0 && !socket.destroyed
      },
    }
  }

  /** By first bytes, then by what TLS is to carry. Undefined as long as it takes more to know. */
  #isDecided(socket: Socket, bytes: Buffer): (() => void) | undefined {
    if (beginsTls(bytes)) {
      const hello = bytes.length > 2 * HELLO_BYTES ? 'broken' : readClientHello(bytes)
      if (hello === 'more') return undefined
      return hello === 'broken' ? () => this.#refuse(socket) : () => this.#byHello(socket, hello)
    }
    const word = bytes.toString('latin1', 0, 8)
    const { ssh, client, plainWeb } = this.#parts
    if (word.startsWith('SSH-')) return ssh ? () => this.#passOn(socket, ssh) : () => this.#refuse(socket)
    if ('SSH-'.startsWith(word)) return undefined
    if (word.startsWith('<')) return () => client(socket, false)
    if (/^[A-Z]{3,7} /.test(word)) return () => plainWeb(socket)
    return word.length < 8 && /^[A-Z]+$/.test(word) ? undefined : () => this.#refuse(socket)
  }

  #byHello(socket: Socket, { serverName, alpn }: ClientHello): void {
    const { challenges, turn, client, server, web } = this.#parts
    if (challenges.isLook(alpn)) void challenges.show(socket, serverName)
    else if (turn && (alpn.some((one) => ALPN_TURN.has(one)) || (alpn.length === 0 && serverName?.startsWith('turn.'))))
      this.#passOn(socket, turn)
    else if (alpn.includes('xmpp-client')) client(socket, true)
    else if (alpn.includes('xmpp-server')) server(socket)
    else if (alpn.length > 0) web(socket)
    else void this.#askBehindTls(socket)
  }

  /** Who does not say what TLS is to carry says it behind it: a stream begins with `<`. */
  async #askBehindTls(plain: Socket): Promise<void> {
    const { secure, secured, log } = this.#parts
    const letGo = this.#holds(plain)
    try {
      const socket = await secure(plain)
      socket.on('error', ignoreReset)
      this.#listen(socket, FIRST_WORDS, (bytes) =>
        bytes[0] === 0x3c ? () => secured.client(socket) : () => secured.web(socket),
      )
    } catch (error) {
      log.debug('tls handshake failed', { error })
    } finally {
      letGo()
    }
  }

  /** What is said goes to a server of another kind and back, as it is. */
  #passOn(socket: Socket, { host, port }: Address): void {
    this.#holds(socket)
    const behind = connect({ host, port, noDelay: true, timeout: CONNECT_TIME })
    behind.once('timeout', () => behind.destroy())
    behind.once('connect', () => behind.setTimeout(0))
    const over = (): void => {
      socket.destroy()
      behind.destroy()
    }
    pipeline(socket, behind, (error) => error && over())
    pipeline(behind, socket, (error) => error && over())
  }

  #refuse(socket: Socket): void {
    this.#parts.log.debug('connection refused', { reason: 'it speaks nothing that we know' })
    socket.destroy()
  }
}

/** A connection that breaks is noticed by whoever reads it. */
function ignoreReset(): void {}
