// SPDX-License-Identifier: Apache-2.0
// The HTTP server's sockets. What it answers is loaded with the first request: Hono works with `Request` and `Response`, which
// bring Node's whole HTTP client (15 MiB), and an `import` of `node:http` does the same, since it touches all exports.
import type { RequestListener, Server } from 'node:http'
import type { AppParts } from './app.ts'

const { createServer } = process.getBuiltinModule('node:http')

/** How long a request may take to arrive, in ms. */
const REQUEST_TIME = 10_000

/** An address and port. */
export interface WebAddress {
  readonly host: string
  readonly port: number
}

/** What the HTTP server needs. */
export interface WebParts extends AppParts {
  readonly addresses: readonly WebAddress[]
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

function answerWhenAsked(parts: AppParts): RequestListener {
  let app: Promise<RequestListener> | undefined
  return (request, response) => {
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

async function listenOn(answer: RequestListener, address: WebAddress): Promise<{ server: Server; port: number }> {
  const server = createServer({ maxHeaderSize: 8192 }, answer)
  server.requestTimeout = REQUEST_TIME
  server.headersTimeout = REQUEST_TIME
  server.maxConnections = 100
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
