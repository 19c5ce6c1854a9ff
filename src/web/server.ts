// SPDX-License-Identifier: Apache-2.0
// The HTTP server, over connections that `net/listen.ts` took: HTTP/1.1 and HTTP/2, with bounds on all that a client can draw
// out. What it answers is loaded with the first request: Hono works with `Request` and `Response`, which bring Node's whole
// HTTP client (15 MiB), and an `import` of `node:http` does the same, since it touches all exports.
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Http2Server, ServerHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { peerOf, type RawRoute, refuseUpgrade, type Trust, type Upgrade } from './exchange.ts'

/** How long the head of a request may take to arrive, in ms. */
const HEADER_TIME = 10_000
/** Bytes of all headers of a request together. */
const HEADER_BYTES = 8192
/** How long the rest may take, where no raw route has its own mind, in ms. */
const BODY_TIME = 10_000
/** How long a connection may wait for its next request, in ms. */
const KEEP_ALIVE = 60_000
/** How long an HTTP/2 connection, or the sending of an answer, may stand still, in ms: longer than BOSH holds a request back. */
const SILENCE = 120_000
/** How long an answer may take to leave when the server stops, in ms. */
const LAST_WORDS = 1_000
/** Requests at a time in one HTTP/2 connection. */
const STREAMS = 100

/** What belongs to a connection. */
type Connection = Parameters<typeof peerOf>[0]['socket'] & Duplex & Partial<Pick<TLSSocket, 'alpnProtocol'>>

/** What the HTTP server needs. */
export interface WebParts {
  readonly trust: Trust
  /** Loads what answers all requests but those of `routes`. */
  readonly app: () => Promise<RequestListener>
  /** The first whose path fits answers. */
  readonly routes?: readonly RawRoute[]
  readonly upgrade?: Upgrade
  /** How long the head of a request may take to arrive, in ms; 10 s if not told. */
  readonly headerTime?: number
}

/** An HTTP server without sockets of its own. */
export class WebServer {
  readonly #parts: WebParts
  readonly #open = new Set<Duplex>()
  readonly #sessions = new Set<ServerHttp2Session>()
  #app: Promise<RequestListener> | undefined
  #first: Server | undefined
  #second: Http2Server | undefined

  constructor(parts: WebParts) {
    this.#parts = parts
  }

  /** Serves a connection, as HTTP/2 if its TLS agreed on that. */
  take(socket: Connection): void {
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#open.delete(socket))
    this.#open.add(socket)
    if (isSecond(socket)) {
      this.#http2.emit('connection', socket)
      socket.emit('secureConnect') // Node waits for this, which comes by itself to clients and to sockets of its own servers only
      return
    }
    this.#http1.emit('connection', socket)
    socket.resume() // whoever read what it says first has stopped it
  }

  /** Ends all connections but those that became something else, after what is being said. */
  stop(): void {
    for (const session of this.#sessions) session.close() // what it writes is not in `writableLength`
    for (const socket of this.#open) {
      if (isSecond(socket)) continue
      if (socket.writableLength === 0) socket.destroy()
      else socket.end(() => socket.destroy())
    }
    setTimeout(() => {
      for (const socket of this.#open) socket.destroy()
    }, LAST_WORDS).unref()
    this.#first?.close()
    this.#second?.close()
  }

  get #http1(): Server {
    this.#first ??= this.#makeFirst()
    return this.#first
  }

  get #http2(): Http2Server {
    this.#second ??= this.#makeSecond()
    return this.#second
  }

  #makeFirst(): Server {
    const { createServer } = process.getBuiltinModule('node:http')
    const { headerTime = HEADER_TIME } = this.#parts
    const server = createServer({
      maxHeaderSize: HEADER_BYTES,
      keepAliveTimeout: KEEP_ALIVE,
      headersTimeout: headerTime,
      connectionsCheckingInterval: headerTime / 2,
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    })
    server.requestTimeout = 0 // an upload takes its time; who reads a body sees to it (`body.ts`)
    server.timeout = SILENCE
    server.on('request', (request, response) => this.#answer(request, response))
    server.on('checkContinue', (request, response) => this.#answer(request, response))
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    server.on('clientError', (_, socket) => socket.destroy())
    server.emit('listening') // it looks for slow headers only from then on, and never listens itself
    return server
  }

  #makeSecond(): Http2Server {
    const { createServer } = process.getBuiltinModule('node:http2')
    const server = createServer({
      settings: { maxConcurrentStreams: STREAMS, maxHeaderListSize: HEADER_BYTES, enablePush: false },
      maxSessionMemory: 4, // MiB
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      maxSettings: 16,
      maxOutstandingPings: 4,
      streamResetBurst: 200, // CVE-2023-44487
      streamResetRate: 10,
    })
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
      session.setTimeout(SILENCE, () => session.destroy())
    })
    // Node's objects for HTTP/2 are used as those of HTTP/1.1.
    const answer = (request: unknown, response: unknown): void =>
      this.#answer(request as IncomingMessage, response as ServerResponse)
    server.on('request', answer)
    server.on('checkContinue', answer)
    server.on('sessionError', () => undefined) // the session is over, and nobody else has a part in it
    return server
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.on('error', () => undefined) // whoever reads or writes learns of it by the end
    response.on('error', () => undefined)
    const path = pathOf(request.url ?? '/')
    const route = this.#parts.routes?.find((one) =>
      one.path.endsWith('/') ? path.startsWith(one.path) : path === one.path,
    )
    if (route) {
      route.answer({ request, response, path, peer: peerOf(request, this.#parts.trust) })
      return
    }
    limitArrival(request)
    if (request.headers.expect !== undefined) response.writeContinue()
    this.#app ??= this.#parts.app()
    this.#app.then(
      (answer) => answer(request, response),
      () => {
        this.#app = undefined // a module could not be read: perhaps it can the next time
        response.writeHead(500)
        response.end()
      },
    )
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!this.#parts.upgrade) {
      refuseUpgrade(socket, 404)
      return
    }
    this.#open.delete(socket) // whoever has it now ends it
    socket.on('error', () => socket.destroy())
    this.#parts.upgrade(request, socket, head, peerOf(request, this.#parts.trust))
  }
}

/** `Server.requestTimeout` would end long uploads, too. */
function limitArrival(request: IncomingMessage): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if (request.httpVersionMajor === 1 && encoding === undefined && (length === undefined || length === '0')) return
  const timer = setTimeout(() => request.destroy(), BODY_TIME).unref()
  const arrived = (): void => clearTimeout(timer)
  request.once('end', arrived).once('close', arrived)
}

function isSecond(socket: Duplex & Pick<Connection, 'alpnProtocol'>): boolean {
  return socket.alpnProtocol === 'h2'
}

/** The path of a request without its query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}
