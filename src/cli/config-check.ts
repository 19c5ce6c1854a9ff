// SPDX-License-Identifier: Apache-2.0
// `aenigma config check`: everything that is wrong with a configuration file.
import type { Command } from 'commander'
import { ConfigError, described, readConfig } from '../config/load.ts'
import { Failure } from './failure.ts'
import { result, say } from './output.ts'
import { type CommonOptions, configFileOf, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma config check
  $ aenigma config check --config /etc/aenigma/aenigma.yaml --json
`

/** Adds the commands about the configuration. */
export function addConfig(program: Command): void {
  const config = program.command('config').description('Look at the configuration.')
  withCommonOptions(config.command('check').description('Check a configuration file.'))
    .addHelpText('after', EXAMPLES)
    .action(check)
}

async function check(options: CommonOptions): Promise<void> {
  const file = configFileOf(options)
  if (file === undefined) {
    throw new Failure('usage', 'There is no ./aenigma.yaml.', 'Say which file to check with --config FILE.', 2)
  }
  const { features } = await import('../xep/index.ts')
  try {
    const { hosts } = await readConfig({ file, features })
    result(
      options.json,
      { ok: true, file, hosts, mistakes: [] },
      () => `${file} is fine: a server for ${hosts.join(', ')}.`,
    )
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { mistakes } = error
    if (options.json) say(JSON.stringify({ ok: false, file, mistakes }))
    else for (const mistake of mistakes) say(`${file}:${mistake.line}:${mistake.column}: ${described(mistake)}`)
    throw new Failure(
      'bad-config',
      mistakes.length === 1 ? 'There is a mistake.' : `There are ${mistakes.length} mistakes.`,
    )
  }
}
