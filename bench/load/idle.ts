// SPDX-License-Identifier: Apache-2.0
// Scenario `idle`: many users are logged in and do nothing. What does one cost in memory, and what stays after logout?

import { setTimeout as delay } from 'node:timers/promises'
import { residentKiB, whenQuiet } from '../cpu.ts'
import type { Job, Measured, Report } from './job.ts'
import { logInAll, logOutAll } from './login.ts'

/** Runs the scenario. */
export async function idle(target: Measured, job: Job & { scenario: 'idle' }): Promise<Report> {
  await whenQuiet(target.pid, job.settle)
  const empty = residentKiB(target.pid)
  const clients = await logInAll(target, job.users, job.atOnce)
  await delay(job.quietSeconds * 1000)
  const full = residentKiB(target.pid)
  const closed = clients.filter((client) => client.closed).length
  await logOutAll(clients)
  await whenQuiet(target.pid, job.settle)
  return {
    figures: {
      'idle.session': (full - empty) / job.users,
      'idle.empty': empty / 1024,
      'idle.after': residentKiB(target.pid) / 1024,
    },
    failures: closed === 0 ? [] : [`${closed} sessions did not last`],
    notes: [],
  }
}
