// SPDX-License-Identifier: Apache-2.0
// The command line: reads the arguments, runs one command, and ends with 0, 1 (it failed) or 2 (it was asked wrongly).
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { failureOf, report } from './failure.ts'

const EXAMPLES = `
Examples:
  $ aenigma up                            a server for this machine, to try it out
  $ aenigma up --config aenigma.yaml      a server for a real domain
  $ aenigma install example.org           the same as a service of this machine, with all that belongs to it
  $ aenigma user add romeo@localhost      an account
  $ aenigma invite                        a link for somebody who makes one
  $ aenigma status                        how the server is
`

/** Adds a command to the program. */
type Add = (program: Command) => void

/** All commands, in the order of the help. Each is loaded for itself, so that the server does not carry the others with it. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  up: async () => (await import('./up.ts')).addUp,
  status: async () => (await import('./status.ts')).addStatus,
  sessions: async () => (await import('./sessions.ts')).addSessions,
  push: async () => (await import('./push.ts')).addPush,
  reports: async () => (await import('./reports.ts')).addReports,
  uploads: async () => (await import('./uploads.ts')).addUploads,
  rooms: async () => (await import('./rooms.ts')).addRooms,
  federation: async () => (await import('./federation.ts')).addFederation,
  reload: async () => (await import('./reload.ts')).addReload,
  restart: async () => (await import('./restart.ts')).addRestart,
  stop: async () => (await import('./stop.ts')).addStop,
  user: async () => (await import('./user.ts')).addUser,
  invite: async () => (await import('./invite.ts')).addInvite,
  config: async () => (await import('./config-check.ts')).addConfig,
  dns: async () => (await import('./dns.ts')).addDns,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  compliance: async () => (await import('./compliance.ts')).addCompliance,
  install: async () => (await import('./install.ts')).addInstall,
  uninstall: async () => (await import('./uninstall.ts')).addUninstall,
}

/** @param word the first one after the program's name; whatever is no command (a mistake, `help`) needs to know all of them */
async function program(word: string | undefined): Promise<Command> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const all = new Command('aenigma')
    .description('The secure-by-default, one-touch XMPP server for everyone.')
    .version(version)
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError()
    .exitOverride()
  const wanted = word !== undefined && Object.hasOwn(COMMANDS, word) ? [word] : Object.keys(COMMANDS)
  for (const name of wanted) (await COMMANDS[name]?.())?.(all)
  return all
}

async function run(argv: readonly string[]): Promise<number> {
  try {
    await (await program(argv[2])).parseAsync(argv)
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
