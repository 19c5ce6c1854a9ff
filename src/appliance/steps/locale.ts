// SPDX-License-Identifier: Apache-2.0
// The language of the machine's programs.
import { replaceFile, restore } from '../restore.ts'
import type { Step } from '../step.ts'
import { installPackages, removePackages } from './packages.ts'

const GENERATED = '/etc/locale.gen'
const DEFAULT = '/etc/default/locale'

/** Makes a locale such as `en_US.UTF-8` and uses it. Undoing brings back what was there. */
export function locale(name: string): Step {
  return {
    id: 'locale',
    why: `Programs on this machine speak ${name}.`,
    optional: true,
    check: async (machine) => (await machine.read(DEFAULT)) === defaultText(name),
    async apply(machine, say) {
      if (!/^[a-zA-Z]{2,3}(_[A-Z]{2})?\.UTF-8(@[a-z]+)?$|^C\.UTF-8$/.test(name))
        throw new Error(`"${name}" is no locale such as en_US.UTF-8.`)
      if (name !== 'C.UTF-8') {
        await installPackages(machine, ['locales'], say)
        const others = ((await machine.read(GENERATED)) ?? '').split('\n').filter((line) => line !== `${name} UTF-8`)
        await replaceFile(
          machine,
          GENERATED,
          [...others.filter((line) => line !== ''), `${name} UTF-8`, ''].join('\n'),
          { mode: 0o644 },
        )
        await machine.run('locale-gen', [])
      }
      await replaceFile(machine, DEFAULT, defaultText(name), { mode: 0o644 })
    },
    async undo(machine) {
      await restore(machine, DEFAULT)
      await restore(machine, GENERATED)
      await machine.run('locale-gen', [], { mayFail: true })
      await removePackages(machine)
    },
  }
}

function defaultText(name: string): string {
  return `LANG=${name}\n`
}
