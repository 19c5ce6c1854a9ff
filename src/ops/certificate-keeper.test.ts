// SPDX-License-Identifier: Apache-2.0
// Without an authority: what is done when. The conversation with a real one is in test/interop/pebble.test.ts.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { issue } from '../../test/support/certificates.ts'
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
