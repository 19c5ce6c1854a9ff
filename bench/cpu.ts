// SPDX-License-Identifier: Apache-2.0
// What a process and everything it started has used, read from /proc: CPU time (all threads, and children that have
// ended) and resident memory. And the wait until it has gone quiet, so that work put off is counted too.

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** The fields of /proc/PID/stat that count here. Times are in clock ticks. */
export interface Stat {
  readonly parent: number
  /** User and system time of all threads, and of the children that were waited for. */
  readonly ticks: number
}

/** Microseconds in a clock tick: Linux has shown 100 of them a second to programs since always. */
const TICK = 10_000

/** Reads one line of /proc/PID/stat. The command's name may hold blanks and parentheses; the last `)` ends it. */
export function parseStat(line: string): Stat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const at = (index: number): number => Number(fields[index] ?? 0)
  return { parent: at(1), ticks: at(11) + at(12) + at(13) + at(14) }
}

/** The members of the tree below `root`, itself included. @param parents every process with its parent */
export function treeOf(root: number, parents: ReadonlyMap<number, number>): number[] {
  const tree = [root]
  for (const member of tree) {
    for (const [pid, parent] of parents) if (parent === member) tree.push(pid)
  }
  return tree
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function stats(root: number): Map<number, Stat> {
  const all = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    const line = /^\d+$/.test(name) ? readOrNothing(`/proc/${name}/stat`) : ''
    if (line !== '') all.set(Number(name), parseStat(line))
  }
  const parents = new Map([...all].map(([pid, stat]) => [pid, stat.parent]))
  const members = new Set(treeOf(root, parents))
  return new Map([...all].filter(([pid]) => members.has(pid)))
}

/** CPU time of the process tree below `root` so far, in microseconds (to 10 ms). */
export function cpuMicros(root: number): number {
  let ticks = 0
  for (const stat of stats(root).values()) ticks += stat.ticks
  return ticks * TICK
}

/** Resident memory of the process tree below `root`, in KiB. */
export function residentKiB(root: number): number {
  let sum = 0
  for (const pid of stats(root).keys()) {
    sum += Number(/^VmRSS:\s+(\d+)/m.exec(readOrNothing(`/proc/${pid}/status`))?.[1] ?? 0)
  }
  return sum
}

/**
 * Waits until the tree has used next to nothing for `seconds`, or a minute has gone by; then gives its CPU time so far,
 * in microseconds.
 */
export async function whenQuiet(root: number, seconds: number): Promise<number> {
  let last = cpuMicros(root)
  for (let calm = 0, round = 0; calm < seconds * 4 && round < 240; round++) {
    await delay(250)
    const now = cpuMicros(root)
    calm = now - last <= TICK ? calm + 1 : 0
    last = now
  }
  return last
}
