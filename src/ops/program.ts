// SPDX-License-Identifier: Apache-2.0
// This program as files: where it lies, and what its version is called.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** The directory with everything that belongs to this program. */
export const PROGRAM_SOURCE: string = resolve(import.meta.dirname, '../..')

/** What makes one version another one. */
const PARTS = ['bin', 'src', 'package.json', 'package-lock.json']

/** The version of the program in a directory: its number, and something that changes with every file of it. */
export async function programVersion(directory: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
  const hash = createHash('sha256')
  for (const file of (await Promise.all(PARTS.map((part) => filesIn(directory, part)))).flat()) {
    hash.update(`${file}\0`).update(await readFile(join(directory, file)))
  }
  return `${version}-${hash.digest('hex').slice(0, 12)}`
}

async function filesIn(directory: string, part: string): Promise<readonly string[]> {
  if (part.includes('.')) return [part]
  const entries = await readdir(join(directory, part), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()
}

/** Packages of the distribution that `setup` had to install before this program could run. */
export async function broughtPackages(): Promise<readonly string[]> {
  const text = await readFile(join(PROGRAM_SOURCE, '.brought'), 'utf8').catch(() => '')
  return text.split(/\s+/).filter((name) => name !== '')
}
