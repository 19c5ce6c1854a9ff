// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { before, type TestContext, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { silentLog } from '../log.ts'
import { makeAuthority, makeHostCertificate } from '../ops/x509.ts'
import { Challenges } from './challenges.ts'
import { OnePort } from './one-port.ts'
import { handshake } from './tls.ts'

const NOW = Date.now()
let pair: { readonly cert: string; readonly key: string }

before(async () => {
  pair = await makeHostCertificate(await makeAuthority(NOW), NOW)
})

/** Says who got a connection, and then what was said. */
function tells(who: string): (socket: Socket) => void {
  return (socket) => {
    socket.write(`${who}:`)
    socket.on('error', () => undefined)
    socket.pipe(socket)
  }
}

async function listening(t: TestContext, take: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ pauseOnConnect: false }, take).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = new Set<Socket>()
  server.on('connection', (socket) => open.add(socket))
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** A port for everything, behind which everybody says who they are. */
async function onePort(t: TestContext, behind: { ssh?: number; turn?: number } = {}) {
  const clock = new FakeClock()
  const challenges = new Challenges()
  const place = (port: number | undefined) => (port === undefined ? undefined : { host: '127.0.0.1', port })
  const behindTls = (who: string) => (socket: Socket) => {
    handshake(socket, { ...pair, ALPNProtocols: ['xmpp-client', 'xmpp-server', 'h2', 'http/1.1'] }).then(
      tells(who),
      () => undefined,
    )
  }
  const port = new OnePort({
    client: (socket, direct) => (direct ? behindTls('client')(socket) : tells('plain client')(socket)),
    server: behindTls('server'),
    web: behindTls('web'),
    plainWeb: tells('plain web'),
    secure: (socket) => handshake(socket, { ...pair }),
    secured: { client: tells('secured client'), web: tells('secured web') },
    challenges,
    ssh: place(behind.ssh),
    turn: place(behind.turn),
    clock,
    log: silentLog,
  })
  const ours: Socket[] = []
  const { port: number } = await listening(t, (socket) => {
    ours.push(socket)
    port.take(socket)
  })
  return { clock, challenges, port, number, ours }
}

/** When the port has taken so many more connections. */
function takes(port: OnePort, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const take = OnePort.prototype.take.bind(port)
  let left = count
  port.take = (socket) => {
    take(socket)
    if (--left === 0) resolve()
  }
  return promise
}

/** Reads until so much text has come; what came if the connection ends before. */
async function reads(socket: Socket, length: number): Promise<string> {
  let text = ''
  try {
    for await (const chunk of socket) {
      text += String(chunk)
      if (text.length >= length) break
    }
  } catch {
    return text // it was cut off
  }
  return text
}

async function overTls(port: number, words: string, options: { alpn?: string[]; name?: string }): Promise<TLSSocket> {
  const { alpn, name = 'localhost' } = options
  const more = alpn ? { ALPNProtocols: alpn } : {}
  const socket = connectTls({ host: '127.0.0.1', port, servername: name, rejectUnauthorized: false, ...more })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  socket.write(words)
  return socket
}

function says(port: number, words: string): Socket {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  socket.write(words)
  return socket
}

for (const [alpn, words, who] of [
  [['xmpp-client'], '<stream>', 'client'],
  [['xmpp-server'], '<stream>', 'server'],
  [['h2', 'http/1.1'], 'PRI *', 'web'],
  [['http/1.1'], 'GET / HTTP/1.1', 'web'],
  [undefined, '<stream>', 'secured client'],
  [undefined, 'GET / HTTP/1.1', 'secured web'],
] as const) {
  test(`TLS for ${alpn?.join(' or ') ?? 'nothing in particular'} and then ${words}: the ${who}`, async (t) => {
    const { number } = await onePort(t)
    const socket = await overTls(number, words, alpn ? { alpn: [...alpn] } : {})
    assert.equal(await reads(socket, who.length + 1 + words.length), `${who}:${words}`)
  })
}

test('without TLS: streams may ask for it, browsers are told where it is, all others go', async (t) => {
  const { number } = await onePort(t)
  assert.equal(await reads(says(number, '<?xml'), 18), 'plain client:<?xml')
  assert.equal(await reads(says(number, 'GET / HTTP/1.1'), 24), 'plain web:GET / HTTP/1.1')
  assert.equal(await reads(says(number, 'SSH-2.0-x'), 1), '')
  assert.equal(await reads(says(number, 'hello'), 1), '')
  assert.equal(await reads(says(number, '\u0016\u0003\u0001\u0000\u0001x'), 1), '')
})

test('SSH goes to the SSH server, also if it waits for the server to speak', async (t) => {
  const ssh = await listening(t, (socket) => socket.write('SSH-2.0-ours\r\n'))
  const { number, clock, port } = await onePort(t, { ssh: ssh.port })
  assert.equal(await reads(says(number, 'SSH-2.0-theirs\r\n'), 14), 'SSH-2.0-ours\r\n')
  const taken = takes(port, 1)
  const silent = says(number, '')
  await taken
  clock.advance(3_000)
  assert.equal(await reads(silent, 14), 'SSH-2.0-ours\r\n')
})

test('TURN gets its TLS as it is, by name or by protocol', async (t) => {
  const turn = await listening(t, (socket) => {
    handshake(socket, { ...pair, ALPNProtocols: ['stun.turn'] }).then(tells('turn'), () => undefined)
  })
  const { number } = await onePort(t, { turn: turn.port })
  assert.equal(await reads(await overTls(number, 'hi', { name: 'turn.localhost' }), 7), 'turn:hi')
  assert.equal(await reads(await overTls(number, 'hi', { alpn: ['stun.turn'] }), 7), 'turn:hi')
})

test('a certificate authority that looks sees the certificate made for it, and nobody else does (RFC 8737)', async (t) => {
  const { number, challenges } = await onePort(t)
  const look = { alpn: ['acme-tls/1'], name: 'localhost' }
  await assert.rejects(overTls(number, '', look))
  const end = challenges.answerTls('localhost', pair.cert, pair.key)
  const socket = await overTls(number, '', look)
  assert.equal(socket.alpnProtocol, 'acme-tls/1')
  assert.equal(await reads(socket, 1), '')
  end()
  await assert.rejects(overTls(number, '', look))
})

test('who says nothing, or never comes to the point, is cut off; so is who waits when the server stops', async (t) => {
  const { number, clock, port } = await onePort(t)
  const taken = takes(port, 3)
  const slow = says(number, '\u0016\u0003')
  const silent = says(number, '')
  const half = says(number, 'GE')
  await taken
  clock.advance(10_000)
  for (const socket of [slow, silent, half]) assert.equal(await reads(socket, 1), '')
  const again = takes(port, 1)
  const late = says(number, '')
  await again
  port.stop()
  assert.equal(await reads(late, 1), '')
})

test('a stopping server waits for nobody: not for who is silent behind TLS, nor for an SSH session', async (t) => {
  const ssh = await listening(t, (socket) => socket.write('SSH-2.0-ours\r\n'))
  const { number, port } = await onePort(t, { ssh: ssh.port })
  const session = says(number, 'SSH-2.0-theirs\r\n')
  await once(session, 'readable')
  const silent = await overTls(number, '', {})
  await once(silent, 'session') // said by the server when it is through with the handshake
  port.stop()
  assert.equal(await reads(session, 100), 'SSH-2.0-ours\r\n')
  assert.equal(await reads(silent, 1), '')
})

test('who looks for a challenge and then stays is let go all the same', async (t) => {
  const { number, challenges, ours } = await onePort(t)
  t.after(challenges.answerTls('localhost', pair.cert, pair.key))
  const plain = connect({ host: '127.0.0.1', port: number, allowHalfOpen: true })
  const socket = connectTls({
    socket: plain,
    servername: 'localhost',
    rejectUnauthorized: false,
    ALPNProtocols: ['acme-tls/1'],
  })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  const [own] = ours
  assert.ok(own)
  if (!own.destroyed) await once(own, 'close')
  plain.destroy()
})
