// SPDX-License-Identifier: Apache-2.0
// The doctor itself: checks that hang or fail, a server that was installed a moment ago, and what is looked at in earnest. All the
// ways to be ill are in faults.test.ts.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  configOf,
  HOST,
  type Illness,
  listeningAt,
  patient,
  served,
  wards,
  zone,
} from '../../../test/support/patient.ts'
import { examine, type Result } from '../../appliance/examine.ts'
import { inspectSqlite } from '../../store/inspect.ts'
import { wardsFor } from './doctor.ts'

const text = ({ level, id, found }: Result): string => `${level} ${id}: ${found}`

async function look(illness: Illness): Promise<readonly string[]> {
  const { findings } = await examine(wards(patient(illness)))
  return findings.filter(({ level }) => level !== 'ok' && level !== 'na').map(text)
}

const provisional = { host: HOST, names: [], missing: [], provisional: true, until: 0, next: 0 }
const certificates = [{ ...provisional, failure: { why: 'Port 443 is closed.', at: 0, times: 1 } }]

test('a certificate of our own making, since the authority gave none', async () => {
  const listening = listeningAt(await served({ commonName: 'ourselves' }, {}))
  const { findings } = await examine(
    wards(patient({ listening, status: { certificates }, now: () => Date.now() + 1e11 })),
  )
  const expired = findings.find(({ id }) => id.startsWith('certificate'))
  assert.match(expired?.found ?? '', /It expired on .* Getting another one failed: Port 443 is closed\./)
})

test('what others have to do yet is no mistake right after the installation', async () => {
  const dns = await zone('127.0.0.1')
  dns.put('SRV', `_xmpps-client._tcp.${HOST}`, { answers: [], code: 3 })
  const listening = listeningAt(await served({ dns: ['nobody.example'] }))
  const found = await look({ dns, listening, status: { certificates, uptime: 10, eventLoopDelay: 2000 }, fresh: true })
  assert.deepEqual(
    found.map((one) => one.replace(/\d{5}/, 'PORT')),
    [
      'info addresses: 127.0.0.1; who has IPv6 only does not get here.',
      `info certificate.${HOST}.PORT: It has none by an authority yet: Port 443 is closed.`,
      `info dns.${HOST}: To be added: SRV _xmpps-client._tcp.${HOST} 0 5 5223 ${HOST}..`,
    ],
  )
  dns.host(HOST, '192.0.2.66')
  assert.match((await look({ dns, fresh: true })).join(), /error dns.*is 192\.0\.2\.66/, 'what is wrong stays wrong')
})

test('a check that hangs, one that throws and one that cannot be cleared up after are told, and stop nobody', async () => {
  const never = () => new Promise<never>(() => undefined)
  const one = (id: string, run: () => Promise<never>) => ({ id, about: id, run })
  const thrown = (): never => {
    throw new Error('no such thing')
  }
  const first = { title: 'A', checks: [one('hangs', never), one('throws', thrown)], close: never }
  const last = {
    title: 'B',
    checks: [{ id: 'well', about: '', run: async () => ({ id: 'well', level: 'ok', found: '' }) }],
  }
  const { findings, level } = await examine([first, last as never], { time: 10 })
  assert.deepEqual(findings.map(text), [
    'error hangs: It took too long to find out.',
    'error throws: It could not be found out: no such thing',
    'warn clearing-up: Something of this look was left behind: It took too long.',
    'ok well: ',
  ])
  assert.ok(findings.slice(0, 3).every(({ fix }) => fix))
  assert.equal(level, 'error')
})

test('what there was no time for is said to', async () => {
  const { findings, level } = await examine(wards(patient()), { total: 0, only: (id) => id === 'disk' })
  assert.deepEqual([level, findings.map(text)], ['ok', ['info disk: There was no time left to look.']])
})

test('the documentation names every check', () => {
  const config = configOf('behind: { ssh: "127.0.0.1:22" }\n')
  const all = wardsFor(patient({ config, listening: listeningAt(1, 'tls', 5223) })).flatMap(({ checks }) => checks)
  const ids = new Set(all.map(({ id }) => (/^(login|web)\./.test(id) ? id : id.split('.')[0])))
  const docs = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8')
  const named = [...docs.matchAll(/^\| `([\w.-]+)`.* \| [^|]+ \|$/gm)].map(([, id]) => id)
  assert.deepEqual(named, [...ids])
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length, 'no two have one id')
})

test('a database file is looked at in earnest', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-doctor-'))
  const { DatabaseSync } = await import('node:sqlite')
  const file = join(directory, 'a.db')
  const db = new DatabaseSync(file)
  db.exec('create table a (b text); create index c on a (b)')
  for (let i = 0; i < 2000; i++) db.prepare('insert into a values (?)').run(`row ${i}`)
  db.close()
  const signal = AbortSignal.timeout(20_000)
  assert.equal(await inspectSqlite(file, signal), '')
  assert.equal(await inspectSqlite(join(directory, 'none.db'), signal), undefined)
  writeFileSync(file, readFileSync(file).fill(0xff, 8192, 16_384))
  assert.notEqual(await inspectSqlite(file, signal), '')
  rmSync(directory, { recursive: true, force: true })
})
