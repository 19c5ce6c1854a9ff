// SPDX-License-Identifier: Apache-2.0
// A real directory as a machine: what is written is whole, and what a kill leaves behind does not stay.
import assert from 'node:assert/strict'
import { lstatSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { System } from './system.ts'

const { uid, gid } = userInfo()
const RIGHTS = { mode: 0o640, owner: `${uid}:${gid}` }

function machine(t: TestContext): { readonly system: System; readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), 'aenigma-system-'))
  t.after(() => rmSync(root, { recursive: true }))
  return { system: new System(root), root }
}

test('what was half-written when it was killed is gone with the next try, or when the file goes', async (t) => {
  const { system, root } = machine(t)
  for (const name of ['unit', 'gone', 'link']) writeFileSync(join(root, `${name}.half-written`), 'ha')
  writeFileSync(join(root, 'gone.new'), "somebody else's")
  await system.write('/unit', 'whole', RIGHTS)
  await system.link('/link', 'unit')
  await system.remove('/gone')
  assert.deepEqual(readdirSync(root).sort(), ['gone.new', 'link', 'unit'])
  assert.equal(await system.read('/unit'), 'whole')
  assert.equal(statSync(join(root, 'unit')).mode & 0o777, 0o640)
})

test('a link that somebody put where we write is replaced, and leads nowhere', async (t) => {
  const { system, root } = machine(t)
  writeFileSync(join(root, 'victim'), 'untouched')
  symlinkSync('victim', join(root, 'config'))
  symlinkSync('victim', join(root, 'config.half-written'))
  await system.write('/config', 'ours', RIGHTS)
  assert.equal(await system.read('/victim'), 'untouched')
  assert.ok(lstatSync(join(root, 'config')).isFile())
})

test('rights are for what is there, not for what it leads to', async (t) => {
  const { system, root } = machine(t)
  writeFileSync(join(root, 'victim'), 'secret', { mode: 0o600 })
  symlinkSync('victim', join(root, 'data'))
  await system.own('/data', { ...RIGHTS, mode: 0o755 }).catch(() => undefined)
  assert.equal(statSync(join(root, 'victim')).mode & 0o777, 0o600)
})
