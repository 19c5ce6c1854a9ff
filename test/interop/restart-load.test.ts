// SPDX-License-Identifier: Apache-2.0
// `aenigma restart` while 200 users chat: all resume (XEP-0198 §5), none logs in anew, and every message comes once, in order.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bench, freePorts, startAenigma } from '../support/process.ts'
import { ResumingClient } from '../support/resuming-client.ts'

const PAIRS = 100
/** Messages of each user before it is asked to restart, and after. */
const ENOUGH = 5
const AT_ONCE = 20
const password = 'by yonder blessed moon'

/** One of a pair: the next message is written when the other one's answer to the last has come. */
class Friend {
  readonly client: ResumingClient
  sent = 0
  readonly #to: string

  constructor(place: { readonly port: number; readonly ca: string }, name: string, to: string) {
    this.client = new ResumingClient({ ...place, name, password })
    this.#to = to
  }

  /** Chats until it has written as many as `last` says by then. */
  async chats(last: () => number): Promise<void> {
    const { client } = this
    while (this.sent < last()) {
      client.send(`<message type='chat' to='${this.#to}@localhost'><body>${this.sent++}</body></message>`)
      client.ask()
      await client.until('answer', () => client.bodies.length >= this.sent)
    }
    client.ask()
    await client.until('last acknowledgement', () => client.waiting === 0)
  }
}

/** Some at a time, as the backlog of a listening socket takes them. */
async function eachOf<T>(all: readonly T[], deed: (one: T) => Promise<void>): Promise<void> {
  const left = [...all]
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one; one = left.shift()) await deed(one)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

test('restart under the chat of 200 users: all resume, nothing is lost, nothing comes twice', async (t) => {
  const of = bench(t)
  const options = {
    accounts: { scramIterations: 4096, sha1: false },
    limits: {
      connectionsPerAddress: 1000,
      connectionsPerMinutePerAddress: 1000,
      strangerMessagesPerHour: 1_000_000,
    },
  }
  const server = await startAenigma(of, await freePorts(), { options })
  const pairs = Array.from({ length: PAIRS }, (_, number) => [`romeo${number}`, `juliet${number}`] as const)
  const accounts = pairs.flat().map((name) => `${name}@localhost,${password}\n`)
  await server.command(['user', 'import', '-'], accounts.join(''))
  const place = { port: server.ports.tls, ca: readFileSync(server.ca, 'utf8') }
  const friends = pairs.flatMap(([romeo, juliet]) => [
    new Friend(place, romeo, juliet),
    new Friend(place, juliet, romeo),
  ])
  await eachOf(friends, async ({ client }) => {
    await client.connects() // with a full login, for the only time
    client.send('<presence/>')
    client.ask()
    await client.until('acknowledgement', () => client.waiting === 0)
  })

  let last = Number.POSITIVE_INFINITY
  const chats = Promise.all(friends.map((friend) => friend.chats(() => last)))
  for (const { client } of friends) await client.until('some messages', () => client.bodies.length >= ENOUGH)
  const restart = server.command(['restart', '--json'])
  await Promise.all(friends.map(({ client }) => client.until('the end of the stream', () => !client.connected)))
  const before = friends.reduce((sum, { client }) => sum + client.bodies.length, 0)
  const open = friends.reduce((sum, { client }) => sum + client.waiting, 0)
  last = Math.max(...friends.map(({ sent }) => sent)) + ENOUGH
  const { restarted, pid } = JSON.parse(await restart)
  assert.deepEqual([restarted, pid], [true, server.child.pid], 'it is the same process')
  await eachOf(friends, ({ client }) => client.connects()) // anything but <resumed/> fails here
  await chats

  const all = Array.from({ length: last }, (_, number) => String(number))
  for (const { client } of friends) assert.deepEqual(client.bodies, all, 'each message came once, in order')
  const { sessions } = JSON.parse(await server.command(['status', '--json']))
  assert.equal(sessions, friends.length)
  const greetings = server.child.lines.filter((line) => line.includes('"listening"'))
  assert.equal(greetings.length, 2, 'it tells again that it is ready')
  t.diagnostic(
    `${last * friends.length} messages, ${before} before the restart, ${open} sent and not acknowledged in it`,
  )
  await server.stop()
})
