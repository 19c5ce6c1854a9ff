// SPDX-License-Identifier: Apache-2.0
// The HTTP server: for now health and metrics, on the machine's own addresses.
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'

/** How long a request may take to arrive, in ms. */
const REQUEST_TIME = 10_000

/** An address and port. */
export interface WebAddress {
  readonly host: string
  readonly port: number
}

/** What the HTTP server needs. */
export interface WebParts {
  readonly addresses: readonly WebAddress[]
  /** Prometheus' text. */
  readonly metrics: () => Promise<string>
  /** Checks by name: whether they passed. */
  readonly health: () => Promise<Readonly<Record<string, boolean>>>
}

/** A running HTTP server. */
export interface Web {
  /** Where it listens, in the order of the wanted addresses. */
  readonly listening: readonly WebAddress[]
  stop(): Promise<void>
}

/** Starts to listen. @throws the system's error, `EADDRINUSE` for instance; nothing listens then */
export async function startWeb(parts: WebParts): Promise<Web> {
  const app = routes(parts)
  const servers: Server[] = []
  const listening: WebAddress[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(close))
  }
  try {
    for (const address of parts.addresses) {
      const { server, port } = await listenOn(app, address)
      servers.push(server)
      listening.push({ host: address.host, port })
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { listening, stop }
}

function routes(parts: WebParts): Hono {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    context.header('X-Content-Type-Options', 'nosniff')
    context.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'")
    context.header('Referrer-Policy', 'no-referrer')
    context.header('Cache-Control', 'no-store')
  })
  app.get('/healthz', async (context) => {
    const checks = await parts.health()
    const ok = Object.values(checks).every(Boolean)
    return context.json({ status: ok ? 'ok' : 'failing', checks }, ok ? 200 : 503)
  })
  app.get('/metrics', async (context) => {
    context.header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
    return context.body(await parts.metrics())
  })
  return app
}

async function listenOn(app: Hono, address: WebAddress): Promise<{ server: Server; port: number }> {
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions: { maxHeaderSize: 8192 } }) as Server
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
