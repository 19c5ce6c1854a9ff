// SPDX-License-Identifier: Apache-2.0
// `aenigma stop`: ends the running server and waits until it is gone.
import { setTimeout as wait } from 'node:timers/promises'
import type { Command } from 'commander'
import { withServer } from './connection.ts'
import { Failure } from './failure.ts'
import { result } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma stop
  $ aenigma stop --data /var/lib/aenigma
`

/** How long a server may take to end, in ms. */
const PATIENCE = 30_000

/** Adds the command. */
export function addStop(program: Command): void {
  withCommonOptions(program.command('stop').description('Stop the server: streams closed, data on disk.'))
    .addHelpText('after', EXAMPLES)
    .action(async (options: CommonOptions) => {
      const { pid } = (await withServer(options, (server) => server.ask('stop'))) as { pid: number }
      await gone(pid)
      result(options.json, { stopped: true, pid }, () => 'Stopped.')
    })
}

async function gone(pid: number): Promise<void> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await wait(20)) {
    try {
      process.kill(pid, 0)
    } catch {
      return // there is no such process any more
    }
  }
  throw new Failure(
    'timeout',
    `The server (process ${pid}) does not end.`,
    `End it with "kill -9 ${pid}"; nothing is lost.`,
  )
}
