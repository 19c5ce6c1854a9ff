// SPDX-License-Identifier: Apache-2.0
// A name server on the loopback interface, by UDP and TCP, that says what a test tells it to say, or something worse.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { after } from 'node:test'
import { type Answer, AUTHENTIC_DATA, type DecodedPacket, decode, encode, TRUNCATED_RESPONSE } from 'dns-packet'
import type { NameServer } from '../../src/net/dns/exchange.ts'

/** What is there at a name. */
interface Entry {
  readonly answers: readonly Answer[]
  readonly authorities?: readonly Answer[]
  readonly code?: number
  readonly authentic?: boolean
  /** Says by UDP that it is too long. */
  readonly truncated?: boolean
  /** Answers so many questions with nothing at all. */
  readonly drops?: number
  /** Answers when that settles. */
  readonly waits?: Promise<unknown>
  /** What is sent by UDP before the answer. */
  readonly before?: (query: DecodedPacket, bytes: Buffer) => readonly Buffer[]
  /** What is sent instead of the answer. */
  readonly instead?: (query: DecodedPacket, bytes: Buffer) => Buffer
}

/** Times out of which nothing is kept; a test that wants another gives it. */
const TTL = 300

/** A name server. */
export class FakeDns {
  readonly server: NameServer
  /** `UDP SRV _xmpp-server._tcp.example.org`, in the order in which they came. */
  readonly asked: string[] = []
  /** The questions themselves. */
  readonly queries: DecodedPacket[] = []
  readonly #entries = new Map<string, Entry>()
  readonly #drops = new Map<string, number>()

  private constructor(server: NameServer) {
    this.server = server
  }

  /** Starts one; it is stopped when the tests of the file are over. */
  static async start(): Promise<FakeDns> {
    const { udp, tcp, port } = await samePort()
    const dns = new FakeDns({ host: '127.0.0.1', port })
    udp.on('message', (bytes, { port: to, address }) => {
      void dns.#answer(bytes, 'UDP').then((answers) => {
        for (const one of answers) udp.send(one, to, address)
      })
    })
    tcp.on('connection', (socket: Socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (bytes: Buffer) => {
        void dns.#answer(bytes.subarray(2), 'TCP').then((answers) => {
          for (const one of answers) socket.write(Buffer.concat([Buffer.of(one.length >> 8, one.length & 0xff), one]))
        })
      })
    })
    after(() => {
      udp.close()
      tcp.close()
    })
    return dns
  }

  /** Says what is there; what is not said is not there. */
  put(type: string, name: string, entry: Entry): this {
    this.#entries.set(`${type} ${name}`, entry)
    return this
  }

  /** Places of a service. */
  srv(
    name: string,
    ...records: readonly (readonly [priority: number, weight: number, port: number, target: string])[]
  ): this {
    return this.put('SRV', name, {
      answers: records.map(([priority, weight, port, target]) => ({
        ...{ type: 'SRV', name, ttl: TTL, data: { priority, weight, port, target } },
      })),
    })
  }

  /** Addresses of a host. */
  host(name: string, ...addresses: readonly string[]): this {
    for (const type of ['A', 'AAAA'] as const) {
      const of = addresses.filter((one) => one.includes(':') === (type === 'AAAA'))
      if (of.length > 0) this.put(type, name, { answers: of.map((data) => ({ type, name, ttl: TTL, data })) })
    }
    return this
  }

  /** From now on DNSSEC vouches for what is there. */
  sign(): this {
    for (const [key, entry] of this.#entries) this.#entries.set(key, { ...entry, authentic: true })
    return this
  }

  async #answer(bytes: Buffer, by: 'UDP' | 'TCP'): Promise<readonly Buffer[]> {
    const query = decode(bytes)
    const [question] = query.questions ?? []
    const key = `${question?.type} ${question?.name}`
    this.asked.push(`${by} ${key}`)
    this.queries.push(query)
    const entry = this.#entries.get(key)
    const dropped = this.#drops.get(key) ?? 0
    this.#drops.set(key, dropped + 1)
    if (entry?.drops !== undefined && dropped < entry.drops) return []
    await entry?.waits
    const before = by === 'UDP' ? (entry?.before?.(query, bytes) ?? []) : []
    if (entry?.instead) return [...before, entry.instead(query, bytes)]
    return [...before, answerTo(query, entry ?? { answers: [], code: 3 }, by === 'UDP' && entry?.truncated === true)]
  }
}

/** An answer as bytes. */
export function answerTo(query: DecodedPacket, entry: Entry, truncated = false): Buffer {
  return encode({
    type: 'response',
    id: query.id ?? 0,
    flags: (entry.code ?? 0) | (entry.authentic ? AUTHENTIC_DATA : 0) | (truncated ? TRUNCATED_RESPONSE : 0),
    questions: query.questions ?? [],
    answers: truncated ? [] : [...entry.answers],
    authorities: [...(entry.authorities ?? [])],
  })
}

async function samePort(): Promise<{ udp: UdpSocket; tcp: Server; port: number }> {
  for (;;) {
    const tcp = createServer().listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const address = tcp.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const udp = createSocket('udp4')
    try {
      udp.bind(port, '127.0.0.1')
      await once(udp, 'listening')
      return { udp, tcp, port }
    } catch {
      udp.close() // somebody has that port already: another one, then
      tcp.close()
    }
  }
}
