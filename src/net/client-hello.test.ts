// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import fc from 'fast-check'
import { HELLO_BYTES, readClientHello } from './client-hello.ts'

/** What OpenSSL says first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const client = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  client.on('error', () => undefined)
  const [socket] = (await once(server, 'connection')) as [Socket]
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk])
    if (readClientHello(bytes) !== 'more') break
  }
  client.destroy()
  server.close()
  return bytes
}

/** The same hello in records of so many bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let place = 0; place < message.length; place += size) {
    const part = message.subarray(place, place + size)
    records.push(Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(records)
}

test('whom a client wants, and what it wants to speak', async () => {
  const hello = await helloOf({ servername: 'Example.org', ALPNProtocols: ['xmpp-client', 'h2'] })
  assert.deepEqual(readClientHello(hello), { serverName: 'example.org', alpn: ['xmpp-client', 'h2'] })
  assert.deepEqual(readClientHello(await helloOf({ servername: '' })), { serverName: undefined, alpn: [] })
  assert.deepEqual(readClientHello(await helloOf({ maxVersion: 'TLSv1.2', servername: 'a.b' })), {
    serverName: 'a.b',
    alpn: [],
  })
})

test('it may come in any pieces and records', async () => {
  const hello = await helloOf({ servername: 'example.org', ALPNProtocols: ['xmpp-server'] })
  const expected = readClientHello(hello)
  for (let length = 0; length < hello.length; length++) {
    assert.equal(readClientHello(hello.subarray(0, length)), 'more', `${length} bytes`)
  }
  for (const size of [120, 250, 1000]) {
    const split = inRecords(hello, size)
    assert.deepEqual(readClientHello(split), expected)
    assert.equal(readClientHello(split.subarray(0, -1)), 'more')
  }
})

test('what is no hello is none, and nothing is waited for without end', () => {
  for (const text of ['GET / HTTP/1.1', 'SSH-2.0-x', '<?xml', '\u0016\u0004\u0001\u0000\u0005hello']) {
    assert.equal(readClientHello(Buffer.from(text, 'latin1')), 'broken', text)
  }
  const endless = Buffer.from([0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff])
  assert.equal(readClientHello(endless), 'broken')
  const records = Buffer.alloc(2 * HELLO_BYTES)
  for (let place = 0; place + 6 <= records.length; place += 6) records.set([0x16, 3, 1, 0, 1, 1], place)
  assert.equal(readClientHello(records), 'broken')
  assert.equal(readClientHello(Buffer.from([0x16, 3, 1, 0, 0])), 'broken', 'an empty record')
})

test('whatever comes, an answer and no exception', async () => {
  const hello = await helloOf({ servername: 'example.org', ALPNProtocols: ['xmpp-client'] })
  const changes = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 20 })
  fc.assert(
    fc.property(changes, (list) => {
      const damaged = Buffer.from(hello)
      for (const [place, value] of list) damaged[place] = value
      assert.ok(readClientHello(damaged))
    }),
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => assert.ok(readClientHello(Buffer.from(bytes)))))
})
