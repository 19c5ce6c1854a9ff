// SPDX-License-Identifier: Apache-2.0
// Scenario `login`: full TLS handshake, SCRAM, bind, stream management, presence. All users log in once beforehand, so
// that the second time finds a warm server and a client that need not derive passwords any more.

import { userName } from '../accounts.ts'
import { whenQuiet } from '../cpu.ts'
import { type Client, inTurns, open } from './client.ts'
import type { Job, Measured, Report } from './job.ts'

/** Logs in users 0 … count-1; the relay just takes their handshake. */
export async function logInAll(target: Measured, count: number, atOnce: number): Promise<Client[]> {
  const clients: Client[] = []
  await inTurns(count, atOnce, async (index) => {
    clients.push(await open(target, { user: userName(index), carbons: false }, `P ${index}`))
  })
  return clients
}

/** Logs all out. */
export async function logOutAll(clients: readonly Client[]): Promise<void> {
  await inTurns(clients.length, 50, async (index) => clients[index]?.close())
}

/** Runs the scenario. */
export async function login(target: Measured, job: Job & { scenario: 'login' }): Promise<Report> {
  await logOutAll(await logInAll(target, job.users, job.atOnce))
  const before = await whenQuiet(target.pid, job.settle)
  const began = performance.now()
  const clients = await logInAll(target, job.users, job.atOnce)
  const seconds = (performance.now() - began) / 1000
  const after = await whenQuiet(target.pid, job.settle)
  const closed = clients.filter((client) => client.closed).length
  await logOutAll(clients)
  return {
    figures: { 'login.cpu': (after - before) / 1000 / job.users, 'login.rate': job.users / seconds },
    failures: closed === 0 ? [] : [`${closed} sessions did not last`],
    notes: [],
  }
}
