// SPDX-License-Identifier: Apache-2.0
// Scenario `login`: full TLS handshake, SCRAM, bind, stream management, presence. All users log in twice: first
// to a server just started; then to a warm one, by clients that need not derive their keys from passwords any more. Where the
// server can, they do it twice more in one round trip: by SASL2 with Bind 2, getting tokens, and by those tokens; and where it
// has one port for everything, once more there.

import { userName } from '../accounts.ts'
import { whenQuiet } from '../cpu.ts'
import { type Client, inTurns, open } from './client.ts'
import type { Job, Measured, Report } from './job.ts'

/** Logs in users 0 … count-1; the relay just takes their handshake. */
export async function logInAll(
  target: Measured,
  count: number,
  atOnce: number,
  way?: 'sasl2' | 'token',
): Promise<Client[]> {
  const clients: Client[] = []
  await inTurns(count, atOnce, async (index) => {
    clients.push(await open(target, { user: userName(index), carbons: false, ...(way && { way }) }, `P ${index}`))
  })
  return clients
}

/** Logs all out. */
export async function logOutAll(clients: readonly Client[]): Promise<void> {
  await inTurns(clients.length, 50, async (index) => clients[index]?.close())
}

/** Runs the scenario. */
export async function login(target: Measured, job: Job & { scenario: 'login' }): Promise<Report> {
  const start = await whenQuiet(target.pid, job.settle)
  const early = await logInAll(target, job.users, job.atOnce)
  const first = (await whenQuiet(target.pid, job.settle)) - start
  await logOutAll(early)
  const figures: Record<string, number> = { 'login.first': first / 1000 / job.users }
  const failures: string[] = []
  const measure = async (name: string, way?: 'sasl2' | 'token', at: Measured = target): Promise<void> => {
    const before = await whenQuiet(target.pid, job.settle)
    const began = performance.now()
    const clients = await logInAll(at, job.users, job.atOnce, way)
    const seconds = (performance.now() - began) / 1000
    const after = await whenQuiet(target.pid, job.settle)
    const closed = clients.filter((client) => client.closed).length
    if (closed > 0) failures.push(`${closed} sessions did not last`)
    await logOutAll(clients)
    figures[`${name}.cpu`] = (after - before) / 1000 / job.users
    figures[`${name}.rate`] = job.users / seconds
  }
  await measure('login')
  if (target.shared !== undefined) await measure('login-shared', undefined, { ...target, port: target.shared })
  if (early[0]?.features.includes('HT-SHA-256-EXPR')) {
    await measure('login2', 'sasl2')
    await measure('login-fast', 'token')
  }
  return { figures, failures, notes: [] }
}
