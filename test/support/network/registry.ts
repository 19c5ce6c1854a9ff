// SPDX-License-Identifier: Apache-2.0
// The registry of npm, as far as `setup` asks it: what a cache of npm's has of the packages that a lock file names.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Authority } from './authority.ts'
import type { Records } from './dns.ts'
import type { Host } from './host.ts'

const NAME = 'registry.npmjs.org'

/** What the DNS must have of it. */
export function registryRecords(host: Host): Records {
  return { [`${NAME}.`]: [`A ${host.address}`] }
}

/** Starts it. @param authority by whom its pages are @param cache the directory of npm's cache */
export async function startRegistry(host: Host, authority: Authority, cache: string, lock: string): Promise<void> {
  const { packages }: Lock = JSON.parse(readFileSync(lock, 'utf8'))
  const files = Object.entries(packages).flatMap(([path, { version, integrity }]) => {
    const name = path.replace(/^node_modules\//, '')
    const file = integrity === undefined ? '' : fileOf(cache, integrity)
    return existsSync(file) ? [[`/${name}/-/${name}-${version}.tgz`, file]] : []
  })
  const { cert, key } = await authority.sign({ names: [NAME] })
  const program = new URL('./files-front.ts', import.meta.url).pathname
  const args = [program, cert, key, JSON.stringify(Object.fromEntries(files))]
  const front = host.start({ program: process.execPath, args })
  await front.until('readiness', () => front.lines[0])
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>
}

/** Where npm keeps what has a hash. */
function fileOf(cache: string, integrity: string): string {
  const [kind = '', value = ''] = integrity.split(/-(.*)/)
  const hash = Buffer.from(value, 'base64').toString('hex')
  return join(cache, '_cacache/content-v2', kind, hash.slice(0, 2), hash.slice(2, 4), hash.slice(4))
}
