// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { createAccounts } from '../accounts/accounts.ts'
import { tokenText } from '../accounts/ht.ts'
import { openSqlite } from '../store/sqlite.ts'
import { Jid } from '../xmpp/jid.ts'
import { FirstAccount, LINK_TIME } from './first-account.ts'

const agent = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
const romeo = Jid.parse('romeo@montague.lit')
const admin = Jid.parse('admin@montague.lit')

async function stage(t: TestContext, trial = true) {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-first-'))
  const clock = new FakeClock()
  const store = await openSqlite({ file: join(dir, 'store.db'), clock, commitInterval: 1 })
  t.after(async () => {
    await store.close()
    rmSync(dir, { recursive: true })
  })
  const hosts = new Set(['montague.lit'])
  const accounts = createAccounts({ store, hosts, iterations: 4096, mechanisms: ['SCRAM-SHA-256'], clock })
  const first = new FirstAccount({ accounts, store, host: 'montague.lit', clock, tokenLifetime: 60_000, trial })
  const create = (link: string, changes = {}) =>
    first.create({ link, name: 'Romeo', password: 'wherefore art thou', agent, device: 'Firefox', ...changes })
  return { accounts, store, clock, first, create }
}

test('a link makes one account, an administrator, with a login for its browser', async (t) => {
  const { accounts, store, first, create } = await stage(t)
  await accounts.add(admin, 'made at start', { admin: true }) // the trial's own
  const link = (await first.issue()) ?? ''
  assert.ok(Buffer.from(link, 'base64url').length * 8 >= 128)
  assert.equal(await first.usable(link), true)
  const made = await create(link)
  assert.ok(typeof made === 'object')
  assert.equal(made.jid, 'romeo@montague.lit')
  assert.equal((await accounts.find(romeo))?.admin, true)
  const [client] = await accounts.clients(romeo)
  assert.deepEqual([client?.software, client?.device], ['aenigma web chat', 'Firefox'])
  const [token] = await store.clients.tokens(romeo, client?.id ?? '')
  assert.equal(made.token, token && tokenText(token.seed, agent))
  assert.equal(made.expiry, new Date(token?.expires ?? 0).toISOString())
  assert.equal(await create(link, { name: 'mercutio' }), 'link', 'it worked once')
  assert.equal(await first.usable(link), false)
  assert.equal(await first.issue(), undefined, 'there is somebody')
  assert.equal(await accounts.count(), 2)
})

test('of two who use it at once one gets in', async (t) => {
  const { accounts, first, create } = await stage(t)
  const link = (await first.issue()) ?? ''
  const [one, other] = await Promise.all([create(link), create(link, { name: 'tybalt' })])
  assert.deepEqual([typeof one, other], ['object', 'link'])
  assert.equal(await accounts.count(), 1)
})

test('a mistake does not use it up', async (t) => {
  const { accounts, first, create } = await stage(t)
  await accounts.add(admin, 'made at start', { admin: true })
  const link = (await first.issue()) ?? ''
  assert.equal(await create(link, { name: 'romeo montague' }), 'name')
  assert.equal(await create(link, { name: 'x'.repeat(1024) }), 'name')
  assert.equal(await create(link, { name: 'admin' }), 'exists')
  assert.equal(await create(link, { password: 'o love!' }), 'short')
  assert.equal(await create(link, { password: '\u0000 is not allowed' }), 'password')
  assert.equal(await create(`${link}x`), 'link')
  assert.equal(typeof (await create(link)), 'object')
})

test('it expires, and a newer one replaces it', async (t) => {
  const { clock, first, create } = await stage(t)
  const old = (await first.issue()) ?? ''
  const link = (await first.issue()) ?? ''
  assert.deepEqual([await first.usable(old), await first.usable(link)], [false, true])
  clock.advance(LINK_TIME - 1)
  assert.equal(await first.usable(link), true)
  clock.advance(1)
  assert.equal(await create(link), 'link')
})

test('it is worth nothing once somebody is there', async (t) => {
  const { accounts, first, create } = await stage(t)
  const link = (await first.issue()) ?? ''
  await accounts.add(romeo, 'made on the command line')
  assert.equal(await create(link, { name: 'mercutio' }), 'link')
})

test('on a real server an account called admin is somebody', async (t) => {
  const { accounts, first } = await stage(t, false)
  await accounts.add(admin, 'made on the command line')
  assert.equal(await first.issue(), undefined)
})
