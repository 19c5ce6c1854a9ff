// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { storeContract } from './contract.ts'
import { openSqlite } from './sqlite.ts'

async function newFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aenigma-store-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'aenigma.db')
}

storeContract('SQLite', async (t) => {
  const file = await newFile(t)
  return { open: (clock, observer) => openSqlite({ file, clock, ...(observer && { observer }) }) }
})
