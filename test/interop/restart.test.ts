// SPDX-License-Identifier: Apache-2.0
// The real program, killed: what was acknowledged is there afterwards, the port is free again, and the log names nobody.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type Aenigma,
  type Bench,
  bench,
  type Child,
  freePorts,
  startAenigma,
  startSlixmpp,
} from '../support/process.ts'

/** They are strangers to each other, and write more than strangers may. */
const UNBRAKED = { options: { limits: { strangerMessagesPerHour: 1_000_000 } } }

const romeo = { name: 'romeo', password: 'by yonder blessed moon' }
const juliet = { name: 'juliet', password: 'swear not by the moon' }
const texts = ['The inconstant moon', 'La luna incostante 🌙', 'القمر المتقلب']

function fact(child: Child, saw: string): Promise<Readonly<Record<string, unknown>>> {
  const look = () => child.lines.map((line) => JSON.parse(line)).find((one) => one.saw === saw)
  return child.until(saw, look, 60_000)
}

function places({ ports: { starttls, tls }, ca }: Aenigma): object {
  return { starttls, tls, ca }
}

/** Romeo writes to Juliet, who is away, and then stores something: the answer to that says that all of it is on disk. */
async function written(of: Bench, server: Aenigma): Promise<Child> {
  await server.addUser(romeo.name, romeo.password)
  await server.addUser(juliet.name, juliet.password)
  const settings = { server: places(server), romeo, to: `${juliet.name}@localhost`, texts }
  const script = startSlixmpp(of, 'chat.py', 'send_durably', settings)
  assert.equal((await fact(script, 'acknowledged')).refusal, null)
  return script
}

async function received(of: Bench, server: Aenigma): Promise<readonly unknown[]> {
  const script = startSlixmpp(of, 'chat.py', 'catch_up', { server: places(server), user: juliet, last: texts.at(-1) })
  await script.succeeds(60_000)
  return (await fact(script, 'messages')).bodies as readonly unknown[]
}

/** DESIGN: the log has no JID, no address and no text at the default level. */
function assertSilent({ child }: Aenigma): void {
  const [greeting = '', ...log] = child.output.split('\n')
  assert.match(greeting, /"listening"/)
  assert.ok(log.some((line) => line.includes('"msg":"started"')))
  const names = [romeo, juliet].flatMap(({ name, password }) => [name, password])
  for (const secret of [...names, ...texts, '127.0.0.1', '::1', '@localhost', 'script']) {
    for (const line of log) assert.ok(!line.includes(secret), `${secret} is in the log: ${line}`)
  }
}

/** Messages for somebody who is away, the given end, another start on the same ports, and the messages arrive. */
async function survives(t: TestContext, end: (server: Aenigma, client: Child) => Promise<void>): Promise<void> {
  const of = bench(t)
  const ports = await freePorts()
  const server = await startAenigma(of, ports, UNBRAKED)
  const client = await written(of, server)
  await end(server, client)
  await client.end('SIGKILL')
  const again = await startAenigma(of, ports, UNBRAKED)
  assert.deepEqual(again.ports, ports, 'the ports are free again')
  assert.deepEqual(await received(of, again), texts)
  await again.stop()
  assertSilent(server)
  assertSilent(again)
}

test('what was acknowledged before kill -9 is delivered after the restart, and the log names nobody', (t) =>
  survives(t, (server) => server.crash()))

test('SIGTERM: who is connected is told, and everything is kept', (t) =>
  survives(t, async (server, client) => {
    await server.stop()
    assert.equal((await fact(client, 'farewell')).condition, 'system-shutdown')
  }))

test('after many kills in the middle of writing, nothing acknowledged is missing and nothing comes twice', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const acknowledged: string[] = []
  let server = await startAenigma(of, ports, UNBRAKED)
  await server.addUser(romeo.name, romeo.password)
  await server.addUser(juliet.name, juliet.password)
  for (let round = 0; round < 4; round++) {
    const settings = { server: places(server), romeo, to: 'juliet@localhost', prefix: `${round}` }
    const script = startSlixmpp(of, 'chat.py', 'send_endlessly', settings)
    await script.until('some acknowledgements', () => (script.lines.length >= 10 + 7 * round ? true : undefined))
    await server.crash()
    await script.end('SIGKILL')
    acknowledged.push(...script.lines.flatMap((line) => JSON.parse(line).acknowledged))
    server = await startAenigma(of, ports, UNBRAKED)
  }
  const settings = { server: places(server), user: juliet, last: acknowledged.at(-1) }
  const script = startSlixmpp(of, 'chat.py', 'catch_up', settings)
  await script.succeeds(60_000)
  const bodies = (await fact(script, 'messages')).bodies as readonly string[]
  const there = new Set(bodies)
  assert.deepEqual(
    acknowledged.filter((body) => !there.has(body)),
    [],
  )
  assert.equal(there.size, bodies.length, 'no message comes twice')
  assertSilent(server)
})
