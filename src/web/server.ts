// SPDX-License-Identifier: Apache-2.0
// The HTTP server's sockets. What it answers is loaded with the first request: Hono works with `Request` and `Response`, which
// bring Node's whole HTTP client (15 MiB), and an `import` of `node:http` does the same, since it touches all exports.
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { AppParts } from './app.ts'
import { isForUploads } from './uploads.ts'

const { createServer } = process.getBuiltinModule('node:http')

/** How long a request may take to arrive, in ms; its head alone, if it is an upload. */
const REQUEST_TIME = 10_000

/** An address and port. */
export interface WebAddress {
  readonly host: string
  readonly port: number
}

/** What the HTTP server needs. */
export interface WebParts extends AppParts {
  readonly addresses: readonly WebAddress[]
  /** Answers what `isForUploads`; never by way of Hono. */
  readonly uploads?: RequestListener
}

/** A running HTTP server. */
export interface Web {
  /** Where it listens, in the order of the wanted addresses. */
  readonly listening: readonly WebAddress[]
  stop(): Promise<void>
}

/** Starts to listen. @throws the system's error, `EADDRINUSE` for instance; nothing listens then */
export async function startWeb(parts: WebParts): Promise<Web> {
  const answer = answerWhenAsked(parts)
  const servers: Server[] = []
  const listening: WebAddress[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(close))
  }
  try {
    for (const address of parts.addresses) {
      const { server, port } = await listenOn(answer, address)
      servers.push(server)
      listening.push({ host: address.host, port })
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { listening, stop }
}

function answerWhenAsked(parts: WebParts): RequestListener {
  let app: Promise<RequestListener> | undefined
  return (request, response) => {
    if (parts.uploads && isForUploads(request)) return parts.uploads(request, response)
    limitArrival(request)
    if (request.headers.expect) response.writeContinue()
    app ??= import('./app.ts').then(({ createApp }) => createApp(parts))
    app.then(
      (answer) => answer(request, response),
      () => {
        app = undefined // a module could not be read: perhaps it can the next time
        response.writeHead(500).end()
      },
    )
  }
}

/** `Server.requestTimeout` would end long uploads, too. */
function limitArrival(request: IncomingMessage): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if (encoding === undefined && (length === undefined || length === '0')) return
  const timer = setTimeout(() => request.destroy(), REQUEST_TIME).unref()
  const arrived = (): void => clearTimeout(timer)
  request.once('end', arrived).once('close', arrived)
}

async function listenOn(answer: RequestListener, address: WebAddress): Promise<{ server: Server; port: number }> {
  const server = createServer({ maxHeaderSize: 8192 }, answer)
  server.requestTimeout = 0
  server.headersTimeout = REQUEST_TIME
  server.maxConnections = 1000
  server.on('checkContinue', answer) // uploads say themselves when to go on
  return { server, port: await begin(server, address) }
}

function begin(server: Server, { host, port }: WebAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve(typeof bound === 'object' && bound ? bound.port : port)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
