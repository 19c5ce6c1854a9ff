// SPDX-License-Identifier: Apache-2.0
// The one port, for those who do not say by ALPN what they want: what they said first is answered.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { bench, startAenigma } from '../support/process.ts'
import { portsFree } from '../support/tor-network.ts'

async function sharedPort(t: TestContext): Promise<number> {
  const [starttls = 0, tls = 0, http = 0, shared = 0] = await portsFree(4)
  const listen = {
    ...{ starttls: [`127.0.0.1:${starttls}`], tls: [`127.0.0.1:${tls}`], http: [`127.0.0.1:${http}`] },
    ...{ https: [], metrics: [], proxy: [], servers: [], serversTls: [], shared: [`127.0.0.1:${shared}`] },
  }
  await startAenigma(bench(t), { starttls, tls, http }, { options: { listen } })
  return shared
}

async function answer(socket: Socket): Promise<string> {
  socket.write('GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  let text = ''
  socket.on('data', (bytes: Buffer) => {
    text += bytes
  })
  await once(socket, 'close')
  return text
}

test('a browser that comes without TLS is sent to the page with it', { timeout: 30_000 }, async (t) => {
  const port = await sharedPort(t)
  const found = await answer(connect(port, '127.0.0.1'))
  assert.match(found, new RegExp(`^HTTP/1.1 308 [^]*Location: https://localhost:${port}/chat\r\n`, 'i'))
})

test('one that says nothing of HTTP in its handshake gets the page', { timeout: 30_000 }, async (t) => {
  const port = await sharedPort(t)
  const options = { host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false }
  assert.match(await answer(connectTls(options)), /^HTTP\/1.1 308 /)
})
