// SPDX-License-Identifier: Apache-2.0
// Packages of the distribution, by apt.
import * as v from 'valibot'
import type { Machine } from '../machine.ts'
import type { Step } from '../step.ts'

const QUIET = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l', UCF_FORCE_CONFFOLD: '1' }
const APT = ['-y', '-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'] as const
/** Fifteen minutes: a slow mirror, and another apt that holds the lock. */
const PATIENCE = 900_000

/** Packages that must be there. */
export interface PackagesWish {
  readonly id: string
  readonly why: string
  readonly names: readonly string[]
  /** Those of them that are there already, but came for this installation, too. */
  readonly brought?: readonly string[]
}

/** Installs packages. Undoing removes those that came with them, unless something else needs them by then. */
export function packages({ id, why, names, brought = [] }: PackagesWish): Step {
  const knows = (machine: Machine): boolean => brought.every((name) => installedBy(machine).includes(name))
  return {
    id,
    why,
    check: async (machine) => knows(machine) && (await areInstalled(machine, names)),
    async apply(machine, say) {
      await machine.memory.set('installed', [...new Set([...installedBy(machine), ...brought])])
      await installPackages(machine, names, say)
    },
    undo: removePackages,
  }
}

/** Whether all of them are installed. */
export async function areInstalled(machine: Machine, names: readonly string[]): Promise<boolean> {
  const { stdout } = await machine.run('dpkg-query', ['-W', '-f', `${field('db:Status-Abbrev')}\\n`, ...names], {
    mayFail: true,
  })
  return stdout.split('\n').filter((line) => line.startsWith('ii')).length === names.length
}

/** Installs packages, and remembers which ones are new. */
export async function installPackages(
  machine: Machine,
  names: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  if (await areInstalled(machine, names)) return
  await endHalfDone(machine)
  say('asking the distribution what is new')
  await machine.run('apt-get', ['update', ...APT], { env: QUIET, timeout: PATIENCE })
  const wish = ['install', ...APT, '--no-install-recommends', ...names]
  const { stdout } = await machine.run('apt-get', ['--simulate', ...wish], { env: QUIET })
  const fresh = [...stdout.matchAll(/^Inst (\S+) (?!\[)/gm)].map(([, name]) => name ?? '')
  await machine.memory.set('installed', [...new Set([...installedBy(machine), ...fresh])])
  say(`installing ${names.join(', ')}`)
  await machine.run('apt-get', wish, { env: QUIET, timeout: PATIENCE })
}

/** Removes the packages that `installPackages` brought, with their configuration, as far as nothing else needs them. */
export async function removePackages(machine: Machine): Promise<void> {
  let names: readonly string[] = await presentOf(machine, installedBy(machine))
  if (names.length > 0) await endHalfDone(machine)
  while (names.length > 0) {
    const { stdout } = await machine.run('apt-get', ['--simulate', 'purge', ...APT, ...names], { env: QUIET })
    const others = [...stdout.matchAll(/^(?:Remv|Purg) (\S+)/gm)].filter(([, name]) => !names.includes(name ?? ''))
    if (others.length === 0) break
    const needed = await neededBy(
      machine,
      others.map(([, name]) => name ?? ''),
    )
    const fewer = names.filter((name) => !needed.has(name))
    if (fewer.length === names.length) return // somebody else's package needs one of them; they stay
    names = fewer
  }
  if (names.length > 0) await machine.run('apt-get', ['purge', ...APT, ...names], { env: QUIET, timeout: PATIENCE })
}

/** What a kill or a power cut left half-way: apt does nothing until it is ended. Does nothing otherwise. */
async function endHalfDone(machine: Machine): Promise<void> {
  await machine.run('dpkg', ['--configure', '-a'], { env: QUIET, timeout: PATIENCE, mayFail: true })
}

function installedBy(machine: Machine): readonly string[] {
  return v.parse(v.fallback(v.array(v.string()), []), machine.memory.get('installed'))
}

async function presentOf(machine: Machine, names: readonly string[]): Promise<readonly string[]> {
  if (names.length === 0) return []
  const format = `${field('db:Status-Abbrev')} ${field('Package')}\\n`
  const { stdout } = await machine.run('dpkg-query', ['-W', '-f', format, ...names], { mayFail: true })
  return [...stdout.matchAll(/^[a-z]i\S*\s+(\S+)$|^rc\s+(\S+)$/gm)].map(([, one, other]) => one ?? other ?? '')
}

async function neededBy(machine: Machine, names: readonly string[]): Promise<ReadonlySet<string>> {
  const { stdout } = await machine.run('apt-cache', ['depends', '--recurse', '--installed', '--important', ...names])
  return new Set([...stdout.matchAll(/^\S.*$/gm)].map(([name]) => name.trim()))
}

/** As dpkg-query writes what it is to fill in. */
function field(name: string): string {
  return `$\{${name}}`
}
