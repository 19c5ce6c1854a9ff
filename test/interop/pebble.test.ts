// SPDX-License-Identifier: Apache-2.0
// Certificates from an authority that speaks ACME: pebble, of the people who make Let's Encrypt. It rejects good nonces now and
// then, as is its habit, and really looks at the ports; the DNS is its companion pebble-challtestsrv.
import assert from 'node:assert/strict'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { issue } from '../support/certificates.ts'
import { HOST, shown, startPebble, startWith } from '../support/pebble.ts'
import { bench, freePorts } from '../support/process.ts'

for (const challenge of ['tls-alpn-01', 'http-01'] as const) {
  test(`one line of configuration, and a certificate for all names comes by ${challenge}`, async (t) => {
    const of = bench(t)
    const ports = await freePorts()
    const pebble = await startPebble(of, { look: ports })
    const { child, says, status } = startWith(of, pebble, { ports, acme: { challenge } })
    await says('certificate fetched')
    const seen = await shown(ports.tls, HOST)
    assert.match(seen.issuer, /Pebble/)
    for (const name of [HOST, `rooms.${HOST}`, `upload.${HOST}`, `pubsub.${HOST}`]) {
      assert.ok(seen.names.includes(`DNS:${name}`), `${name} is in ${seen.names}`)
      assert.equal((await shown(ports.tls, name)).fingerprint256, seen.fingerprint256)
    }
    const { provisional, failure, missing } = await status()
    assert.deepEqual([provisional, failure, missing], [false, undefined, []])
    assert.equal(statSync(join(of.directory, 'data/tls', HOST, 'key.pem')).mode & 0o777, 0o600)
    assert.deepEqual(await child.end('SIGTERM'), { code: 0, signal: null })
    const again = startWith(of, pebble, { ports, acme: { challenge } })
    await again.child.until('readiness', () => (again.child.output.includes('serves') ? true : undefined))
    assert.equal((await shown(ports.tls, HOST)).fingerprint256, seen.fingerprint256, 'it is kept over a restart')
  })
}

test('names without an address are left out; without any, the server runs all the same and says what is wrong', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const pebble = await startPebble(of, { look: ports })
  await pebble.tells('set-default-ipv4', { ip: '' })
  const { says, status } = startWith(of, pebble, { ports })
  await says('certificate not fetched')
  assert.equal((await shown(ports.tls, HOST)).issuer, 'aenigma has no certificate yet')
  const { provisional, failure } = await status()
  assert.deepEqual([provisional, failure.why], [true, `${HOST} has no address in the DNS`])
})

test('only the names that are there are asked for', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const pebble = await startPebble(of, { look: ports })
  await pebble.tells('set-default-ipv4', { ip: '' })
  for (const host of [HOST, `rooms.${HOST}`]) await pebble.tells('add-a', { host, addresses: ['127.0.0.1'] })
  const { says, status } = startWith(of, pebble, { ports })
  await says('certificate fetched')
  const { names } = await shown(ports.tls, HOST)
  assert.deepEqual(names.split(', ').sort(), [`DNS:${HOST}`, `DNS:rooms.${HOST}`])
  assert.deepEqual((await status()).missing.sort(), [`proxy.${HOST}`, `pubsub.${HOST}`, `upload.${HOST}`])
})

test('a challenge that fails is told in the words of the authority, and the account is kept', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const other = await freePorts()
  const pebble = await startPebble(of, { look: other }) // it looks where nobody listens
  const { says, status } = startWith(of, pebble, { ports, acme: { challenge: 'tls-alpn-01' } })
  await says('certificate not fetched')
  const { failure, provisional } = await status()
  assert.equal(provisional, true)
  assert.match(failure.why, /connect/i)
  const accounts = readdirSync(join(of.directory, 'data/tls')).filter((name) => name.startsWith('account-'))
  assert.equal(accounts.length, 1)
})

test('a reload changes who cares for the certificates, without a restart', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const pebble = await startPebble(of, { look: ports })
  const { says, run, status, write } = startWith(of, pebble, { ports })
  await says('certificate fetched')
  const given = await issue({ dns: [HOST], commonName: 'given' })
  for (const [name, text] of Object.entries({ 'own.pem': given.cert, 'own.key': given.key }))
    writeFileSync(join(of.directory, name), text)
  write({ certificate: { cert: 'own.pem', key: 'own.key' } })
  const reloaded = async (): Promise<readonly string[]> => JSON.parse(await run('reload', '--json').succeeds()).restart
  assert.deepEqual(await reloaded(), [])
  assert.equal((await shown(ports.tls, HOST)).issuer, 'given')
  assert.equal(await status(), undefined)
  write()
  assert.deepEqual(await reloaded(), [])
  assert.match((await shown(ports.tls, HOST)).issuer, /Pebble/)
  assert.equal((await status()).provisional, false)
})
