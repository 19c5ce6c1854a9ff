// SPDX-License-Identifier: Apache-2.0
// What Tor hands over, by a test in its place: each circuit is a peer of its own, and nobody else gets in that way.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { bench, startAenigma } from '../support/process.ts'
import { portsFree } from '../support/tor-network.ts'

const ONION = `${'a'.repeat(56)}.onion`
const HEADER = `<stream:stream to='${ONION}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

/** A connection that Tor opened. @param circuit its number, or what is said instead @param port of the onion service */
async function comes(t: TestContext, to: number, circuit: number | string, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: to, noDelay: true })
  t.after(() => socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const address = `fc00:dead:beef:4dad::0:${circuit.toString(16)}`
  socket.write(typeof circuit === 'string' ? circuit : `PROXY TCP6 ${address} ::1 ${circuit} ${port}\r\n`)
  return socket
}

/** What is said, until it has this in it; all of it at the end. */
function hears(socket: Socket, wanted?: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes
      if (wanted !== undefined && text.includes(wanted)) resolve(text)
    })
    socket.once('close', () => resolve(text))
  })
}

async function server(t: TestContext): Promise<number> {
  const of = bench(t)
  const [starttls = 0, tls = 0, http = 0, onion = 0] = await portsFree(4)
  await startAenigma(
    of,
    { starttls, tls, http },
    {
      options: {
        domain: undefined,
        hosts: ['localhost', ONION],
        listen: {
          ...{ starttls: [`127.0.0.1:${starttls}`], tls: [`127.0.0.1:${tls}`], http: [`127.0.0.1:${http}`] },
          ...{ https: [], servers: [], serversTls: [], proxy: [], metrics: [], onion: [`127.0.0.1:${onion}`] },
        },
        limits: { connectionsPerAddress: 2 },
      },
    },
  )
  return onion
}

test('each circuit has its own share of connections', async (t) => {
  const port = await server(t)
  const first = [await comes(t, port, 7, 5222), await comes(t, port, 7, 5222)]
  for (const one of first) one.write(HEADER)
  for (const one of first) assert.match(await hears(one, '</stream:features>'), /<starttls/)
  assert.equal(await hears(await comes(t, port, 7, 5222)), '')
  const other = await comes(t, port, 8, 5222)
  other.write(HEADER)
  assert.match(await hears(other, '</stream:features>'), /<starttls/)
})

test('its name has a certificate, also where a name below it is asked for', async (t) => {
  const port = await server(t)
  for (const servername of [ONION, `rooms.${ONION}`]) {
    const socket = await comes(t, port, 1, 5223)
    const secured = connectTls({ socket, servername, ALPNProtocols: ['xmpp-client'], rejectUnauthorized: false })
    await once(secured, 'secureConnect')
    assert.equal(secured.getPeerX509Certificate()?.checkHost(servername) !== undefined, true)
    secured.destroy()
  }
})

test('web pages need no TLS there, and nobody says whom they come from but Tor', async (t) => {
  const port = await server(t)
  const web = await comes(t, port, 3, 80)
  web.write(
    `GET /.well-known/host-meta.json HTTP/1.1\r\nHost: ${ONION}\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n`,
  )
  const answer = await hears(web)
  assert.match(answer, new RegExp(`"href":"ws://${ONION}/xmpp-websocket"`)) // which it is told only where nobody can read along
})

test('who does not come from Tor, or to no port of it, is sent away', async (t) => {
  const port = await server(t)
  for (const line of [
    'PROXY TCP4 192.0.2.1 127.0.0.1 1 5222\r\n',
    'PROXY TCP6 2001:db8::1 ::1 1 5222\r\n',
    HEADER,
    'x'.repeat(200),
    'PROXY TCP6 fc00:dead:beef:4dad::0:1 ::1 1 22\r\n',
  ]) {
    assert.equal(await hears(await comes(t, port, line, 0)), '', line)
  }
})
