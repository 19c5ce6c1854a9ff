// SPDX-License-Identifier: Apache-2.0
// `aenigma status`: how the server is.
import type { Command } from 'commander'
import type { Status } from '../ops/running-server.ts'
import { withServer } from './connection.ts'
import { bytesText, printable, result, spanText } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma status
  $ aenigma status --config /etc/aenigma/aenigma.yaml --json
`

/** Adds the command. */
export function addStatus(program: Command): void {
  withCommonOptions(program.command('status').description('Tell how the server is.'))
    .addHelpText('after', EXAMPLES)
    .action(async (options: CommonOptions) => {
      const status = (await withServer(options, (server) => server.ask('status'))) as Status
      result(options.json, status, () => statusText(status))
    })
}

function statusText(status: Status): string {
  const places = status.listening.map(({ kind, host, port }) => `${placeText(host, port)} (${kind})`)
  const lines: readonly (readonly [string, string])[] = [
    ['Domains', status.hosts.join(', ')],
    ['Version', status.version],
    ['Running', `${spanText(status.uptime)}, process ${status.pid}`],
    ['Listening', places.join(', ')],
    ...status.certificates.map((one): [string, string] => ['Certificate', certificateText(one)]),
    ['Data', `${status.data} (${status.store})`],
    ['Accounts', String(status.accounts)],
    ['Sessions', `${status.sessions} on ${status.connections} connections`],
    ['Memory', bytesText(status.memory)],
    ['Loop delay', `${status.eventLoopDelay.toFixed(1)} ms (99th percentile)`],
    ['Unwritten', String(status.uncommitted)],
  ]
  return lines.map(([name, value]) => `${`${name}:`.padEnd(13)}${value}`).join('\n')
}

function certificateText({
  host,
  names,
  missing,
  provisional,
  until,
  failure,
}: Status['certificates'][number]): string {
  const day = new Date(until).toISOString().slice(0, 10)
  const what = provisional ? 'none yet, one that nobody trusts is shown' : `until ${day}, for ${names.join(', ')}`
  const without = missing.length > 0 ? `; not for ${missing.join(', ')}, which have no address` : ''
  return `${host}: ${what}${without}${failure ? `; ${failure.times > 0 ? `failed ${failure.times}x` : 'waits'}: ${printable(failure.why)}` : ''}`
}

/** An address and port as they are written together. */
export function placeText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
