// SPDX-License-Identifier: Apache-2.0
// `aenigma user clients` and `aenigma user revoke`: the clients of an account that may log in without its password.
import type { Command } from 'commander'
import type { ClientInfo } from '../ops/admin.ts'
import { withAccounts } from './connection.ts'
import { result, table, timeText } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

/** Adds the command that lists them. */
export function addUserClients(user: Command): void {
  withCommonOptions(
    user.command('clients <jid>').description('List the clients that may log in to an account by a token.'),
  )
    .addHelpText('after', '\nExamples:\n  $ aenigma user clients romeo@localhost\n')
    .action(async (jid: string, options: CommonOptions) => {
      const list = (await withAccounts(options, (accounts) =>
        accounts.ask('user.clients', { jid }),
      )) as readonly ClientInfo[]
      result(options.json, list, () => (list.length === 0 ? 'No client has a token.' : clientsText(list)))
    })
}

/** Adds the command that takes a client's tokens away. */
export function addUserRevoke(user: Command): void {
  withCommonOptions(
    user.command('revoke <jid> <client>').description("End a client's session; it needs the password to log in again."),
  )
    .addHelpText('after', '\nExamples:\n  $ aenigma user revoke romeo@localhost 0f3a5c7e9b1d2f40\n')
    .action(async (jid: string, client: string, options: CommonOptions) => {
      const done = await withAccounts(options, (accounts) => accounts.ask('user.revoke', { jid, client }))
      result(options.json, { ...(done as object), revoked: true }, () => `Revoked client ${client} of ${jid}.`)
    })
}

function clientsText(list: readonly ClientInfo[]): string {
  const rows = list.map(({ id, software, device, lastUsed, expires }) => [
    id,
    software ?? '',
    device ?? '',
    timeText(lastUsed),
    timeText(expires),
  ])
  return table(['CLIENT', 'SOFTWARE', 'DEVICE', 'LAST USED (UTC)', 'EXPIRES (UTC)'], rows)
}
