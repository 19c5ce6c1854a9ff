// SPDX-License-Identifier: Apache-2.0
// Looks at a machine, and changes nothing: what it is, how much it has, and who listens where.
import { dirname } from 'node:path'
import type { Machine } from './machine.ts'

/** Which distribution it is. */
export interface Release {
  /** Such as `debian`. */
  readonly id: string
  /** Such as `12`. */
  readonly version: string
  /** As its makers call it. */
  readonly name: string
}

/** Somebody who listens for connections from outside. */
export interface Listener {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** Whether only this machine reaches it. */
  readonly local: boolean
  /** The program, if that can be seen. */
  readonly program: string | undefined
  readonly pid: number | undefined
}

/** What /etc/os-release says. */
export async function releaseOf(machine: Machine): Promise<Release> {
  const text = (await machine.read('/etc/os-release')) ?? ''
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? ''
  return { id: value('ID'), version: value('VERSION_ID'), name: value('PRETTY_NAME') || 'an unknown system' }
}

/** Installed memory, in bytes. */
export async function memoryOf(machine: Machine): Promise<number> {
  const kib = /^MemTotal:\s+(\d+) kB/m.exec((await machine.read('/proc/meminfo')) ?? '')?.[1]
  return Number(kib ?? 0) * 1024
}

/** Free space where a path is or would be, in bytes. */
export async function freeDisk(machine: Machine, path: string): Promise<number> {
  let there = path
  while (!(await machine.look(there))) there = dirname(there)
  const { stdout } = await machine.run('df', ['--block-size=1', '--output=avail', there])
  return Number(stdout.trim().split('\n').at(-1) ?? 0)
}

/** Whether systemd runs it. */
export async function hasSystemd(machine: Machine): Promise<boolean> {
  return (await machine.look('/run/systemd/system')) !== undefined
}

/** Everybody who listens. None are seen if the machine lacks `ss`. */
export async function listeners(machine: Machine): Promise<readonly Listener[]> {
  const { status, stdout } = await machine.run('ss', ['-Hlntup'], { mayFail: true })
  return status === 0 ? stdout.split('\n').flatMap(listenerIn) : []
}

function listenerIn(line: string): readonly Listener[] {
  const [protocol, , , , local = ''] = line.trim().split(/\s+/)
  if (protocol !== 'tcp' && protocol !== 'udp') return []
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(local) ?? []
  if (port === '') return []
  const [, program, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(line) ?? []
  const near = /^(127\.|\[::1\]|\[::ffff:127\.)/.test(host) || /%lo$/.test(host)
  return [{ protocol, port: Number(port), local: near, program, pid: pid === undefined ? undefined : Number(pid) }]
}
