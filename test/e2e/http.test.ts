// SPDX-License-Identifier: Apache-2.0
// The public web server over real TLS: HTTP/2 and HTTP/1.1 on one port, certificates by name, host-meta, and hostile HTTP/2.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { fetchFrom } from '../../src/net/probes/web-client.ts'
import { loopback } from '../support/loopback.ts'

const place = await loopback({ hosts: ['localhost', 'bücher.example'] })
const signal = AbortSignal.timeout(60_000)
const origin = `https://localhost:${place.https}`

async function session(t: TestContext): Promise<ClientHttp2Session> {
  const one = connect(origin)
  one.on('error', () => undefined)
  t.after(() => one.destroy())
  await once(one, 'remoteSettings')
  return one
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

async function ask(one: ClientHttp2Session, headers: Readonly<Record<string, string>>, body = ''): Promise<Answer> {
  const stream = one.request({ ':path': '/', ':method': body === '' ? 'GET' : 'POST', ...headers })
  if (body !== '') stream.end(body)
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
  let text = ''
  for await (const piece of stream.setEncoding('utf8')) text += piece
  return { status: Number(head[':status']), headers: head, text }
}

async function shake(options: { servername: string; ALPNProtocols: string[] }): Promise<TLSSocket> {
  const socket = connectTls({ port: place.https, host: '127.0.0.1', ...options })
  await once(socket, 'secureConnect')
  return socket
}

test('HTTP/2 where the client can, HTTP/1.1 where not, nothing else', async () => {
  for (const [offered, agreed] of [
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [[], false],
  ] as const) {
    const socket = await shake({ servername: 'localhost', ALPNProtocols: [...offered] })
    assert.equal(socket.alpnProtocol, agreed)
    socket.destroy()
  }
  await assert.rejects(shake({ servername: 'localhost', ALPNProtocols: ['xmpp-client'] }))
})

test('a new certificate is shown to the next connection', async () => {
  const show = async (): Promise<string> => {
    const socket = await shake({ servername: 'localhost', ALPNProtocols: ['h2'] })
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const before = await show()
  await place.certificates.load(new Map([['localhost', await place.issue()]]))
  assert.notEqual(await show(), before)
})

test('host-meta names the ways in, as the client came, to any web page', async (t) => {
  const one = await session(t)
  const xrd = await ask(one, { ':path': '/.well-known/host-meta' })
  assert.equal(xrd.status, 200)
  assert.equal(xrd.headers['access-control-allow-origin'], '*')
  assert.match(String(xrd.headers['content-type']), /^application\/xrd\+xml/)
  assert.ok(xrd.text.includes(`rel="urn:xmpp:alt-connections:websocket" href="wss://localhost:${place.https}/`))
  const json = await ask(one, { ':path': '/.well-known/host-meta.json' })
  assert.deepEqual(JSON.parse(json.text), {
    links: [
      { rel: 'urn:xmpp:alt-connections:xbosh', href: `${origin}/http-bind` },
      { rel: 'urn:xmpp:alt-connections:websocket', href: `wss://localhost:${place.https}/xmpp-websocket` },
    ],
  })
  const other = await ask(one, { ':path': '/.well-known/host-meta.json', ':authority': 'xn--bcher-kva.example' })
  assert.match(other.text, /"wss:\/\/xn--bcher-kva\.example(?::\d+)?\/xmpp-websocket"/)
  for (const authority of ['elsewhere.example', 'localhost.elsewhere.example:443', '127.0.0.1']) {
    const { status } = await ask(one, { ':path': '/.well-known/host-meta', ':authority': authority })
    assert.notEqual(status, 200, authority)
  }
})

test('behind a proxy host-meta names what is in front of the proxy', async () => {
  const at = { origin: `http://127.0.0.1:${place.http}`, signal }
  const ask = (headers: Record<string, string>) =>
    fetchFrom(at, 'https://localhost/.well-known/host-meta.json', { headers })
  const secure = await ask({ 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' })
  assert.match(secure.text, /"wss:\/\/localhost\/xmpp-websocket"/)
  assert.equal((await ask({ 'x-forwarded-for': '192.0.2.1' })).status, 404, 'XEP-0156: over https only')
})

test('host-meta names what the configuration says', async () => {
  const { http } = await loopback({ url: 'https://chat.example.org:8443' })
  const at = { origin: `http://127.0.0.1:${http}`, signal }
  const { text } = await fetchFrom(at, 'https://localhost/.well-known/host-meta', {})
  assert.match(text, /href="https:\/\/chat\.example\.org:8443\/http-bind"/)
  assert.match(text, /href="wss:\/\/chat\.example\.org:8443\/xmpp-websocket"/)
})

test('answers are safe for browsers', async (t) => {
  const { status, headers } = await ask(await session(t), { ':path': '/nothing', ':authority': 'localhost' })
  assert.equal(status, 404)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.match(String(headers['content-security-policy']), /default-src 'none'/)
  assert.match(String(headers['strict-transport-security']), /max-age/)
})

test('BOSH over HTTP/2', async (t) => {
  const one = await session(t)
  const begin = `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost' wait='60' hold='1' ver='1.11'/>`
  const { text } = await ask(one, { ':path': '/http-bind' }, begin)
  assert.match(text, /sid='.*<stream:features>/)
  const sid = /sid='([^']+)'/.exec(text)?.[1]
  const end = `<body xmlns='http://jabber.org/protocol/httpbind' rid='2' sid='${sid}' type='terminate'/>`
  assert.match((await ask(one, { ':path': '/http-bind' }, end)).text, /type='terminate'/)
  assert.equal((await ask(one, { ':path': '/http-bind' }, 'x'.repeat(100_000))).status, 413)
})

test('a BOSH request whose stream was given up is answered on another one', async (t) => {
  const one = await session(t)
  const bosh = "xmlns='http://jabber.org/protocol/httpbind'"
  const { text } = await ask(
    one,
    { ':path': '/http-bind' },
    `<body ${bosh} rid='1' to='localhost' wait='60' hold='1'/>`,
  )
  const sid = /sid='([^']+)'/.exec(text)?.[1]
  const held = `<body ${bosh} rid='2' sid='${sid}'/>`
  const stream = one.request({ ':path': '/http-bind', ':method': 'POST' })
  stream.on('error', () => undefined).end(held)
  stream.close(constants.NGHTTP2_CANCEL)
  const again = ask(one, { ':path': '/http-bind' }, held)
  const end = await ask(one, { ':path': '/http-bind' }, `<body ${bosh} rid='3' sid='${sid}' type='terminate'/>`)
  assert.match(`${(await again).text}${end.text}`, /type='terminate'/)
})

test('streams that are reset all the time end the connection', async (t) => {
  const one = await session(t)
  const closed = new Promise((resolve) => one.once('close', resolve))
  for (let i = 0; i < 1000 && !one.destroyed; i++) {
    const stream = one.request({ ':path': '/http-bind' })
    stream.on('error', () => undefined)
    stream.close(constants.NGHTTP2_CANCEL)
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve)) // it goes out
  }
  await closed
})

test('headers that are too long end the request', async (t) => {
  const one = await session(t)
  const stream = one.request({ ':path': '/', x: 'x'.repeat(30_000) })
  await assert.rejects(once(stream, 'close'), /ENHANCE_YOUR_CALM/)
  assert.notEqual(stream.rstCode, constants.NGHTTP2_NO_ERROR)
})

test('streams at a time are bounded, and none becomes a tunnel', async (t) => {
  const one = await session(t)
  assert.equal(one.remoteSettings.maxConcurrentStreams, 100)
  assert.equal(one.remoteSettings.enableConnectProtocol, false)
})
