// SPDX-License-Identifier: Apache-2.0
// What a start loads: nothing that only a later need asks for (docs/performance.md says what each module costs).
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

/** What `aenigma up` imports with a configuration file and SQLite, until it listens. */
const START = [
  'src/cli/main.ts',
  'src/cli/up.ts',
  'src/xep/index.ts',
  'src/config/load.ts',
  'src/main.ts',
  'src/store/sqlite.ts',
  'src/nightly-doctor.ts',
  'src/ops/doctor/nightly.ts',
  'src/ops/admin.ts',
]

/** Files of ours, and packages of others, that come with these. */
function loadedWith(roots: readonly string[]): { readonly files: Set<string>; readonly packages: Set<string> } {
  const files = new Set(roots)
  const packages = new Set<string>()
  for (const file of files) {
    const text = readFileSync(file, 'utf8')
    for (const [, target = ''] of text.matchAll(/^(?:import|export)\s+(?!type\s)(?:[^'"]*?from\s+)?'([^']+)'/gm)) {
      if (target.startsWith('.')) files.add(join(dirname(file), target))
      else if (!target.startsWith('node:')) packages.add(target)
    }
  }
  return { files, packages }
}

test('a start loads three packages', () => {
  assert.deepEqual([...loadedWith(START).packages].sort(), ['commander', 'valibot', 'yaml'])
})

test('a server is installed without the compiler', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  assert.equal(packages['node_modules/typescript'].dev, true)
  // An optional peer that is there for us would be installed with `--omit=dev` too: the lock file does not mention it.
  assert.equal(packages['node_modules/valibot'].peerDependencies, undefined)
})

test('a start loads no other command, and nothing of other servers, of ACME, of installing and of the pages', () => {
  const later =
    /^src\/(appliance|cli\/(?!main|up|up-text|connection|failure|output|passwords|reload|status|succession|where)|ops\/certificate-keeper|net\/(dane|dns|resolver|server-(dialer|walk|ways))|stream\/s2s\/(?!domain-list|dialback-keys|kept|pace|policy)|web\/(app|bosh|files|pages|websocket))/
  assert.deepEqual(
    [...loadedWith(START).files].filter((file) => later.test(file)),
    [],
  )
})

test('the thread of the database loads what it needs of the store, and no package', () => {
  const { files, packages } = loadedWith(['src/store/sqlite-worker.ts'])
  assert.deepEqual([...packages], [])
  assert.deepEqual(
    [...files].filter((file) => !file.startsWith('src/store/')),
    [],
  )
})

test('what was compiled once needs no type stripper: commands find all code that they load', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'aenigma-'))
  t.after(() => rmSync(home, { recursive: true }))
  const { NODE_COMPILE_CACHE, ...rest } = process.env
  const env = { ...rest, XDG_CACHE_HOME: home, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }
  const program = join(import.meta.dirname, '../bin/aenigma')
  execFileSync(process.execPath, [program, 'compile'], { env: { ...env, NODE_DEBUG_NATIVE: '' } })
  const { stdout, stderr } = spawnSync(process.execPath, [program, 'config', 'check', '--config', '/nowhere'], {
    env,
    encoding: 'utf8',
  })
  const looked = `${stdout}${stderr}`.split('\n').filter((line) => /reading cache .* for StrippedTypeScript/.test(line))
  assert.ok(looked.length > 100, `${looked.length} files of ours`)
  assert.deepEqual(
    looked.filter((line) => !line.includes('success')),
    [],
  )
})
