// SPDX-License-Identifier: Apache-2.0
// `aenigma push`: which devices are woken by push notifications, and whether that works.
import type { Command } from 'commander'
import type { PushInfo } from '../ops/insight.ts'
import { withServer } from './connection.ts'
import { result, table, timeText } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma push                          the devices of all accounts
  $ aenigma push romeo@localhost
  $ aenigma push --json
`

/** Adds the command. */
export function addPush(program: Command): void {
  withCommonOptions(program.command('push [jid]').description('Show whether push notifications reach the devices.'))
    .addHelpText('after', EXAMPLES)
    .action(async (jid: string | undefined, options: CommonOptions) => {
      const list = (await withServer(options, (server) => server.ask('push', { jid }))) as readonly PushInfo[]
      result(options.json, list, () => (list.length === 0 ? 'No device asked for push notifications.' : devices(list)))
    })
}

function devices(list: readonly PushInfo[]): string {
  const rows = list.map(({ jid, device, service, state, lastPush, lastSuccess, lastError, error, errors }) => [
    jid,
    device,
    service,
    state,
    when(lastPush),
    when(lastSuccess),
    lastError === null ? '' : `${timeText(lastError)} ${error} (${errors} in a row)`,
  ])
  return table(['ADDRESS', 'DEVICE', 'APP SERVER', 'STATE', 'LAST PUSH (UTC)', 'LAST SUCCESS', 'LAST ERROR'], rows)
}

function when(time: number | null): string {
  return time === null ? 'never' : timeText(time)
}
