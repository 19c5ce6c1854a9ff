// SPDX-License-Identifier: Apache-2.0
// A SQLite store on a disk that is full: every deed that finds no room fails and says so, nothing that was durable is lost,
// and with room again it works again. Needs root, to mount a tiny file system.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock as clock } from '../../src/clock.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { NewMessage } from '../../src/store/store.ts'
import { Jid } from '../../src/xmpp/jid.ts'

const romeo = Jid.parse('romeo@example.org')

function message(text: string): NewMessage {
  return { xml: text, from: romeo, to: romeo, archiveFor: [romeo], offlineFor: undefined }
}

test('a full disk fails what it cannot take, loses nothing, and works again when there is room', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'aenigma-full-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder])
  t.after(() => {
    execFileSync('umount', [folder])
    rmdirSync(folder)
  })
  const ballast = join(folder, 'ballast')
  writeFileSync(ballast, Buffer.alloc(1024 * 1024))
  const reports: Error[] = []
  const observer = { committed: () => undefined, failed: (error: Error) => reports.push(error) }
  const store = await openSqlite({ file: join(folder, 'aenigma.db'), clock, observer, commitInterval: 0 })

  const kept: string[] = []
  const failures: Error[] = []
  for (let i = 0; failures.length === 0; i++) {
    const batch = Array.from({ length: 20 }, (_, j) => `${i} ${j} ${'x'.repeat(500)}`)
    const refused = new Set<string>()
    for (const text of batch) {
      store.messages.append(message(text), (error) => {
        refused.add(text)
        failures.push(error)
      })
    }
    const durable = await store.durable().then(
      () => true,
      () => false,
    )
    assert.equal(durable, refused.size === 0)
    kept.push(...batch.filter((text) => !refused.has(text)))
  }
  assert.match(failures[0]?.message ?? '', /full/)
  assert.equal(reports.length, 1)
  await assert.rejects(store.documents.put(romeo, 'large', 'x'.repeat(100_000)), { code: 'SQLITE_FULL' })
  assert.equal(await store.documents.get(romeo, 'large'), undefined)

  rmSync(ballast)
  await store.documents.put(romeo, 'small', 'there is room again')
  store.messages.append(message('after'))
  await store.durable()
  kept.push('after')
  const { messages } = await store.messages.page(romeo, { limit: 100_000 })
  assert.deepEqual(
    messages.map(({ xml }) => xml),
    kept,
  )
  await store.close()

  const again = await openSqlite({ file: join(folder, 'aenigma.db'), clock })
  assert.equal((await again.messages.page(romeo, { limit: 100_000 })).messages.length, kept.length)
  assert.equal(await again.documents.get(romeo, 'small'), 'there is room again')
  await again.close()
})
