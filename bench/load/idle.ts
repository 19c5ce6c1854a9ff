// SPDX-License-Identifier: Apache-2.0
// Scenario `idle`: many users are logged in and do nothing, over TLS, or over WebSocket. What does one cost in memory, and what
// stays after logout?

import { setTimeout as delay } from 'node:timers/promises'
import { userName } from '../accounts.ts'
import { residentKiB, whenQuiet } from '../cpu.ts'
import { inTurns } from './client.ts'
import type { Job, Measured, Report } from './job.ts'
import { logInAll } from './login.ts'
import { WebClient } from './web-client.ts'

/** Runs the scenario. */
export async function idle(target: Measured, job: Job & { scenario: 'idle' }): Promise<Report> {
  await whenQuiet(target.pid, job.settle)
  const empty = residentKiB(target.pid)
  const clients = job.web
    ? await logInByWeb(target, job.users, job.atOnce)
    : await logInAll(target, job.users, job.atOnce)
  await delay(job.quietSeconds * 1000)
  const full = residentKiB(target.pid)
  const closed = clients.filter((client) => client.closed).length
  await inTurns(clients.length, 50, async (index) => clients[index]?.close())
  await whenQuiet(target.pid, job.settle)
  const name = job.web ? 'idle-web' : 'idle'
  return {
    figures: {
      [`${name}.session`]: (full - empty) / job.users,
      [`${name}.empty`]: empty / 1024,
      [`${name}.after`]: residentKiB(target.pid) / 1024,
    },
    failures: closed === 0 ? [] : [`${closed} sessions did not last`],
    notes: [],
  }
}

async function logInByWeb(target: Measured, count: number, atOnce: number): Promise<WebClient[]> {
  const clients: WebClient[] = []
  await inTurns(count, atOnce, async (index) => {
    const client = new WebClient(target, target.web ?? 0)
    await client.login(userName(index))
    clients.push(client)
  })
  return clients
}
