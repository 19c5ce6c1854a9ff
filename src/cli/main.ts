// SPDX-License-Identifier: Apache-2.0
// The command line: reads the arguments, runs one command, and ends with 0, 1 (it failed) or 2 (it was asked wrongly).
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addCompliance } from './compliance.ts'
import { addConfig } from './config-check.ts'
import { addDns } from './dns.ts'
import { addDoctor } from './doctor.ts'
import { failureOf, report } from './failure.ts'
import { addFederation } from './federation.ts'
import { addInstall } from './install.ts'
import { addInvite } from './invite.ts'
import { addPush } from './push.ts'
import { addReload } from './reload.ts'
import { addReports } from './reports.ts'
import { addRestart } from './restart.ts'
import { addRooms } from './rooms.ts'
import { addSessions } from './sessions.ts'
import { addStatus } from './status.ts'
import { addStop } from './stop.ts'
import { addUninstall } from './uninstall.ts'
import { addUp } from './up.ts'
import { addUploads } from './uploads.ts'
import { addUser } from './user.ts'

const EXAMPLES = `
Examples:
  $ aenigma up                            a server for this machine, to try it out
  $ aenigma up --config aenigma.yaml      a server for a real domain
  $ aenigma install example.org           the same as a service of this machine, with all that belongs to it
  $ aenigma user add romeo@localhost      an account
  $ aenigma invite                        a link for somebody who makes one
  $ aenigma status                        how the server is
`

function program(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const all = new Command('aenigma')
    .description('The secure-by-default, one-touch XMPP server for everyone.')
    .version(version)
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError()
    .exitOverride()
  for (const add of [
    addUp,
    addStatus,
    addSessions,
    addPush,
    addReports,
    addUploads,
    addRooms,
    addFederation,
    addReload,
    addRestart,
    addStop,
    addUser,
    addInvite,
    addConfig,
    addDns,
    addDoctor,
    addCompliance,
    addInstall,
    addUninstall,
  ])
    add(all)
  return all
}

async function run(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv)
    return Number(process.exitCode ?? 0) // a command that ran, and tells something by its status
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2 // it has printed its message
    const failure = failureOf(error)
    report(failure, argv.includes('--json'))
    return failure.status
  }
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit() // `aenigma … | head`
  throw error
})
process.exitCode = await run(process.argv)
