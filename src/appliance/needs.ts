// SPDX-License-Identifier: Apache-2.0
// What stands in the way of an installation, found before anything is changed.
import type { Appliance } from './appliance.ts'
import type { Machine } from './machine.ts'
import { freeDisk, hasSystemd, listeners, memoryOf, releaseOf } from './probes.ts'

/** Something that must be seen to first. */
export interface Obstacle {
  readonly id: 'root' | 'system' | 'systemd' | 'memory' | 'disk' | 'port'
  readonly found: string
  readonly fix: string
}

/** The distributions that installations are tested on. */
const SUPPORTED: Readonly<Record<string, readonly string[]>> = {
  debian: ['12', '13'],
  ubuntu: ['22.04', '24.04'],
}
const MIB = 1024 * 1024

/** Everything that stands in the way. @param ours names of programs that may hold our ports, being ours */
export async function obstacles(machine: Machine, appliance: Appliance): Promise<readonly Obstacle[]> {
  const { needs, name } = appliance
  const found: Obstacle[] = []
  const release = await releaseOf(machine)
  if (!SUPPORTED[release.id]?.includes(release.version)) {
    found.push({
      id: 'system',
      found: `This machine runs ${release.name}.`,
      fix: 'Use Debian 12 or 13, or Ubuntu 22.04 or 24.04.',
    })
  }
  if (!(await hasSystemd(machine))) {
    found.push({
      id: 'systemd',
      found: 'systemd does not run this machine.',
      fix: 'Use a machine or container that it does.',
    })
  }
  const memory = await memoryOf(machine)
  if (memory < needs.memory) {
    found.push({
      id: 'memory',
      found: `This machine has ${mib(memory)} of memory.`,
      fix: `It takes at least ${mib(needs.memory)}.`,
    })
  }
  for (const directory of new Set([...appliance.data, appliance.records])) {
    const free = await freeDisk(machine, directory)
    if (free >= needs.disk) continue
    const fix = `Make room: it takes at least ${mib(needs.disk)}.`
    found.push({ id: 'disk', found: `There is ${mib(free)} left for ${directory}.`, fix })
    break
  }
  return [...found, ...(await takenPorts(machine, needs.ports, name))]
}

async function takenPorts(machine: Machine, ports: readonly number[], name: string): Promise<readonly Obstacle[]> {
  const shown = await machine.run('systemctl', ['show', '-P', 'MainPID', `${name}.service`], { mayFail: true })
  const ours = Number(shown.stdout.trim() || 0)
  const seen = new Map<number, Obstacle>()
  for (const { protocol, port, program, pid, local } of await listeners(machine)) {
    if (protocol !== 'tcp' || local || !ports.includes(port) || (ours !== 0 && pid === ours)) continue
    const who = program === undefined ? 'another program' : `${program}${pid === undefined ? '' : ` (process ${pid})`}`
    seen.set(port, {
      id: 'port',
      found: `Port ${port} is taken by ${who}.`,
      fix: `Stop it, or remove its package; \`ss -lntp\` shows who listens.`,
    })
  }
  return [...seen.values()]
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`
}
