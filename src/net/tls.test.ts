// SPDX-License-Identifier: Apache-2.0
// What clients may do after the handshake: nothing that costs us much (renegotiation), and nothing that lasts (tickets).
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
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
