// SPDX-License-Identifier: Apache-2.0
// The system user of a service.
import type { Machine } from '../machine.ts'
import type { Step } from '../step.ts'

/** A user without password, shell or home of its own, with a group of the same name. */
export function systemUser({ name, home }: { readonly name: string; readonly home: string }): Step {
  return {
    id: 'user',
    why: `The service runs as a user of its own, ${name}, who may nothing else.`,
    check: (machine) => isThere(machine, name),
    async apply(machine) {
      await machine.memory.set('made', name)
      if (await isThere(machine, name)) return // made by one that was killed before it could say so
      await machine.run('useradd', [
        '--system',
        '--user-group',
        '--home-dir',
        home,
        '--no-create-home',
        '--shell',
        '/usr/sbin/nologin',
        name,
      ])
    },
    async undo(machine) {
      if (machine.memory.get('made') !== name) return
      const { status } = await machine.run('id', [name], { mayFail: true })
      if (status === 0) await machine.run('userdel', [name])
    },
  }
}

async function isThere(machine: Machine, name: string): Promise<boolean> {
  return new RegExp(`^${name}:`, 'm').test((await machine.read('/etc/passwd')) ?? '')
}
