// SPDX-License-Identifier: Apache-2.0
// The doctor's throw-away clients at a server of their own, on the loopback interface.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { examine } from '../src/appliance/examine.ts'
import type { Config } from '../src/config/config.ts'
import { trialConfig } from '../src/config/trial.ts'
import { silentLog } from '../src/log.ts'
import { startServer } from '../src/main.ts'
import { answerFrom, serverCommands } from '../src/ops/admin.ts'
import { clientWard } from '../src/ops/doctor/clients.ts'
import { subjectOf } from '../src/ops/doctor/doctor.ts'
import type { Subject } from '../src/ops/doctor/subject.ts'
import { features } from '../src/xep/index.ts'

/** What clients find: the bad, and what does not apply. */
async function look(
  change: (config: Config) => Config,
  prepare: (ask: Subject['ask']) => Promise<unknown> = async () => undefined,
  later = 0,
): Promise<Record<'bad' | 'na', readonly string[]>> {
  const data = mkdtempSync(join(tmpdir(), 'aenigma-doctor-'))
  const config = change(trialConfig(data, features))
  const server = await startServer(config, silentLog)
  const refuse = async (): Promise<never> => assert.fail('the doctor only looks')
  const answer = answerFrom(serverCommands(server, { reload: refuse, restart: refuse, stop: () => assert.fail() }))
  try {
    const ask = (command: string, args?: unknown) => answer(command, args ?? {}, () => undefined)
    const subject = await subjectOf(config, ask)
    await prepare(ask)
    const { findings } = await examine([clientWard({ ...subject, now: () => Date.now() + later })])
    assert.equal(await server.accounts.count(), 0, 'the accounts are gone')
    const of = (...levels: readonly string[]): readonly string[] =>
      findings.filter(({ level }) => levels.includes(level)).map(({ id, found }) => `${id}: ${found}`)
    return { bad: of('warn', 'error'), na: of('na') }
  } finally {
    await server.stop()
    rmSync(data, { recursive: true, force: true })
  }
}

test('a server that is well; what it does not have is no mistake', async () => {
  const found = await look((config) => ({ ...config, accounts: { ...config.accounts, sha1: false } }))
  const unoffered = ['scram-sha-1-plus', 'scram-sha-1', 'plain'].map((name) => `login.${name}: It is not offered.`)
  assert.deepEqual(found, { bad: [], na: [...unoffered, 'stun: None is named.', 'turn: None is named.'] })
  const old = await look((config) => ({ ...config, accounts: { ...config.accounts, sha1: true, plain: true } }))
  assert.deepEqual(old, { bad: [], na: ['stun: None is named.', 'turn: None is named.'] })
})

test('uploads that are refused, and ones that are turned off', async () => {
  const small = await look((config) => ({ ...config, uploads: { ...config.uploads, bytesPerAccount: 1 } }))
  assert.equal(small.bad.length, 1)
  assert.match(small.bad[0] ?? '', /^upload: Asking for a place to upload: the server answered /)
  const off = await look((config) => ({ ...config, uploads: { ...config.uploads, maxBytes: 0 } }))
  assert.deepEqual(off.bad, [])
  assert.ok(off.na.includes('upload: Uploads are turned off.'))
})

test('clients without a way in', async () => {
  const found = await look((config) => ({ ...config, listen: { ...config.listen, starttls: [] } }))
  assert.deepEqual(found.bad, [])
  assert.ok(found.na.includes('login.starttls: Nothing listens for it.'))
})

test('accounts of a look that was killed go with the next one', async () => {
  const jid = 'aenigma-doctor-0123456789abcdef@localhost'
  const found = await look(
    (config) => config,
    (ask) => ask('user.add', { jid, password: 'left behind' }),
    2 * 3_600_000,
  )
  assert.deepEqual(found.bad, [])
})

test('why there are no accounts to look with is told once', async () => {
  const found = await look((config) => ({ ...config, listen: { ...config.listen, starttls: [], tls: [], shared: [] } }))
  assert.deepEqual(found.bad, [])
  assert.ok(found.na.includes('archive: Nothing listens for clients.'), found.na.join())
})
