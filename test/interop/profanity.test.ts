// SPDX-License-Identifier: Apache-2.0
// Debian's Profanity, typed at in a terminal (tmux), against the real program in its trial mode.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Aenigma, type Bench, bench, Child, needs, startAenigma } from '../support/process.ts'

/** How long a text may take to appear on the screen, in ms, and how often it is looked at. */
const PATIENCE = 30_000
const LOOK = 150

const of = bench({ after })
let server: Aenigma
before(async () => {
  needs('/usr/bin/tmux', 'tmux')
  needs('/usr/bin/profanity', 'profanity')
  server = await startAenigma(of)
})

/** One Profanity on a terminal of its own. */
class Terminal {
  readonly #of: Bench
  readonly #socket: string

  constructor(name: string, owner: Bench) {
    this.#of = owner
    this.#socket = join(owner.directory, `${name}.tmux`)
  }

  async start(): Promise<void> {
    const home = `${this.#socket}.home`
    mkdirSync(home)
    const env = ['HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME'].map((name) => `${name}=${home}`)
    const program = ['env', ...env, 'LC_ALL=C.UTF-8', '/usr/bin/profanity']
    await this.#tmux('-u', 'new-session', '-d', '-x', '120', '-y', '40', ...program)
    this.#of.defer(() => {
      execFileSync('/usr/bin/tmux', ['-S', this.#socket, 'kill-server'])
    })
    await this.shows(/Version \d/)
  }

  /** Types a line. */
  async types(line: string): Promise<void> {
    await this.#tmux('send-keys', '-l', line)
    await this.#tmux('send-keys', 'Enter')
  }

  /** Waits until the screen shows this. */
  async shows(wanted: RegExp): Promise<void> {
    const end = Date.now() + PATIENCE
    let screen = ''
    while (Date.now() < end) {
      screen = await this.#tmux('capture-pane', '-p')
      if (wanted.test(screen)) return
      await pause(LOOK)
    }
    assert.fail(`${wanted} is not on the screen:\n${screen}`)
  }

  #tmux(...args: readonly string[]): Promise<string> {
    return new Child(this.#of, { program: '/usr/bin/tmux', args: ['-S', this.#socket, ...args] }).succeeds()
  }
}

async function loggedIn(name: string): Promise<Terminal> {
  await server.addUser(name, `secret of ${name}`)
  const terminal = new Terminal(name, of)
  await terminal.start()
  await terminal.types(`/connect ${name}@localhost server 127.0.0.1 port ${server.ports.starttls} tls trust`)
  await terminal.shows(/password:/i)
  await terminal.types(`secret of ${name}`)
  await terminal.shows(new RegExp(`${name}@localhost/\\S+ logged in successfully`))
  return terminal
}

test('two people log in, become contacts, see each other and chat', async () => {
  const romeo = await loggedIn('romeo')
  const juliet = await loggedIn('juliet')

  await romeo.types('/sub request juliet@localhost')
  await juliet.shows(
    /romeo@localhost.*subscription request|subscription request.*romeo@localhost|Received authorization request from romeo@localhost/i,
  )
  await juliet.types('/sub allow romeo@localhost')
  await romeo.shows(/juliet@localhost.*(authoriz|subscri|online)/i)
  await romeo.types('/who online')
  await romeo.shows(/juliet@localhost/)

  await romeo.types('/msg juliet@localhost Ciao, Giulietta! مرحبا')
  await juliet.shows(/romeo/)
  await juliet.types('/msg romeo@localhost Wherefore art thou?')
  await juliet.shows(/Ciao, Giulietta! مرحبا/)
  await romeo.shows(/Wherefore art thou\?/)
})
