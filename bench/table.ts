// SPDX-License-Identifier: Apache-2.0
// The one table that comes out: a row for every figure, a column for every server.

/** What is known of a figure. */
interface Row {
  readonly figure: string
  readonly label: string
  readonly digits: number
  /** Whether more is better. */
  readonly more?: true
}

/** Figures by name, for each server. */
export type Results = ReadonlyMap<string, Readonly<Record<string, number>>>

function chatRows(name: string, label: string): Row[] {
  return [
    { figure: `${name}.full.cpu`, label: `${label}, full speed: CPU µs/message`, digits: 1 },
    { figure: `${name}.full.rate`, label: '  messages/s', digits: 0, more: true },
    { figure: `${name}.full.loop`, label: '  event-loop delay p99, ms', digits: 1 },
    { figure: `${name}.single.cpu`, label: `${label}, window 1: CPU µs/message`, digits: 1 },
    { figure: `${name}.single.rate`, label: '  messages/s', digits: 0, more: true },
    { figure: `${name}.fixed.cpu`, label: `${label}, fixed rate: CPU µs/message`, digits: 1 },
    { figure: `${name}.fixed.rate`, label: '  sustained messages/s', digits: 0, more: true },
    { figure: `${name}.fixed.p50`, label: '  delay p50, ms', digits: 2 },
    { figure: `${name}.fixed.p99`, label: '  delay p99, ms', digits: 2 },
  ]
}

function mamRows(name: string, size: string): Row[] {
  return [
    { figure: `${name}.p50`, label: `mam, newest 50 of ${size}: p50, ms`, digits: 2 },
    { figure: `${name}.p99`, label: '  p99, ms', digits: 2 },
    { figure: `${name}.cpu`, label: '  CPU ms each', digits: 2 },
  ]
}

function mucRows(name: string, size: string): Row[] {
  return [
    { figure: `${name}.cpu`, label: `muc, ${size} occupants: CPU µs/copy`, digits: 1 },
    { figure: `${name}.rate`, label: '  copies/s', digits: 0, more: true },
    { figure: `${name}.join`, label: '  joining: CPU µs/presence', digits: 1 },
  ]
}

const ROWS: readonly Row[] = [
  { figure: 'login.cpu', label: 'login: CPU ms each', digits: 2 },
  { figure: 'login.first', label: '  just after the start', digits: 2 },
  { figure: 'login.rate', label: '  logins/s', digits: 0, more: true },
  { figure: 'login-shared.cpu', label: '  on the port for everything: CPU ms each', digits: 2 },
  { figure: 'login-shared.rate', label: '  logins/s', digits: 0, more: true },
  { figure: 'login2.cpu', label: 'login by SASL2 and Bind 2: CPU ms each', digits: 2 },
  { figure: 'login2.rate', label: '  logins/s', digits: 0, more: true },
  { figure: 'login-fast.cpu', label: 'login by token: CPU ms each', digits: 2 },
  { figure: 'login-fast.rate', label: '  logins/s', digits: 0, more: true },
  { figure: 'idle.session', label: 'idle: KiB RSS/session', digits: 1 },
  { figure: 'idle.empty', label: '  MiB RSS without users', digits: 1 },
  { figure: 'idle.after', label: '  MiB RSS after logout', digits: 1 },
  { figure: 'idle-web.session', label: '  over WebSocket: KiB RSS/session', digits: 1 },
  ...chatRows('archive', 'chat, archived'),
  ...chatRows('plain', 'chat, archive off'),
  ...mamRows('mam.small', '20,000'),
  ...mamRows('mam.large', '1,000,000'),
  // Of 1 GiB with us; of 128 MiB with the peers, so that their runs end.
  { figure: 'upload.cpu', label: 'upload of one large file: CPU s/GiB', digits: 2 },
  { figure: 'upload.grown', label: '  MiB RSS more', digits: 0 },
  { figure: 'upload.rate', label: '  MiB/s', digits: 0, more: true },
  { figure: 'download.cpu', label: 'download of one large file: CPU s/GiB', digits: 2 },
  { figure: 'download.grown', label: '  MiB RSS more', digits: 0 },
  { figure: 'uploads.cpu', label: '200 uploads of 1 MiB at once: CPU ms each', digits: 2 },
  { figure: 'uploads.grown', label: '  MiB RSS more', digits: 0 },
  { figure: 'downloads.cpu', label: '200 downloads of 1 MiB at once: CPU ms each', digits: 2 },
  { figure: 'downloads.grown', label: '  MiB RSS more', digits: 0 },
  ...mucRows('muc.small', '200'),
  ...mucRows('muc.large', '2,000'),
  { figure: 's2s.out.cpu', label: 's2s, to Prosody: CPU µs/message, this server', digits: 1 },
  { figure: 's2s.out.both', label: '  both', digits: 1 },
  { figure: 's2s.out.rate', label: '  messages/s', digits: 0, more: true },
  { figure: 's2s.in.cpu', label: 's2s, from Prosody: CPU µs/message, this server', digits: 1 },
  { figure: 's2s.in.both', label: '  both', digits: 1 },
  { figure: 's2s.in.rate', label: '  messages/s', digits: 0, more: true },
  { figure: 's2s.same.cpu', label: 's2s, to another of its kind: CPU µs/message, sender', digits: 1 },
  { figure: 's2s.same.both', label: '  both', digits: 1 },
  { figure: 's2s.same.rate', label: '  messages/s', digits: 0, more: true },
  { figure: 'start.ms', label: 'start: ms to stream features', digits: 0 },
  { figure: 'crash.acknowledged', label: 'crash: messages acknowledged before kill -9', digits: 0, more: true },
  { figure: 'crash.missing', label: '  missing after it', digits: 0 },
  { figure: 'crash.doubled', label: '  doubled after it', digits: 0 },
]

/** How many times better we are than the best peer; below 1, worse. */
export function ratio(ours: number | undefined, peers: readonly number[], more: boolean): string {
  if (ours === undefined || ours === 0 || peers.length === 0) return '–'
  const best = more ? Math.max(...peers) : Math.min(...peers)
  if (best === 0) return '–'
  const times = more ? ours / best : best / ours
  return `${times < 10 ? times.toFixed(1) : Math.round(times)}x`
}

function cell(value: number | undefined, digits: number): string {
  if (value === undefined) return '–'
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Lines of cells as text: the first column to the left, the others to the right. */
export function align(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const padded = lines.map((line) =>
    line.map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0))),
  )
  return padded.map((line) => line.join('  ').trimEnd()).join('\n')
}

/** The table. */
export function renderTable(results: Results): string {
  const onPostgres = results.get('us-postgres')
  const more = (text: string): string[] => (onPostgres === undefined ? [] : [text])
  const lines = [['', 'us', 'Prosody', 'ejabberd', 'ratio', 'floor', ...more('us, PostgreSQL')]]
  for (const { figure, label, digits, more: up } of ROWS) {
    const [us, prosody, ejabberd, floor] = ['us', 'prosody', 'ejabberd', 'floor'].map(
      (server) => results.get(server)?.[figure],
    )
    if ([us, prosody, ejabberd, floor, onPostgres?.[figure]].every((value) => value === undefined)) continue
    const peers = [prosody, ejabberd].filter((value) => value !== undefined)
    const [a, b, c, d] = [us, prosody, ejabberd, floor].map((value) => cell(value, digits))
    lines.push([
      label,
      a ?? '',
      b ?? '',
      c ?? '',
      ratio(us, peers, up === true),
      d ?? '',
      ...more(cell(onPostgres?.[figure], digits)),
    ])
  }
  return align(lines)
}
