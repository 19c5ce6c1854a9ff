// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { Jid } from '../xmpp/jid.ts'
import { archiveContract } from './archive-contract.ts'
import { type NewPlace, storeContract } from './contract.ts'
import { delayedStore } from './delayed-store.ts'
import { openSqlite } from './sqlite.ts'
import type { NewMessage, Store } from './store.ts'

const romeo = Jid.parse('romeo@example.org')
const juliet = Jid.parse('juliet@example.org')
const clock = systemClock

async function newFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aenigma-store-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'aenigma.db')
}

function message(text: string): NewMessage {
  return { xml: text, from: romeo, to: juliet, archiveFor: [juliet], offlineFor: undefined }
}

async function archive(store: Store): Promise<string[]> {
  const { messages } = await store.messages.page(juliet, { limit: 1_000_000 })
  return messages.map(({ xml }) => xml)
}

/** Runs a module text that may use `openSqlite`, `file`, `clock` and `message`. */
function child(file: string, body: string) {
  const at = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)
  const text = `
    const { openSqlite } = await import(${at('./sqlite.ts')})
    const { systemClock: clock } = await import(${at('../clock.ts')})
    const { Jid } = await import(${at('../xmpp/jid.ts')})
    const file = ${JSON.stringify(file)}
    const [from, to] = [Jid.parse('romeo@example.org'), Jid.parse('juliet@example.org')]
    const message = (xml) => ({ xml, from, to, archiveFor: [to], offlineFor: undefined })
    ${body}`
  return spawn(process.execPath, ['--input-type=module', '--eval', text], { stdio: ['ignore', 'pipe', 'inherit'] })
}

const inFile: NewPlace = async (t) => {
  const file = await newFile(t)
  return { open: (clock, observer) => openSqlite({ file, clock, ...(observer && { observer }) }) }
}
storeContract('SQLite', inFile)
archiveContract('SQLite', inFile)

storeContract('SQLite with late answers', async (t) => {
  const file = await newFile(t)
  let seed = 1
  const random = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  return { open: async (clock) => delayedStore(await openSqlite({ file, clock, commitInterval: 0 }), random) }
})

test('nothing that was durable is lost by kill -9', async (t) => {
  const file = await newFile(t)
  for (let round = 1; round <= 3; round++) {
    const process = child(
      file,
      `const store = await openSqlite({ file, clock, commitInterval: 1 })
      for (let i = 0; ; i++) {
        for (let j = 0; j < 10; j++) store.messages.append(message('${round} ' + i + ' ' + j))
        const all = '${round} ' + i
        void store.durable().then(() => console.log(all))
        if (i % 3 === 0) await new Promise(setImmediate)
        if (store.uncommitted > 2000) await store.durable()
      }`,
    )
    const durable: string[] = []
    for await (const line of createInterface(process.stdout)) {
      if (durable.push(line) === 200 * round) process.kill('SIGKILL')
    }
    const store = await openSqlite({ file, clock })
    const kept = new Set(await archive(store))
    const lost = durable.filter((line) => [...Array(10).keys()].some((j) => !kept.has(`${line} ${j}`)))
    assert.deepEqual(lost, [])
    assert.ok(durable.length >= 200 * round)
    await store.close()
  }
})

test('a file is used by one process at a time', async (t) => {
  const file = await newFile(t)
  const store = await openSqlite({ file, clock })
  await assert.rejects(openSqlite({ file, clock }), {
    name: 'StoreError',
    code: 'SQLITE_BUSY',
    message: /in use by another/,
  })
  const other = child(file, `await openSqlite({ file, clock }).catch((error) => console.log(error.message))`)
  const [line] = await once(createInterface(other.stdout), 'line')
  assert.match(line, /in use by another process/)
  await store.close()
  await (await openSqlite({ file, clock })).close()
})

test('only the user the server runs as can read the file and what stands beside it', async (t) => {
  const file = await newFile(t)
  const store = await openSqlite({ file, clock })
  await store.sets.add(romeo, 'x', ['y'])
  for (const name of [file, `${file}-wal`, `${file}-shm`]) assert.equal(statSync(name).mode & 0o077, 0, name)
  await store.close()
  assert.equal(existsSync(`${file}-wal`), false)
})

test('what is no database of ours is refused and left as it is', async (t) => {
  const text = await newFile(t)
  await writeFile(text, 'This is a diary and not a database. '.repeat(100))
  await assert.rejects(openSqlite({ file: text, clock }), /is not a SQLite database/)
  const foreign = await newFile(t)
  const db = new DatabaseSync(foreign)
  db.exec('create table recipe (name text)')
  db.close()
  await assert.rejects(openSqlite({ file: foreign, clock }), /is a database of another program/)
  await assert.rejects(openSqlite({ file: '/nonexistent/aenigma.db', clock }), /does its folder exist/)
  await assert.rejects(openSqlite({ file: tmpdir(), clock }), /is a folder/)
})

test('a database of a newer version is refused', async (t) => {
  const file = await newFile(t)
  await (await openSqlite({ file, clock })).close()
  const db = new DatabaseSync(file)
  db.exec('pragma user_version = 999')
  db.close()
  await assert.rejects(openSqlite({ file, clock }), /written by a newer version of aenigma \(schema 999/)
})

test('a migration first makes a copy of what was there', async (t) => {
  const file = await newFile(t)
  const db = new DatabaseSync(file)
  db.exec(`pragma application_id = ${0x41454e49}; create table older (x); insert into older values (42)`)
  db.close()
  await writeFile(`${file}.schema-0.part`, 'left over from an attempt that was interrupted')
  const store = await openSqlite({ file, clock })
  assert.deepEqual(await store.rosters.load(romeo), { version: 0, items: [] })
  await store.close()
  const copy = `${file}.schema-0`
  assert.equal(statSync(copy).mode & 0o077, 0)
  assert.equal(new DatabaseSync(copy, { readOnly: true }).prepare('select x from older').get()?.x, 42)
  await (await openSqlite({ file, clock })).close()
  assert.equal(existsSync(`${file}.schema-1`), false)
})

test('a thread that dies fails what waits and what comes later, and is reported', async (t) => {
  const file = await newFile(t)
  const workers: Worker[] = []
  const note = (worker: Worker) => workers.push(worker)
  process.on('worker', note)
  t.after(() => process.off('worker', note))
  const reports: string[] = []
  const observer = { committed: () => undefined, failed: (error: Error) => reports.push(error.message) }
  const store = await openSqlite({ file, clock, observer })
  await store.sets.add(romeo, 'x', ['y'])
  const { promise, resolve } = Promise.withResolvers<Error>()
  store.messages.append(message('lost'), resolve)
  const durable = store.durable()
  void workers[0]?.terminate()
  assert.match((await promise).message, /database writer failed/)
  await assert.rejects(durable, /database writer failed/)
  await assert.rejects(store.sets.add(romeo, 'x', ['z']), /database writer failed/)
  assert.deepEqual(await store.sets.all(romeo, 'x'), ['y'])
  await workers[1]?.terminate()
  assert.deepEqual(await store.sets.all(romeo, 'x'), ['y'])
  assert.ok(reports.some((report) => report.includes('database writer failed')))
  assert.ok(reports.some((report) => report.includes('database reader failed')))
  await store.close()
})

test('messages whose rows were not sorted in yet are found after the next start', async (t) => {
  const file = await newFile(t)
  const store = await openSqlite({ file, clock })
  for (let i = 0; i < 10_000; i++) store.messages.append(message(String(i)))
  await store.close()
  const again = await openSqlite({ file, clock })
  assert.equal((await archive(again)).length, 10_000)
  await again.close()
})

test('the removal of an account frees the space of its messages, also when it is interrupted', async (t) => {
  const file = await newFile(t)
  const store = await openSqlite({ file, clock })
  await store.accounts.create([{ jid: juliet, admin: false, verifiers: [] }])
  for (let i = 0; i < 2000; i++) store.messages.append({ ...message(String(i)), offlineFor: juliet })
  store.messages.append({ ...message('shared'), archiveFor: [romeo, juliet] })
  const removed = store.accounts.remove(juliet)
  void store.close()
  assert.equal(await removed, true)
  await store.close()
  const again = await openSqlite({ file, clock })
  const db = new DatabaseSync(file, { readOnly: true })
  const count = (table: string) => Number(db.prepare(`select count(*) as n from ${table}`).get()?.n)
  while (count('doomed') > 0) await new Promise(setImmediate)
  assert.deepEqual(['message', 'archive', 'offline', 'fresh'].map(count), [1, 1, 0, 0])
  db.close()
  await again.close()
})
