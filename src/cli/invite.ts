// SPDX-License-Identifier: Apache-2.0
// `aenigma invite`: makes an invitation and shows its link; lists and revokes those that wait.
import type { Command } from 'commander'
import { parseDuration } from '../config/units.ts'
import type { InvitationInfo, NewInvitationInfo } from '../ops/invitations.ts'
import { withAccounts } from './connection.ts'
import { Failure } from './failure.ts'
import { result, table, timeText } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Whoever opens the link makes an account on a page, or lets an app do it; looking at the page uses nothing up.

Examples:
  $ aenigma invite                                        one person, within a week
  $ aenigma invite --contact romeo@example.org            who becomes a contact of romeo's
  $ aenigma invite --uses 25 --expires 1d --note "Class 3b"
  $ aenigma invite --admin --name juliet                  an administrator, under this name
  $ aenigma invite list
  $ aenigma invite revoke 3
`

interface InviteOptions extends CommonOptions {
  readonly uses: string
  readonly expires: string
  readonly admin?: boolean
  readonly note?: string
  readonly contact?: string
  readonly name?: string
  readonly host?: string
  readonly qr: boolean
}

/** Adds the commands. */
export function addInvite(program: Command): void {
  const invite = program.command('invite').description('Invite somebody: prints a link to send.')
  withCommonOptions(invite)
    .option('--uses <number>', 'how many people may come by it, or unlimited', '1')
    .option('--expires <time>', 'how long it can be used, such as 12h or 7d', '7d')
    .option('--admin', 'who comes may administer the server')
    .option('--note <text>', 'a line that the invited person reads')
    .option('--contact <jid>', 'the account that who comes becomes a contact of')
    .option('--name <name>', 'the name that is kept for who comes')
    .option('--host <domain>', 'the domain of the account, if there are several')
    .option('--no-qr', 'do not print the QR code')
    .addHelpText('after', EXAMPLES)
    .action(create)
  addList(invite)
  addRevoke(invite)
}

async function create(options: InviteOptions): Promise<void> {
  const { admin = false, note, contact, name, host: domain } = options
  const wish = { admin, note, contact, name, domain, uses: usesIn(options.uses), lifetime: timeIn(options.expires) }
  const made = (await withAccounts(options, (server) => server.ask('invite.create', wish))) as NewInvitationInfo
  const picture = options.json || !options.qr ? '' : await pictureOf(made)
  result(options.json, made, () => inviteText(made, picture))
}

function addList(invite: Command): void {
  withCommonOptions(invite.command('list').description('List the invitations that can be used.'))
    .addHelpText('after', '\nExamples:\n  $ aenigma invite list\n  $ aenigma invite list --json\n')
    .action(async (_: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const list = (await withAccounts(options, (server) => server.ask('invite.list'))) as readonly InvitationInfo[]
      result(options.json, list, () => (list.length === 0 ? 'There are no invitations.' : invitationsText(list)))
    })
}

function addRevoke(invite: Command): void {
  withCommonOptions(invite.command('revoke [ids...]').description('Take invitations back.'))
    .option('--all', 'take all of them back')
    .addHelpText('after', '\nExamples:\n  $ aenigma invite revoke 3 4\n  $ aenigma invite revoke --all\n')
    .action(async (ids: readonly string[], _: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { readonly all?: boolean }>()
      if (ids.length === 0 && !options.all)
        throw new Failure('which', 'Which invitations?', 'Say their numbers as in `aenigma invite list`, or --all.', 2)
      const which = options.all ? {} : { ids: ids.map(idIn) }
      const done = (await withAccounts(options, (server) => server.ask('invite.revoke', which))) as { revoked: number }
      if (done.revoked === 0 && !options.all)
        throw new Failure('not-found', 'There are no such invitations.', 'See `aenigma invite list`.')
      result(options.json, done, () =>
        done.revoked === 1 ? 'Took 1 invitation back.' : `Took ${done.revoked} invitations back.`,
      )
    })
}

function usesIn(text: string): number | null {
  if (text === 'unlimited') return null
  const uses = /^\d{1,7}$/.test(text) ? Number(text) : 0
  if (uses > 0) return uses
  throw new Failure('bad-uses', `"${text}" is not a number of people.`, 'Write --uses 5 or --uses unlimited.', 2)
}

function timeIn(text: string): number {
  const time = parseDuration(text)
  if (time !== undefined && time > 0) return time
  throw new Failure('bad-time', `"${text}" is not a time.`, 'Write --expires 12h or --expires 7d.', 2)
}

function idIn(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new Failure('bad-id', `"${text}" is not the number of an invitation.`, 'See `aenigma invite list`.', 2)
}

async function pictureOf({ link, uri }: NewInvitationInfo): Promise<string> {
  const { qrText } = await import('../ops/qr.ts')
  return qrText(link ?? uri, process.stdout.isTTY === true)
}

function inviteText({ link, uri, expires, uses, role, contact, name }: NewInvitationInfo, picture: string): string {
  const guests = uses === null ? 'as many people as like' : uses === 1 ? 'one person' : `${uses} people`
  const as = [
    role === 'administrator' ? 'as administrator' : '',
    name === null ? '' : `under the name ${name}`,
    contact === null ? '' : `as a contact of ${contact}`,
  ].filter(Boolean)
  return [
    `Send this link to whom you invite (${[guests, ...as].join(', ')}):`,
    '',
    `  ${link ?? uri}`,
    '',
    ...(picture === '' ? [] : [picture, '']),
    `It can be used until ${timeText(expires)} UTC. Nobody will see it again: only its hash is kept.`,
  ].join('\n')
}

function invitationsText(list: readonly InvitationInfo[]): string {
  const rows = list.map(({ id, role, domain, name, uses, used, expires, creator, contact, note }) => [
    String(id),
    role,
    name === null ? domain : `${name}@${domain}`,
    `${used}/${uses ?? '∞'}`,
    timeText(expires),
    creator ?? '–',
    contact ?? '–',
    note ?? '',
  ])
  return table(['ID', 'ROLE', 'FOR', 'USED', 'UNTIL (UTC)', 'MADE BY', 'CONTACT OF', 'NOTE'], rows)
}
