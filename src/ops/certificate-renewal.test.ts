// SPDX-License-Identifier: Apache-2.0
// One certificate after the other, by an authority that a test makes friendly or not; its wishes (RFC 9773), its failures, keys and accounts.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import 'reflect-metadata'
import { AuthorityKeyIdentifierExtension, X509Certificate as Certificate } from '@peculiar/x509'
import { FakeAuthority } from '../../test/support/fake-authority.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { certificateId } from '../appliance/acme/renewal-info.ts'
import { silentLog } from '../log.ts'
import { CertificateStore } from './certificate-files.ts'
import { type AcmeRules, CertificateKeeper } from './certificate-keeper.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const HOST = 'example.org'

/** A keeper, and an authority that gives it certificates. */
async function stage(t: TestContext, more: Partial<AcmeRules> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-keeper-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const clock = new FakeClock()
  clock.advance(Date.now() - clock.now())
  const fake = await FakeAuthority.start(t, () => clock.now())
  const keeper = new CertificateKeeper({
    rules: { directory: fake.directory, keepKey: false, ...more },
    directory,
    hosts: () => [HOST, 'abcdefgh.onion'],
    namesOf: (host) => [host, `rooms.${host}`],
    resolves: async () => true,
    answerers: () => [{ type: 'http-01', answer: () => Promise.resolve(() => undefined) }],
    install: () => Promise.resolve(),
    clock,
    log: silentLog,
    random: () => 0.5,
  })
  await keeper.files()
  await keeper.look()
  const pem = (): string => readFileSync(join(directory, HOST, 'cert.pem'), 'utf8')
  const state = () => keeper.states().find(({ host }) => host === HOST)
  const inDays = (days: number): string => new Date(clock.now() + days * DAY).toISOString()
  const later = (ms: number): Promise<void> => {
    clock.advance(ms)
    return keeper.look()
  }
  return { directory, clock, fake, keeper, pem, state, inDays, later, store: new CertificateStore(directory) }
}

test('a number with a high bit has a zero before it in the identifier', async (t) => {
  const { pem } = await stage(t)
  const [issuer = '', number = ''] = (certificateId(pem()) ?? '').split('.')
  const hex = Buffer.from(number, 'base64url').toString('hex')
  const authority = new Certificate(pem()).getExtension(AuthorityKeyIdentifierExtension)?.keyId
  assert.equal(Buffer.from(issuer, 'base64url').toString('hex'), authority)
  assert.equal(hex, `00${new X509Certificate(pem()).serialNumber.toLowerCase()}`)
})

test('an authority that wishes nothing is asked again after six hours, and certificates are renewed at two thirds of their life', async (t) => {
  const { fake, state, later, pem } = await stage(t)
  assert.equal(state()?.provisional, false)
  assert.deepEqual(fake.orders[0], { identifiers: [HOST, `rooms.${HOST}`].map((value) => ({ type: 'dns', value })) })
  const [first, asked] = [pem(), fake.asked.length]
  await later(5 * HOUR)
  assert.equal(fake.asked.length, asked)
  await later(2 * HOUR)
  assert.ok(fake.asked.length > asked)
  await later(59 * DAY)
  assert.equal(pem(), first)
  await later(5 * DAY)
  assert.notEqual(pem(), first)
  assert.ok(!('replaces' in (fake.orders[1] ?? {})), 'it speaks no ARI')
})

test('the time that an authority wishes is when a certificate is renewed, and the order says which one it replaces', async (t) => {
  const { fake, pem, later, state, inDays, clock } = await stage(t)
  const first = pem()
  fake.mood.window = { start: inDays(20), end: inDays(22) }
  await later(7 * HOUR)
  assert.deepEqual(fake.renewalQuestions, [certificateId(first)])
  const next = state()?.next ?? 0
  assert.ok(next >= Date.parse(inDays(19)) && next <= Date.parse(inDays(22)), new Date(next).toISOString())
  await later(next - clock.now() - HOUR)
  assert.equal(pem(), first)
  await later(2 * HOUR)
  assert.notEqual(pem(), first)
  assert.equal(fake.orders.at(-1)?.replaces, certificateId(first))
  assert.equal(fake.renewalQuestions.at(-1), certificateId(pem()), 'the new one is asked about at once')
})

test('who is told to come at once does, though not for ever', async (t) => {
  const { fake, pem, later, inDays } = await stage(t)
  const first = pem()
  fake.mood.window = { start: inDays(-2), end: inDays(-1) }
  fake.mood.retryAfter = '60'
  await later(13 * HOUR)
  const second = pem()
  assert.notEqual(second, first)
  for (let hour = 1; hour < 12; hour++) await later(HOUR)
  assert.equal(pem(), second, 'it still says so of a certificate of this day')
})

test('Retry-After is respected between a minute and a day, and a window that is none is not', async (t) => {
  const { fake, later, inDays, state } = await stage(t)
  fake.mood.window = { start: inDays(10), end: inDays(5) }
  fake.mood.retryAfter = '999999999'
  await later(7 * HOUR)
  assert.equal(fake.renewalQuestions.length, 1)
  assert.ok((state()?.next ?? 0) > Date.parse(inDays(55)))
  await later(23 * HOUR)
  assert.equal(fake.renewalQuestions.length, 1)
  await later(2 * HOUR)
  assert.equal(fake.renewalQuestions.length, 2)
  fake.mood.retryAfter = new Date(Date.parse(inDays(2)) + 30 * 60_000).toUTCString()
  await later(DAY)
  assert.equal(fake.renewalQuestions.length, 3)
})

test('a wish holds as long as the authority says nothing else', async (t) => {
  const { fake, pem, later, inDays } = await stage(t)
  const first = pem()
  fake.mood.window = { start: inDays(3), end: inDays(4) }
  await later(7 * HOUR)
  fake.mood.directory = 404
  await later(7 * HOUR)
  fake.mood.directory = 200
  fake.mood.window = undefined
  await later(5 * DAY)
  assert.notEqual(pem(), first)
})

test('an authority that takes no replacement gets an order without', async (t) => {
  const { fake, pem, later, inDays } = await stage(t)
  const first = pem()
  fake.mood.window = { start: inDays(1), end: inDays(2) }
  fake.mood.takesReplacements = false
  await later(7 * HOUR)
  await later(3 * DAY)
  assert.notEqual(pem(), first)
  assert.deepEqual(
    fake.orders.slice(1).map((one) => 'replaces' in one),
    [true, false],
  )
})

test('after a failure, what there is for trying is asked first; now and then it is not believed', async (t) => {
  const staging = await FakeAuthority.start(t, () => Date.now())
  staging.mood.directory = 404
  const { fake, later, clock, state } = await stage(t, { staging: staging.directory })
  fake.mood.directory = 404
  await later(65 * DAY)
  const tries = (): readonly number[] =>
    [fake, staging].map(({ asked }) => asked.filter((one) => one === 'directory').length)
  assert.equal(state()?.failure?.times, 1)
  const before = tries()
  const counts: string[] = []
  for (let i = 0; i < 5; i++) {
    await later((state()?.next ?? 0) - clock.now())
    counts.push(
      tries()
        .map((count, index) => count - (before[index] ?? 0))
        .join(' '),
    )
  }
  // The renewal wish is a question for the directory, too: what matters is who was asked for the orders.
  assert.equal(state()?.failure?.times, 6)
  assert.equal(tries()[1], 4, counts.join(', '))
  fake.mood.directory = 200
  staging.mood.directory = 200
  await later((state()?.next ?? 0) - clock.now())
  assert.equal(state()?.failure, undefined)
  assert.equal(staging.orders.length, 1)
})

test('a crash between the key and the certificate loses neither', async (t) => {
  const { directory, keeper, pem, later } = await stage(t)
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(directory, HOST, name))
  assert.ok(cert && key)
  const first = { cert: pem(), key: readFileSync(key, 'utf8') }
  await later(65 * DAY)
  const second = pem()
  assert.notEqual(second, first.cert)
  writeFileSync(`${cert}.new`, second)
  writeFileSync(cert, first.cert)
  await keeper.files()
  assert.equal(pem(), second)
  assert.ok(!existsSync(`${cert}.new`))
})

test('an authority that is down for days is asked less and less, and a certificate comes when it is back', async (t) => {
  const { fake, later, clock, state, pem } = await stage(t)
  const first = pem()
  fake.mood.directory = 404
  await later(70 * DAY)
  const pauses: number[] = []
  while (clock.now() < (state()?.until ?? 0) - 5 * DAY) {
    const pause = (state()?.next ?? 0) - clock.now()
    pauses.push(pause)
    await later(pause)
  }
  assert.ok(pauses.length < 30 && Math.max(...pauses) <= 1.25 * DAY, `${pauses.length}`)
  assert.match(state()?.failure?.why ?? '', /404/)
  assert.equal(pem(), first)
  fake.mood.directory = 200
  await later(2 * DAY)
  assert.notEqual(pem(), first)
  assert.equal(state()?.failure, undefined)
})

test('the key after this one is known before it is used, unless keys are kept', async (t) => {
  const rolling = await stage(t)
  const [now, next] = await rolling.store.keyHashes(HOST)
  await rolling.later(65 * DAY)
  const [then, after] = await rolling.store.keyHashes(HOST)
  assert.equal(then, next)
  assert.equal(new Set([now, next, after]).size, 3)
  const kept = await stage(t, { keepKey: true })
  const before = await kept.store.keyHashes(HOST)
  assert.equal(before.length, 1)
  const first = kept.pem()
  await kept.later(65 * DAY)
  assert.notEqual(kept.pem(), first)
  assert.deepEqual(await kept.store.keyHashes(HOST), before)
})

test('the account is known by its URL, and onion services are no matter of authorities', async (t) => {
  const { store, fake, keeper } = await stage(t)
  assert.equal(await store.account(fake.directory), fake.directory.replace('directory', 'account/1'))
  assert.equal(keeper.states().find(({ host }) => host.endsWith('.onion'))?.failure, undefined)
})
