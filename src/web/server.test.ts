// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startWeb } from './server.ts'

const parts = {
  addresses: [{ host: '127.0.0.1', port: 0 }],
  metrics: () => Promise.resolve('aenigma_sessions 2\n'),
  health: () => Promise.resolve({ store: true }),
  pages: {
    hosts: ['montague.lit'],
    firstAccount: {
      host: 'montague.lit',
      open: () => Promise.resolve(true),
      usable: () => Promise.resolve(false),
      create: () => Promise.resolve('link' as const),
    },
  },
}

async function get(path: string, health: boolean): Promise<Response> {
  const web = await startWeb({ ...parts, health: () => Promise.resolve({ store: health }) })
  const response = await fetch(`http://127.0.0.1:${web.listening[0]?.port}${path}`)
  const copy = new Response(await response.text(), { status: response.status, headers: response.headers })
  await web.stop()
  return copy
}

test('a healthy server says so', async () => {
  const response = await get('/healthz', true)
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { status: 'ok', checks: { store: true } })
})

test('a server whose store fails is not healthy', async () => {
  assert.equal((await get('/healthz', false)).status, 503)
})

test('metrics come as Prometheus wants them, and are not cached', async () => {
  const response = await get('/metrics', true)
  assert.equal(await response.text(), 'aenigma_sessions 2\n')
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  assert.equal(response.headers.get('cache-control'), 'no-store')
})

test('anything else is not found', async () => {
  assert.equal((await get('/etc/passwd', true)).status, 404)
})

test('a taken port is an error, and nothing is left listening', async () => {
  const first = await startWeb(parts)
  const taken = { host: '127.0.0.1', port: first.listening[0]?.port ?? 0 }
  await assert.rejects(startWeb({ ...parts, addresses: [{ host: '127.0.0.1', port: 0 }, taken] }), {
    code: 'EADDRINUSE',
  })
  await first.stop()
})
