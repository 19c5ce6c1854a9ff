// SPDX-License-Identifier: Apache-2.0
// Which server a command is about: the one of a configuration file, or the trial server of a data directory.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { INSTALLED_CONFIG, isInstalled } from '../config/installed.ts'

/** What is used when nothing is said, if it exists. */
const DEFAULT_FILE = 'aenigma.yaml'
const DEFAULT_DATA = 'data'

/** The options that every command has. */
export interface CommonOptions {
  readonly config?: string
  readonly data?: string
  readonly json?: boolean
}

/** Adds the options that say which server is meant, and `--json`. */
export function withCommonOptions(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      `the configuration file (default: ./${DEFAULT_FILE} if there is one, or ${INSTALLED_CONFIG} where it is installed)`,
    )
    .option('-d, --data <dir>', `the data directory (default: what the configuration says, or ./${DEFAULT_DATA})`)
    .option('--json', 'print JSON, for programs')
}

/**
 * The configuration file that is meant; undefined in the trial mode. The installed program is called by root, wherever root is at
 * that time: it believes no file that lies there, in /tmp for instance, and may be anybody's.
 */
export function configFileOf({ config, data }: CommonOptions, installed: boolean = isInstalled()): string | undefined {
  if (config !== undefined || data !== undefined) return config
  if (installed) return INSTALLED_CONFIG
  return existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined
}

/** The configuration that is meant. @throws ConfigError */
export async function configOf(options: CommonOptions): Promise<Config> {
  const file = configFileOf(options)
  const { features } = await import('../xep/index.ts')
  if (file === undefined) {
    const { trialConfig } = await import('../config/trial.ts')
    return trialConfig(options.data ?? DEFAULT_DATA, features)
  }
  const { readConfig } = await import('../config/load.ts')
  const config = await readConfig({ file, features })
  return options.data === undefined ? config : { ...config, data: resolve(options.data) }
}
