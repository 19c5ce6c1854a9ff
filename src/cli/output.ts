// SPDX-License-Identifier: Apache-2.0
// Printing: text for people, or JSON for programs.

/** Prints a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What others said, name servers and certificate authorities for instance: nothing of it may steer a terminal, nor look like another line. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 2000)
}

/** Prints the result: as JSON if that was asked for, else as text. */
export function result(json: boolean | undefined, value: unknown, text: () => string): void {
  say(json ? JSON.stringify(value) : text())
}

/** A table with a headline; columns are as wide as they need to be. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}

/** A time as people read it, in UTC. @param time ms since 1970 */
export function timeText(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ')
}

/** A span of time as people read it: its two largest units. */
export function spanText(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const units: readonly [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ]
  const first = units.findIndex(([amount]) => amount > 0)
  const shown = first < 0 ? units.slice(-1) : units.slice(first, first + 2)
  return shown.map(([amount, unit]) => `${amount} ${unit}`).join(' ')
}

/** Bytes as people read them. */
export function bytesText(bytes: number): string {
  return bytes < 1024 ** 2 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}

/** How long the rest takes if work goes on like this: nothing before that can be known, or if it is hardly worth a word. */
export function leftText(done: number, total: number, ms: number): string {
  const left = done === 0 ? 0 : (ms / done) * (total - done)
  return ms < 1000 || left < 1000 ? '' : `, about ${spanText(left)} left`
}

/** Shows how far long work has come: a bar on a terminal, else a line for each tenth. Writes to standard error. */
export function progressBar(what: string, total: number): { at(done: number): void; end(): void } {
  const out = process.stderr
  const began = performance.now()
  let tenth = 0
  return {
    at(done) {
      if (out.isTTY) {
        const filled = Math.round((done / total) * 30)
        const left = leftText(done, total, performance.now() - began)
        out.write(`\r${what} [${'#'.repeat(filled)}${' '.repeat(30 - filled)}] ${done}/${total}${left}\x1b[K`)
        return
      }
      const now = Math.floor((done / total) * 10)
      if (now > tenth) out.write(`${what}: ${done} of ${total}${leftText(done, total, performance.now() - began)}\n`)
      tenth = now
    },
    end() {
      if (out.isTTY) out.write('\r\x1b[K')
    },
  }
}
