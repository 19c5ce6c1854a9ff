// SPDX-License-Identifier: Apache-2.0
// Reads lists of accounts: CSV (`jid,password[,admin]`, with or without that headline) or NDJSON (an object a line).

/** An account to be made. */
export interface ImportLine {
  /** From 1. */
  readonly line: number
  readonly jid: string
  readonly password: string
  readonly admin: boolean
}

/** A line that cannot be used. */
export interface BadLine {
  readonly line: number
  readonly problem: string
}

/** What a file says. */
export interface ImportFile {
  readonly good: readonly ImportLine[]
  readonly bad: readonly BadLine[]
}

interface Row {
  readonly line: number
  /** A CSV row's fields, an NDJSON line's value, or what is wrong with it. */
  readonly content: { readonly fields: readonly string[] } | { readonly problem: string }
}

/** Reads a list; NDJSON if it begins with a brace. */
export function parseImport(text: string): ImportFile {
  const plain = text.replace(/^\ufeff/, '')
  return plain.trimStart().startsWith('{') ? parseNdjson(plain) : parseCsv(plain)
}

function parseNdjson(text: string): ImportFile {
  return collect(
    text.split('\n').flatMap((source, index) => (source.trim() === '' ? [] : [readObject(source, index + 1)])),
  )
}

function readObject(source: string, line: number): ImportLine | BadLine {
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch {
    return { line, problem: 'this is not JSON' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { line, problem: 'must be an object' }
  const { jid, password, admin = false, ...rest } = value as Record<string, unknown>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) return { line, problem: `there is no field "${unknown}"; known are jid, password, admin` }
  if (typeof jid !== 'string' || typeof password !== 'string' || typeof admin !== 'boolean') {
    return { line, problem: 'jid and password must be text, admin true or false' }
  }
  return { line, jid, password, admin }
}

function parseCsv(text: string): ImportFile {
  const rows = csvRows(text)
  const [first] = rows
  const headline = first && 'fields' in first.content && /^(jid|address)$/i.test(first.content.fields[0]?.trim() ?? '')
  return collect((headline ? rows.slice(1) : rows).map(readRow))
}

function readRow({ line, content }: Row): ImportLine | BadLine {
  if ('problem' in content) return { line, problem: content.problem }
  const [jid = '', password, admin = '', ...more] = content.fields
  if (password === undefined) return { line, problem: 'the password is missing: write jid,password' }
  if (more.length > 0)
    return { line, problem: 'there are more than three fields; a password with a comma needs quotes' }
  const flag = FLAGS[admin.trim().toLowerCase()]
  if (flag === undefined) return { line, problem: `admin must be true or false, not "${admin}"` }
  return { line, jid: jid.trim(), password, admin: flag }
}

const FLAGS: Readonly<Record<string, boolean>> = {
  '': false,
  false: false,
  no: false,
  '0': false,
  true: true,
  yes: true,
  '1': true,
  admin: true,
}

/** RFC 4180: fields may stand in quotes, then with commas, line ends and doubled quotes. */
function csvRows(text: string): readonly Row[] {
  const rows: Row[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y
  let line = 1
  let begun = 1
  let fields: string[] = []
  for (let place = 0; place < text.length; ) {
    field.lastIndex = place
    const match = field.exec(text)
    if (!match) {
      rows.push({ line: begun, content: { problem: 'a quote stands where none may' } })
      const end = text.indexOf('\n', place)
      place = end < 0 ? text.length : end + 1
      begun = ++line
      fields = []
      continue
    }
    const [whole, quoted, bare, end] = match
    place += whole.length
    line += whole.split('\n').length - 1
    fields.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'))
    if (end === ',' && place < text.length) continue
    if (end === ',') fields.push('')
    if (fields.length > 1 || fields[0] !== '') rows.push({ line: begun, content: { fields } })
    begun = line
    fields = []
  }
  return rows
}

function collect(lines: readonly (ImportLine | BadLine)[]): ImportFile {
  const good: ImportLine[] = []
  const bad: BadLine[] = []
  const seen = new Map<string, number>()
  for (const line of lines) {
    if ('problem' in line) {
      bad.push(line)
      continue
    }
    const before = seen.get(line.jid.toLowerCase())
    if (before !== undefined) bad.push({ line: line.line, problem: `${line.jid} stands in line ${before} already` })
    else good.push(line)
    seen.set(line.jid.toLowerCase(), before ?? line.line)
  }
  return { good, bad }
}
