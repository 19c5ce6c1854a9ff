// SPDX-License-Identifier: Apache-2.0
// What the owner of a link is told, with a socket that nobody reads.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { silentLog } from '../log.ts'
import { Metrics } from '../metrics.ts'
import { StreamError } from '../xmpp/errors.ts'
import { TcpLink } from './tcp-link.ts'

const metrics = new Metrics()
const listener = createServer().listen(0, '127.0.0.1')
await once(listener, 'listening')
after(() => {
  metrics.stop()
  listener.close()
})

/** Both ends of a connection: ours as a link that may keep `sendQueueBytes`, theirs as it is. */
async function pair(sendQueueBytes: number): Promise<{ link: TcpLink; peer: Socket; ends: string[] }> {
  const address = listener.address()
  const port = typeof address === 'object' && address ? address.port : assert.fail('not listening')
  const peer = connect({ port, host: '127.0.0.1' })
  const [ours] = (await once(listener, 'connection')) as [Socket]
  const link = new TcpLink(ours, false, {
    id: 'test',
    limits: {},
    sendQueueBytes,
    metrics,
    log: silentLog,
    secure: () => Promise.reject(new Error('no TLS here')),
  })
  const ends: string[] = []
  link.start({ opened: () => undefined, element: () => undefined, ended: (reason) => ends.push(reason) })
  after(() => peer.destroy())
  return { link, peer, ends }
}

const FLOOD = { xml: () => `<message>${'x'.repeat(20_000_000)}</message>` }

test('a link whose queue is full when it is closed ends once', async () => {
  const { link, peer, ends } = await pair(1000)
  link.send(FLOOD)
  link.close(new StreamError('system-shutdown'))
  link.close()
  await once(peer.resume(), 'close')
  assert.equal(ends.length, 1)
})

test('a link that is sent more than its queue holds ends as lost', async () => {
  const { link, peer, ends } = await pair(1000)
  link.send(FLOOD)
  await once(peer.resume(), 'close')
  assert.deepEqual(ends, ['lost'])
})

test('a link that is closed says its last words first', async () => {
  const { link, peer, ends } = await pair(1_000_000)
  const heard: Buffer[] = []
  peer.on('data', (chunk: Buffer) => heard.push(chunk))
  link.send({ xml: () => '<message/>' })
  link.close(new StreamError('reset'))
  link.send({ xml: () => '<too-late/>' })
  await once(peer, 'end')
  assert.deepEqual(ends, ['error'])
  assert.match(
    Buffer.concat(heard).toString(),
    /<message\/>.*<stream:stream [^>]*><stream:error><reset [^>]*\/><\/stream:error><\/stream:stream>$/,
  )
})
