// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createMonitor } from './monitor.ts'
import { WebServer } from './server.ts'

const hello = async (): Promise<RequestListener> => (_, response) => void response.end('hello')
const trust = { isProxy: () => false, isLocal: () => true }

/** Serves until the test is over. @returns the port */
async function serve(t: TestContext, web: WebServer, alpnProtocol = 'http/1.1'): Promise<number> {
  const server = createServer((socket) => web.take(Object.assign(socket, { alpnProtocol }))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    web.stop()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

async function get(t: TestContext, path: string, health: boolean): Promise<Response> {
  const parts = {
    page: () => Promise.resolve('aenigma_sessions 2\n'),
    health: () => Promise.resolve({ store: health }),
  }
  const port = await serve(t, new WebServer({ trust, app: async () => createMonitor(parts) }))
  return fetch(`http://127.0.0.1:${port}${path}`)
}

test('a healthy server says so', async (t) => {
  const response = await get(t, '/healthz', true)
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { status: 'ok', checks: { store: true } })
})

test('a server whose store fails is not healthy', async (t) => {
  assert.equal((await get(t, '/healthz', false)).status, 503)
})

test('metrics come as Prometheus wants them, and are not cached', async (t) => {
  const response = await get(t, '/metrics', true)
  assert.equal(await response.text(), 'aenigma_sessions 2\n')
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  assert.equal(response.headers.get('cache-control'), 'no-store')
})

test('anything else is not found', async (t) => {
  assert.equal((await get(t, '/etc/passwd', true)).status, 404)
})

test('a request is answered whose first words somebody has read and put back', async (t) => {
  const web = new WebServer({ trust, app: hello })
  const server = createServer((socket) =>
    socket.once('data', (words) => {
      socket.pause()
      socket.unshift(words)
      web.take(Object.assign(socket, { alpnProtocol: 'http/1.1' }))
    }),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    web.stop()
    server.close()
  })
  const address = server.address()
  const response = await fetch(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`)
  assert.equal(await response.text(), 'hello')
})

test('headers that are too long are refused', async (t) => {
  const port = await serve(t, new WebServer({ trust, app: hello }))
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`)
  await once(socket.resume(), 'close')
})

test('a head that comes letter by letter is not waited for, nor is one that does not come', async (t) => {
  const port = await serve(t, new WebServer({ trust, app: hello, headerTime: 100 }))
  const silent = connect(port, '127.0.0.1')
  const slow = connect(port, '127.0.0.1')
  slow.on('error', () => undefined)
  slow.write('GET / HTTP/1.1\r\nHost: localhost\r\nX: ')
  const drip = setInterval(() => slow.write('x'), 10)
  t.after(() => clearInterval(drip))
  const gone = [silent, slow].map(
    (socket) =>
      new Promise((resolve) =>
        socket
          .resume()
          .on('error', () => undefined)
          .once('close', resolve),
      ),
  )
  await Promise.all(gone)
})

test('who speaks of two lengths, or smuggles, is refused', async (t) => {
  const port = await serve(t, new WebServer({ trust, app: hello }))
  for (const headers of [
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked, identity',
    'X y: z',
  ]) {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.on('data', (data) => {
      heard += data
    })
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\nhello`)
    await once(socket, 'close')
    assert.doesNotMatch(heard, /200 OK/, headers)
  }
})

test('a server that stops lets nobody wait', async (t) => {
  const web = new WebServer({ trust, app: hello })
  const port = await serve(t, web)
  const idle = connect(port, '127.0.0.1')
  idle.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(idle, 'data')
  web.stop()
  await once(idle, 'close')
})

test('what is being said when a server stops is still heard, over HTTP/2, too', async (t) => {
  const text = 'x'.repeat(50_000)
  const app = async (): Promise<RequestListener> => (_, response) => {
    response.end(text)
    web.stop()
  }
  const web = new WebServer({ trust, app })
  const client = connectHttp2(`http://127.0.0.1:${await serve(t, web, 'h2')}`)
  t.after(() => client.destroy())
  client.on('error', () => undefined)
  const idle = connectHttp2(`http://127.0.0.1:${await serve(t, web, 'h2')}`)
  await once(idle, 'remoteSettings')
  const stream = client.request({ ':path': '/' })
  let heard = ''
  stream.on('data', (data) => {
    heard += data
  })
  await once(stream, 'close')
  assert.equal(heard.length, text.length)
  if (!client.closed) await once(client, 'close')
  if (!idle.closed) await once(idle, 'close')
})

test('who would rather speak something else is answered all the same (RFC 9110 §7.8)', async (t) => {
  const upgrade = (): void => assert.fail('it is no WebSocket')
  const port = await serve(t, new WebServer({ trust, app: hello, upgrade }))
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n',
  )
  const [answer] = await once(socket, 'data')
  assert.match(String(answer), /^HTTP\/1.1 200 OK/)
})

for (const pieces of [
  ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['GE', 'T / HTTP/1.1\r\nHost: loc', 'alhost\r\n\r\n'],
]) {
  test(`what was read to find out who it is for, and put back, is answered: ${pieces.length} pieces`, async (t) => {
    const web = new WebServer({ trust, app: hello })
    const server = createServer((socket) => {
      socket.once('data', (bytes) => {
        socket.pause()
        socket.unshift(bytes)
        web.take(socket)
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      web.stop()
      server.close()
    })
    const address = server.address()
    const socket = connect({ port: typeof address === 'object' && address ? address.port : 0, noDelay: true })
    t.after(() => socket.destroy())
    for (const piece of pieces) {
      await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)))
    }
    const [answer] = await once(socket, 'data')
    assert.match(String(answer), /^HTTP\/1.1 200 OK/)
  })
}
