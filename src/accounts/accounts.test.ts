// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../clock.ts'
import { openSqlite } from '../store/sqlite.ts'
import type { Store } from '../store/store.ts'
import { Jid } from '../xmpp/jid.ts'
import { type AccountEvent, type Accounts, createAccounts } from './accounts.ts'
import { checkPassword } from './credentials.ts'

const romeo = Jid.parse('romeo@example.org')
const nobody = Jid.parse('nobody@example.org')

async function service(t: TestContext): Promise<{ accounts: Accounts; store: Store; events: string[] }> {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-accounts-'))
  const store = await openSqlite({ file: join(dir, 'store.db'), clock: systemClock, commitInterval: 1 })
  t.after(async () => {
    await store.close()
    rmSync(dir, { recursive: true })
  })
  const accounts = createAccounts({
    store,
    hosts: new Set(['example.org', 'example.net']),
    iterations: 4096,
    mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512'],
    clock: systemClock,
  })
  const events: string[] = []
  accounts.onChange(({ kind, jid, keep }: AccountEvent) => events.push(`${kind} ${jid}${keep ? ` keep ${keep}` : ''}`))
  return { accounts, store, events }
}

test('an account from its making to its end', async (t) => {
  const { accounts, store, events } = await service(t)
  await accounts.add(romeo.withResource('garden'), 'wherefore', { admin: true })
  const made = await store.accounts.find(romeo)
  assert.deepEqual(made?.verifiers.map(({ mechanism }) => mechanism).sort(), ['SCRAM-SHA-256', 'SCRAM-SHA-512'])
  assert.equal(made?.admin, true)
  await accounts.setPassword(romeo, 'art thou', 's1')
  const [verifier] = (await store.accounts.find(romeo))?.verifiers ?? []
  assert.ok(verifier && (await checkPassword('art thou', verifier)))
  await accounts.setAdmin(romeo, false)
  await accounts.setDisabled(romeo, true)
  const changed = await accounts.find(romeo)
  assert.deepEqual([changed?.admin, changed?.disabled], [false, true])
  await accounts.setDisabled(romeo, false)
  await accounts.remove(romeo)
  assert.equal(await accounts.find(romeo), undefined)
  assert.deepEqual(
    events,
    ['created', 'password', 'demoted', 'disabled', 'enabled', 'removed'].map((kind) =>
      kind === 'password' ? `${kind} ${romeo} keep s1` : `${kind} ${romeo}`,
    ),
  )
})

test('what cannot be done says why, and nothing is told to listeners', async (t) => {
  const { accounts, events } = await service(t)
  await accounts.add(romeo, 'wherefore')
  await assert.rejects(accounts.add(romeo, 'again'), { name: 'AccountError', problem: 'exists' })
  await assert.rejects(accounts.add(Jid.parse('a@example.com'), 'x'), { problem: 'unknown-host' })
  await assert.rejects(accounts.add(Jid.parse('example.org'), 'x'), { problem: 'no-local-part' })
  for (const password of ['', 'a\u0000b', 'x'.repeat(2000)]) {
    await assert.rejects(accounts.add(nobody, password), { problem: 'bad-password' })
    await assert.rejects(accounts.setPassword(romeo, password), { problem: 'bad-password' })
    assert.equal(accounts.check(nobody, password)?.problem, 'bad-password')
  }
  assert.equal(accounts.check(nobody, 'fine'), undefined)
  assert.equal(accounts.check(Jid.parse('a@example.com'), 'x')?.problem, 'unknown-host')
  for (const deed of [
    () => accounts.setPassword(nobody, 'x'),
    () => accounts.setDisabled(nobody, true),
    () => accounts.setAdmin(nobody, true),
    () => accounts.remove(nobody),
  ]) {
    await assert.rejects(deed(), { problem: 'not-found', message: 'There is no account nobody@example.org.' })
  }
  assert.deepEqual(events, [`created ${romeo}`])
})

test('an import makes what is missing, tells how far it is, and leaves what exists', async (t) => {
  const { accounts, events } = await service(t)
  await accounts.add(Jid.parse('user7@example.org'), 'mine', { admin: true })
  async function* entries() {
    for (let n = 0; n < 150; n++) yield { jid: Jid.parse(`user${n}@example.org`), password: `p${n}`, admin: n === 1 }
  }
  const progress: number[] = []
  const { added, existed } = await accounts.importAll(entries(), (done) => progress.push(done))
  assert.equal(added, 149)
  assert.deepEqual(existed.map(String), ['user7@example.org'])
  assert.equal(progress.at(-1), 150)
  assert.equal(await accounts.count('example.org'), 150)
  assert.equal(await accounts.count('example.net'), 0)
  assert.equal(events.length, 150)
  assert.equal((await accounts.find(Jid.parse('user1@example.org')))?.admin, true)
  assert.equal((await accounts.find(Jid.parse('user7@example.org')))?.admin, true)
  const first = await accounts.list({ limit: 2 })
  assert.deepEqual(
    first.map(({ jid }) => jid.key),
    ['user0@example.org', 'user100@example.org'],
  )
  const next = await accounts.list({ limit: 1, after: 'user100@example.org' })
  assert.deepEqual(
    next.map(({ jid }) => jid.key),
    ['user101@example.org'],
  )
})
