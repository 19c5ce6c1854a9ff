// SPDX-License-Identifier: Apache-2.0
// RFC 7395 by frames as a client sends them, and as an attacker does.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import WebSocket from 'ws'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { loopback } from '../../test/support/loopback.ts'
import { Jid } from '../xmpp/jid.ts'

const place = await loopback({ limits: { sendQueueBytes: 300_000 } })
await place.accounts.add(Jid.of('romeo', 'localhost'), 'secret')
const URL = `ws://127.0.0.1:${place.http}/xmpp-websocket`
const PLAIN = Buffer.from('\0romeo\0secret').toString('base64')
const AUTH = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${PLAIN}</auth>`
const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
const CLOSE = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
const BIND = "<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
const PING = "<iq type='get' id='p' to='localhost' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>"

/** A client that has all messages. */
class Frames {
  readonly ws: WebSocket
  readonly closed: Promise<number>
  readonly #heard: string[] = []
  #changed: () => void = () => undefined

  constructor(
    t: TestContext,
    headers: Readonly<Record<string, string>> = {},
    protocols = ['other', 'xmpp'],
    port = place.http,
  ) {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}/xmpp-websocket`, protocols, { headers })
    this.closed = new Promise((resolve) => this.ws.on('close', resolve))
    this.ws.on('error', () => undefined)
    this.ws.on('message', (data, isBinary) => {
      assert.equal(isBinary, false)
      this.#heard.push(String(data))
      this.#changed()
    })
    t.after(() => this.ws.terminate())
  }

  async says(...messages: readonly string[]): Promise<void> {
    if (this.ws.readyState === WebSocket.CONNECTING) await once(this.ws, 'open')
    for (const message of messages) this.ws.send(message)
  }

  async hears(): Promise<string> {
    for (;;) {
      const next = this.#heard.shift()
      if (next !== undefined) return next
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  async enters(): Promise<void> {
    await this.says(OPEN)
    assert.match(await this.hears(), /^<open /)
    await this.hears()
    await this.says(AUTH)
    assert.match(await this.hears(), /^<success /)
    await this.says(OPEN)
    assert.match(await this.hears(), /^<open /)
    await this.hears()
    await this.says(BIND)
    assert.match(await this.hears(), /<jid>/)
  }
}

test('each message is one element that needs nothing around it', async (t) => {
  const one = new Frames(t)
  await one.says(OPEN)
  assert.equal(one.ws.protocol, 'xmpp')
  assert.match(
    await one.hears(),
    /^<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' from='localhost' id='[^']+' xml:lang='en'\/>$/,
  )
  const features = await one.hears()
  assert.match(features, /^<stream:features xmlns:stream='http:\/\/etherx.jabber.org\/streams'>.*<\/stream:features>$/)
  assert.doesNotMatch(features, /starttls|PLUS/)
  await one.says(CLOSE)
  assert.equal(await one.hears(), CLOSE)
  assert.equal(await one.closed, 1000)
})

test('stanzas carry their namespace; those of clients that forget it are understood', async (t) => {
  const one = new Frames(t)
  await one.enters()
  for (const ping of [PING, PING.replace(" xmlns='jabber:client'", '')]) {
    await one.says(ping)
    assert.match(await one.hears(), /^<iq [^>]*xmlns='jabber:client'/)
  }
})

test('a message may come in any number of frames, with pings between them', async (t) => {
  const one = new Frames(t)
  await one.enters()
  const pong = once(one.ws, 'pong')
  for (const char of PING.slice(0, -1)) one.ws.send(char, { fin: false })
  one.ws.ping()
  one.ws.send('>', { fin: true })
  await pong
  assert.match(await one.hears(), /id='p'/)
  await one.says('  ', PING, PING)
  assert.match(await one.hears(), /id='p'/)
  assert.match(await one.hears(), /id='p'/)
})

test('errors come with an open of ours before them, and a close after', async (t) => {
  const one = new Frames(t)
  await one.says(PING)
  assert.match(await one.hears(), /^<open /)
  assert.match(await one.hears(), /^<stream:error xmlns:stream=[^>]*><invalid-namespace /)
  assert.equal(await one.hears(), CLOSE)
  assert.equal(await one.closed, 1000)
})

for (const [what, message, condition] of [
  ['half an element', '<iq', 'not-well-formed'],
  ['two elements', `${PING}${PING}`, 'not-well-formed'],
  ['an element and more', `${PING}<iq`, 'not-well-formed'],
  ['text', 'hello', 'bad-format'],
  ['a stream header', "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>", 'not-well-formed'],
  ['an end tag', '</frame>', 'not-well-formed'],
  ['a comment', '<!-- -->', 'restricted-xml'],
  ['an open too many', OPEN, 'bad-format'],
  ['TLS', "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", 'unsupported-stanza-type'],
] as const) {
  test(`${what} ends the stream`, async (t) => {
    const one = new Frames(t)
    await one.enters()
    await one.says(message)
    assert.match(await one.hears(), new RegExp(`<${condition} `))
    assert.equal(await one.closed, 1000)
  })
}

test('binary messages are refused', async (t) => {
  const one = new Frames(t)
  await one.says(OPEN)
  one.ws.send(Buffer.from(PING))
  assert.equal(await one.closed, 1003)
})

test('a message that is too long is refused before it is whole', async (t) => {
  const stranger = new Frames(t)
  await stranger.says(OPEN)
  for (let piece = 0; piece < 100; piece++) stranger.ws.send('x'.repeat(10_000), { fin: false })
  assert.equal(await stranger.closed, 1009)
  const user = new Frames(t)
  await user.enters()
  user.ws.send(`<message>${'x'.repeat(300_000)}`, { fin: false })
  assert.equal(await user.closed, 1009)
})

test('text that is no UTF-8 is refused', async (t) => {
  const one = new Frames(t)
  await one.enters()
  one.ws.send(Buffer.from([0x3c, 0xff, 0xfe]), { binary: false })
  assert.equal(await one.closed, 1007)
})

test('who does not read is cut off, and is no burden to others', async (t) => {
  const [one, other] = [new Frames(t), new Frames(t)]
  await one.enters()
  await other.enters()
  one.ws.pause()
  const [deaf] = [...place.server.sessions()].filter(({ jid }) => `${jid}`.startsWith('romeo@'))
  const flood = `<message to='${deaf?.jid}' xmlns='jabber:client'><body>${'x'.repeat(200_000)}</body></message>`
  const overflows = place.metrics.overflows
  while (place.metrics.overflows === overflows) {
    await other.says(flood, PING)
    await other.hears()
  }
})

test('without the subprotocol, elsewhere, or by a proxy that got it without TLS nobody is let in', async (t) => {
  const status = async (url: string, protocols: string[], headers: Record<string, string> = {}): Promise<number> => {
    const ws = new WebSocket(url, protocols, { headers })
    t.after(() => ws.terminate())
    ws.on('error', () => undefined)
    const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number }]
    return response.statusCode
  }
  assert.equal(await status(URL, []), 400)
  assert.equal(await status(URL, ['chat']), 400)
  assert.equal(await status(`${URL}/x`, ['xmpp']), 404)
  assert.equal(await status(URL, ['xmpp'], { 'x-forwarded-for': '192.0.2.1' }), 403)
  assert.equal(await status(URL, ['xmpp'], { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'http' }), 403)
})

test('behind a proxy each client counts for itself', async (t) => {
  const few = await loopback({ limits: { connectionsPerAddress: 2 } })
  const dial = (from: string): WebSocket => {
    const headers = { 'x-forwarded-for': `203.0.113.9, ${from}`, 'x-forwarded-proto': 'https' }
    const ws = new WebSocket(`ws://127.0.0.1:${few.http}/xmpp-websocket`, ['xmpp'], { headers })
    t.after(() => ws.terminate())
    return ws.on('error', () => undefined)
  }
  const first = dial('192.0.2.1')
  await once(first, 'open')
  await once(dial('192.0.2.1'), 'open')
  const [, third] = (await once(dial('192.0.2.1'), 'unexpected-response')) as [unknown, { statusCode: number }]
  assert.equal(third.statusCode, 429)
  await once(dial('192.0.2.2'), 'open')
  first.terminate()
  const gone = (): boolean => few.server.connections < 3
  while (!gone()) await new Promise((resolve) => setImmediate(resolve))
  await once(dial('192.0.2.1'), 'open')
})

test('who sends too much is read later', async (t) => {
  const clock = new FakeClock()
  const slow = await loopback({ clock, limits: { bytesPerSecond: 4096 } })
  await slow.accounts.add(Jid.of('romeo', 'localhost'), 'secret')
  const [one, other] = [new Frames(t, {}, ['xmpp'], slow.http), new Frames(t, {}, ['xmpp'], slow.http)]
  await one.enters()
  await other.enters()
  while (slow.metrics.rests === 0) {
    await one.says(PING)
    await one.hears()
  }
  await one.says(PING.replace("'p'", "'late'"))
  let early = true
  const late = one.hears().then((text) => ({ text, early }))
  await other.says(PING)
  await other.hears()
  early = false
  clock.advance(20_000)
  assert.deepEqual((await late).early, false)
  assert.match((await late).text, /id='late'/)
})

test('a ping in the middle of a message does not make it shorter', async (t) => {
  const stranger = new Frames(t)
  await stranger.says(OPEN)
  for (let piece = 0; piece < 20; piece++) {
    stranger.ws.send('x'.repeat(10_000), { fin: false })
    stranger.ws.ping()
  }
  assert.equal(await stranger.closed, 1009)
})

test('pings between messages do not add up', async (t) => {
  const stranger = new Frames(t)
  await stranger.says(OPEN)
  await stranger.hears()
  await stranger.hears()
  for (let count = 0; count < 300; count++) {
    const pong = once(stranger.ws, 'pong')
    stranger.ws.ping('x'.repeat(100))
    await pong
  }
  await stranger.says(CLOSE)
  assert.equal(await stranger.closed, 1000)
})

test('what one turn says leaves in one write', async () => {
  const socket = await upgraded()
  const chunks: Buffer[] = []
  const masked = frame(OPEN)
  socket.write(masked)
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  while (!Buffer.concat(chunks).includes('</stream:features>')) await once(socket, 'data')
  assert.equal(chunks.length, 1, 'the open and the features')
  socket.destroy()
})

/** A connection that has become a WebSocket. */
async function upgraded(): Promise<Socket> {
  const socket = connect({ port: place.http, host: '127.0.0.1', noDelay: true })
  const key = randomBytes(16).toString('base64')
  socket.write(
    `GET /xmpp-websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n`,
  )
  const [head] = await once(socket, 'data')
  assert.match(String(head), /^HTTP\/1.1 101 /)
  return socket
}

/** A short text message of a client (RFC 6455 §5.2), with a mask of zeros. */
function frame(text: string): Buffer {
  const bytes = Buffer.from(text)
  assert.ok(bytes.length < 126)
  return Buffer.concat([Buffer.from([0x81, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
}
