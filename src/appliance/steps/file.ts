// SPDX-License-Identifier: Apache-2.0
// A file with a certain content.
import type { Machine, Rights } from '../machine.ts'
import { replaceFile, restore } from '../restore.ts'
import type { Step } from '../step.ts'

/** What a file must be. */
export interface FileWish {
  readonly id: string
  readonly why: string
  readonly path: string
  readonly text: string
  readonly rights: Rights
  /** Puts it in force, and what was there before after it was undone. */
  readonly after?: (machine: Machine) => Promise<void>
  readonly optional?: boolean
}

/** Writes a file. Undoing brings back what was there. */
export function file({ id, why, path, text, rights, after, optional = false }: FileWish): Step {
  return {
    id,
    why,
    optional,
    async check(machine) {
      const [entry, found] = [await machine.look(path), await machine.read(path)]
      return found === text && entry?.mode === rights.mode
    },
    async apply(machine) {
      await replaceFile(machine, path, text, rights)
      await after?.(machine)
    },
    async undo(machine) {
      await restore(machine, path)
      await after?.(machine)
    },
  }
}
