// SPDX-License-Identifier: Apache-2.0
// The reference of all options (docs/OPTIONS.md), printed from the schemas; a test compares the file with this.
import * as v from 'valibot'
import { insideOf, type Schema } from './explain.ts'
import type { Told } from './kinds.ts'
import { featureShape, type OptionSource } from './load.ts'
import { baseShape } from './schema.ts'

const INTRODUCTION = `# Options

Printed from the code; do not edit. Only the domain and its certificate have no default. A good file is short:

\`\`\`yaml
domain: example.org
certificate:
  cert: /etc/ssl/example.org.crt
  key: /etc/ssl/example.org.key
\`\`\`

Times are written as \`30s\`, \`5m\`, \`2h\`, \`1d\` or \`1w\` (a plain number means seconds), sizes as \`256KiB\`, \`4MB\` or \`1GiB\`
(a plain number means bytes), places to listen at as \`[::]:5222\`, \`127.0.0.1:5222\` or just \`5222\`. Files and directories are
relative to the directory of the configuration file. \`aenigma config check\` says what is wrong with a file.
`

/** The whole page. */
export function renderOptions(features: readonly OptionSource[]): string {
  const top: readonly (readonly [string, Schema])[] = Object.entries({ ...baseShape, ...featureShape(features) })
  const sections = top.filter(([, option]) => below(option) !== undefined)
  const plain = top.filter(([, option]) => below(option) === undefined)
  return [
    INTRODUCTION,
    `## At the top\n\n${table(plain)}`,
    ...sections.map(([key, option]) => {
      const { description } = toldOf(option)
      const text = description === undefined ? '' : `${description}\n\n`
      const named = insideOf(option).entries === undefined ? `\`${key}\` has a group for each domain, with:` : ''
      return `## ${key}\n\n${text}${named === '' ? '' : `${named}\n\n`}${table(Object.entries(below(option) ?? {}))}`
    }),
  ].join('\n')
}

function below(option: Schema): Readonly<Record<string, Schema>> | undefined {
  const { entries, value } = insideOf(option)
  return entries ?? (value && insideOf(value).entries)
}

/** What was told of an option, or of what it may be. */
function toldOf(option: Schema): Told {
  return v.getMetadata((option.wrapped ?? option) as v.GenericSchema)
}

function table(options: readonly (readonly [string, Schema])[]): string {
  const rows = options.map(([key, option]) => {
    const cells = [`\`${key}\``, kindOf(option), defaultOf(option), toldOf(option).description ?? '']
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return `| Option | Value | Default | What it does |\n|---|---|---|---|\n${rows.join('\n')}\n`
}

function kindOf(option: Schema): string {
  const { entries, options } = insideOf(option)
  const bound = (type: string) => option.wrapped?.pipe?.find((check) => check.type === type)?.requirement
  const told = toldOf(option)
  const kind = told.kind ?? options?.join(', ') ?? (entries ? 'object' : '')
  const [least, most] = [told.least ?? bound('min_value'), told.most ?? bound('max_value')]
  if (least === undefined) return most === undefined ? kind : `${kind}, at most ${most}`
  return most === undefined ? `${kind}, at least ${least}` : `${kind}, ${least} to ${most}`
}

function defaultOf(option: Schema): string {
  const value = option.default
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return ''
  return [value]
    .flat()
    .map((item) => `\`${typeof item === 'string' ? item : JSON.stringify(item)}\``)
    .join(', ')
}
