// SPDX-License-Identifier: Apache-2.0
// A screen that nobody sees (Xvfb) with a window manager and somebody who types (xdotool), for programs with windows.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { type Bench, Child, needs } from './process.ts'

const SIZE = '1000x524x24'

/** A screen with programs on it. */
export interface Desktop {
  /** What programs need to find it. */
  readonly env: Readonly<Record<string, string>>
  /** Waits for a window of this name, brings it forward, and gives it the keyboard. */
  focuses(name: string): void
  /** Presses a key, as X names it. */
  presses(key: string): void
  /** Types a line. */
  types(text: string): void
  /** Saves what is on the screen as a PNG file. */
  photographs(file: string): void
}

/** Starts one; it ends with the test. */
export async function startDesktop(of: Bench): Promise<Desktop> {
  for (const [file, name] of [
    ['/usr/bin/Xvfb', 'xvfb'],
    ['/usr/bin/openbox', 'openbox'],
    ['/usr/bin/xdotool', 'xdotool'],
    ['/usr/bin/import', 'imagemagick'],
  ] as const) {
    needs(file, name)
  }
  const args = ['-displayfd', '1', '-screen', '0', SIZE, '-nolisten', 'tcp']
  const screen = new Child(of, { program: '/usr/bin/Xvfb', args })
  const display = `:${await screen.until('a display', () => screen.lines[0])}`
  const env = { DISPLAY: display, HOME: of.directory, LC_ALL: 'C.UTF-8' }
  new Child(of, { program: '/usr/bin/openbox', args: [], env })
  const run = (program: string, ...words: readonly string[]): void => {
    execFileSync(program, words, { env: { ...process.env, ...env }, timeout: 20_000, stdio: 'pipe' })
  }
  return {
    env,
    focuses: (name) =>
      run('/usr/bin/xdotool', 'search', '--sync', '--onlyvisible', '--name', name, 'windowactivate', '--sync'),
    presses: (key) => run('/usr/bin/xdotool', 'key', key),
    types(text) {
      run('/usr/bin/xdotool', 'type', '--delay', '20', text)
      run('/usr/bin/xdotool', 'key', 'Return')
    },
    photographs(file) {
      run('/usr/bin/import', '-display', display, '-window', 'root', file)
      assert.ok(file.endsWith('.png'))
    },
  }
}
