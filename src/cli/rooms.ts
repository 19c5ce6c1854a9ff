// SPDX-License-Identifier: Apache-2.0
// `aenigma rooms`: which rooms there are; removes some.
import type { Command } from 'commander'
import type { RoomInfo } from '../ops/insight.ts'
import { withServer } from './connection.ts'
import { result, table } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma rooms                                   the rooms, who made them, and how many people have a place there
  $ aenigma rooms --json
  $ aenigma rooms --rm coven@rooms.example.org      remove it with everything that was said there
`

/** Adds the command. */
export function addRooms(program: Command): void {
  withCommonOptions(program.command('rooms').description('Show the rooms, or remove some.'))
    .option('--rm <addresses...>', 'remove these, with everything that was said there')
    .addHelpText('after', EXAMPLES)
    .action(async (options: CommonOptions & { readonly rm?: readonly string[] }) => {
      if (options.rm !== undefined) return remove(options.rm, options)
      const list = (await withServer(options, (server) => server.ask('rooms'))) as readonly RoomInfo[]
      result(options.json, list, () => (list.length === 0 ? 'There are no rooms.' : roomsText(list)))
    })
}

async function remove(jids: readonly string[], options: CommonOptions): Promise<void> {
  const done = (await withServer(options, (server) => server.ask('rooms.rm', { jids }))) as { readonly removed: number }
  result(options.json, done, () => (done.removed === 1 ? 'Removed 1 room.' : `Removed ${done.removed} rooms.`))
}

function roomsText(list: readonly RoomInfo[]): string {
  const rows = list.map(({ jid, creator, places, inside, listed, temporary, name }) => [
    jid,
    creator,
    String(places),
    String(inside),
    listed ? 'yes' : 'no',
    temporary ? 'no' : 'yes',
    printable(name),
  ])
  return table(['ADDRESS', 'MADE BY', 'PLACES', 'INSIDE', 'LISTED', 'LASTS', 'NAME'], rows)
}

/** Others wrote it: it must not move the cursor, nor look like another line. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 80)
}
