// SPDX-License-Identifier: Apache-2.0
// What the HTTP server answers: for now health and metrics. Loaded with the first request (`server.ts` says why).
import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'

/** What the answers are made of. */
export interface AppParts {
  /** Prometheus' text. */
  readonly metrics: () => Promise<string>
  /** Checks by name: whether they passed. */
  readonly health: () => Promise<Readonly<Record<string, boolean>>>
}

/** Everything that is answered, as a listener of Node's HTTP servers. */
export function createApp(parts: AppParts): RequestListener {
  return getRequestListener(routes(parts).fetch)
}

function routes(parts: AppParts): Hono {
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
