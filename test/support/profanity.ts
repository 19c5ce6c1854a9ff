// SPDX-License-Identifier: Apache-2.0
// Debian's Profanity, typed at in a terminal (tmux): a person at the keyboard, for the tests.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Bench, Child, needs } from './process.ts'

/** How long a text may take to appear on the screen, in ms, and how often it is looked at. */
const PATIENCE = 30_000
const LOOK = 100
const TMUX = '/usr/bin/tmux'
const PROFANITY = '/usr/bin/profanity'

/**
 * Makes a directory as OpenSSL wants it, with the authority in `ca`; fails if Profanity or tmux is missing.
 * @returns the directory
 */
export function trustedDirectory(of: Bench, ca: string): string {
  needs(TMUX, 'tmux')
  needs(PROFANITY, 'profanity')
  needs('/usr/bin/openssl', 'openssl')
  const trusted = join(of.directory, 'trusted')
  mkdirSync(trusted)
  const hash = execFileSync('/usr/bin/openssl', ['x509', '-hash', '-noout', '-in', ca], { encoding: 'utf8' })
  copyFileSync(ca, join(trusted, `${hash.trim()}.0`))
  return trusted
}

/** One Profanity on a terminal of its own, with a home of its own. */
export class Terminal {
  readonly #of: Bench
  readonly #socket: string
  readonly #home: string

  constructor(of: Bench, name: string) {
    this.#of = of
    this.#socket = join(of.directory, `${name}.tmux`)
    this.#home = join(of.directory, `${name}.home`)
  }

  /** @param trust the directory of the authorities that it trusts */
  async start(trust: string): Promise<void> {
    mkdirSync(join(this.#home, 'profanity'), { recursive: true })
    const settings = [
      '[ui]',
      'vercheck=false',
      '[connection]',
      `tls.certpath=${trust}`,
      '[notifications]',
      'message=false',
    ]
    writeFileSync(join(this.#home, 'profanity', 'profrc'), settings.join('\n'))
    const env = ['HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME'].map((name) => `${name}=${this.#home}`)
    const program = ['env', ...env, 'LC_ALL=C.UTF-8', PROFANITY]
    await this.#tmux('-f', '/dev/null', '-u', 'new-session', '-d', '-x', '200', '-y', '40', ...program)
    this.#of.defer(() => {
      execFileSync(TMUX, ['-S', this.#socket, 'kill-server'])
    })
    await this.shows(/Version \d/)
  }

  /** Types a line. */
  async types(line: string): Promise<void> {
    await this.#tmux('send-keys', '-l', line)
    await this.#tmux('send-keys', 'Enter')
  }

  /** Waits until the screen shows this. @returns the match */
  shows(wanted: RegExp): Promise<RegExpExecArray> {
    return this.#until(wanted, () => undefined)
  }

  /** Types a question again and again until the screen shows this: for what Profanity does not tell by itself. @returns the match */
  asks(question: string, wanted: RegExp): Promise<RegExpExecArray> {
    return this.#until(wanted, () => this.types(question))
  }

  async #until(wanted: RegExp, before: () => Promise<void> | undefined): Promise<RegExpExecArray> {
    const end = Date.now() + PATIENCE
    let screen = ''
    while (Date.now() < end) {
      await before()
      screen = await this.#tmux('capture-pane', '-p')
      const found = wanted.exec(screen)
      if (found) return found
      await pause(LOOK)
    }
    assert.fail(`${wanted} is not on the screen:\n${screen}`)
  }

  #tmux(...args: readonly string[]): Promise<string> {
    return new Child(this.#of, { program: TMUX, args: ['-S', this.#socket, ...args] }).succeeds()
  }
}
