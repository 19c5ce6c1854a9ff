// SPDX-License-Identifier: Apache-2.0
// `aenigma restart`: the running server starts anew, in the same process, and clients resume their sessions.
import { setTimeout as wait } from 'node:timers/promises'
import type { Command } from 'commander'
import { AdminError } from '../net/admin-socket.ts'
import type { Status } from '../ops/running-server.ts'
import { type Connection, withServer } from './connection.ts'
import { Failure } from './failure.ts'
import { result } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const HELP = `
The program and the configuration are checked first: if the server could not start with them, nothing happens. The process
stays the same one, under its terminal or supervisor, but runs what is on the disk now; "aenigma up --json" prints its line
again when it is ready. Clients with stream management (XEP-0198) resume: no full login, and nothing is lost.

Examples:
  $ aenigma restart
  $ aenigma restart --config /etc/aenigma/aenigma.yaml
  $ git pull && npm ci && aenigma restart --json
`

/** How long the server may take to be back, in ms. */
const PATIENCE = 60_000
/** What is heard between the old server and the new one. */
const NOT_YET: ReadonlySet<string> = new Set(['starting', 'not-running', 'busy', 'broken'])

/** Adds the command. */
export function addRestart(program: Command): void {
  withCommonOptions(program.command('restart').description('Start the server anew; clients resume their sessions.'))
    .addHelpText('after', HELP)
    .action(async (options: CommonOptions) => {
      await import('../main.ts') // what the server is about to run: if that cannot even be loaded, nothing happens
      const began = performance.now()
      const { pid, version } = await withServer(options, async (server) => {
        const asked = (await server.ask('restart')) as { pid: number }
        return isBack(server, asked.pid)
      })
      const ms = Math.round(performance.now() - began)
      result(options.json, { restarted: true, pid, version, ms }, () => {
        return `Restarted in ${(ms / 1000).toFixed(1)} s: version ${version}, process ${pid}.`
      })
    })
}

/** Waits for the next server: the old one has said that it answers nothing any more. */
async function isBack(server: Connection, pid: number): Promise<Status> {
  for (const end = performance.now() + PATIENCE; performance.now() < end; await wait(20)) {
    try {
      return (await server.ask('status')) as Status
    } catch (error) {
      if (!(error instanceof AdminError && NOT_YET.has(error.code))) throw error
    }
    if (!isAlive(pid)) throw new Failure('failed', `The server (process ${pid}) ended.`, 'What it printed says why.')
  }
  throw new Failure('timeout', `The server (process ${pid}) is not back after ${PATIENCE / 1000} seconds.`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
