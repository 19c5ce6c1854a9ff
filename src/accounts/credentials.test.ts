// SPDX-License-Identifier: Apache-2.0
// Verifiers: made from passwords, checked against them, and invented for nobody.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPassword, DEFAULT_VERIFIERS, fakeVerifier, makeVerifiers } from './credentials.ts'

const SECRET = Buffer.alloc(32, 7)

test('a verifier per mechanism, each with its own salt, for one password', async () => {
  const verifiers = await makeVerifiers('pencil', { ...DEFAULT_VERIFIERS, iterations: 4096 })
  assert.deepEqual(
    verifiers?.map(({ mechanism, storedKey, serverKey }) => [mechanism, storedKey.length, serverKey.length]),
    [
      ['SCRAM-SHA-512', 64, 64],
      ['SCRAM-SHA-256', 32, 32],
      ['SCRAM-SHA-1', 20, 20],
    ],
  )
  assert.equal(new Set(verifiers?.map(({ salt }) => salt.toString('hex'))).size, 3)
  for (const verifier of verifiers ?? []) {
    assert.equal(await checkPassword('pencil', verifier), true)
    assert.equal(await checkPassword('Pencil', verifier), false)
    assert.equal(await checkPassword('', verifier), false)
    assert.equal(await checkPassword('pen\tcil', verifier), false)
  }
})

test('what cannot be a password makes no verifier', async () => {
  assert.equal(await makeVerifiers(''), undefined)
  assert.equal(await makeVerifiers('a\u0000b'), undefined)
})

test('the verifier of nobody is always the same, differs by name, mechanism and server, and looks real', async () => {
  const fake = fakeVerifier(SECRET, 'SCRAM-SHA-256', 'nobody@example.com', 4096)
  assert.deepEqual(fake, fakeVerifier(SECRET, 'SCRAM-SHA-256', 'nobody@example.com', 4096))
  const others = [
    fakeVerifier(SECRET, 'SCRAM-SHA-256', 'nobody2@example.com', 4096),
    fakeVerifier(SECRET, 'SCRAM-SHA-512', 'nobody@example.com', 4096),
    fakeVerifier(Buffer.alloc(32, 8), 'SCRAM-SHA-256', 'nobody@example.com', 4096),
  ]
  for (const other of others) assert.notDeepEqual(other.salt, fake.salt)
  const [real] = (await makeVerifiers('pencil', { iterations: 4096, mechanisms: ['SCRAM-SHA-256'] })) ?? []
  const shape = (verifier: typeof fake | undefined) =>
    verifier && [verifier.salt.length, verifier.iterations, verifier.storedKey.length, verifier.serverKey.length]
  assert.deepEqual(shape(fake), shape(real))
  assert.equal(await checkPassword('', fake), false)
})
