// SPDX-License-Identifier: Apache-2.0
// `aenigma user …`: the accounts.
import type { Command } from 'commander'
import type { AccountInfo } from '../ops/admin.ts'
import { type Connection, withAccounts } from './connection.ts'
import { Failure } from './failure.ts'
import { result, say, table, timeText } from './output.ts'
import {
  type ChosenPassword,
  choosePassword,
  confirmed,
  type PasswordOptions,
  withPasswordOptions,
} from './passwords.ts'
import { addUserClients, addUserRevoke } from './user-clients.ts'
import { addUserImport } from './user-import.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

/** Adds the commands about accounts. */
export function addUser(program: Command): void {
  const user = program.command('user').description('Add, list, change, import and remove accounts.')
  for (const add of [
    addAdd,
    addList,
    addPasswd,
    addDisable,
    addEnable,
    addRm,
    addUserClients,
    addUserRevoke,
    addUserImport,
  ])
    add(user)
}

function addAdd(user: Command): void {
  withPasswordOptions(withCommonOptions(user.command('add <jid>').description('Make an account.')))
    .option('--admin', 'one that may administer the server')
    .addHelpText(
      'after',
      `
Without a password option you are asked for it on a terminal; elsewhere one is made and printed.

Examples:
  $ aenigma user add romeo@localhost
  $ aenigma user add admin@example.org --admin
  $ pwgen 20 1 | tee password | aenigma user add juliet@example.org --password-stdin
`,
    )
    .action(async (jid: string, options: CommonOptions & PasswordOptions & { readonly admin?: boolean }) => {
      const chosen = await choosePassword(options, options.json === true)
      const { password } = chosen
      const made = await withAccounts({ ...options, mayBeEmpty: true }, (accounts) =>
        accounts.ask('user.add', { jid, password, admin: options.admin === true }),
      )
      showWithPassword(options, made as { jid: string }, chosen, (name) => `Added ${name}.`)
    })
}

function addPasswd(user: Command): void {
  withPasswordOptions(withCommonOptions(user.command('passwd <jid>').description('Give an account another password.')))
    .addHelpText(
      'after',
      `
Its sessions end. Without a password option you are asked for it on a terminal; elsewhere one is made and printed.

Examples:
  $ aenigma user passwd romeo@localhost
  $ aenigma user passwd romeo@localhost --password-stdin < password
`,
    )
    .action(async (jid: string, options: CommonOptions & PasswordOptions) => {
      const chosen = await choosePassword(options, options.json === true)
      const { password } = chosen
      const changed = await withAccounts(options, (accounts) => accounts.ask('user.passwd', { jid, password }))
      showWithPassword(options, changed as { jid: string }, chosen, (name) => `Changed the password of ${name}.`)
    })
}

function showWithPassword(
  { json }: CommonOptions,
  done: { readonly jid: string },
  { password, generated }: ChosenPassword,
  text: (jid: string) => string,
): void {
  const shown = generated ? { ...done, password } : done
  result(json, shown, () => (generated ? `${text(done.jid)}\nPassword: ${password}` : text(done.jid)))
}

function addList(user: Command): void {
  withCommonOptions(user.command('list').description('List the accounts.'))
    .option('--domain <domain>', 'only those of this domain')
    .addHelpText('after', '\nExamples:\n  $ aenigma user list\n  $ aenigma user list --domain example.org --json\n')
    .action(async (options: CommonOptions & { readonly domain?: string }) => {
      const list = await withAccounts(options, (accounts) => allAccounts(accounts, options.domain))
      result(options.json, list, () => (list.length === 0 ? 'There are no accounts.' : accountsText(list)))
    })
}

async function allAccounts(accounts: Connection, domain: string | undefined): Promise<readonly AccountInfo[]> {
  const all: AccountInfo[] = []
  for (;;) {
    const page = (await accounts.ask('user.list', { domain, after: all.at(-1)?.jid })) as readonly AccountInfo[]
    if (page.length === 0) return all
    all.push(...page)
  }
}

function accountsText(list: readonly AccountInfo[]): string {
  const rows = list.map(({ jid, admin, disabled, created, lastSeen }) => [
    jid,
    [admin ? 'admin' : '', disabled ? 'disabled' : ''].filter(Boolean).join(', '),
    timeText(created),
    lastSeen === null ? 'never' : timeText(lastSeen),
  ])
  return table(['ADDRESS', 'FLAGS', 'CREATED (UTC)', 'LAST SEEN (UTC)'], rows)
}

function addDisable(user: Command): void {
  addSwitch(user, 'disable', true, 'Keep an account, but let nobody log in to it; its sessions end.')
}

function addEnable(user: Command): void {
  addSwitch(user, 'enable', false, 'Let the owner of a disabled account log in again.')
}

function addSwitch(user: Command, name: string, disabled: boolean, description: string): void {
  withCommonOptions(user.command(`${name} <jid>`).description(description))
    .addHelpText('after', `\nExamples:\n  $ aenigma user ${name} romeo@localhost\n`)
    .action(async (jid: string, options: CommonOptions) => {
      const done = await withAccounts(options, (accounts) => accounts.ask('user.disable', { jid, disabled }))
      const { jid: address } = done as { jid: string }
      result(options.json, done, () => `${disabled ? 'Disabled' : 'Enabled'} ${address}.`)
    })
}

function addRm(user: Command): void {
  withCommonOptions(user.command('rm <jid>').description('Remove an account with everything that belongs to it.'))
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nExamples:\n  $ aenigma user rm romeo@localhost\n  $ aenigma user rm romeo@localhost --yes\n',
    )
    .action(async (jid: string, options: CommonOptions & { readonly yes?: boolean }) => {
      if (!options.yes && process.stdin.isTTY) {
        const sure = await confirmed(`Remove ${jid} with its contacts and messages? This cannot be undone.`)
        if (!sure) throw new Failure('cancelled', 'Nothing was removed.')
      }
      const done = await withAccounts(options, (accounts) => accounts.ask('user.rm', { jid }))
      if (options.json) say(JSON.stringify({ ...(done as object), removed: true }))
      else say(`Removed ${(done as { jid: string }).jid}.`)
    })
}
