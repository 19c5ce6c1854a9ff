// SPDX-License-Identifier: Apache-2.0
// Listening sockets: who may connect how often, and what becomes of a connection: a link, with TLS from the start or later.
import { randomUUID } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Link } from '../stream/link.ts'
import type { ReaderLimits } from '../xml/reader.ts'
import { TcpLink } from './tcp-link.ts'
import type { Certificates } from './tls.ts'

/** A client's TLS protocol name (XEP-0368 §3). */
const ALPN_CLIENT = ['xmpp-client']
/** After this long without traffic the system asks whether the peer is still there, in ms. */
const KEEPALIVE = 60_000
/** How many ports above the wanted one are tried. */
const PORTS_TRIED = 50

/** Where to listen. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Bounds on connections. */
export interface ConnectionLimits {
  /** Open connections from one network (an IPv4 address, an IPv6 /64). */
  readonly connectionsPerAddress: number
  /** New connections from one network in a minute. */
  readonly connectionsPerMinute: number
  readonly sendQueueBytes: number
  /** What one of them may send in a second, over some time. */
  readonly bytesPerSecond: number
  /** For streams that did not log in yet. */
  readonly reader: Partial<ReaderLimits>
}

/** What listening needs. */
export interface ListenParts {
  readonly certificates: Certificates
  readonly limits: ConnectionLimits
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** What counts as one peer: see `accounts/throttle.ts`. */
  readonly networkOf: (address: string) => string
  readonly accept: (link: Link) => void
  /** The namespace of what these streams carry, if they are not clients'. */
  readonly content?: string
}

/** A socket that listens. */
export interface Listening {
  readonly address: Address
  /** Takes no more connections; those that are open go on. */
  stop(): Promise<void>
}

/** Takes connections of clients. */
export class ClientListener {
  readonly #parts: ListenParts
  readonly #open = new Map<string, number>()
  readonly #recent = new Map<string, number>()
  /** Sockets in their TLS handshake, which nobody else knows yet. */
  readonly #shaking = new Set<Socket>()

  constructor(parts: ListenParts) {
    this.#parts = parts
    parts.clock.every(60_000, () => this.#recent.clear())
  }

  /**
   * Begins to listen.
   * @param direct whether TLS begins at once (XEP-0368) or is asked for in the stream (RFC 6120 §5)
   * @throws the system's error, `EADDRINUSE` for instance; nothing listens then
   */
  async listen(addresses: readonly Address[], direct: boolean): Promise<readonly Listening[]> {
    const listening: Listening[] = []
    try {
      for (const address of addresses) {
        const server = createServer({ noDelay: true }, (socket) => this.#connected(socket, direct))
        const { address: bound, stop } = await begin(server, address)
        listening.push({ address: bound, stop: () => this.#stop(stop) })
      }
      return listening
    } catch (error) {
      await Promise.all(listening.map((one) => one.stop()))
      throw error
    }
  }

  #connected(socket: Socket, direct: boolean): void {
    socket.on('error', ignoreReset)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEPALIVE)
    const network = this.#parts.networkOf(socket.remoteAddress ?? '')
    if (!this.#admit(network)) {
      socket.destroy()
      return
    }
    socket.once('close', () => this.#left(network))
    if (!direct) {
      this.#parts.accept(this.#link(socket, false))
      return
    }
    this.#shaking.add(socket)
    this.#parts.certificates
      .secure(socket, ALPN_CLIENT)
      .finally(() => this.#shaking.delete(socket))
      .then(
        (secured) => this.#parts.accept(this.#link(secured, true)),
        (error: unknown) => this.#parts.log.debug('tls handshake failed', { error }),
      )
  }

  /** Whoever is in the middle of a handshake has nothing to lose, and must not keep a stopping server waiting. */
  #stop(stop: Listening['stop']): Promise<void> {
    for (const socket of this.#shaking) socket.destroy()
    return stop()
  }

  #link(socket: Socket, encrypted: boolean): Link {
    const { limits, metrics, log, certificates, clock, content } = this.#parts
    return new TcpLink(socket, encrypted, {
      id: randomUUID(),
      limits: limits.reader,
      ...(content === undefined ? {} : { content }),
      sendQueueBytes: limits.sendQueueBytes,
      // What is no client is a component, which is trusted (XEP-0114 §4) and speaks for many.
      bytesPerSecond: content === undefined ? limits.bytesPerSecond : Number.POSITIVE_INFINITY,
      clock,
      metrics,
      log,
      secure: (plain, domain) => certificates.secure(plain, ALPN_CLIENT, domain),
    })
  }

  #admit(network: string): boolean {
    const open = this.#open.get(network) ?? 0
    const recent = this.#recent.get(network) ?? 0
    this.#recent.set(network, recent + 1)
    const { connectionsPerAddress, connectionsPerMinute } = this.#parts.limits
    if (open >= connectionsPerAddress || recent >= connectionsPerMinute) {
      this.#parts.log.debug('connection refused', { reason: open >= connectionsPerAddress ? 'too many' : 'too often' })
      return false
    }
    this.#open.set(network, open + 1)
    return true
  }

  #left(network: string): void {
    const open = (this.#open.get(network) ?? 1) - 1
    if (open > 0) this.#open.set(network, open)
    else this.#open.delete(network)
  }
}

/**
 * Tries the ports from the wanted ones upwards until all addresses can be had.
 * @param orNext false: the wanted ones or none
 * @param avoid ports that others want
 */
export async function withFreePort<T>(
  addresses: readonly Address[],
  orNext: boolean,
  avoid: ReadonlySet<number>,
  listen: (addresses: readonly Address[]) => Promise<T>,
): Promise<T> {
  for (let step = 0; ; step++) {
    const moved = addresses.map(({ host, port }) => ({ host, port: port + step }))
    if (step > 0 && moved.some(({ port }) => avoid.has(port))) continue
    try {
      return await listen(moved)
    } catch (error) {
      if (!orNext || step >= PORTS_TRIED || !isTaken(error)) throw error
    }
  }
}

function begin(server: Server, address: Address): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...address, backlog: 1024, ipv6Only: false }, () => {
      server.off('error', reject)
      const bound = server.address()
      const port = typeof bound === 'object' && bound ? bound.port : address.port
      resolve({ address: { host: address.host, port }, stop: () => stop(server) })
    })
  })
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}

/** A connection that breaks is noticed by whoever reads it; before anybody does, there is nothing to do. */
function ignoreReset(): void {}
