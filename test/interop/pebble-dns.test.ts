// SPDX-License-Identifier: Apache-2.0
// Certificates whose names are proved in the DNS: by records that are put into zones of BIND, where pebble looks for them.
import assert from 'node:assert/strict'
import { randomBytes, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startBind } from '../support/bind.ts'
import { HOST, type PebbleWish, startPebble, startWith } from '../support/pebble.ts'
import { bench, freePorts } from '../support/process.ts'

/** A zone of its own for one of the services, by which it lies on the way. */
const OTHER = `rooms.${HOST}`

/** A name server, an authority that believes it, and this server. */
async function stage(
  t: TestContext,
  wish: PebbleWish = {},
  acme: object = {},
  dns: object = {},
  records: readonly string[] = [],
  isFallback = false,
) {
  const of = bench(t)
  const { starttls: port } = await freePorts()
  const zones = { [HOST]: [`@ IN A 192.0.2.80`, `rooms IN NS ns`, ...records], [OTHER]: [] }
  const bind = await startBind(of, { address: '127.0.0.1', port, zones, recursion: true })
  const pebble = await startPebble(of, { dns: `127.0.0.1:${port}`, ...wish })
  const at = `127.0.0.1:${port}`
  const keys = { provider: 'rfc2136', server: at, servers: [at], keyName: bind.key.name, keyFile: bind.key.file }
  const started = startWith(of, pebble, {
    acme: { challenge: 'dns-01', ...(isFallback ? { fallback: pebble.directory } : {}), ...acme },
    options: { dns: { ...keys, ...dns } },
  })
  const certificate = (): X509Certificate =>
    new X509Certificate(readFileSync(join(of.directory, 'data/tls', HOST, 'cert.pem')))
  return { of, bind, pebble, certificate, ...started }
}

test('several names in several zones are proved by records, none of which stays', async (t) => {
  const { bind, says, status, certificate } = await stage(t)
  await says('certificate fetched')
  assert.deepEqual(
    certificate().subjectAltName?.split(', ').sort(),
    [HOST, `proxy.${HOST}`, `pubsub.${HOST}`, `rooms.${HOST}`, `upload.${HOST}`].map((name) => `DNS:${name}`),
  )
  const { provisional, failure, missing } = await status()
  assert.deepEqual([provisional, failure, missing], [false, undefined, []])
  const added = bind.child.output.match(/adding an RR at '_acme-challenge[^']*' TXT/g) ?? []
  const gone = bind.child.output.match(/deleting rrset at '_acme-challenge[^']*' TXT/g) ?? []
  assert.equal(added.length, 5)
  assert.equal(gone.length, 10, 'before, what somebody left; after, ours')
})

test('a domain and what is right below it are proved at one name', async (t) => {
  const { bind, says, certificate } = await stage(t, {}, { wildcard: true })
  await says('certificate fetched')
  assert.deepEqual(certificate().subjectAltName?.split(', ').sort(), [`DNS:*.${HOST}`, `DNS:${HOST}`])
  assert.equal(
    new Set(bind.child.output.match(/adding an RR at '_acme-challenge[^']*' TXT \S+ "[^"]*"/g)).size <= 2,
    true,
  )
  assert.match(
    bind.child.output
      .trim()
      .split(/updating zone/)
      .at(-1) ?? '',
    /deleting rrset at '_acme-challenge/,
  )
})

test('where its alias leads, there the record is put', async (t) => {
  const { bind, says } = await stage(t, {}, {}, {}, [`_acme-challenge IN CNAME proof.${OTHER}.`])
  await says('certificate fetched')
  assert.match(bind.child.output, new RegExp(`adding an RR at 'proof.${OTHER}' TXT`))
  assert.doesNotMatch(bind.child.output, new RegExp(`at '_acme-challenge.${HOST}' TXT`))
})

test('what was put there is removed when the authority does not like it, and its reason is told', async (t) => {
  const elsewhere = await startPebble(bench(t)) // its DNS knows nothing of our records
  const { bind, says, status } = await stage(t, { dns: elsewhere.resolver })
  await says('certificate not fetched')
  const { failure, provisional } = await status()
  assert.equal(provisional, true)
  assert.match(failure.why, /TXT/)
  assert.equal(bind.child.output.match(/adding an RR at '_acme-challenge[^']*' TXT/g)?.length, 5)
  assert.equal(bind.child.output.match(/deleting rrset at '_acme-challenge[^']*' TXT/g)?.length, 10)
})

test('a key that may not change the zone is told of before the authority looks', async (t) => {
  const { says, status } = await stage(t, {}, {}, { keyName: 'other' })
  await says('certificate not fetched')
  assert.match((await status()).failure.why, /does not know the key/)
})

test('who stops the server in the middle leaves no record', async (t) => {
  const silent = await freePorts() // nobody says there that the record is shown
  const { bind, child, says } = await stage(t, {}, {}, { servers: [`127.0.0.1:${silent.tls}`], zone: HOST })
  await bind.child.until('records', () =>
    /adding an RR at '_acme-challenge/.test(bind.child.output) ? true : undefined,
  )
  await says('serves')
  assert.deepEqual(await child.end('SIGTERM'), { code: 0, signal: null })
  const last = (what: RegExp): number => [...bind.child.output.matchAll(what)].at(-1)?.index ?? -1
  for (const name of [HOST, `proxy.${HOST}`]) {
    const added = last(new RegExp(`adding an RR at '_acme-challenge.${name}' TXT`, 'g'))
    assert.ok(last(new RegExp(`deleting rrset at '_acme-challenge.${name}' TXT`, 'g')) > added, name)
  }
})

const EAB = { kid: 'kid-1', key: randomBytes(32).toString('base64url') }

test('an account is bound to one that the authority knows, and has a URL that CAA records name', async (t) => {
  const { of, says, pebble, run } = await stage(t, { eab: EAB }, { eab: EAB })
  await says('certificate fetched')
  const file = readdirSync(join(of.directory, 'data/tls')).find((name) => /^account-.*\.url$/.test(name)) ?? ''
  const url = readFileSync(join(of.directory, 'data/tls', file), 'utf8').trim()
  assert.ok(url.startsWith(new URL(pebble.directory).origin), url)
  await run('dns', '--no-check').succeeds()
})

test('without that, the authority says so', async (t) => {
  const { says, status } = await stage(t, { eab: EAB })
  await says('certificate not fetched')
  assert.match((await status()).failure.why, /external/i)
})

test('another authority is asked when the first one is not there', async (t) => {
  const nobody = `https://localhost:${(await freePorts()).http}/dir`
  const { says, pebble, of, certificate } = await stage(t, {}, { authority: nobody }, {}, [], true)
  await says('another one is asked')
  await says('certificate fetched')
  assert.match(certificate().issuer, /Pebble/)
  assert.equal(readFileSync(join(of.directory, 'data/tls', HOST, 'origin'), 'utf8').trim(), pebble.directory)
})
