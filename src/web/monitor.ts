// SPDX-License-Identifier: Apache-2.0
// Health and metrics, at an address of their own: they are nobody else's business.
import type { RequestListener, ServerResponse } from 'node:http'
import { pathOf } from './server.ts'

/** What the answers are made of. */
export interface MonitorParts {
  /** Prometheus' text. */
  readonly page: () => Promise<string>
  /** Checks by name: whether they passed. */
  readonly health: () => Promise<Readonly<Record<string, boolean>>>
}

/** Answers `/healthz` and `/metrics`. */
export function createMonitor({ page, health }: MonitorParts): RequestListener {
  const answers: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    async '/healthz'(response) {
      const checks = await health()
      const ok = Object.values(checks).every(Boolean)
      say(response, ok ? 200 : 503, 'application/json', JSON.stringify({ status: ok ? 'ok' : 'failing', checks }))
    },
    async '/metrics'(response) {
      say(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await page())
    },
  }
  return (request, response) => {
    const path = pathOf(request.url ?? '')
    const answer = Object.hasOwn(answers, path) ? answers[path] : undefined
    if (!answer || !['GET', 'HEAD'].includes(request.method ?? ''))
      return say(response, 404, 'text/plain', 'Not found\n')
    answer(response).catch(() => say(response, 500, 'text/plain', 'Failed\n'))
  }
}

function say(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
  })
  response.end(body)
}
