// SPDX-License-Identifier: Apache-2.0
// Directories with their owners and modes.
import type { Machine, Rights } from '../machine.ts'
import { makeDirectory, removeMade } from '../restore.ts'
import type { Step } from '../step.ts'

/** A directory that must be there. */
export interface DirectoryWish extends Required<Rights> {
  readonly path: string
  /** Whether all in it belongs to the same owner, for instance when data outlived its user. */
  readonly whole?: boolean
}

/** Makes directories. Undoing removes those that are empty again; what stays as a whole goes to root, as its owner goes, too. */
export function directories(id: string, why: string, wanted: readonly DirectoryWish[]): Step {
  return {
    id,
    why,
    async check(machine) {
      for (const one of wanted) if (!(await isRight(machine, one))) return false
      return true
    },
    async apply(machine) {
      for (const { path, mode, owner, whole } of wanted) {
        await makeDirectory(machine, path, { mode, owner })
        if (whole) await give(machine, path, owner)
      }
    },
    async undo(machine) {
      for (const { path, whole } of wanted.toReversed()) {
        await removeMade(machine, path)
        // The next user of the system may get the number of the one that is gone.
        if (whole && (await machine.look(path))) await give(machine, path, 'root:root')
      }
    },
  }
}

async function give(machine: Machine, path: string, owner: string): Promise<void> {
  await machine.run('chown', ['--recursive', '--no-dereference', owner, path])
}

async function isRight(machine: Machine, { path, mode, owner }: DirectoryWish): Promise<boolean> {
  const found = await machine.look(path)
  if (found?.kind !== 'directory' || found.mode !== mode) return false
  const { status, stdout } = await machine.run('stat', ['--format=%U:%G', path], { mayFail: true })
  const [user = '', group = user] = owner.split(':')
  return status === 0 && stdout.trim() === `${user}:${group}`
}
