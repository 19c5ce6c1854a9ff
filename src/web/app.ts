// SPDX-License-Identifier: Apache-2.0
// What the HTTP server answers: health and metrics, the web chat, the page for the first account. Loaded with the first
// request (`server.ts` says why).
import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { type ChatParts, chat } from './chat.ts'
import { type StartParts, startPage } from './start-page.ts'

/** What the answers are made of. */
export interface AppParts {
  /** Prometheus' text. */
  readonly metrics: () => Promise<string>
  /** Checks by name: whether they passed. */
  readonly health: () => Promise<Readonly<Record<string, boolean>>>
  /** Pages for people. */
  readonly pages: ChatParts & StartParts
}

/** Said of each answer that says nothing else. */
const HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/** Everything that is answered, as a listener of Node's HTTP servers. */
export function createApp(parts: AppParts): RequestListener {
  return getRequestListener(routes(parts).fetch)
}

function routes(parts: AppParts): Hono {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    for (const [name, value] of Object.entries(HEADERS)) if (!context.res.headers.has(name)) context.header(name, value)
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
  app.route('/', chat(parts.pages))
  app.route('/', startPage(parts.pages))
  return app
}
