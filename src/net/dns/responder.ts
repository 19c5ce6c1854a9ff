// SPDX-License-Identifier: Apache-2.0
// The name server of the zone that proves our domains (see `proof-zone.ts`), by UDP and TCP (RFC 7766). Datagrams come in anybody's
// name, so each network gets few answers a second, and then is told to come by TCP.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIPv6, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Clock } from '../../clock.ts'
import { answerTo, type ProofZone } from './proof-zone.ts'

/** Answers by UDP in a second, to one network and in all; and how many more are only told to come by TCP, which is no longer than what they said. */
const PER_NETWORK = 20
const IN_ALL = 500
const SHORT_ONES = 5000
/** Connections, of one network and in all at one place; how many questions one may ask, and how long it may take, in ms. */
const MOST_CONNECTIONS = 64
const CONNECTIONS_OF_ONE = 8
const MOST_QUESTIONS = 32
const IDLE = 5_000
const LONGEST = 30_000
/** Bytes of a question by TCP. */
const QUESTION_MAX = 1024
/** Texts at one label: authorities ask for two at most, one for a domain and one for `*.` before it. */
const MOST_TEXTS = 16
/** Addresses of this machine that are listened at. */
const MOST_PLACES = 16
/** How often it is looked whether this machine has other addresses now, in ms. */
const LOOK_EVERY = 60_000

/** Where to listen. */
export interface Place {
  readonly host: string
  readonly port: number
}

/** What it needs. */
export interface ResponderParts {
  /** The zone and its server, in A-labels. */
  readonly zone: Pick<ProofZone, 'name' | 'server'>
  readonly places: readonly Place[]
  /** What counts as one peer. */
  readonly networkOf: (address: string) => string
  readonly clock: Clock
}

/** The sockets of one place. */
interface Listening {
  readonly udp: UdpSocket
  readonly tcp: Server
}

/** Answers for the zone. */
export class DnsResponder {
  readonly #parts: ResponderParts
  readonly #texts = new Map<string, string[]>()
  readonly #listening = new Map<string, Listening>()
  readonly #connections = new Map<string, number>()
  readonly #open = new Set<Socket>()
  readonly #zone: ProofZone
  readonly #budget: Budget
  #turn: Promise<readonly string[]> = Promise.resolve([])
  #stopped = false
  readonly #cancel: () => void

  constructor(parts: ResponderParts) {
    this.#parts = parts
    this.#zone = { ...parts.zone, texts: (label) => this.#texts.get(label) ?? [] }
    this.#budget = new Budget(parts.clock)
    this.#cancel = parts.clock.every(LOOK_EVERY, () => void this.listen())
  }

  /** Where it listens. */
  get places(): readonly Place[] {
    return [...this.#listening.values()].map(({ udp }) => ({ host: udp.address().address, port: udp.address().port }))
  }

  /** Listens where it does not yet, at all addresses that this machine has now. Never rejects. @returns why not, for each place where it does not */
  listen(): Promise<readonly string[]> {
    const turn = this.#turn.then(() => this.#listen())
    this.#turn = turn
    return turn
  }

  /** Says something at a label. @returns ends that */
  put(label: string, text: string): () => void {
    const texts = this.#texts.get(label) ?? []
    if (texts.length >= MOST_TEXTS) throw new Error('too many proofs at one name')
    this.#texts.set(label, [...texts, text])
    return () => {
      const left = (this.#texts.get(label) ?? []).filter((one) => one !== text)
      if (left.length > 0) this.#texts.set(label, left)
      else this.#texts.delete(label)
    }
  }

  /** Answers no more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#turn
    for (const socket of this.#open) socket.destroy()
    await Promise.all([...this.#listening.keys()].map((key) => this.#close(key)))
  }

  async #listen(): Promise<readonly string[]> {
    if (this.#stopped) return []
    const wanted = new Map(placesOf(this.#parts.places).map((place) => [`${place.host} ${place.port}`, place]))
    for (const key of this.#listening.keys()) if (!wanted.has(key)) await this.#close(key)
    const problems = wanted.size === 0 ? ['this machine has no address of its own'] : []
    for (const [key, place] of wanted) {
      if (this.#listening.has(key)) continue
      try {
        this.#listening.set(key, await this.#listenAt(place))
      } catch (error) {
        problems.push(`${place.host} port ${place.port}: ${error instanceof Error ? error.message : error}`)
      }
    }
    return problems
  }

  async #listenAt({ host, port }: Place): Promise<Listening> {
    const tcp = createServer({ noDelay: true }, (socket) => this.#connected(socket))
    tcp.maxConnections = MOST_CONNECTIONS
    tcp.listen({ host, port, ipv6Only: isIPv6(host) })
    await once(tcp, 'listening')
    tcp.on('error', () => undefined) // of one connection that could not be taken
    const bound = tcp.address()
    const udp = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', ipv6Only: isIPv6(host) })
    try {
      udp.bind({ address: host, port: bound !== null && typeof bound === 'object' ? bound.port : port })
      await once(udp, 'listening')
    } catch (error) {
      tcp.close()
      throw error
    }
    udp.on('error', () => undefined) // of one datagram that could not be sent
    udp.on('message', (message, { address, port: from }) => this.#datagram(udp, message, address, from))
    return { udp, tcp }
  }

  async #close(key: string): Promise<void> {
    const there = this.#listening.get(key)
    this.#listening.delete(key)
    if (!there) return
    const closed = Promise.all([once(there.udp, 'close'), once(there.tcp, 'close')])
    there.udp.close()
    there.tcp.close()
    await closed
  }

  #datagram(udp: UdpSocket, message: Buffer, address: string, port: number): void {
    if (port === 0) return // there is no way back, and Node throws
    const way = this.#budget.spend(this.#parts.networkOf(address))
    const answer = way && answerTo(message, this.#zone, way)
    if (answer) udp.send(answer, port, address, () => undefined) // whoever does not get it asks again
  }

  #connected(socket: Socket): void {
    const network = this.#parts.networkOf(socket.remoteAddress ?? '')
    const count = this.#connections.get(network) ?? 0
    socket.on('error', () => socket.destroy())
    if (count >= CONNECTIONS_OF_ONE) return void socket.destroy()
    this.#connections.set(network, count + 1)
    this.#open.add(socket)
    const cancel = this.#parts.clock.after(LONGEST, () => socket.destroy())
    socket.setTimeout(IDLE, () => socket.destroy())
    socket.on('close', () => {
      cancel()
      this.#open.delete(socket)
      const left = (this.#connections.get(network) ?? 1) - 1
      if (left > 0) this.#connections.set(network, left)
      else this.#connections.delete(network)
    })
    this.#converse(socket)
  }

  #converse(socket: Socket): void {
    let heard = Buffer.alloc(0)
    let questions = 0
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk])
      while (heard.length >= 2) {
        const length = heard.readUInt16BE(0)
        if (length > QUESTION_MAX || questions >= MOST_QUESTIONS) return void socket.destroy()
        if (heard.length < 2 + length) return
        questions++
        const answer = answerTo(heard.subarray(2, 2 + length), this.#zone, 'tcp')
        heard = heard.subarray(2 + length)
        if (!answer) return void socket.destroy()
        const size = Buffer.alloc(2)
        size.writeUInt16BE(answer.length)
        socket.write(Buffer.concat([size, answer]))
      }
    })
  }
}

/** How many answers were given in this second. */
class Budget {
  readonly #clock: Clock
  readonly #spent = new Map<string, number>()
  #second = 0
  #all = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How one more is answered; undefined: not at all. */
  spend(network: string): 'udp' | 'short' | undefined {
    const second = Math.floor(this.#clock.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#all = 0
      this.#spent.clear()
    }
    if (++this.#all > IN_ALL) return this.#all <= IN_ALL + SHORT_ONES ? 'short' : undefined
    const spent = (this.#spent.get(network) ?? 0) + 1
    this.#spent.set(network, spent)
    if (spent <= PER_NETWORK) return 'udp'
    return spent % 2 === 0 ? 'short' : undefined
  }
}

/**
 * A datagram must be answered from the address that it was sent to, and the system chooses another one of several where it was not
 * told; and another program may have the port at an address that is no matter of ours, as that of this machine for itself.
 */
function placesOf(places: readonly Place[]): readonly Place[] {
  const all = places.flatMap(({ host, port }) => {
    if (host !== '::' && host !== '0.0.0.0') return [{ host, port }]
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
    const usable = own.filter(({ internal, scopeid }) => !internal && !scopeid)
    return usable
      .filter(({ family }) => host === '::' || family === 'IPv4')
      .map(({ address }) => ({ host: address, port }))
  })
  return all.slice(0, MOST_PLACES)
}
