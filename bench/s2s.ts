// SPDX-License-Identifier: Apache-2.0
// Scenario `s2s`: two servers on one core, users of the one write to users of the other. What counts is the CPU time of the server
// under test alone, and of both.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DOMAIN, PEER_DOMAIN } from './accounts.ts'
import type { Report } from './load/job.ts'
import { serveNames } from './servers/names.ts'
import { type Contestant, freePort, type Server, type ServerOptions } from './servers/process.ts'

/** Starts both, and lets the load process do its job between them. */
export async function s2s(
  [contestant, other]: readonly [Contestant, Contestant],
  dir: string,
  options: ServerOptions,
  load: (server: Server, peer: Server) => Promise<Report>,
): Promise<Report> {
  const ports = new Map([
    [DOMAIN, await freePort()],
    [PEER_DOMAIN, await freePort()],
  ])
  const names = await serveNames(ports)
  const started: Server[] = []
  try {
    for (const [one, domain] of [
      [contestant, DOMAIN],
      [other, PEER_DOMAIN],
    ] as const) {
      const place = join(dir, domain)
      mkdirSync(place)
      const federation = { port: ports.get(domain) ?? 0, resolver: names.port }
      await one.createUsers(place, { ...options, domain, federation })
      started.push(await one.start(place, { ...options, domain, federation }))
    }
    const [server, peer] = started
    if (server === undefined || peer === undefined) throw new Error('a server is missing')
    return await load(server, peer)
  } finally {
    for (const one of started) await one.stop()
    names.stop()
  }
}
