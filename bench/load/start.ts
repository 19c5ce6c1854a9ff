// SPDX-License-Identifier: Apache-2.0
// Scenario `start`: how long from exec to the first stream features, with a store full of accounts.

import type { Contestant, ServerOptions } from '../servers/process.ts'
import type { Report } from './job.ts'

/** Starts and stops the server several times; the median counts. The first start is for the caches and not counted. */
export async function start(
  contestant: Contestant,
  dir: string,
  options: ServerOptions,
  times: number,
): Promise<Report> {
  const taken: number[] = []
  for (let round = 0; round <= times; round++) {
    const server = await contestant.start(dir, options)
    if (round > 0) taken.push(server.startedIn)
    await server.stop()
  }
  taken.sort((a, b) => a - b)
  const median = taken[Math.floor(taken.length / 2)] ?? 0
  return { figures: { 'start.ms': median }, failures: [], notes: [`start: ${taken.map(Math.round).join(', ')} ms`] }
}
