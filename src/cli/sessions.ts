// SPDX-License-Identifier: Apache-2.0
// `aenigma sessions`: who is logged in.
import type { Command } from 'commander'
import type { SessionInfo } from '../ops/running-server.ts'
import { withServer } from './connection.ts'
import { Failure } from './failure.ts'
import { result, table, timeText } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma sessions
  $ aenigma sessions --json
  $ aenigma sessions --end 5f2c…          end the session with this id
`

/** Adds the command. */
export function addSessions(program: Command): void {
  withCommonOptions(program.command('sessions').description('List the clients that are logged in.'))
    .option('--end <id>', 'end this session instead')
    .addHelpText('after', EXAMPLES)
    .action(async (options: CommonOptions & { readonly end?: string }) => {
      if (options.end !== undefined) return end(options, options.end)
      const sessions = (await withServer(options, (server) => server.ask('sessions'))) as readonly SessionInfo[]
      result(options.json, sessions, () => (sessions.length === 0 ? 'Nobody is logged in.' : sessionsText(sessions)))
    })
}

async function end(options: CommonOptions, id: string): Promise<void> {
  const answer = (await withServer(options, (server) => server.ask('end-session', { id }))) as { ended: boolean }
  if (!answer.ended) throw new Failure('not-found', `There is no session ${id}.`, 'See all with "aenigma sessions".')
  result(options.json, { id, ended: true }, () => `Ended session ${id}.`)
}

function sessionsText(sessions: readonly SessionInfo[]): string {
  const rows = sessions.map(({ id, jid, since, mechanism, client, priority, show, attached }) => {
    const presence = show === undefined ? 'unavailable' : show || 'available'
    return [
      jid,
      attached ? presence : `${presence}, detached`,
      priority === undefined ? '' : String(priority),
      mechanism,
      clientText(client),
      timeText(since),
      id,
    ]
  })
  return table(['ADDRESS', 'STATE', 'PRIORITY', 'LOGIN', 'CLIENT', 'SINCE (UTC)', 'ID'], rows)
}

function clientText(client: SessionInfo['client']): string {
  return [client?.software, client?.device].filter(Boolean).join(' on ')
}
