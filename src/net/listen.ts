// SPDX-License-Identifier: Apache-2.0
// Listening sockets: who may connect how often, and what becomes of a connection: a link, with TLS from the start or later,
// or a connection for the web server.
import { randomUUID } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Link, Proof } from '../stream/link.ts'
import type { ReaderLimits } from '../xml/reader.ts'
import { Admission, type AdmissionLimits } from './admission.ts'
import { TcpLink } from './tcp-link.ts'
import type { Certificates } from './tls.ts'

/** A client's TLS protocol name (XEP-0368 §3). */
const ALPN_CLIENT = ['xmpp-client']
/** RFC 9113 §3.2; who names nothing speaks HTTP/1.1. */
const ALPN_WEB = ['h2', 'http/1.1']
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
export interface ConnectionLimits extends AdmissionLimits {
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
  /** What takes the connections of other servers, instead of clients'. */
  readonly servers?: ServerSide
}

/** How other servers are met. */
export interface ServerSide {
  /** Negotiates TLS. @param direct whether it begins at once */
  secure(socket: Socket, direct: boolean, domain?: string): Promise<TLSSocket>
  /** Judges the certificate that was shown. */
  proves(socket: TLSSocket, domain: string): Promise<Proof>
}

/** What becomes of connections. */
interface Way {
  /** Negotiates TLS from the start; undefined without. */
  readonly secure: ((socket: Socket) => Promise<TLSSocket>) | undefined
  readonly take: (socket: Socket) => void
  /** Whose connections are not counted, since many people stand behind each. */
  readonly uncounted?: (address: string) => boolean
  /** How many of all there may be. */
  readonly most?: number
}

/** For whom a web server listens. */
export interface WebListenParts {
  /** Gets each connection, after its TLS handshake if there is one; `alpnProtocol` says which HTTP it speaks. */
  readonly take: (socket: Socket) => void
  /** Reverse proxies, behind which many people stand: their connections are not counted here. */
  readonly isProxy: (address: string) => boolean
  /** How many connections there may be in all, where they are not counted by network. */
  readonly most?: number
}

/** A socket that listens. */
export interface Listening {
  readonly address: Address
  /** Takes no more connections; those that are open go on. */
  stop(): Promise<void>
}

/** Takes connections of clients, components or other servers. */
export class ClientListener {
  readonly #parts: ListenParts
  /** What each network has, also for connections that come through others. */
  readonly admission: Admission
  /** Sockets in their TLS handshake, which nobody else knows yet. */
  readonly #shaking = new Set<Socket>()

  constructor(parts: ListenParts) {
    this.#parts = parts
    this.admission = new Admission(parts.limits, parts.clock)
  }

  /**
   * Begins to listen.
   * @param direct whether TLS begins at once (XEP-0368) or is asked for in the stream (RFC 6120 §5)
   * @throws the system's error, `EADDRINUSE` for instance; nothing listens then
   */
  listen(addresses: readonly Address[], direct: boolean): Promise<readonly Listening[]> {
    return this.#listen(addresses, this.#streams(direct))
  }

  /** Begins to listen for a web server. @throws as `listen` */
  listenWeb(addresses: readonly Address[], direct: boolean, parts: WebListenParts): Promise<readonly Listening[]> {
    return this.#listen(addresses, this.#web(direct, parts))
  }

  /** Takes a connection that came to another port, where it was counted. @param direct as in `listen` */
  begin(socket: Socket, direct: boolean): void {
    this.#begin(socket, this.#streams(direct))
  }

  /** The same for a web server, with TLS. */
  beginWeb(socket: Socket, parts: WebListenParts): void {
    this.#begin(socket, this.#web(true, parts))
  }

  /** Takes a connection whose TLS is negotiated already. */
  beginSecured(socket: TLSSocket): void {
    this.#parts.accept(this.#link(socket, true))
  }

  #streams(direct: boolean): Way {
    const { servers, certificates } = this.#parts
    const take = (socket: Socket): void => this.#parts.accept(this.#link(socket, direct))
    const secure = (socket: Socket): Promise<TLSSocket> =>
      servers ? servers.secure(socket, true) : certificates.secure(socket, ALPN_CLIENT)
    return { secure: direct ? secure : undefined, take }
  }

  #web(direct: boolean, { isProxy, ...rest }: WebListenParts): Way {
    const secure = (socket: Socket): Promise<TLSSocket> => this.#parts.certificates.secure(socket, ALPN_WEB)
    return { secure: direct ? secure : undefined, uncounted: isProxy, ...rest }
  }

  async #listen(addresses: readonly Address[], way: Way): Promise<readonly Listening[]> {
    const listening: Listening[] = []
    try {
      for (const address of addresses) {
        const server = createServer({ noDelay: true }, (socket) => this.#connected(socket, way))
        if (way.most !== undefined) server.maxConnections = way.most
        const { address: bound, stop } = await begin(server, address)
        // The system may be unable to take one connection (it has no memory, a firewall says no); that is no end of the others.
        server.on('error', (error) => this.#parts.log.warn('connection could not be taken', { error }))
        listening.push({ address: bound, stop: () => this.#stop(stop) })
      }
      return listening
    } catch (error) {
      await Promise.all(listening.map((one) => one.stop()))
      throw error
    }
  }

  #connected(socket: Socket, way: Way): void {
    const { uncounted } = way
    socket.on('error', ignoreReset)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEPALIVE)
    if (uncounted?.(socket.remoteAddress ?? '') || this.admits(socket)) this.#begin(socket, way)
  }

  /** Counts a connection; cuts it off if its network has too many. For one that came uncounted, since nobody knew then whose it is. */
  admits(socket: Socket): boolean {
    const network = this.#parts.networkOf(socket.remoteAddress ?? '')
    const refused = this.admission.admit(network)
    if (refused) {
      this.#parts.log.debug('connection refused', { reason: refused })
      socket.destroy()
    } else socket.once('close', () => this.admission.left(network))
    return refused === undefined
  }

  #begin(socket: Socket, { secure, take }: Way): void {
    if (!secure) {
      take(socket)
      return
    }
    this.#shaking.add(socket)
    secure(socket)
      .finally(() => this.#shaking.delete(socket))
      .then(take, (error: unknown) => this.#parts.log.debug('tls handshake failed', { error }))
  }

  /** Whoever is in the middle of a handshake has nothing to lose, and must not keep a stopping server waiting. */
  #stop(stop: Listening['stop']): Promise<void> {
    for (const socket of this.#shaking) socket.destroy()
    return stop()
  }

  #link(socket: Socket, encrypted: boolean): Link {
    const { limits, metrics, log, certificates, clock, content, servers } = this.#parts
    return new TcpLink(socket, encrypted, {
      id: randomUUID(),
      limits: limits.reader,
      ...(content === undefined ? {} : { content }),
      sendQueueBytes: limits.sendQueueBytes,
      // What is neither client nor server is a component, which is trusted (XEP-0114 §4) and speaks for many.
      bytesPerSecond: content === undefined || servers ? limits.bytesPerSecond : Number.POSITIVE_INFINITY,
      clock,
      metrics,
      log,
      secure: (plain, domain) =>
        servers ? servers.secure(plain, false, domain) : certificates.secure(plain, ALPN_CLIENT, domain),
      ...(servers ? { proves: (socket, domain) => servers.proves(socket, domain) } : {}),
    })
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
