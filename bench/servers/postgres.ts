// SPDX-License-Identifier: Apache-2.0
// A private PostgreSQL cluster with its own settings but for the address: durable, in a temporary folder, on a socket there.

import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { begin, type Command, hasEnded, runProcess, type ServerOptions, stopProcess } from './process.ts'
import { onSlowDisk } from './slow-disk.ts'

const START_LIMIT = 60_000

interface Cluster {
  readonly folder: string
  readonly process: ReturnType<typeof begin>
}

/** By the directory of the server that uses it. */
const clusters = new Map<string, Cluster>()

/** Where Debian keeps a program of PostgreSQL, of any version. */
export function postgresProgram(name: string): string {
  return globSync(`/usr/lib/postgresql/*/bin/${name}`).sort().at(-1) ?? `/usr/lib/postgresql/15/bin/${name}`
}

/** PostgreSQL refuses to run as root: there it runs as its own user. */
function user(): Pick<Command, 'user'> {
  if (process.getuid?.() !== 0) return {}
  const number = (option: string) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
  return { user: { uid: number('-u'), gid: number('-g') } }
}

/** Starts a cluster for the server in `dir`. */
export async function startCluster(dir: string, options: ServerOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'aenigma-pg-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const who = user()
  if (who.user) chownSync(folder, who.user.uid, who.user.gid)
  const data = join(folder, 'data')
  const made = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8']
  await runProcess(folder, { program: postgresProgram('initdb'), args: made, ...who })
  const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=']
  const command = { program: postgresProgram('postgres'), args, ...who }
  const child = begin(options.delayed ? onSlowDisk(command) : command, folder, options.core).on('error', () => {})
  clusters.set(dir, { folder, process: child })
  const began = performance.now()
  while (spawnSync(postgresProgram('pg_isready'), ['-q', '-h', folder]).status !== 0) {
    if (hasEnded(child) || performance.now() - began > START_LIMIT) throw new Error('PostgreSQL did not start')
    await delay(20)
  }
}

/** The URL of the database for the server in `dir`. */
export function clusterUrl(dir: string): string {
  const folder = clusters.get(dir)?.folder ?? ''
  return `postgres://postgres@localhost/postgres?host=${encodeURIComponent(folder)}`
}

/** Stops the cluster and removes all of it. */
export async function stopCluster(dir: string): Promise<void> {
  const cluster = clusters.get(dir)
  if (cluster === undefined) return
  clusters.delete(dir)
  await stopProcess(cluster.process)
  if (existsSync(cluster.folder)) rmSync(cluster.folder, { recursive: true })
}
