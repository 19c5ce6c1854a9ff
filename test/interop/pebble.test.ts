// SPDX-License-Identifier: Apache-2.0
// Certificates from an authority that speaks ACME: pebble, of the people who make Let's Encrypt. It rejects good nonces now and
// then, as is its habit, and really looks at the ports; the DNS is its companion pebble-challtestsrv.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, rootCertificates } from 'node:tls'
import { authority, issue } from '../support/certificates.ts'
import { type Bench, bench, Child, freePorts, needs } from '../support/process.ts'

const AENIGMA = new URL('../../bin/aenigma', import.meta.url).pathname
const HOST = 'aenigma.test'

/** An authority with its DNS. @param look the ports that it looks at */
async function startPebble(of: Bench, look: { readonly tls: number; readonly http: number }) {
  needs('/usr/bin/pebble', 'pebble')
  needs('/usr/bin/pebble-challtestsrv', 'pebble')
  const [{ starttls: dns, tls: management, http: acme }, { starttls: more }] = [await freePorts(), await freePorts()]
  const ca = await authority({ commonName: 'test' })
  const own = await issue({ dns: ['localhost'], by: ca })
  const file = (name: string, text: string): string => {
    writeFileSync(join(of.directory, name), text)
    return join(of.directory, name)
  }
  const trusted = file('pebble-ca.pem', ca.cert)
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${more}`,
      certificate: file('pebble.pem', own.cert),
      privateKey: file('pebble.key', own.key),
      httpPort: look.http,
      tlsPort: look.tls,
      ocspResponderURL: '',
      externalAccountBindingRequired: false,
    },
  }
  const names = new Child(of, {
    program: '/usr/bin/pebble-challtestsrv',
    args: [
      ...['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${management}`, '-defaultIPv6', ''],
      ...['-http01', '', '-https01', '', '-tlsalpn01', ''],
    ],
  })
  const child = new Child(of, {
    program: '/usr/bin/pebble',
    args: ['-config', file('pebble.json', JSON.stringify(config)), '-dnsserver', `127.0.0.1:${dns}`],
    env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' },
  })
  await child.until('its ports', () => (child.output.includes('Root CA certificate') ? true : undefined))
  return {
    child,
    trusted,
    resolver: `127.0.0.1:${dns}`,
    directory: `https://localhost:${acme}/dir`,
    /** Tells the DNS something. */
    async tells(what: string, about: object): Promise<void> {
      await names.until('its ports', () => (names.output.includes('Starting management server') ? true : undefined))
      const answer = await fetch(`http://127.0.0.1:${management}/${what}`, {
        method: 'POST',
        body: JSON.stringify(about),
      })
      assert.equal(answer.status, 200)
    },
  }
}

/** Starts the program with a configuration that names no certificate. */
async function startWith(
  of: Bench,
  pebble: Awaited<ReturnType<typeof startPebble>>,
  { tls, http }: { readonly tls: number; readonly http: number },
  acme: object,
) {
  const config = join(of.directory, 'aenigma.yaml')
  const none = Object.fromEntries(
    ['starttls', 'tls', 'https', 'http', 'metrics', 'proxy', 'servers', 'serversTls'].map((kind) => [kind, []]),
  )
  const listen = { ...none, shared: [`127.0.0.1:${tls}`], redirect: [`127.0.0.1:${http}`] }
  const federation = { resolvers: [pebble.resolver] }
  const options = { domain: HOST, data: 'data', listen, federation, acme: { authority: pebble.directory, ...acme } }
  writeFileSync(config, JSON.stringify(options))
  const env = { NODE_EXTRA_CA_CERTS: pebble.trusted }
  const run = (...words: string[]): Child =>
    new Child(of, { program: process.execPath, args: [AENIGMA, ...words, '--config', config], env })
  const child = run('up')
  const says = (text: string): Promise<true> =>
    child.until(text, () => (child.output.includes(text) ? true : undefined), 60_000)
  return { child, says, run, status: async () => JSON.parse(await run('status', '--json').succeeds()).certificates[0] }
}

/** What is shown to who asks for a name. */
async function shown(port: number, servername: string) {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, ca: [...rootCertificates] })
  await once(socket, 'secureConnect')
  const { subjectaltname, issuer, fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return { names: subjectaltname ?? '', issuer: String(issuer.CN), fingerprint256 }
}

for (const challenge of ['tls-alpn-01', 'http-01'] as const) {
  test(`one line of configuration, and a certificate for all names comes by ${challenge}`, async (t) => {
    const of = bench(t)
    const ports = await freePorts()
    const pebble = await startPebble(of, ports)
    const { child, says, status } = await startWith(of, pebble, ports, { challenge })
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
    const again = await startWith(of, pebble, ports, { challenge })
    await again.child.until('readiness', () => (again.child.output.includes('serves') ? true : undefined))
    assert.equal((await shown(ports.tls, HOST)).fingerprint256, seen.fingerprint256, 'it is kept over a restart')
  })
}

test('names without an address are left out; without any, the server runs all the same and says what is wrong', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const pebble = await startPebble(of, ports)
  await pebble.tells('set-default-ipv4', { ip: '' })
  const { says, status } = await startWith(of, pebble, ports, {})
  await says('certificate not fetched')
  assert.equal((await shown(ports.tls, HOST)).issuer, 'aenigma has no certificate yet')
  const { provisional, failure } = await status()
  assert.deepEqual([provisional, failure.why], [true, `${HOST} has no address in the DNS`])
})

test('only the names that are there are asked for', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const pebble = await startPebble(of, ports)
  await pebble.tells('set-default-ipv4', { ip: '' })
  for (const host of [HOST, `rooms.${HOST}`]) await pebble.tells('add-a', { host, addresses: ['127.0.0.1'] })
  const { says, status } = await startWith(of, pebble, ports, {})
  await says('certificate fetched')
  const { names } = await shown(ports.tls, HOST)
  assert.deepEqual(names.split(', ').sort(), [`DNS:${HOST}`, `DNS:rooms.${HOST}`])
  assert.deepEqual((await status()).missing.sort(), [`proxy.${HOST}`, `pubsub.${HOST}`, `upload.${HOST}`])
})

test('a challenge that fails is told in the words of the authority, and the account is kept', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const other = await freePorts()
  const pebble = await startPebble(of, other) // it looks where nobody listens
  const { says, status } = await startWith(of, pebble, ports, { challenge: 'tls-alpn-01' })
  await says('certificate not fetched')
  const { failure, provisional } = await status()
  assert.equal(provisional, true)
  assert.match(failure.why, /connect/i)
  const accounts = readdirSync(join(of.directory, 'data/tls')).filter((name) => name.startsWith('account-'))
  assert.equal(accounts.length, 1)
})
