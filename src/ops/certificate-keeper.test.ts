// SPDX-License-Identifier: Apache-2.0
// Without an authority: what is done when. The conversation with a real one is in test/interop/pebble.test.ts.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { issue } from '../../test/support/certificates.ts'
import { FakeAuthority } from '../../test/support/fake-authority.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { silentLog } from '../log.ts'
import { CertificateKeeper, type KeeperParts } from './certificate-keeper.ts'

const DAY = 86_400_000
const NOBODY = 'http://127.0.0.1:9/directory'

/** A keeper with a directory; nothing is ever installed, since no authority answers. */
function keeper(t: TestContext, more: Partial<KeeperParts> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-keeper-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const clock = new FakeClock()
  clock.advance(Date.now() - clock.now())
  const asked: string[] = []
  const made = new CertificateKeeper({
    rules: { directory: NOBODY, keepKey: false },
    directory,
    hosts: () => ['example.org'],
    namesOf: (host) => [host, `rooms.${host}`],
    resolves: async (name) => {
      asked.push(name)
      return true
    },
    answerers: () => [],
    install: () => Promise.resolve(),
    clock,
    log: silentLog,
    random: () => 0.5,
    ...more,
  })
  return { made, clock, directory, asked }
}

async function kept(directory: string, names: readonly string[], days: readonly [number, number]): Promise<string> {
  const folder = join(directory, 'example.org')
  mkdirSync(folder)
  const own = await issue({ dns: names, by: await issue({ authority: true, days: [-100, 400] }), days })
  writeFileSync(join(folder, 'cert.pem'), own.cert)
  writeFileSync(join(folder, 'key.pem'), own.key)
  return own.cert
}

test('what is missing or damaged is made, and stays the same until there is a better one', async (t) => {
  const { made, directory } = keeper(t)
  const files = (await made.files()).get('example.org')
  assert.ok(files)
  const first = readFileSync(files.cert, 'utf8')
  assert.equal(made.states()[0]?.provisional, true)
  await made.files()
  assert.equal(readFileSync(files.cert, 'utf8'), first)
  writeFileSync(join(directory, 'example.org', 'key.pem'), 'damaged')
  await made.files()
  assert.notEqual(readFileSync(files.cert, 'utf8'), first)
})

test('one that is good for long and for all names is left alone', async (t) => {
  const { made, directory, clock } = keeper(t)
  await kept(directory, ['example.org', 'rooms.example.org'], [-10, 80])
  await made.files()
  await made.look()
  assert.equal(made.states()[0]?.failure, undefined)
  clock.advance(49 * DAY)
  await made.look()
  assert.equal(made.states()[0]?.failure, undefined)
  clock.advance(5 * DAY) // more than two thirds and a thirtieth of its 90 days
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /no way to prove/)
})

test('one that lacks a name that has an address now is replaced', async (t) => {
  const there = new Set(['example.org'])
  const { made, directory, clock } = keeper(t, { resolves: async (name) => there.has(name) })
  await kept(directory, ['example.org'], [-10, 80])
  await made.files()
  await made.look()
  assert.deepEqual(made.states()[0]?.missing, ['rooms.example.org'])
  assert.equal(made.states()[0]?.failure, undefined)
  there.add('rooms.example.org')
  clock.advance(DAY)
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /no way to prove/)
})

test('what failed is tried again later, not at every look, and the old one stays', async (t) => {
  const { made, directory, clock, asked } = keeper(t)
  const before = await kept(directory, ['example.org'], [-80, 10])
  await made.files()
  await made.look()
  const tries = asked.length
  assert.equal(made.states()[0]?.failure?.times, 1)
  await made.look()
  assert.equal(asked.length, tries, 'nobody was asked in the pause')
  clock.advance(5 * 60_000)
  await made.look()
  assert.equal(made.states()[0]?.failure?.times, 2)
  assert.equal(readFileSync(join(directory, 'example.org', 'cert.pem'), 'utf8'), before)
})

test('a domain that has no address yet is looked for again soon, and that is no failure of the authority', async (t) => {
  const there = new Set<string>()
  const { made, clock } = keeper(t, { resolves: async (name) => there.has(name) })
  await made.files()
  await made.look()
  assert.deepEqual(made.states()[0]?.failure?.why, 'example.org has no address in the DNS')
  assert.equal(made.states()[0]?.failure?.times, 0)
  there.add('example.org')
  clock.advance(31_000)
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /no way to prove/)
  await made.stop()
})

test('an authority that cannot be reached is no reason to fall over', async (t) => {
  const nothing = { type: 'http-01', answer: () => Promise.resolve(() => undefined) } as const
  const { made } = keeper(t, { answerers: () => [nothing] })
  await made.files()
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /did not answer/)
})

const nothing = { type: 'http-01', answer: () => Promise.resolve(() => undefined) } as const

/** A keeper whose certificate is due, and an authority that does what a test says. */
async function due(t: TestContext, more: Partial<KeeperParts> = {}) {
  const authority = await FakeAuthority.start(t, () => Date.now())
  const rules = { directory: authority.directory, keepKey: false }
  const kit = keeper(t, { rules, answerers: () => [nothing], ...more })
  const before = await kept(kit.directory, ['example.org', 'rooms.example.org'], [-80, 10])
  await kit.made.files()
  const file = join(kit.directory, 'example.org', 'cert.pem')
  const assertUntouched = (): void => assert.equal(readFileSync(file, 'utf8'), before)
  return { ...kit, authority, assertUntouched }
}

test('an authority that sends a certificate for another key or no certificate at all destroys nothing', async (t) => {
  const { made, authority, clock, assertUntouched } = await due(t)
  authority.mood.certificate = (await issue({ dns: ['example.org', 'rooms.example.org'] })).cert
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /another key/)
  assertUntouched()
  Object.assign(authority.mood, { certificate: undefined, names: ['elsewhere.example'] })
  clock.advance(DAY)
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /not for example\.org/)
  assertUntouched()
  authority.mood.certificate = '<html>Sorry</html>'
  clock.advance(DAY)
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /no certificate/)
  assertUntouched()
  assert.equal(made.states()[0]?.provisional, false)
})

test('a new certificate that could not be put in force is put in force later, and not ordered again', async (t) => {
  const tries: string[] = []
  const { made, authority, clock } = await due(t, {
    async install() {
      if (tries.push('one') === 1) throw new Error('no file descriptor is left')
    },
  })
  for (let look = 0; look < 3; look++) {
    await made.look()
    assert.deepEqual([made.states()[0]?.failure, made.states()[0]?.provisional], [undefined, false])
    clock.advance(600_000)
  }
  assert.equal(authority.asked.filter((path) => path === 'order').length, 1)
  assert.equal(tries.length, 2)
})

test('a domain that has no address gets no certificate for its services alone', async (t) => {
  const { made, authority, assertUntouched } = await due(t, { resolves: async (name) => name !== 'example.org' })
  await made.look()
  assert.match(made.states()[0]?.failure?.why ?? '', /example\.org has no address/)
  assert.deepEqual(authority.asked, [])
  assertUntouched()
})

test('an authority that never comes to an end keeps no server from stopping', async (t) => {
  const { made, clock, authority } = await due(t)
  const asked = Promise.withResolvers<void>()
  authority.mood.instead = () => {
    asked.resolve()
    return true
  }
  made.start()
  await asked.promise
  const stopped = made.stop()
  clock.advance(10_000)
  await stopped
})
