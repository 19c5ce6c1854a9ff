// SPDX-License-Identifier: Apache-2.0
// `aenigma reload`: the running server reads its configuration and certificates again.
import type { Command } from 'commander'
import { withServer } from './connection.ts'
import { result } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma reload
  $ aenigma config check && aenigma reload
`

/** Adds the command. */
export function addReload(program: Command): void {
  withCommonOptions(
    program.command('reload').description('Read configuration and certificates again; connections stay open.'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (options: CommonOptions) => {
      const answer = (await withServer(options, (server) => server.ask('reload'))) as { restart: readonly string[] }
      result(options.json, answer, () => reloadText(answer.restart))
    })
}

/** What a reload did. @param restart the options that need more */
export function reloadText(restart: readonly string[]): string {
  if (restart.length === 0) return 'Reloaded.'
  return `Reloaded; changes to ${restart.join(', ')} take effect after a restart.`
}
