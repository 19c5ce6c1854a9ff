// SPDX-License-Identifier: Apache-2.0
// The distribution's security updates come by themselves.
import { replaceFile, restore } from '../restore.ts'
import type { Step } from '../step.ts'
import { areInstalled, installPackages, removePackages } from './packages.ts'

const PACKAGE = 'unattended-upgrades'
const TEXT = `// Security updates every day.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
`

/** Switches them on. Undoing brings back what was there. @param name of the appliance */
export function securityUpgrades(name: string): Step {
  const path = `/etc/apt/apt.conf.d/52${name}-upgrades`
  return {
    id: 'security-upgrades',
    why: "The distribution's security updates are installed every day.",
    check: async (machine) => (await machine.read(path)) === TEXT && (await areInstalled(machine, [PACKAGE])),
    async apply(machine, say) {
      await installPackages(machine, [PACKAGE], say)
      await replaceFile(machine, path, TEXT, { mode: 0o644 })
    },
    async undo(machine) {
      await restore(machine, path)
      await removePackages(machine)
    },
  }
}
