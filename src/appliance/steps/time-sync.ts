// SPDX-License-Identifier: Apache-2.0
// The machine's clock is right.
import type { Machine } from '../machine.ts'
import type { Step } from '../step.ts'
import { installPackages, removePackages } from './packages.ts'

const UNIT = 'systemd-timesyncd.service'
/** Others that see to it. */
const OTHERS = ['chrony.service', 'ntpsec.service', 'ntp.service', 'openntpd.service']

/** Lets systemd set the clock by servers on the network, unless somebody else does. Undoing brings back what was there. */
export function timeSync(): Step {
  return {
    id: 'time-sync',
    why: 'The clock is set by time servers; certificates and logins depend on it.',
    optional: true,
    async check(machine) {
      for (const unit of [UNIT, ...OTHERS]) if (await is(machine, 'is-enabled', unit)) return true
      return false
    },
    async apply(machine, say) {
      await installPackages(machine, ['systemd-timesyncd'], say)
      await machine.memory.set('switched', true)
      await machine.run('systemctl', ['enable', '--now', UNIT])
    },
    async undo(machine) {
      if (machine.memory.get('switched') === true)
        await machine.run('systemctl', ['disable', '--now', UNIT], { mayFail: true })
      await removePackages(machine)
    },
  }
}

async function is(machine: Machine, what: string, unit: string): Promise<boolean> {
  return (await machine.run('systemctl', [what, '--quiet', unit], { mayFail: true })).status === 0
}
