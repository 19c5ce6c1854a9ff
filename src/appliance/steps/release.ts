// SPDX-License-Identifier: Apache-2.0
// A program in a directory of its own for each version, with a link to the one in use: an upgrade is a new directory and
// another target of the link, and the version before stays for the way back.
import type { Machine } from '../machine.ts'
import { makeDirectory, removeMade, replaceFile, restore } from '../restore.ts'
import type { Step } from '../step.ts'

/** A program to install. */
export interface Release {
  /** Where all versions go. */
  readonly directory: string
  /** The name of this one's directory. */
  readonly version: string
  /** A directory, on the system that the installer runs on, with the program and all it needs. */
  readonly source: string
  /** What of it is installed: names at its top. */
  readonly parts: readonly string[]
  /** The script that calls it; what it keeps for root goes to `cache` below the directory. */
  readonly command: { readonly path: string; readonly text: string }
}

/** Installs a version of a program beside the one before it. Undoing removes all versions. */
export function release({ directory, version, source, parts, command }: Release): Step {
  const current = `${directory}/current`
  const previous = `${directory}/previous`
  return {
    id: 'program',
    why: `The program with its own runtime goes to ${directory}; the version before stays for the way back.`,
    check: async (machine) =>
      (await machine.look(current))?.target === version && (await machine.read(command.path)) === command.text,
    async apply(machine, say) {
      await makeDirectory(machine, directory, { mode: 0o755 })
      await machine.memory.set('directory', directory)
      const place = `${directory}/${version}`
      if (!(await machine.look(place))) {
        say(`copying version ${version}`)
        await machine.remove(`${place}.new`)
        await machine.makeDirectory(`${place}.new`, { mode: 0o755 })
        for (const part of parts) await machine.copy(`${source}/${part}`, `${place}.new/${part}`)
        await machine.run('chown', ['--recursive', '--no-dereference', 'root:root', `${place}.new`])
        await machine.run('chmod', ['--recursive', 'u=rwX,go=rX', `${place}.new`])
        await machine.run('sync', ['--file-system', `${place}.new`])
        await machine.rename(`${place}.new`, place)
      }
      const old = (await machine.look(current))?.target
      await machine.link(current, version)
      if (old !== undefined && old !== version) await machine.link(previous, old)
      await replaceFile(machine, command.path, command.text, { mode: 0o755 })
      await tidy(machine, directory)
    },
    async undo(machine) {
      if (machine.memory.get('directory') === undefined) return
      await restore(machine, command.path)
      await machine.remove(current)
      await machine.remove(previous)
      await machine.remove(`${directory}/cache`)
      for (const name of await versionsIn(machine, directory)) await machine.remove(`${directory}/${name}`)
      await removeMade(machine, directory)
    },
  }
}

/** Removes versions that no link leads to. */
async function tidy(machine: Machine, directory: string): Promise<void> {
  const used = await Promise.all(
    ['current', 'previous'].map(async (name) => (await machine.look(`${directory}/${name}`))?.target),
  )
  for (const name of await versionsIn(machine, directory)) {
    if (!used.includes(name)) await machine.remove(`${directory}/${name}`)
  }
}

/** Directories with a version's name: what else is there is not ours. */
async function versionsIn(machine: Machine, directory: string): Promise<readonly string[]> {
  return (await machine.list(directory)).filter((name) => /^\d+\.\d+\.\d+/.test(name))
}
