// SPDX-License-Identifier: Apache-2.0
// A service under systemd: its unit is there, it starts with the machine, and it runs.
import type { Machine } from '../machine.ts'
import { replaceFile, restore } from '../restore.ts'
import type { Step } from '../step.ts'
import { type Unit, unitText } from './unit.ts'

/** What only the service itself can tell and do. */
export interface ServiceWish {
  readonly unit: Unit
  /** Whether what runs is what is installed. @param pid of its main process */
  readonly current: (machine: Machine, pid: number) => Promise<boolean>
  /** Starts it anew without systemd's help, if it can; rejects if it cannot. */
  readonly restart: (machine: Machine) => Promise<void>
  /** Whether it answers. */
  readonly answers: (machine: Machine) => Promise<boolean>
}

/** How long it may take to answer, in ms, and how often it is asked. */
const PATIENCE = 90_000
const PAUSE = 100
/** It was started anew so often that it will not come up by itself. */
const ATTEMPTS = 3

/** Installs, enables and starts a service, and waits until it answers. Undoing stops it and removes the unit. */
export function service(wish: ServiceWish): Step {
  const { unit } = wish
  const name = `${unit.name}.service`
  const path = `/etc/systemd/system/${name}`
  const text = unitText(unit)
  return {
    id: 'service',
    why: `systemd starts ${unit.name} with the machine, again if it ends, and in a sandbox.`,
    async check(machine) {
      if ((await machine.read(path)) !== text) return false
      const [enabled, pid] = [await isEnabled(machine, name), await mainPid(machine, name)]
      return enabled && pid !== 0 && (await wish.current(machine, pid)) && (await wish.answers(machine))
    },
    async apply(machine, say) {
      const same = (await machine.read(path)) === text
      await replaceFile(machine, path, text, { mode: 0o644 })
      await machine.run('systemctl', ['daemon-reload'])
      await machine.run('systemctl', ['enable', name])
      const runs = (await mainPid(machine, name)) !== 0
      say(runs ? 'starting it anew' : 'starting it')
      const byItself = same && runs && (await succeeds(wish.restart(machine)))
      if (!byItself) await machine.run('systemctl', ['restart', name])
      await comesUp(machine, name, wish)
    },
    async undo(machine) {
      await machine.run('systemctl', ['disable', '--now', name], { mayFail: true })
      await restore(machine, path)
      await machine.run('systemctl', ['daemon-reload'])
      await machine.run('systemctl', ['reset-failed', name], { mayFail: true })
    },
  }
}

async function isEnabled(machine: Machine, name: string): Promise<boolean> {
  return (await machine.run('systemctl', ['is-enabled', '--quiet', name], { mayFail: true })).status === 0
}

async function mainPid(machine: Machine, name: string): Promise<number> {
  const { stdout } = await machine.run('systemctl', ['show', '-P', 'MainPID', name], { mayFail: true })
  return Number(stdout.trim() || 0)
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

async function comesUp(machine: Machine, name: string, { answers }: ServiceWish): Promise<void> {
  for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
    if (await answers(machine)) return
    const { stdout } = await machine.run('systemctl', ['show', '-P', 'NRestarts', name])
    if (Number(stdout) >= ATTEMPTS) break
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
  }
  const { stdout } = await machine.run('journalctl', ['--unit', name, '--lines=8', '--output=cat', '--no-pager'], {
    mayFail: true,
  })
  throw new Error(`${name} does not come up. It says:\n${stdout.trim() || '(nothing)'}`)
}
