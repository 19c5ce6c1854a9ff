// SPDX-License-Identifier: Apache-2.0
// An onion name as one more domain of the configuration on a machine.
import type { Machine } from '../appliance/machine.ts'
import { hostsWritten, withOnion, withoutOnion } from '../config/onion.ts'

/** The configuration on a machine. */
interface ConfigurationFile {
  readonly path: string
  /** Of Tor: by it other onion services are reached. */
  readonly proxy: string
}

/** Whether it has this domain. */
export async function knowsOnion(machine: Machine, { path }: ConfigurationFile, host: string): Promise<boolean> {
  return hostsWritten((await machine.read(path)) ?? '').includes(host)
}

/** Adds the domain. */
export async function takeOnion(machine: Machine, { path, proxy }: ConfigurationFile, host: string): Promise<void> {
  const before = (await machine.read(path)) ?? ''
  const text = withOnion(before, host, proxy)
  if (text === before) return
  await machine.memory.set('configuration', { before, text })
  await rewrite(machine, path, text)
}

/** Takes it out again. */
export async function dropOnion(machine: Machine, { path, proxy }: ConfigurationFile, host: string): Promise<void> {
  const now = await machine.read(path)
  if (now === undefined) return
  const known = machine.memory.get('configuration')
  const ours = known !== null && typeof known === 'object' && 'before' in known && known.text === now
  await rewrite(machine, path, ours ? String(known.before) : withoutOnion(now, host, proxy))
}

async function rewrite(machine: Machine, path: string, text: string): Promise<void> {
  const there = await machine.look(path)
  await machine.write(path, text, { mode: there?.mode ?? 0o640, owner: `${there?.uid ?? 0}:${there?.gid ?? 0}` })
}
