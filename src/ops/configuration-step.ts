// SPDX-License-Identifier: Apache-2.0
// The step that writes the configuration: once. What somebody wrote into it later is not ours to change.
import type { Machine } from '../appliance/machine.ts'
import { replaceFile, restore } from '../appliance/restore.ts'
import type { Step } from '../appliance/step.ts'

/** What the configuration must say. */
export interface ConfigurationWish {
  readonly path: string
  readonly domain: string
  /** Of the new file. */
  readonly text: string
  /** Who may read it, beside root. */
  readonly group: string
}

/** Writes the configuration if there is none. */
export function configuration({ path, domain, text, group }: ConfigurationWish): Step {
  return {
    id: 'configuration',
    why: `${path} says which domain is served: ${domain}. Everything else has a default.`,
    check: async (machine: Machine) => (await machine.read(path)) !== undefined,
    apply: (machine) => replaceFile(machine, path, text, { mode: 0o640, owner: `root:${group}` }),
    undo: (machine) => restore(machine, path),
  }
}
