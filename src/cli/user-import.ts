// SPDX-License-Identifier: Apache-2.0
// `aenigma user import`: many accounts from a file. All lines are checked before the first account is made.
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { type BadEntry, IMPORT_PAGE, type ImportOutcome } from '../ops/admin.ts'
import { type Connection, withAccounts } from './connection.ts'
import { Failure } from './failure.ts'
import { type BadLine, type ImportLine, parseImport } from './import-file.ts'
import { progressBar, result } from './output.ts'
import { type CommonOptions, withCommonOptions } from './where.ts'

const HELP = `
The file is CSV (jid,password[,admin]; a headline is optional) or NDJSON ({"jid": …, "password": …, "admin": …} a line).
Accounts that exist are left as they are, so an import that was interrupted can simply be run again.

Examples:
  $ aenigma user import accounts.csv
  $ aenigma user import accounts.ndjson --skip-bad --json
  $ decrypt accounts.csv.age | aenigma user import -
`

type ImportOptions = CommonOptions & { readonly skipBad?: boolean }

interface Outcome extends ImportOutcome {
  readonly skipped: readonly BadLine[]
}

/** Adds the command. */
export function addUserImport(user: Command): void {
  withCommonOptions(user.command('import <file>').description('Make many accounts from a file; - is standard input.'))
    .option('--skip-bad', 'import the good lines even if there are bad ones')
    .addHelpText('after', HELP)
    .action(async (file: string, options: ImportOptions) => {
      const { good, bad } = parseImport(await textOf(file))
      const outcome = await withAccounts({ ...options, mayBeEmpty: true }, (accounts) =>
        importLines(accounts, good, bad, options.skipBad === true),
      )
      result(options.json, outcome, () => outcomeText(outcome))
    })
}

async function textOf(file: string): Promise<string> {
  if (file === '-') {
    const { text } = await import('node:stream/consumers')
    return text(process.stdin)
  }
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Failure('unreadable', `${file} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

async function importLines(
  accounts: Connection,
  good: readonly ImportLine[],
  unreadable: readonly BadLine[],
  skipBad: boolean,
): Promise<Outcome> {
  const refused = new Map<number, string>()
  for (const page of pages(good)) {
    const bad = (await accounts.ask('user.check', { entries: page.map(entryOf) })) as readonly BadEntry[]
    for (const { place, problem } of bad) refused.set(page[place]?.line ?? 0, problem)
  }
  const skipped = [...unreadable, ...[...refused].map(([line, problem]) => ({ line, problem }))].sort(
    (a, b) => a.line - b.line,
  )
  if (skipped.length > 0 && !skipBad) throw badLines(skipped)
  const usable = good.filter(({ line }) => !refused.has(line))
  return { ...(await importAll(accounts, usable)), skipped }
}

async function importAll(accounts: Connection, lines: readonly ImportLine[]): Promise<ImportOutcome> {
  const bar = progressBar('Importing', lines.length)
  bar.at(0)
  const existed: string[] = []
  let [added, done] = [0, 0]
  try {
    for (const page of pages(lines)) {
      const before = done
      const answer = await accounts.ask('user.import', { entries: page.map(entryOf) }, (progress) =>
        bar.at(before + progress.done),
      )
      const outcome = answer as ImportOutcome
      added += outcome.added
      existed.push(...outcome.existed)
      done += page.length
    }
  } finally {
    bar.end()
  }
  return { added, existed }
}

function pages(lines: readonly ImportLine[]): readonly (readonly ImportLine[])[] {
  const count = Math.ceil(lines.length / IMPORT_PAGE)
  return Array.from({ length: count }, (_, page) => lines.slice(page * IMPORT_PAGE, (page + 1) * IMPORT_PAGE))
}

function entryOf({ jid, password, admin }: ImportLine): object {
  return { jid, password, admin }
}

function badLines(bad: readonly BadLine[]): Failure {
  const lines = bad.map(({ line, problem }) => `line ${line}: ${problem}`).join('\n')
  return new Failure(
    'bad-lines',
    `nothing was imported, because of ${bad.length === 1 ? 'a line' : `${bad.length} lines`}:\n${lines}`,
    'Mend them, or import the others with --skip-bad.',
  )
}

function outcomeText({ added, existed, skipped }: Outcome): string {
  const lines = [`Added ${added} accounts.`]
  if (existed.length > 0) lines.push(`Left ${existed.length} as they were, since they existed: ${some(existed)}`)
  for (const { line, problem } of skipped) lines.push(`Skipped line ${line}: ${problem}`)
  return lines.join('\n')
}

function some(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`
}
