// SPDX-License-Identifier: Apache-2.0
// Which of several addresses one ends at.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, test } from 'node:test'
import { connectFirst } from './happy-eyeballs.ts'

const server = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1')
await once(server, 'listening')
after(() => server.close())
const address = server.address()
const port = typeof address === 'object' && address ? address.port : 0
const never = new AbortController().signal

test('an address that refuses is passed over, whichever kind it is', async () => {
  for (const list of [['127.0.0.1'], ['::1', '127.0.0.1'], ['127.0.0.2', '::1', '127.0.0.3', '127.0.0.1']]) {
    const socket = await connectFirst(list, port, never)
    assert.equal(socket.remoteAddress, '127.0.0.1')
    socket.destroy()
  }
})

test('an address that does not answer does not keep the others waiting', async () => {
  // Nobody has it (RFC 5737): the system says so, or says nothing.
  const socket = await connectFirst(['192.0.2.1', '127.0.0.1'], port, never)
  assert.equal(socket.remoteAddress, '127.0.0.1')
  socket.destroy()
})

test('if none answers, the first reason is told', async () => {
  await assert.rejects(connectFirst(['::1', '127.0.0.2'], port, never), /ECONNREFUSED|EADDRNOTAVAIL/)
  await assert.rejects(connectFirst([], port, never), /no address/)
})

test('an attempt that is given up ends', async () => {
  const reason = new Error('enough')
  await assert.rejects(connectFirst(['127.0.0.1'], port, AbortSignal.abort(reason)), reason)
  const giveUp = new AbortController()
  const attempt = connectFirst(['192.0.2.1'], port, giveUp.signal)
  giveUp.abort(reason)
  await assert.rejects(attempt, reason)
})
