// SPDX-License-Identifier: Apache-2.0
// `aenigma compliance`. What it does is loaded when it is asked for: a server that starts needs none of it.
import type { Command } from 'commander'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Logs in with two throw-away accounts, which are removed afterwards, and tries what the Conversations compliance tester
and XEP-0479 ask for. The exit status is 0 if everything that is required was found. An account of your own (--account)
is put back as it was, but for a few messages in its archive.

Examples:
  $ aenigma compliance
  $ aenigma compliance --domain example.org --json
  $ aenigma compliance --account romeo@example.net --password-stdin < password
`

/** What can be asked for. */
export interface ComplianceOptions extends CommonOptions {
  readonly domain?: string
  readonly account?: string
  readonly passwordStdin?: boolean
}

/** Adds the command. */
export function addCompliance(program: Command): void {
  withCommonOptions(program.command('compliance').description('Check what clients find: the compliance suites.'))
    .option('--domain <domain>', 'one of the domains of the server (default: the first)')
    .option('--account <jid>', 'look at any server, with an account that exists there')
    .option('--password-stdin', 'read the password of that account from standard input')
    .addHelpText('after', EXAMPLES)
    .action(async (options: ComplianceOptions) => {
      const { compliance } = await import('./compliance-run.ts')
      await compliance(options)
    })
}
