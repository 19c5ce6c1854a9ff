// SPDX-License-Identifier: Apache-2.0
// `aenigma reports`: what users reported about spam and abuse.
import type { Command } from 'commander'
import type { ReportInfo } from '../ops/insight.ts'
import { withServer } from './connection.ts'
import { Failure } from './failure.ts'
import { result, table, timeText } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma reports
  $ aenigma reports --json
  $ aenigma reports --rm 17 18            remove these
  $ aenigma reports --clear               remove all of them
`

/** Adds the command. */
export function addReports(program: Command): void {
  withCommonOptions(program.command('reports').description('List the reports of spam and abuse, or remove some.'))
    .option('--rm <ids...>', 'remove these')
    .option('--clear', 'remove all of them')
    .addHelpText('after', EXAMPLES)
    .action(async (options: CommonOptions & Removal) => {
      if (options.rm !== undefined || options.clear) return remove(options)
      const list = (await withServer(options, (server) => server.ask('reports'))) as readonly ReportInfo[]
      result(options.json, list, () => (list.length === 0 ? 'Nobody reported anything.' : reportsText(list)))
    })
}

interface Removal {
  readonly rm?: readonly string[]
  readonly clear?: boolean
}

async function remove({ rm = [], clear, ...options }: CommonOptions & Removal): Promise<void> {
  const wrong = rm.find((id) => !/^\d{1,15}$/.test(id))
  if (wrong !== undefined) throw new Failure('usage', `"${wrong}" is not the number of a report.`, undefined, 2)
  const args = clear ? {} : { ids: rm.map(Number) }
  const done = (await withServer(options, (server) => server.ask('reports.rm', args))) as { readonly removed: number }
  result(options.json, done, () => (done.removed === 1 ? 'Removed 1 report.' : `Removed ${done.removed} reports.`))
}

function reportsText(list: readonly ReportInfo[]): string {
  const rows = list.map(({ id, time, subject, reason, reporter, text }) => [
    String(id),
    timeText(time),
    subject,
    reason,
    reporter,
    printable(text ?? ''),
  ])
  return table(['ID', 'TIME (UTC)', 'ADDRESS', 'REASON', 'REPORTED BY', 'TEXT'], rows)
}

/** Others wrote it: it must not move the cursor, nor look like another line. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 200)
}
