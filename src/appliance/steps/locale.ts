// SPDX-License-Identifier: Apache-2.0
// The language of the machine's programs.
import type { Machine } from '../machine.ts'
import { keep, replaceFile, restore, wanted } from '../restore.ts'
import type { Step } from '../step.ts'
import { installPackages, removePackages } from './packages.ts'

const GENERATED = '/etc/locale.gen'
/** Of old, and since Debian 13 and Ubuntu 24.04, where a link leads from the one to the other. */
const DEFAULTS = ['/etc/default/locale', '/etc/locale.conf'] as const

/** Makes a locale such as `en_US.UTF-8` and uses it. Undoing brings back what was there. @param asked undefined: the one that was asked for before */
export function locale(asked: string | undefined): Step {
  return {
    id: 'locale',
    why: asked
      ? `Programs on this machine speak ${asked}.`
      : 'Programs on this machine speak a language of your choice.',
    optional: true,
    async check(machine) {
      const name = wanted(machine, 'name', asked)
      return name === undefined || (await machine.read(await defaultFile(machine))) === defaultText(name)
    },
    async apply(machine, say) {
      const name = wanted(machine, 'name', asked) ?? 'C.UTF-8'
      if (!/^[a-zA-Z]{2,3}(_[A-Z]{2})?\.UTF-8(@[a-z]+)?$|^C\.UTF-8$/.test(name))
        throw new Error(`"${name}" is no locale such as en_US.UTF-8.`)
      for (const path of DEFAULTS) await keep(machine, path)
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
      await replaceFile(machine, await defaultFile(machine), defaultText(name), { mode: 0o644 })
      await machine.memory.set('name', name)
    },
    async undo(machine) {
      await restore(machine, GENERATED)
      await machine.run('locale-gen', [], { mayFail: true })
      await removePackages(machine) // takes these away, too
      for (const file of DEFAULTS) await restore(machine, file)
    },
  }
}

async function defaultFile(machine: Machine): Promise<string> {
  const [old, fresh] = DEFAULTS
  return (await machine.look(old))?.kind === 'link' ? fresh : old
}

function defaultText(name: string): string {
  return `LANG=${name}\n`
}
