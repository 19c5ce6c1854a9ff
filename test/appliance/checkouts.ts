// SPDX-License-Identifier: Apache-2.0
// Two versions of the program, as somebody has them who installs from a checkout and later upgrades.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { run } from '../support/debian-tree.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PARTS = [
  'setup',
  'deploy',
  'bin',
  'src',
  'docs',
  'package.json',
  'package-lock.json',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
]

/** The commit before this one and what is here; if that one was not tested like this yet, a copy with a change. */
export function checkouts(directory: string): readonly [string, string] {
  const [first, upgrade] = [join(directory, 'checkout'), join(directory, 'upgrade')]
  for (const place of [first, upgrade]) mkdirSync(place)
  for (const part of PARTS) cpSync(join(ROOT, part), join(upgrade, part), { recursive: true })
  const before = 'HEAD~1'
  if (spawnSync('git', ['cat-file', '-e', `${before}:test/appliance/checkouts.ts`], { cwd: ROOT }).status === 0) {
    run('sh', ['-ec', `git archive ${before} | tar -x -C ${first}`], ROOT)
  } else {
    for (const part of PARTS) cpSync(join(upgrade, part), join(first, part), { recursive: true })
  }
  writeFileSync(join(first, 'src', 'older.txt'), 'an older version\n') // also if the last commit changed nothing that is installed
  return [first, upgrade]
}
