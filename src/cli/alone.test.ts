// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { alone } from './alone.ts'

test('of two installations at a time one does nothing, and the next one comes in again', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-alone-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const place = join(directory, 'install.sock')
  const { promise, resolve } = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const first = alone(async () => {
    begun.resolve()
    await promise
    return 'done'
  }, place)
  await begun.promise
  await assert.rejects(
    alone(async () => assert.fail('both at once'), place),
    /Another "aenigma install"/,
  )
  resolve()
  assert.equal(await first, 'done')
  await assert.rejects(
    alone(() => Promise.reject(new Error('a step failed')), place),
    /a step failed/,
  )
  assert.equal(await alone(async () => 'again', place), 'again')
})
