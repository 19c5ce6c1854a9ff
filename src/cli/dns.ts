// SPDX-License-Identifier: Apache-2.0
// `aenigma dns`: which records this server needs, how they are, and putting them there.
import type { Command } from 'commander'
import type { Address } from '../config/config.ts'
import { isIpAddress, parseIp } from '../config/units.ts'
import type { DnsRequest } from '../ops/dns.ts'
import { Failure } from './failure.ts'
import { result } from './output.ts'
import { type CommonOptions, configOf, withCommonOptions } from './where.ts'

const EXAMPLES = `
Asks the servers of the zone themselves, so that a change is seen at once. The exit status is 0 if everything is right.

Examples:
  $ aenigma dns                         what is there, and what should be
  $ aenigma dns --zone                  the records as lines of a zone file
  $ aenigma dns --no-check              the records as they are typed into a web form
  $ aenigma dns apply                   put them there, after showing what changes
`
const APPLY_EXAMPLES = `
Takes the keeper of the zone from the section "dns" of the configuration, with the secret in a file; see docs/dns.md.

Examples:
  $ aenigma dns apply
  $ aenigma dns apply --yes --json
`

/** What can be asked for. */
export interface DnsOptions extends CommonOptions {
  readonly domain?: string
  readonly address: readonly string[]
  readonly server: readonly string[]
  readonly zone?: boolean
  readonly check?: boolean
  readonly yes?: boolean
}

/** Adds the commands. */
export function addDns(program: Command): void {
  const dns = withCommonOptions(
    program.command('dns').description('Show the DNS records that this server needs, and how they are.'),
  )
  withDnsOptions(dns)
    .option('--zone', 'print lines of a zone file, and do not look')
    .option('--no-check', 'print what is typed into a web form, and do not look')
    .addHelpText('after', EXAMPLES)
    .action(async (options: DnsOptions) => {
      const { show } = await import('./dns-run.ts')
      await show(options, await configOf(options), requestOf(options))
    })
  dns
    .command('apply')
    .description('Put the records where the domain lives.')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', APPLY_EXAMPLES)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<DnsOptions>()
      const { applyAll } = await import('./dns-run.ts')
      const done = await applyAll(options, await configOf(options), requestOf(options))
      result(options.json, done, () =>
        done.changes === 0 ? 'Everything is right already.' : `Changed ${done.changes}.`,
      )
    })
}

function withDnsOptions(command: Command): Command {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]
  return command
    .option('--domain <domain>', 'only this one of the domains')
    .option(
      '--address <ip>',
      'a public address of this machine (default: what the configuration or the machine says)',
      collect,
      [],
    )
    .option('--server <ip>', 'a name server to ask, instead of those of the zone', collect, [])
}

function requestOf({ domain, address, server }: DnsOptions): DnsRequest {
  const bad = address.find((one) => !isIpAddress(one))
  if (bad !== undefined) throw new Failure('usage', `"${bad}" is no IP address.`, undefined, 2)
  const servers = server.map((text): Address => {
    const found = parseIp(text, 53)
    if (!found) throw new Failure('usage', `"${text}" is no IP address of a name server.`, undefined, 2)
    return found
  })
  return {
    addresses: address,
    ...(domain === undefined ? {} : { host: domain.toLowerCase() }),
    ...(servers.length > 0 ? { servers } : {}),
  }
}
