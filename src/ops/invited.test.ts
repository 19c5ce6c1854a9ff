// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { createAccounts } from '../accounts/accounts.ts'
import { tokenText } from '../accounts/ht.ts'
import type { InvitationWish } from '../accounts/invitations.ts'
import { openSqlite } from '../store/sqlite.ts'
import { Jid } from '../xmpp/jid.ts'
import { Invited } from './invited.ts'

const agent = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
const romeo = Jid.parse('romeo@montague.lit')
const juliet = Jid.parse('juliet@montague.lit')
const DAY = 86_400_000

async function stage(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-invited-'))
  const clock = new FakeClock()
  const store = await openSqlite({ file: join(dir, 'store.db'), clock, commitInterval: 1 })
  t.after(async () => {
    await store.close()
    rmSync(dir, { recursive: true })
  })
  const hosts = new Set(['montague.lit'])
  const mechanisms = ['SCRAM-SHA-256'] as const
  const admins = new Set(['bard@montague.lit'])
  const accounts = createAccounts({ store, hosts, iterations: 4096, mechanisms, clock, admins })
  const publicUrl = (host: string) => `https://${host}:5443`
  const invited = new Invited({ accounts, store, clock, tokenLifetime: 60_000, publicUrl })
  await accounts.add(romeo, 'wherefore art thou')
  const invite = async (wish: Partial<InvitationWish> = {}) => {
    const base = { domain: 'montague.lit', contact: romeo, uses: 1, lifetime: DAY }
    return (await accounts.invitations.create({ ...base, ...wish }, { perDay: 9, waiting: 9 })).token
  }
  const create = (link: string, changes = {}) =>
    invited.create({ link, name: 'Juliet', password: 'what is in a name', agent, device: 'Firefox', ...changes })
  return { accounts, store, clock, hosts, invited, invite, create }
}

test('what the guest sees of an invitation', async (t) => {
  const { invited, invite, clock, hosts } = await stage(t)
  const link = await invite({ note: ' Come,\n gentle night ' })
  assert.deepEqual(await invited.look(link), {
    host: 'montague.lit',
    inviter: 'romeo@montague.lit',
    note: 'Come, gentle night',
    name: undefined,
    accounts: true,
    expires: clock.now() + DAY,
    uri: `xmpp:romeo@montague.lit?roster;preauth=${link};ibr=y`,
    url: `https://montague.lit:5443/invite/${link}`,
  })
  assert.equal((await invited.look(await invite({ contact: undefined })))?.inviter, undefined)
  assert.equal(await invited.look('x'), undefined)
  hosts.delete('montague.lit')
  assert.equal(await invited.look(link), undefined, 'the domain is none of ours any more')
  hosts.add('montague.lit')
  clock.advance(DAY)
  assert.equal(await invited.look(link), undefined)
})

test('a guest makes one account, with a login for its browser, and is a contact', async (t) => {
  const { accounts, store, invite, create } = await stage(t)
  const link = await invite()
  const made = await create(link)
  assert.ok(typeof made === 'object')
  assert.equal(made.jid, 'juliet@montague.lit')
  assert.equal((await accounts.find(juliet))?.admin, false)
  const [client] = await accounts.clients(juliet)
  const [token] = await store.clients.tokens(juliet, client?.id ?? '')
  assert.equal(made.token, token && tokenText(token.seed, agent))
  assert.deepEqual(
    (await store.rosters.load(juliet)).items.map(({ jid, subscription }) => [jid.key, subscription]),
    [['romeo@montague.lit', 'both']],
  )
  assert.equal(await create(link, { name: 'nurse' }), 'link', 'it worked once')
})

test('a browser that keeps nothing gets no login', async (t) => {
  const { accounts, invite, create } = await stage(t)
  const made = await create(await invite(), { agent: undefined })
  assert.ok(typeof made === 'object')
  assert.deepEqual([made.token, await accounts.clients(juliet)], ['', []])
})

test('of two who use it at once one gets in', async (t) => {
  const { accounts, invite, create } = await stage(t)
  const link = await invite()
  const [one, other] = await Promise.all([create(link), create(link, { name: 'tybalt' })])
  assert.deepEqual([typeof one, typeof other].sort(), ['object', 'string'])
  assert.equal(await accounts.count(), 2)
})

test('a mistake does not use it up', async (t) => {
  const { accounts, invite, create } = await stage(t)
  const link = await invite()
  assert.equal(await create(link, { name: 'juliet capulet' }), 'name')
  assert.equal(await create(link, { name: 'x'.repeat(1024) }), 'name')
  assert.equal(await create(link, { agent: 'x' }), 'name')
  assert.equal(await create(link, { name: 'romeo' }), 'exists')
  assert.equal(await create(link, { name: 'bard' }), 'exists', 'the configuration makes that one an administrator')
  assert.equal(await create(link, { password: 'o love!' }), 'short')
  assert.equal(await create(link, { password: '\u0000 is not allowed' }), 'password')
  assert.equal(await create(`${link}x`), 'link')
  assert.equal(await create(await invite({ accounts: false })), 'link')
  assert.equal(await accounts.count(), 1)
  assert.equal(typeof (await create(link)), 'object')
})

test('the store never holds what the link holds', async (t) => {
  const { store, invite } = await stage(t)
  const link = await invite()
  assert.equal(await store.invitations.find(link, 0), undefined)
  assert.doesNotMatch(JSON.stringify(await store.invitations.list(0, 10)), new RegExp(link))
})
