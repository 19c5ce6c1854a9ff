// SPDX-License-Identifier: Apache-2.0
// The floor: a bare TLS relay in the same runtime, which no server in it can beat.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DOMAIN } from '../accounts.ts'
import { type Contestant, freePort, type Server, type ServerOptions, startProcess } from './process.ts'

async function start(dir: string, options: ServerOptions): Promise<Server> {
  const port = await freePort()
  const { cert, key } = options.certificate
  const program = fileURLToPath(import.meta.resolve('./floor-relay.ts'))
  // Without the compile cache the type stripper would count as memory and start time.
  const env = { NODE_COMPILE_CACHE: join(dir, 'cache') }
  const target = { protocol: 'relay', port, domain: DOMAIN, ca: cert } as const
  const command = { program: process.execPath, args: [program, String(port), cert, key], env }
  return startProcess(dir, options, target, command)
}

/** It has no users; one start fills its compile cache. */
async function createUsers(dir: string, options: ServerOptions): Promise<void> {
  const server = await start(dir, options)
  await server.stop()
}

/** The bare relay. */
export const floor: Contestant = {
  name: 'floor',
  fast: true,
  missing: () => undefined,
  createUsers,
  start,
}
