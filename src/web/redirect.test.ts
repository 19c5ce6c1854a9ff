// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { redirectRoutes } from './redirect.ts'
import { WebServer } from './server.ts'

const NOBODY = { isProxy: () => false, isLocal: () => false }

/** Asks, and gives the status, where to go instead, and the body. */
async function asks(t: TestContext, head: string) {
  const web = new WebServer({
    trust: NOBODY,
    app: () => Promise.reject(new Error('no route')),
    routes: redirectRoutes({
      hosts: new Set(['example.org', 'münchen.example']),
      publicUrl: (host) => (host === 'example.org' ? 'https://example.org' : `https://${host}:5443`),
      challenge: (token) => (token === 'abc' ? 'abc.thumb' : undefined),
    }),
  })
  const server = createServer((socket) => web.take(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    web.stop()
    server.close()
  })
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(`${head}\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]),
    location: /^Location: (.*)$/im.exec(text)?.[1],
    text,
  }
}

for (const [head, location] of [
  ['GET /chat/?a=b HTTP/1.1\r\nHost: example.org', 'https://example.org/chat/?a=b'],
  ['POST / HTTP/1.1\r\nHost: example.org:80\r\nContent-Length: 0', 'https://example.org/'],
  ['GET / HTTP/1.1\r\nHost: xn--mnchen-3ya.example', 'https://xn--mnchen-3ya.example:5443/'],
  ['GET / HTTP/1.1\r\nHost: evil.example', 'https://example.org/'],
  ['GET / HTTP/1.1\r\nHost: [', 'https://example.org/'],
  ['GET //evil.example/ HTTP/1.1\r\nHost: example.org', 'https://example.org//evil.example/'],
] as const) {
  test(`sent to the same with TLS, on a domain of ours: ${head.replaceAll('\r\n', ' ')}`, async (t) => {
    const answer = await asks(t, head)
    assert.deepEqual([answer.status, answer.location], [308, location])
  })
}

test('nothing that follows a request is read, be it a body without an end or what a proxy smuggled in', async (t) => {
  const endless = await asks(t, 'POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 1000000000')
  assert.equal(endless.status, 308)
  const two = await asks(t, 'GET / HTTP/1.1\r\nHost: example.org\r\n\r\nGET /two HTTP/1.1\r\nHost: example.org')
  assert.equal(two.text.match(/HTTP\/1\.1/g)?.length, 1)
  const smuggled =
    'POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /two'
  assert.doesNotMatch((await asks(t, smuggled)).text, /two/)
})

test('a certificate authority finds the answer that it looks for, and nothing else (RFC 8555 §8.3)', async (t) => {
  const at = (path: string) => asks(t, `GET /.well-known/acme-challenge/${path} HTTP/1.1\r\nHost: example.org`)
  assert.match((await at('abc')).text, /abc\.thumb/)
  assert.equal((await at('abd')).status, 404)
  assert.equal((await at('')).status, 404)
})
