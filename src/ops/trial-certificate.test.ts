// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, createServer } from 'node:tls'
import { trialCertificate } from './trial-certificate.ts'

const DAY = 86_400_000

function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-tls-'))
  t.after(() => rmSync(dir, { recursive: true }))
  return dir
}

/** Connects as a strict client that knows the CA only. */
function verified(port: number, options: ConnectionOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...options }, () => {
      socket.end()
      resolve()
    })
    socket.on('error', reject)
  })
}

test('a strict client that trusts the CA takes the certificate, for every name of this machine', async (t) => {
  const files = await trialCertificate(directory(t), Date.now())
  const server = createServer({ cert: readFileSync(files.cert), key: readFileSync(files.key) }, (socket) =>
    socket.end(),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address && typeof address === 'object')
  const ca = readFileSync(files.ca)
  await verified(address.port, { ca, servername: 'localhost' })
  await verified(address.port, { ca }) // by IP address
  await assert.rejects(verified(address.port, { ca, servername: 'example.org' }), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
  await assert.rejects(verified(address.port, { servername: 'localhost' }), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
})

test('it says what it may be used for, and no more', async (t) => {
  const files = await trialCertificate(directory(t), Date.now())
  const ca = new X509Certificate(readFileSync(files.ca))
  const host = new X509Certificate(readFileSync(files.cert))
  assert.equal(ca.ca, true)
  assert.equal(host.ca, false)
  assert.ok(host.checkIssued(ca))
  assert.deepEqual(host.keyUsage, ['1.3.6.1.5.5.7.3.1']) // what Node calls so is the extended one
  assert.equal(host.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  assert.equal(host.subjectAltName, 'DNS:localhost, DNS:*.localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1')
  assert.equal(statSync(files.key).mode & 0o777, 0o600)
  assert.equal(statSync(join(files.ca, '../ca.key')).mode & 0o777, 0o600)
  assert.equal(statSync(join(files.ca, '..')).mode & 0o777, 0o700)
})

test('it stays over restarts, and is renewed by the same CA when it ends soon', async (t) => {
  const dir = directory(t)
  const now = Date.now()
  const files = await trialCertificate(dir, now)
  const [ca, cert] = [readFileSync(files.ca, 'utf8'), readFileSync(files.cert, 'utf8')]
  await trialCertificate(dir, now + 300 * DAY)
  assert.equal(readFileSync(files.cert, 'utf8'), cert)
  await trialCertificate(dir, now + 368 * DAY)
  assert.notEqual(readFileSync(files.cert, 'utf8'), cert)
  assert.equal(readFileSync(files.ca, 'utf8'), ca)
  const renewed = new X509Certificate(readFileSync(files.cert))
  assert.ok(renewed.verify(new X509Certificate(ca).publicKey))
  assert.ok(Date.parse(renewed.validTo) > now + 700 * DAY)
})

test('what is damaged or does not belong together is made anew', async (t) => {
  const dir = directory(t)
  const files = await trialCertificate(dir, Date.now())
  const other = await trialCertificate(directory(t), Date.now())
  writeFileSync(files.key, readFileSync(other.key))
  await trialCertificate(dir, Date.now())
  const mended = new X509Certificate(readFileSync(files.cert))
  assert.ok(mended.checkPrivateKey(createPrivateKey(readFileSync(files.key))))
  writeFileSync(files.ca, 'rubbish')
  await trialCertificate(dir, Date.now())
  const [ca, host] = [new X509Certificate(readFileSync(files.ca)), new X509Certificate(readFileSync(files.cert))]
  assert.ok(host.verify(ca.publicKey))
})
