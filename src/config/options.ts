// SPDX-License-Identifier: Apache-2.0
// The reference of all options (docs/OPTIONS.md), printed from the schemas; a test compares the file with this.
import { type About, strictObject } from '../shape.ts'
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
  const shape = { ...baseShape, ...featureShape(features) }
  const { properties = {} } = strictObject(shape).about
  const top = Object.entries(properties)
  const sections = top.filter(([, option]) => below(option) !== undefined)
  const plain = top.filter(([, option]) => below(option) === undefined)
  return [
    INTRODUCTION,
    `## At the top\n\n${table(plain)}`,
    ...sections.map(([key, option]) => {
      const text = option.description === undefined ? '' : `${option.description}\n\n`
      const named = option.properties === undefined ? `\`${key}\` has a group for each domain, with:` : ''
      return `## ${key}\n\n${text}${named === '' ? '' : `${named}\n\n`}${table(Object.entries(below(option) ?? {}))}`
    }),
  ].join('\n')
}

function below(option: About): Readonly<Record<string, About>> | undefined {
  return option.properties ?? option.additionalProperties?.properties
}

function table(options: readonly (readonly [string, About])[]): string {
  const rows = options.map(([key, option]) => {
    const cells = [`\`${key}\``, kindOf(option), defaultOf(option), option.description ?? '']
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return `| Option | Value | Default | What it does |\n|---|---|---|---|\n${rows.join('\n')}\n`
}

function kindOf(option: About): string {
  const kind = option.kind ?? option.enum?.join(', ') ?? option.type ?? ''
  const [least, most] = [option.least ?? option.minimum, option.most ?? option.maximum]
  if (least === undefined) return most === undefined ? kind : `${kind}, at most ${most}`
  return most === undefined ? `${kind}, at least ${least}` : `${kind}, ${least} to ${most}`
}

function defaultOf(option: About): string {
  const value = option.default
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return ''
  return [value]
    .flat()
    .map((item) => `\`${typeof item === 'string' ? item : JSON.stringify(item)}\``)
    .join(', ')
}
