// SPDX-License-Identifier: Apache-2.0
// The machine's time zone.
import { keep, replaceFile, replaceLink, restore, wanted } from '../restore.ts'
import type { Step } from '../step.ts'
import { installPackages, removePackages } from './packages.ts'

const LINK = '/etc/localtime'
const NAME = '/etc/timezone'
const ZONES = '/usr/share/zoneinfo'

/** Sets it, for instance to `Europe/Rome`. Undoing brings back the one before. @param asked undefined: the one that was asked for before */
export function timeZone(asked: string | undefined): Step {
  return {
    id: 'time-zone',
    why: asked
      ? `The machine's clock shows the time of ${asked}.`
      : "The machine's clock shows the time of a place of your choice.",
    optional: true,
    async check(machine) {
      const zone = wanted(machine, 'zone', asked)
      return zone === undefined || (await machine.look(LINK))?.target === `${ZONES}/${zone}`
    },
    async apply(machine, say) {
      const zone = wanted(machine, 'zone', asked) ?? 'Etc/UTC'
      for (const path of [LINK, NAME]) await keep(machine, path)
      if (!(await machine.look(ZONES))) await installPackages(machine, ['tzdata'], say)
      const known = /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/.test(zone) && (await machine.look(`${ZONES}/${zone}`))
      if (!known)
        throw new Error(`There is no time zone "${zone}" on this machine; \`timedatectl list-timezones\` has all.`)
      await replaceLink(machine, LINK, `${ZONES}/${zone}`)
      await replaceFile(machine, NAME, `${zone}\n`, { mode: 0o644 })
      await machine.memory.set('zone', zone)
    },
    async undo(machine) {
      await removePackages(machine) // takes both away if it takes the zones
      await restore(machine, NAME)
      await restore(machine, LINK)
    },
  }
}
