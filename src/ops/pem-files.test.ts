// SPDX-License-Identifier: Apache-2.0
// The program is killed at any moment while it puts a new certificate in place of an old one.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { issue } from '../../test/support/certificates.ts'
import { CertificateStore } from './certificate-files.ts'
import { assertAsWished, readPair, writePair } from './pem-files.ts'

const DAY = 86_400_000
const [old, fresh] = [await issue({ dns: ['example.org'] }), await issue({ dns: ['example.org'] })]

/** Where a pair is. */
function place(t: TestContext): { readonly cert: string; readonly key: string } {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-pem-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
}

test('killed between the new key and the new certificate: both are the new ones', async (t) => {
  const { cert, key } = place(t)
  await writePair(cert, old.cert, key, old.key)
  writeFileSync(`${cert}.new`, fresh.cert)
  writeFileSync(key, fresh.key)
  assert.equal((await readPair(cert, key))?.cert, fresh.cert)
  assert.equal(readFileSync(cert, 'utf8'), fresh.cert, 'and it is what others read')
})

test('killed before: both are the old ones, whatever lies beside them', async (t) => {
  const { cert, key } = place(t)
  await writePair(cert, old.cert, key, old.key)
  writeFileSync(`${cert}.new`, fresh.cert.slice(0, 100))
  writeFileSync(`${key}.new`, fresh.key)
  assert.equal((await readPair(cert, key))?.cert, old.cert)
  await writePair(cert, fresh.cert, key, fresh.key)
  assert.equal((await readPair(cert, key))?.key, fresh.key)
})

test('what cannot be read at the moment is not missing: nobody makes another one in its place', async (t) => {
  const { cert, key } = place(t)
  assert.equal(await readPair(cert, key), undefined)
  symlinkSync(key, key)
  writeFileSync(cert, old.cert)
  await assert.rejects(readPair(cert, key), /ELOOP/)
})

test('an account whose key cannot be read at the moment is not thrown away: CAA records name it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-account-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const store = new CertificateStore(directory)
  await store.accountKey('https://ca.example/')
  const [file = ''] = readdirSync(directory)
  rmSync(join(directory, file))
  symlinkSync(file, join(directory, file))
  await assert.rejects(store.accountKey('https://ca.example/'), /ELOOP/)
})

test('what an authority sends is looked at before it takes the place of what is good', () => {
  const wish = { key: fresh.key, names: ['example.org'], now: Date.now() }
  assert.doesNotThrow(() => assertAsWished(fresh.cert, wish))
  assert.throws(() => assertAsWished('<html>', wish), /no certificate/)
  assert.throws(() => assertAsWished(old.cert, wish), /another key/)
  assert.throws(() => assertAsWished(fresh.cert, { ...wish, names: ['example.org', 'rooms.example.org'] }), /rooms\./)
  assert.throws(() => assertAsWished(fresh.cert, { ...wish, now: Date.now() + 40 * DAY }), /expired/)
})
