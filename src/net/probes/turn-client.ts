// SPDX-License-Identifier: Apache-2.0
// Uses a STUN or TURN server as two people who call each other do: asks for an address, gets two places at the relay, and sends
// from one to the other (RFC 8489, RFC 8656).
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  ATTRIBUTE,
  type Attribute,
  errorOf,
  newTransaction,
  readAddress,
  readStun,
  STUN,
  type StunCredentials,
  type StunMessage,
  stunLength,
  stunMessage,
  type TransportAddress,
  writeAddress,
} from './stun.ts'

/** After which times a question is sent again by UDP, in ms, and when nobody waits any more (RFC 8489 §6.2.1). */
const AGAIN = [500, 1_500]
const PATIENCE = 4_000
/** UDP, as REQUESTED-TRANSPORT has it. */
const OVER_UDP = Buffer.of(17, 0, 0, 0)
/** RFC 8489 §14.8. */
const UNAUTHENTICATED = 401
const FORBIDDEN = 403
const STALE_NONCE = 438

/** Where a server is, and how it is reached. */
export interface RelayPlace {
  readonly host: string
  readonly port: number
  readonly transport: 'udp' | 'tcp'
  /** With TLS, by TCP only. */
  readonly tls: boolean
  /** PEM certificates that are trusted; those of Node.js otherwise. */
  readonly authorities?: readonly string[] | undefined
}

/** What it came to. `silent`: nobody answers; `refused`: it says no; `no-relay`: nothing passes. */
export class RelayFailure extends Error {
  override readonly name = 'RelayFailure'
  readonly kind: 'silent' | 'refused' | 'no-relay'

  constructor(kind: RelayFailure['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** Asks which address we have, as STUN does. Rejects with a `RelayFailure`. */
export async function askStun(place: RelayPlace): Promise<TransportAddress> {
  const line = await Line.open(place)
  try {
    const answer = await line.asks(STUN.binding, () => [])
    const found = readAddress(answer.attributes.get(ATTRIBUTE.mapped), answer.transaction)
    if (!found) throw new RelayFailure('refused', 'it does not say which address it sees')
    return found
  } finally {
    line.close()
  }
}

/** Sends something from one place at the relay to another. @returns the address of the relay. Rejects with a `RelayFailure` */
export async function tryRelay(
  place: RelayPlace,
  credentials: Pick<StunCredentials, 'username' | 'password'>,
): Promise<TransportAddress> {
  const lines: Line[] = []
  try {
    const ends: TransportAddress[] = []
    for (let side = 0; side < 2; side++) {
      const line = await Line.open(place)
      lines.push(line)
      ends.push(await line.allocates(credentials))
    }
    const [[first, second], [here, there]] = [lines, ends]
    if (!first || !second || !here || !there) throw new RelayFailure('no-relay', 'it gives no place')
    await first.permits(there)
    await second.permits(here)
    await passes(first, second, there)
    return here
  } finally {
    for (const line of lines) line.close()
  }
}

async function passes(from: Line, to: Line, there: TransportAddress): Promise<void> {
  const text = newTransaction()
  const arrived = to.hears(text)
  const timers = [0, ...AGAIN].map((ms) => setTimeout(() => from.sends(there, text), ms))
  try {
    await arrived
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}

interface Waiter {
  readonly wants: (message: StunMessage) => boolean
  readonly take: (message: StunMessage) => void
  readonly fail: (error: RelayFailure) => void
}

/** How bytes come and go. */
interface Wire {
  readonly reliable: boolean
  send(bytes: Buffer): void
  close(): void
}

/** One client of the server. */
class Line {
  readonly #waiters = new Set<Waiter>()
  #wire: Wire | undefined
  #credentials: StunCredentials | undefined
  #over: RelayFailure | undefined

  static async open(place: RelayPlace): Promise<Line> {
    const line = new Line()
    const take = (bytes: Buffer): void => line.#take(bytes)
    const end = (why: string): void => line.#end(new RelayFailure('silent', why))
    line.#wire = place.transport === 'udp' ? await overUdp(place, take, end) : await overTcp(place, take, end)
    return line
  }

  /** Gets a place at the relay (RFC 8656 §7): the first question is refused, and tells what the second must know. */
  async allocates({ username, password }: Pick<StunCredentials, 'username' | 'password'>): Promise<TransportAddress> {
    const wish = (): readonly Attribute[] => [[ATTRIBUTE.transport, OVER_UDP]]
    const first = await this.asked(STUN.allocate, wish)
    const realm = first.attributes.get(ATTRIBUTE.realm)?.toString('utf8')
    const nonce = first.attributes.get(ATTRIBUTE.nonce)
    if (first.kind === 'success') throw new RelayFailure('refused', 'it relays for anybody, without credentials')
    if (errorOf(first).code !== UNAUTHENTICATED || realm === undefined || !nonce) throw refusal(first)
    this.#credentials = { username, password, realm, nonce }
    const answer = await this.asks(STUN.allocate, wish)
    const relayed = readAddress(answer.attributes.get(ATTRIBUTE.relayed), answer.transaction)
    if (!relayed) throw new RelayFailure('no-relay', 'it gives no place')
    return relayed
  }

  /** Lets somebody send to us (RFC 8656 §9). */
  async permits(peer: TransportAddress): Promise<void> {
    await this.asks(STUN.createPermission, (transaction) => [[ATTRIBUTE.peer, writeAddress(peer, transaction)]])
  }

  /** Sends to somebody by way of the relay (RFC 8656 §11.1). */
  sends(peer: TransportAddress, text: Buffer): void {
    const transaction = newTransaction()
    const attributes: readonly Attribute[] = [
      [ATTRIBUTE.peer, writeAddress(peer, transaction)],
      [ATTRIBUTE.data, text],
    ]
    this.#wire?.send(stunMessage(STUN.send, transaction, attributes))
  }

  /** Waits for what somebody sends by way of the relay. */
  async hears(text: Buffer): Promise<void> {
    const late = new RelayFailure('no-relay', 'it gives a place, but nothing passes from one to another')
    const wants = ({ method, attributes }: StunMessage): boolean =>
      method === STUN.data && attributes.get(ATTRIBUTE.data)?.equals(text) === true
    await this.#waits(wants, late)
  }

  /** Asks something. Rejects with a `RelayFailure` for an error. */
  async asks(method: number, wish: (transaction: Buffer) => readonly Attribute[]): Promise<StunMessage> {
    const answer = await this.asked(method, wish)
    if (answer.kind === 'success') return answer
    const nonce = answer.attributes.get(ATTRIBUTE.nonce)
    if (errorOf(answer).code !== STALE_NONCE || !nonce || !this.#credentials) throw refusal(answer)
    this.#credentials = { ...this.#credentials, nonce }
    const again = await this.asked(method, wish)
    if (again.kind === 'success') return again
    throw refusal(again)
  }

  /** The same, where an error is an answer. */
  async asked(method: number, wish: (transaction: Buffer) => readonly Attribute[]): Promise<StunMessage> {
    const transaction = newTransaction()
    const bytes = stunMessage(method, transaction, wish(transaction), this.#credentials)
    const times = this.#wire?.reliable ? [0] : [0, ...AGAIN]
    const timers = times.map((ms) => setTimeout(() => this.#wire?.send(bytes), ms))
    const wants = (one: StunMessage): boolean => one.kind !== 'other' && one.transaction.equals(transaction)
    try {
      return await this.#waits(wants, new RelayFailure('silent', 'it does not answer'))
    } finally {
      for (const timer of timers) clearTimeout(timer)
    }
  }

  /** Gives its place back (RFC 8656 §8): nobody waits for the answer. */
  close(): void {
    if (this.#credentials) {
      const wish: readonly Attribute[] = [[ATTRIBUTE.lifetime, Buffer.alloc(4)]]
      this.#wire?.send(stunMessage(STUN.refresh, newTransaction(), wish, this.#credentials))
    }
    this.#wire?.close()
  }

  async #waits(wants: Waiter['wants'], late: RelayFailure): Promise<StunMessage> {
    if (this.#over) throw this.#over
    const { promise, resolve: take, reject: fail } = Promise.withResolvers<StunMessage>()
    const waiter: Waiter = { wants, take, fail }
    const timer = setTimeout(() => fail(late), PATIENCE)
    this.#waiters.add(waiter)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#waiters.delete(waiter)
    }
  }

  #take(bytes: Buffer): void {
    const message = readStun(bytes)
    if (!message) return
    for (const { wants, take } of this.#waiters) if (wants(message)) take(message)
  }

  #end(why: RelayFailure): void {
    this.#over ??= why
    for (const { fail } of this.#waiters) fail(why)
  }
}

function refusal(answer: StunMessage): RelayFailure {
  const { code, text } = errorOf(answer)
  return new RelayFailure(
    code === FORBIDDEN ? 'no-relay' : 'refused',
    `it answers with error ${code}${text === '' ? '' : ` (${text})`}`,
  )
}

async function overUdp({ host, port }: RelayPlace, take: (bytes: Buffer) => void, end: (why: string) => void) {
  const { lookup } = await import('node:dns/promises')
  const found = await lookup(host).catch(() => undefined)
  if (!found) throw new RelayFailure('silent', `there is no host ${host}`)
  const socket = createSocket(found.family === 6 ? 'udp6' : 'udp4')
  socket.on('message', take)
  socket.on('error', (error) => end(reasonOf(error)))
  socket.connect(port, found.address)
  try {
    await once(socket, 'connect')
  } catch (error) {
    socket.close()
    throw new RelayFailure('silent', reasonOf(error))
  }
  let open = true
  return {
    reliable: false,
    send: (bytes) => void (open && socket.send(bytes)),
    close() {
      open = false
      setImmediate(() => socket.close()) // what was just sent leaves first
    },
  } satisfies Wire
}

async function overTcp(place: RelayPlace, take: (bytes: Buffer) => void, end: (why: string) => void) {
  const { host, port, tls, authorities } = place
  const ca = authorities ? { ca: [...authorities] } : {}
  const socket: Socket = tls ? connectTls({ host, port, servername: host, ...ca }) : connect({ host, port })
  const timer = setTimeout(() => socket.destroy(new Error('it does not answer')), PATIENCE)
  try {
    await once(socket, tls ? 'secureConnect' : 'connect')
  } catch (error) {
    throw new RelayFailure('silent', reasonOf(error))
  } finally {
    clearTimeout(timer)
  }
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    for (let length = stunLength(rest); length !== undefined; length = stunLength(rest)) {
      if (Number.isNaN(length)) return void socket.destroy(new Error('it speaks something else'))
      if (rest.length < length) return
      take(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
  })
  socket.on('error', (error) => end(reasonOf(error)))
  socket.on('close', () => end('it closed the connection'))
  return {
    reliable: true,
    send: (bytes) => void socket.write(bytes),
    close: () => socket.end(() => socket.destroy()),
  } satisfies Wire
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ECONNREFUSED') return 'nobody listens there'
  if (code === 'ENOTFOUND') return 'there is no such host'
  return error instanceof Error ? error.message : String(error)
}
