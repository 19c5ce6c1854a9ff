// SPDX-License-Identifier: Apache-2.0
// `aenigma up`: the server itself, until a signal or `aenigma stop` ends it.
import { mkdir } from 'node:fs/promises'
import { createRequire, flushCompileCache } from 'node:module'
import type { Command } from 'commander'
import { adminSocketOf, type Config } from '../config/config.ts'
import { createLog, type Log } from '../log.ts'
import { AdminError, type AdminHandler } from '../net/admin-socket.ts'
import type { Control } from '../ops/admin.ts'
import type { RunningServer } from '../ops/running-server.ts'
import { hold } from './connection.ts'
import { Failure, failureOf, report } from './failure.ts'
import { say } from './output.ts'
import { randomPassword } from './passwords.ts'
import { reloadText } from './reload.ts'
import { assertReplaceable, End, prepareNext, replace } from './succession.ts'
import { greeting, linkText } from './up-text.ts'
import { type CommonOptions, configOf, withCommonOptions } from './where.ts'

const EXAMPLES = `
Without a configuration it is a server for this machine only, to try it out: domain localhost, data in ./data.

Examples:
  $ aenigma up
  $ aenigma up --data /tmp/trial
  $ aenigma up --config /etc/aenigma/aenigma.yaml
`

/** The end of how `bin/aenigma` starts the engine. */
const { runAtFullSpeed } = createRequire(import.meta.url)('../../bin/runtime.js') as { runAtFullSpeed(): void }

/** After this long a start is over, in ms. */
const SETTLED = 15_000

/** A second Ctrl-C counts only after this time, in ms: npm and the terminal may both pass on the first one. */
const SECOND_SIGNAL = 500

/** Adds the command. */
export function addUp(program: Command): void {
  withCommonOptions(program.command('up').description('Run the server until it is stopped.'))
    .option('--service', 'print nothing but the log, as systemd wants it')
    .addHelpText('after', EXAMPLES)
    .action(up)
}

async function up(options: CommonOptions & { readonly service?: boolean }): Promise<void> {
  const config = await configOf(options)
  await mkdir(config.data, { recursive: true, mode: 0o700 })
  let answer: AdminHandler = starting
  const socket = await hold(adminSocketOf(config.data), (...request) => answer(...request))
  const end = new End()
  try {
    const { startServer } = await import('../main.ts')
    const log = createLog(config.log.level)
    // A promise that nobody waited for is a mistake of ours, and no reason to end everybody's streams.
    process.on('unhandledRejection', (error) => log.error('a promise failed that nobody waited for', { error }))
    const server = await startServer(config, log)
    const password = config.trial ? await firstAccount(server) : undefined
    runAtFullSpeed()
    const quiet = (): void => {
      answer = starting // whoever gets another answer from now on has it from the next server
    }
    const control = controlOf(options, server, end, quiet)
    answer = await commandsOf(server, control)
    const forgetSignals = onSignals(control, log)
    setTimeout(() => void flushCompileCache(), SETTLED).unref() // the next start may come without an orderly end of this one
    // in a system's log everybody who administers the machine would read it
    const link = options.service ? undefined : linkText(server.info, await server.firstAccount.issue())
    const first = { ...(password ? { password } : {}), ...(link ? { link } : {}) }
    if (options.json) say(JSON.stringify({ ...server.info, pid: process.pid, ...first }))
    else if (!options.service) say(greeting(server.info, first))
    await end.come
    if (!options.json && !options.service) say(end.restarts ? 'Restarting…' : 'Stopping…')
    await server.stop().catch((error: unknown) => {
      if (!end.restarts) throw error
      report(failureOf(error), false) // what was acknowledged is on disk, and the next server is better than none
    })
    forgetSignals()
  } finally {
    await socket.stop()
  }
  if (end.restarts) replace()
  process.stdout.write('', () => process.exit(0)) // whatever is still open must not keep a stopped server alive
}

/** @param quiet from then on the server answers nothing */
function controlOf(options: CommonOptions, server: RunningServer, end: End, quiet: () => void): Control {
  return {
    reload: async () => server.reload(await newConfig(options)),
    async restart() {
      assertReplaceable()
      await server.check(await newConfig(options))
      await prepareNext()
      end.restart()
      quiet()
    },
    stop: () => end.stop(),
  }
}

const starting: AdminHandler = async () => {
  throw new AdminError('starting', 'The server is starting or stopping; try again in a moment.')
}

async function commandsOf(server: RunningServer, control: Control): Promise<AdminHandler> {
  const { answerFrom, serverCommands } = await import('../ops/admin.ts')
  return answerFrom(serverCommands(server, control))
}

/** Makes the administrator of the trial mode if there is nobody at all. @returns the password, to be shown once */
async function firstAccount({ accounts, info }: RunningServer): Promise<string | undefined> {
  if ((await accounts.count()) > 0) return undefined
  const { Jid } = await import('../xmpp/jid.ts')
  const password = randomPassword()
  await accounts.add(Jid.of('admin', info.hosts[0] ?? 'localhost'), password, { admin: true })
  return password
}

async function newConfig(options: CommonOptions): Promise<Config> {
  try {
    return await configOf(options)
  } catch (error) {
    throw new Failure('bad-config', `the old configuration stays in force:\n${failureOf(error).message}`)
  }
}

/** Ends on SIGINT and SIGTERM, at once on the second; reads the configuration again on SIGHUP. */
function onSignals({ stop: end, reload }: Pick<Control, 'stop' | 'reload'>, log: Log): () => void {
  let first: number | undefined
  const stop = (): void => {
    if (first === undefined) {
      first = performance.now()
      end()
    } else if (performance.now() - first > SECOND_SIGNAL) process.exit(130)
  }
  const hangUp = (): void => {
    reload().then(
      (restart) => say(reloadText(restart)),
      (error: unknown) => {
        log.warn('reload failed')
        report(failureOf(error), false)
      },
    )
  }
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', hangUp)
  return () => void process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', hangUp)
}
