// SPDX-License-Identifier: Apache-2.0
// Scenario `crash`: kill -9 under load, again and again; what was acknowledged must be there after the restart.

import type { Job, Report } from './load/job.ts'
import type { Contestant, Server, ServerOptions } from './servers/process.ts'

/** Messages in a second. */
const RATE = 2000

/** Has the load process do a job. */
type Load = (server: Server, job: Job, seconds: number) => Promise<Report>

/** All runs against one server, each with two users of its own. It is a failure when we lose something, and when a peer does, a result. */
export async function crash(contestant: Contestant, dir: string, options: ServerOptions, load: Load): Promise<Report> {
  const reports: Report[] = []
  const totals = { 'crash.acknowledged': 0, 'crash.missing': 0, 'crash.doubled': 0 }
  for (let pair = 0; pair < options.users / 2; pair++) {
    const seconds = 1 + 3 * Math.random()
    const flooded = await during(contestant, dir, options, (server) =>
      load(server, { scenario: 'flood', settle: 0, pair, perSecond: RATE, seconds }, 60),
    )
    const acknowledged = flooded.figures.acknowledged ?? 0
    const collected = await during(contestant, dir, options, (server) =>
      load(server, { scenario: 'collect', settle: 0, pair, acknowledged }, 120),
    )
    totals['crash.acknowledged'] += acknowledged
    totals['crash.missing'] += collected.figures.lost ?? 0
    totals['crash.doubled'] += collected.figures.doubled ?? 0
    const note = `crash ${pair + 1}: killed after ${seconds.toFixed(1)} s; ${flooded.figures.sent} sent, ${acknowledged} acknowledged, ${collected.figures.lost} missing, ${collected.figures.doubled} doubled`
    const { lost = 0, doubled = 0, disordered = 0 } = collected.figures
    const bad = contestant.ours && lost + doubled + disordered > 0
    reports.push(flooded, collected, {
      figures: {},
      failures: bad ? [`crash ${pair + 1}: see there`] : [],
      notes: [note],
    })
  }
  return {
    figures: totals,
    failures: reports.flatMap((report) => report.failures),
    notes: reports.flatMap((report) => report.notes),
  }
}

async function during(
  contestant: Contestant,
  dir: string,
  options: ServerOptions,
  work: (server: Server) => Promise<Report>,
): Promise<Report> {
  const server = await contestant.start(dir, options)
  try {
    return await work(server)
  } finally {
    await server.stop()
  }
}
