// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type ClientHttp2Stream, connect } from 'node:http2'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { notCrowded } from './crowd.ts'
import { WebServer } from './server.ts'

test('one network waits for so many answers at a time, and for others after those', async (t) => {
  const waiting: ServerResponse[] = []
  const slow = { path: '/slow', answer: ({ response }: { response: ServerResponse }) => void waiting.push(response) }
  const routes = [notCrowded(slow, (address) => address, 2)]
  const nobody = (): boolean => false
  const app = () => Promise.resolve(() => undefined)
  const web = new WebServer({ trust: { isProxy: nobody, isLocal: nobody }, routes, app })
  const server = createServer((socket) => web.take(Object.assign(socket, { alpnProtocol: 'h2' })))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const place = server.address()
  const client = connect(`http://127.0.0.1:${typeof place === 'object' ? place?.port : 0}`)
  t.after(() => {
    client.destroy()
    web.stop()
    server.close()
  })
  const ask = (): ClientHttp2Stream => client.request({ ':path': '/slow' }).on('error', () => undefined)
  const status = async (stream: ClientHttp2Stream): Promise<unknown> => (await once(stream, 'response'))[0][':status']
  const [first, second] = [ask(), ask()]
  assert.equal(await status(ask()), 503)
  const over = once(waiting[0] ?? assert.fail(), 'close')
  first.close()
  await over
  const third = ask()
  const answered = status(third)
  while (waiting.length < 3) await new Promise((resolve) => setImmediate(resolve))
  for (const response of waiting) response.end()
  assert.equal(await answered, 200)
  second.close()
})
