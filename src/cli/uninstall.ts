// SPDX-License-Identifier: Apache-2.0
// `aenigma uninstall`: makes the machine as it was before `aenigma install`.
import type { Command } from 'commander'
import type { Appliance } from '../appliance/appliance.ts'
import { Installation, StepError } from '../appliance/installation.ts'
import { System } from '../appliance/system.ts'
import { systemClock } from '../clock.ts'
import { INSTALLED_DATA } from '../config/installed.ts'
import { alone } from './alone.ts'
import { Failure } from './failure.ts'
import { applianceToUndo } from './install-wish.ts'
import { result, say } from './output.ts'

const HELP = `
Accounts, messages and files stay in ${INSTALLED_DATA}, unless --purge is given; a later installation finds them.

Examples:
  $ aenigma uninstall
  $ aenigma uninstall --purge --yes
`

interface UninstallOptions {
  readonly purge?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

/** Adds the command. */
export function addUninstall(program: Command): void {
  program
    .command('uninstall')
    .description('Undo what "aenigma install" did.')
    .option('--purge', 'remove accounts, messages and files, too, for good')
    .option('-y, --yes', 'ask nothing')
    .option('--json', 'print JSON, for programs; asks nothing')
    .addHelpText('after', HELP)
    .action(uninstall)
}

async function uninstall(options: UninstallOptions): Promise<void> {
  const appliance = applianceToUndo()
  return alone(() => undo(appliance, options))
}

async function undo(appliance: Appliance, { purge = false, yes, json }: UninstallOptions): Promise<void> {
  const installation = await Installation.open(appliance, (memory) => new System('', memory), systemClock)
  if (!installation.begun) throw new Failure('not-installed', 'Nothing was installed on this machine.')
  if (!yes && !json) await goAhead(purge)
  try {
    const undone = await installation.undo({ begins: ({ id }) => void (json || say(`undoing ${id}`)) })
    if (purge) await installation.purge()
    const kept = purge ? null : INSTALLED_DATA
    result(json, { undone, data: kept }, () =>
      kept ? `Done. The data is still in ${kept}.` : 'Done. The data is gone, too.',
    )
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    const message = `"${error.step}" could not be undone: ${error.message}`
    throw new Failure('step-failed', message, `See ${error.log}; call the same command again to go on from here.`)
  }
}

async function goAhead(purge: boolean): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Failure('no-terminal', 'There is no terminal to ask at.', 'Say --yes to go ahead.', 2)
  const { confirm } = await import('@clack/prompts')
  const message = purge
    ? 'Remove the server with all accounts, messages and files?'
    : 'Remove the server? Its data stays.'
  if ((await confirm({ message, initialValue: !purge })) !== true)
    throw new Failure('cancelled', 'Nothing was changed.')
}
