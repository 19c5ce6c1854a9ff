// SPDX-License-Identifier: Apache-2.0
// `aenigma uploads`: who has uploaded how much, and the files of one account; removes some.
import type { Command } from 'commander'
import type { UploadInfo, UsageInfo } from '../ops/insight.ts'
import { withServer } from './connection.ts'
import { bytesText, result, table, timeText } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma uploads                           what the files of each account take
  $ aenigma uploads romeo@example.org         the files of one account
  $ aenigma uploads --rm 17 18                remove these
  $ aenigma uploads --rm https://example.org:5443/upload/…/photo.jpg
`

/** Adds the command. */
export function addUploads(program: Command): void {
  const command = program.command('uploads').description('Show what users have uploaded, or remove some of it.')
  withCommonOptions(command)
    .argument('[address]', 'the files of this account')
    .option('--rm <files...>', 'remove these, by their number or their address on the web')
    .addHelpText('after', EXAMPLES)
    .action(async (jid: string | undefined, options: CommonOptions & { readonly rm?: readonly string[] }) => {
      if (options.rm !== undefined) return remove(options.rm, options)
      if (jid !== undefined) return showFiles(jid, options)
      const list = (await withServer(options, (server) => server.ask('uploads'))) as readonly UsageInfo[]
      result(options.json, list, () => (list.length === 0 ? 'Nobody has uploaded anything.' : usageText(list)))
    })
}

async function remove(files: readonly string[], options: CommonOptions): Promise<void> {
  const isNumber = (file: string): boolean => /^\d{1,15}$/.test(file)
  const args = { ids: files.filter(isNumber).map(Number), urls: files.filter((file) => !isNumber(file)) }
  const done = (await withServer(options, (server) => server.ask('uploads.rm', args))) as { readonly removed: number }
  result(options.json, done, () => (done.removed === 1 ? 'Removed 1 file.' : `Removed ${done.removed} files.`))
}

async function showFiles(jid: string, options: CommonOptions): Promise<void> {
  const list = (await withServer(options, (server) => server.ask('uploads.list', { jid }))) as readonly UploadInfo[]
  result(options.json, list, () => (list.length === 0 ? `${jid} has uploaded nothing.` : filesText(list)))
}

function usageText(list: readonly UsageInfo[]): string {
  const rows = list.map(({ jid, files, bytes, oldest, newest }) => [
    jid,
    String(files),
    bytesText(bytes),
    timeText(oldest),
    timeText(newest),
  ])
  return table(['ADDRESS', 'FILES', 'SIZE', 'OLDEST (UTC)', 'NEWEST (UTC)'], rows)
}

function filesText(list: readonly UploadInfo[]): string {
  const rows = list.map(({ id, created, expires, size, type, name }) => [
    String(id),
    timeText(created),
    timeText(expires),
    bytesText(size),
    type ?? '',
    printable(name),
  ])
  return table(['ID', 'UPLOADED (UTC)', 'UNTIL (UTC)', 'SIZE', 'TYPE', 'NAME'], rows)
}

/** Others wrote it: it must not move the cursor, nor look like another line. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 80)
}
