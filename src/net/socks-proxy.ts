// SPDX-License-Identifier: Apache-2.0
// The sockets of a SOCKS5 bytestreams proxy (XEP-0065, RFC 1928). It connects nobody to the outside: two who ask for the same
// hash wait here for each other, and once one of our users asks for it by XMPP, what one sends the other gets.
import { createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Address, Listening } from './listen.ts'

/** How long somebody may wait for the other one and for the activation, in ms. */
const WAIT = 120_000
/** Silence after which a bytestream is over, in ms. */
const SILENCE = 300_000
/** How many may wait, all together. */
const WAITING_MAX = 1000
/** The two sides of a bytestream (XEP-0065 §8.1: only one target). */
const SIDES = 2
/** The longest request: a name of 255 bytes. */
const REQUEST_MAX = 262

const VERSION = 5
const NO_AUTH = 0
const CONNECT = 1
const DOMAIN_NAME = 3
/** Replies of RFC 1928 §6. */
const OK = 0
const NOT_ALLOWED = 2
const BAD_COMMAND = 7
const BAD_ADDRESS = 8
/** DST.ADDR: SHA-1 in hexadecimal digits (XEP-0065 §6.3.2). */
const HASH = /^[0-9a-f]{40}$/i

/** What it works with. */
export interface SocksProxyParts {
  /** Read anew each time; `bytesPerSecond` of one bytestream in one direction, 0 for as fast as it goes. */
  readonly limits: { readonly connectionsPerAddress: number; readonly bytesPerSecond: number }
  readonly clock: Clock
  readonly log: Log
  /** What counts as one peer: see `accounts/throttle.ts`. */
  readonly networkOf: (address: string) => string
}

/** What became of an activation: `alone` if one of the two is not there, `nobody` if neither is. */
export type Activation = 'active' | 'alone' | 'nobody'

/** The proxy. */
export class SocksProxy {
  readonly #parts: SocksProxyParts
  readonly #open = new Set<Socket>()
  readonly #perNetwork = new Map<string, number>()
  readonly #waiting = new Map<string, Set<Socket>>()
  #waitingCount = 0

  constructor(parts: SocksProxyParts) {
    this.#parts = parts
  }

  /** @throws the system's error, `EADDRINUSE` for instance; nothing listens then */
  async listen(addresses: readonly Address[]): Promise<readonly Listening[]> {
    const listening: Listening[] = []
    try {
      for (const address of addresses) {
        const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#connected(socket))
        listening.push({ address: await begin(server, address), stop: () => this.#stop(server) })
        server.on('error', (error) => this.#parts.log.warn('connection could not be taken', { error })) // as in `listen.ts`
      }
      return listening
    } catch (error) {
      await Promise.all(listening.map((one) => one.stop()))
      throw error
    }
  }

  /** Lets the two who wait at a hash send to each other. */
  activate(hash: string): Activation {
    const sides = [...(this.#waiting.get(hash) ?? [])]
    const [one, other] = sides
    if (!one || !other) return one ? 'alone' : 'nobody'
    for (const side of sides) this.#leave(side, hash)
    for (const side of sides) {
      side.removeAllListeners('data')
      side.setTimeout(SILENCE, () => side.destroy())
    }
    this.#carry(one, other)
    this.#carry(other, one)
    return 'active'
  }

  #carry(from: Socket, to: Socket): void {
    from.once('close', () => to.destroySoon())
    const { bytesPerSecond } = this.#parts.limits
    if (bytesPerSecond > 0) from.pipe(slowedDown(bytesPerSecond, this.#parts.clock)).pipe(to)
    else from.pipe(to)
  }

  #connected(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    const network = this.#parts.networkOf(socket.remoteAddress ?? '')
    const open = this.#perNetwork.get(network) ?? 0
    if (open >= this.#parts.limits.connectionsPerAddress || this.#waitingCount >= WAITING_MAX) {
      this.#parts.log.debug('connection to the proxy refused')
      socket.destroy()
      return
    }
    this.#open.add(socket)
    this.#perNetwork.set(network, open + 1)
    this.#waitingCount++
    const stopWaiting = this.#parts.clock.after(WAIT, () => {
      if (!this.#active(socket)) socket.destroy()
    })
    socket.once('close', () => {
      stopWaiting()
      this.#open.delete(socket)
      const left = (this.#perNetwork.get(network) ?? 1) - 1
      if (left > 0) this.#perNetwork.set(network, left)
      else this.#perNetwork.delete(network)
      if (!this.#active(socket)) this.#waitingCount--
    })
    this.#greet(socket)
  }

  /** RFC 1928 §3 and §4. What comes later is of no use to anybody, until the bytestream is active (XEP-0065 §8.1). */
  #greet(socket: Socket): void {
    let bytes = Buffer.alloc(0)
    let greeted = false
    let done = false
    socket.on('data', (more: Buffer) => {
      if (done) return
      bytes = Buffer.concat([bytes, more])
      if (!greeted) {
        const methods = greetingIn(bytes)
        if (methods === 'bad') return void socket.destroy()
        if (methods === undefined) return
        bytes = bytes.subarray(2 + methods.length)
        greeted = true
        if (!methods.includes(NO_AUTH)) return void socket.end(Buffer.of(VERSION, 0xff))
        socket.write(Buffer.of(VERSION, NO_AUTH))
      }
      const request = requestIn(bytes)
      if (request === undefined && bytes.length <= REQUEST_MAX) return
      done = true
      bytes = Buffer.alloc(0)
      this.#request(socket, request)
    })
    socket.once('end', () => {
      if (!this.#active(socket)) socket.destroy()
    })
  }

  #request(socket: Socket, request: SocksRequest | undefined): void {
    if (request === undefined) return void socket.destroy()
    const { reply, name } = request
    if (reply !== OK) return void socket.end(answer(reply, name))
    const hash = name.toString('latin1').toLowerCase()
    const sides = this.#waiting.get(hash) ?? new Set()
    if (!HASH.test(hash) || sides.size >= SIDES) return void socket.end(answer(NOT_ALLOWED, name))
    sides.add(socket)
    this.#waiting.set(hash, sides)
    socket.once('close', () => this.#leave(socket, hash))
    socket.write(answer(OK, name))
  }

  readonly #activeOnes = new WeakSet<Socket>()

  #active(socket: Socket): boolean {
    return this.#activeOnes.has(socket)
  }

  /** Somebody waits no more: it became active, or it is gone. */
  #leave(socket: Socket, hash: string): void {
    const sides = this.#waiting.get(hash)
    if (!sides?.delete(socket)) return
    if (sides.size === 0) this.#waiting.delete(hash)
    if (socket.destroyed) return
    this.#activeOnes.add(socket)
    this.#waitingCount--
  }

  #stop(server: Server): Promise<void> {
    return new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of this.#open) socket.destroy()
    })
  }
}

/** The methods that a client offers; undefined while they are not all there. */
function greetingIn(bytes: Buffer): Buffer | 'bad' | undefined {
  const [version, count] = bytes
  if (version !== undefined && version !== VERSION) return 'bad'
  return count === undefined || bytes.length < 2 + count ? undefined : bytes.subarray(2, 2 + count)
}

interface SocksRequest {
  readonly reply: number
  /** DST.ADDR, if it is a name. */
  readonly name: Buffer
}

/** What a client wants; undefined while it is not all there. */
function requestIn(bytes: Buffer): SocksRequest | undefined {
  const [version, command, , type, length] = bytes
  if (version === undefined || command === undefined || type === undefined) return undefined
  const refused = (reply: number): SocksRequest => ({ reply, name: Buffer.alloc(0) })
  if (version !== VERSION) return refused(NOT_ALLOWED)
  if (type !== DOMAIN_NAME) return refused(BAD_ADDRESS)
  if (length === undefined || bytes.length < 5 + length + 2) return undefined
  const name = Buffer.from(bytes.subarray(5, 5 + length))
  return { reply: command === CONNECT ? OK : BAD_COMMAND, name }
}

/** RFC 1928 §6, with the address as it was asked for (XEP-0065 §6.3.2). */
function answer(reply: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.of(VERSION, reply, 0, DOMAIN_NAME, name.length), name, Buffer.of(0, 0)])
}

/** Passes on no more than so many bytes in a second; what comes faster waits where it comes from. */
function slowedDown(bytesPerSecond: number, clock: Clock): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      clock.after((chunk.length * 1000) / bytesPerSecond, () => done(null, chunk))
    },
  })
}

function begin(server: Server, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...address, ipv6Only: false }, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve({ host: address.host, port: typeof bound === 'object' && bound ? bound.port : address.port })
    })
  })
}
