// SPDX-License-Identifier: Apache-2.0
// The real program, killed under traffic: its clients resume (XEP-0198 §5), and nothing is lost.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bench, freePorts, startAenigma } from '../support/process.ts'
import { ResumingClient } from '../support/resuming-client.ts'

/** They are strangers to each other, and write more than strangers may. */
const UNBRAKED = { options: { limits: { strangerMessagesPerHour: 1_000_000 } } }

const ROUNDS = 4
const WINDOW = 200

test('kill -9 under traffic: both clients resume; nothing is lost, and nothing acknowledged comes twice', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  let server = await startAenigma(of, ports, UNBRAKED)
  await server.addUser('romeo', 'by yonder blessed moon')
  await server.addUser('juliet', 'swear not by the moon')
  const place = { port: ports.tls, ca: readFileSync(server.ca, 'utf8') }
  const romeo = new ResumingClient({ ...place, name: 'romeo', password: 'by yonder blessed moon' })
  const juliet = new ResumingClient({ ...place, name: 'juliet', password: 'swear not by the moon' })
  await romeo.connects()
  await juliet.connects()
  juliet.send('<presence/>')
  let sent = 0
  const say = (): void => romeo.send(`<message type='chat' to='juliet@localhost'><body>${sent++}</body></message>`)
  /** Those that Juliet may have got although the server could not write it down: Romeo sends them again. */
  const unsure = new Set<string>()

  for (let round = 0; round < ROUNDS; round++) {
    const enough = romeo.acknowledged + 400 + 150 * round
    while (romeo.acknowledged < enough) {
      const before = romeo.acknowledged
      for (let count = 0; count < 5 && romeo.waiting < WINDOW; count++) say()
      romeo.ask()
      if (romeo.waiting >= WINDOW) await romeo.until('acknowledgement', () => romeo.acknowledged > before)
      else await new Promise(setImmediate)
    }
    // In the moment in which Juliet has the first of these, hardly any of them can be on disk.
    const next = String(sent)
    for (let count = 0; count < 20; count++) say()
    await juliet.until('the next message', () => juliet.bodies.includes(next))
    await server.crash()
    for (let number = sent - romeo.waiting; number < sent; number++) unsure.add(String(number))
    await romeo.drops()
    await juliet.drops()
    server = await startAenigma(of, ports, UNBRAKED)
    // Now the one who writes is back first, now the one who reads.
    const [first, second] = round % 2 === 0 ? [romeo, juliet] : [juliet, romeo]
    await first.connects()
    await second.connects()
  }

  say()
  romeo.ask()
  await romeo.until('last acknowledgement', () => romeo.waiting === 0)
  await juliet.until('last message', () => juliet.bodies.at(-1) === String(sent - 1))
  const seen = new Set<string>()
  const twice = juliet.bodies.filter((body) => seen.size === seen.add(body).size)
  const all = Array.from({ length: sent }, (_, number) => String(number))
  assert.deepEqual([...seen], all, 'all of them came, in order')
  assert.deepEqual(
    twice.filter((body) => !unsure.has(body)),
    [],
  )
  t.diagnostic(`${sent} messages, ${twice.length} of ${unsure.size} unacknowledged ones came twice`)
  await server.stop()
})
