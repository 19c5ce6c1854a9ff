// SPDX-License-Identifier: Apache-2.0
// What clients may do after the handshake: nothing that costs us much (renegotiation), and nothing that lasts (tickets).
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { issue, type Wish } from '../../test/support/certificates.ts'
import { trialCertificate } from '../ops/trial-certificate.ts'
import { Certificates } from './tls.ts'

const dir = mkdtempSync(join(tmpdir(), 'aenigma-tls-'))
const certificates = new Certificates()
await certificates.load(new Map([['localhost', await trialCertificate(dir, Date.now())]]))
const server = createServer((socket) => {
  certificates.secure(socket, ['xmpp-client']).then(
    (secured) => secured.on('error', () => undefined).write('welcome'),
    () => undefined,
  )
})
const port = await new Promise<number>((resolve) => {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    resolve(typeof address === 'object' && address ? address.port : 0)
  })
})
after(() => {
  server.close()
  rmSync(dir, { recursive: true })
})

/** Shakes hands and waits for the first words, behind which tickets have come. */
function visit(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false, ...options })
    socket.once('error', reject)
    socket.once('data', () => resolve(socket.off('error', reject)))
  })
}

test('a client cannot renegotiate (DESIGN section 8)', async () => {
  const socket = await visit({ maxVersion: 'TLSv1.2' })
  const refused = await new Promise<Error | null | undefined>((resolve) => {
    socket.once('error', resolve)
    if (!socket.renegotiate({}, resolve)) socket.once('close', () => resolve(undefined))
  })
  socket.destroy()
  assert.match(String(refused), /no[_ ]renegotiation|closed|reset/i)
})

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`tickets resume a session until their key is thrown away (${maxVersion})`, async () => {
    const first = await visit({ maxVersion })
    const session = first.getSession()
    first.destroy()
    assert.ok(session)
    const second = await visit({ maxVersion, session })
    assert.equal(second.isSessionReused(), true)
    second.destroy()
    certificates.renewTicketKeys()
    const third = await visit({ maxVersion, session })
    assert.equal(third.isSessionReused(), false)
    third.destroy()
  })
}

test('a name gets the certificate that is for it, then that of the domain above it, then the first', async () => {
  const files = new Map<string, { cert: string; key: string }>()
  const wishes: Readonly<Record<string, Wish>> = {
    'first.example': { dns: ['first.example'] },
    'second.example': { dns: ['second.example', 'chat.elsewhere.example'], srv: ['_xmpp-server.srv.example'] },
    'third.example': { dns: ['third.example', '*.third.example', '*.rooms.second.example'] },
    'münchen.example': { dns: ['xn--mnchen-3ya.example'] },
  }
  for (const [host, wish] of Object.entries(wishes)) {
    const { cert, key } = await issue(wish)
    const place = { cert: join(dir, `${host}.crt`), key: join(dir, `${host}.key`) }
    writeFileSync(place.cert, cert)
    writeFileSync(place.key, key)
    files.set(host, place)
  }
  const many = new Certificates()
  await many.load(files)
  const expected: readonly (readonly [string, string])[] = [
    ['second.example', 'second.example'],
    ['rooms.second.example', 'second.example'],
    ['a.b.second.example', 'second.example'],
    ['a.rooms.second.example', 'third.example'],
    ['chat.elsewhere.example', 'second.example'],
    ['srv.example', 'second.example'],
    ['proxy.third.example', 'third.example'],
    ['rooms.münchen.example', 'münchen.example'],
    ['rooms.xn--mnchen-3ya.example', 'münchen.example'],
    ['elsewhere.example', 'first.example'],
    ['example', 'first.example'],
    ['', 'first.example'],
  ]
  for (const [name, host] of expected) assert.equal(many.find(name), many.find(host), name)
  assert.equal(many.find('nobody.example', 'rooms.second.example'), many.find('second.example'))
  assert.notEqual(many.find('second.example'), many.find('first.example'))
})
