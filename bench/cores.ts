// SPDX-License-Identifier: Apache-2.0
// Which processor core the server gets, and which one the load. With a single core nothing is pinned.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const TASKSET = 'taskset'

/** Core numbers, as taskset wants them. */
export interface Cores {
  readonly server: string
  readonly load: string
}

/** Reads a list like `0-2,5` into its numbers. */
export function parseCores(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}

/** Two cores that this process may use, or undefined when there is one only or no taskset. */
export function pickCores(): Cores | undefined {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
  const cores = parseCores(list)
  const [server, load] = [cores.at(0), cores.at(-1)]
  if (server === undefined || load === undefined || server === load) return undefined
  if (spawnSync(TASKSET, ['--version']).status !== 0) return undefined
  return { server: String(server), load: String(load) }
}

/** Moves this process, and so what it starts from now on, to a core. */
export function moveHere(core: string): void {
  spawnSync(TASKSET, ['-a', '-c', '-p', core, String(process.pid)])
}
