// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { configFileOf } from './where.ts'

test('the installed program, which root calls, believes no file that lies where root happens to be', (t) => {
  const [before, anywhere] = [process.cwd(), mkdtempSync(join(tmpdir(), 'aenigma-where-'))]
  t.after(() => {
    process.chdir(before)
    rmSync(anywhere, { recursive: true })
  })
  process.chdir(anywhere)
  assert.equal(configFileOf({}, false), undefined)
  writeFileSync('aenigma.yaml', 'domain: evil.example\n')
  assert.equal(configFileOf({}, false), 'aenigma.yaml')
  assert.equal(configFileOf({}, true), '/etc/aenigma/aenigma.yaml')
  assert.equal(configFileOf({ config: 'aenigma.yaml' }, true), 'aenigma.yaml')
})
