// SPDX-License-Identifier: Apache-2.0
// People on the servers of the test network, who do what a test tells them (`people.py`).
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Bench } from '../process.ts'
import type { Account } from './accounts.ts'
import { startScript, type World } from './world.ts'

/** How something came back. */
export interface Refusal {
  readonly condition: string
  readonly type: string
  readonly text: string
}

type Answer = { readonly number: number; readonly problem?: string } & Readonly<Record<string, unknown>>

/** Everybody, in one process. */
export class People {
  readonly #socket: Socket
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #count = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    createInterface({ input: socket }).on('line', (line) => {
      const answer: Answer = JSON.parse(line)
      this.#waiting.get(answer.number)?.(answer)
      this.#waiting.delete(answer.number)
    })
  }

  /** @param places where each domain's server is */
  static async start(of: Bench, world: World, places: Readonly<Record<string, object>>): Promise<People> {
    const path = join(of.directory, 'people')
    const child = startScript(world, 'people.py', 'serve', { places, socket: path })
    await child.until('readiness', () => child.lines[0])
    const socket = connect(path)
    of.defer(() => void socket.destroy())
    return new People(socket)
  }

  /** @param remembering whether what he heard before his connection broke counts */
  async logIn(user: Account, remembering = false): Promise<void> {
    const { refused } = await this.#ask('log_in', { user, remembering })
    assert.equal(refused, undefined, `${user.name} is let in at ${user.domain}`)
  }

  /** Says something that is not said twice; his server has it then. */
  async says(who: Account, to: Account | string, body: string, size = 0): Promise<void> {
    await this.#ask('says', { who: jid(who), to: typeof to === 'string' ? to : jid(to), body, size })
  }

  /** Waits until his server has acknowledged all that he said. */
  async acknowledged(who: Account): Promise<void> {
    await this.#ask('acknowledged', { who: jid(who) })
  }

  /** Waits until he hears it. @returns who said it, and how often it was heard */
  async hears(who: Account, body: string, within = 20): Promise<{ readonly sender: string; readonly times: number }> {
    const { sender, times } = await this.#ask('hears', { who: jid(who), body, within })
    return { sender: String(sender), times: Number(times) }
  }

  async hasHeard(who: Account, body: string): Promise<boolean> {
    return (await this.#ask('has_heard', { who: jid(who), body })).heard === true
  }

  /** Waits until what he said comes back. */
  async getsBack(who: Account, body: string, within = 40): Promise<Refusal> {
    const { condition, type, text } = await this.#ask('gets_back', { who: jid(who), body, within })
    return { condition: String(condition), type: String(type), text: String(text) }
  }

  /** Everything that he heard, in order, as often as he did. */
  async heard(who: Account): Promise<unknown> {
    return (await this.#ask('heard', { who: jid(who) })).bodies
  }

  /** Makes a room that everybody may enter. */
  async makesRoom(who: Account, room: string): Promise<void> {
    await this.#ask('makes_room', { who: jid(who), room })
  }

  async enters(who: Account, room: string, nick: string): Promise<void> {
    await this.#ask('enters', { who: jid(who), room, nick })
  }

  /** Whether he has seen somebody leave. */
  async hasSeenGo(who: Account, occupant: string): Promise<boolean> {
    return (await this.#ask('has_seen_go', { who: jid(who), occupant })).seen === true
  }

  async #ask(verb: string, words: object): Promise<Answer> {
    const number = ++this.#count
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#waiting.set(number, resolve)
    this.#socket.write(`${JSON.stringify({ number, verb, ...words })}\n`)
    const answer = await promise
    assert.equal(answer.problem, undefined, `${verb} ${JSON.stringify(words)}: ${answer.problem}`)
    return answer
  }
}

function jid({ name, domain }: Account): string {
  return `${name}@${domain}`
}
