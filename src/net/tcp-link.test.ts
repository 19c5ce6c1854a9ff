// SPDX-License-Identifier: Apache-2.0
// What the owner of a link is told, with a socket that nobody reads.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { type Clock, systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { Metrics } from '../metrics.ts'
import type { Element } from '../xml/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import { TcpLink } from './tcp-link.ts'

const metrics = new Metrics()
const listener = createServer().listen(0, '127.0.0.1')
await once(listener, 'listening')
after(() => {
  metrics.stop()
  listener.close()
})

interface More {
  readonly bytesPerSecond?: number
  readonly encrypted?: boolean
  readonly clock?: Clock
  readonly element?: (element: Element) => void
}

/** Both ends of a connection: ours as a link that may keep `sendQueueBytes`, theirs as it is. */
async function pair(sendQueueBytes: number, more: More = {}): Promise<{ link: TcpLink; peer: Socket; ends: string[] }> {
  const address = listener.address()
  const port = typeof address === 'object' && address ? address.port : assert.fail('not listening')
  const peer = connect({ port, host: '127.0.0.1' })
  const [ours] = (await once(listener, 'connection')) as [Socket]
  const link = new TcpLink(ours, more.encrypted ?? false, {
    id: 'test',
    limits: {},
    sendQueueBytes,
    bytesPerSecond: more.bytesPerSecond ?? Number.POSITIVE_INFINITY,
    clock: more.clock ?? systemClock,
    metrics,
    log: silentLog,
    secure: () => Promise.reject(new Error('no TLS here')),
  })
  const ends: string[] = []
  link.start({
    opened: () => undefined,
    element: (element) => more.element?.(element),
    ended: (reason) => ends.push(reason),
  })
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

/** Time that a test turns: it knows when somebody begins to wait, and for how long. */
class Hands implements Clock {
  #now = 0
  #timer: { readonly ms: number; readonly what: () => void } | undefined
  #begun = Promise.withResolvers<number>()

  now(): number {
    return this.#now
  }

  after(ms: number, what: () => void): () => void {
    const timer = { ms, what }
    this.#timer = timer
    this.#begun.resolve(ms)
    return () => {
      if (this.#timer === timer) this.#timer = undefined
    }
  }

  every(): () => void {
    return () => undefined
  }

  get isRunning(): boolean {
    return this.#timer !== undefined
  }

  /** Settles when somebody waits; how long. */
  waiting(): Promise<number> {
    return this.#timer ? Promise.resolve(this.#timer.ms) : this.#begun.promise
  }

  /** The time is over. */
  turn(): void {
    const timer = this.#timer
    this.#timer = undefined
    this.#begun = Promise.withResolvers()
    this.#now += timer?.ms ?? 0
    timer?.what()
  }
}

test('what is written in pieces comes whole and in order', async () => {
  const { link, peer } = await pair(1_000_000, { encrypted: true })
  const texts = Array.from({ length: 30 }, (_, turn) => `<m n='${turn}'>${'x'.repeat(turn % 3)}${'🎭'.repeat(700)}</m>`)
  const expected = texts.join('')
  let heard = ''
  peer.setEncoding('utf8').on('data', (text: string) => {
    heard += text
  })
  for (const [turn, text] of texts.entries()) {
    link.send({ xml: () => text })
    if (turn % 4 === 0) await new Promise(setImmediate)
  }
  while (heard.length < expected.length) await once(peer, 'data')
  assert.equal(heard, expected)
})

test('a peer that sends too much is read later, and loses nothing', async () => {
  const clock = new Hands()
  const heard: string[] = []
  const done = Promise.withResolvers<void>()
  const element = ({ attrs }: Element): void => {
    heard.push(attrs.id ?? '')
    if (heard.length === 3000) done.resolve()
  }
  const { peer } = await pair(1000, { bytesPerSecond: 100_000, clock, element })
  const before = metrics.rests
  const messages = Array.from({ length: 3000 }, (_, id) => `<message id='${id}'>${'x'.repeat(1000)}</message>`)
  peer.write(
    `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>${messages.join('')}`,
  )
  let waited = 0
  while (heard.length < 3000) {
    const ms = await Promise.race([clock.waiting(), done.promise])
    if (ms === undefined) break
    const so = heard.length
    waited += ms
    clock.turn()
    assert.ok(so * 2024 < 1_000_000 + waited * 100 + 3 * 65_536 * 2, `${so} after ${waited} ms`)
  }
  assert.deepEqual(
    heard,
    Array.from({ length: 3000 }, (_, id) => String(id)),
  )
  assert.ok(metrics.rests > before)
  assert.ok(waited > (3000 * 2024 - 1_000_000) / 100 - 3000, `waited for ${waited} ms`)
})

test('who ends while it has to wait leaves no timer behind', async () => {
  const clock = new Hands()
  const { link, peer } = await pair(1000, { bytesPerSecond: 100, clock })
  peer.write(`<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>${' '.repeat(2000)}`)
  await clock.waiting()
  link.close()
  assert.equal(clock.isRunning, false)
})
