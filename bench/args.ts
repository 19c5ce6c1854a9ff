// SPDX-License-Identifier: Apache-2.0
// The words of the command line.

import { parseArgs } from 'node:util'
import { SCENARIOS, type Scenario } from './plan.ts'

/** What was asked for. */
export interface Options {
  readonly scenarios: readonly Scenario[]
  readonly servers: readonly string[]
  readonly quick: boolean
  readonly delayed: boolean
  readonly help: boolean
  readonly json: string | undefined
}

/** The text of `--help`. */
export const HELP = `Usage: npm run bench -- [scenario…] [--server us,prosody,ejabberd,floor] [--quick] [--delayed] [--json FILE]

Compares this server with Prosody and ejabberd (from Debian) and with the floor, a bare TLS relay in the same runtime.
The main figure is the server's CPU time per operation.

Scenarios (all of them by default): ${SCENARIOS.join(', ')}
  --server LIST  only these servers; us-postgres, too, which is this one on PostgreSQL, is only run when named
  --quick        a smoke test of a minute or two: small numbers, figures mean nothing
  --delayed      each fsync takes 50 ms longer (with strace)
  --json FILE    write all figures there, too
  --help         show this

Ends with "N passed, N failed", counting each scenario with each server.`

function isScenario(word: string): word is Scenario {
  return SCENARIOS.some((scenario) => scenario === word)
}

function read(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      server: { type: 'string' },
      quick: { type: 'boolean', default: false },
      delayed: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
}

/** The options, or what is wrong with them. */
export function parseOptions(args: string[], known: readonly string[]): Options | string {
  let parsed: ReturnType<typeof read>
  try {
    parsed = read(args)
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\nSee --help.`
  }
  const { values, positionals } = parsed
  const scenarios = positionals.filter(isScenario)
  const wrong = positionals.find((word) => !isScenario(word))
  if (wrong !== undefined) return `There is no scenario "${wrong}"; there are ${SCENARIOS.join(', ')}.`
  const servers = values.server?.split(',') ?? known.filter((name) => name !== 'us-postgres')
  const stranger = servers.find((name) => !known.includes(name))
  if (stranger !== undefined) return `There is no server "${stranger}"; there are ${known.join(', ')}.`
  const { quick, delayed, help, json } = values
  return { scenarios: scenarios.length === 0 ? SCENARIOS : scenarios, servers, quick, delayed, help, json }
}
