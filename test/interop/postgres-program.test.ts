// SPDX-License-Identifier: Apache-2.0
// The real program with its accounts and messages in PostgreSQL, and people who use it with slixmpp, also over a restart.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { postgresCluster } from '../support/postgres.ts'
import { bench, freePorts, startAenigma, startSlixmpp } from '../support/process.ts'

const cluster = postgresCluster()
const romeo = { name: 'romeo', password: 'by yonder blessed moon' }
const juliet = { name: 'juliet', password: 'swear not by the moon' }
const [r, j] = ['romeo@localhost', 'juliet@localhost']
const texts = ['The inconstant moon', 'La luna incostante 🌙', 'القمر المتقلب']

test('two people chat on PostgreSQL; contacts and messages are there after a kill and after a restart', async (t) => {
  const of = bench(t)
  const ports = await freePorts()
  const setting = { options: { store: { postgres: cluster.newDatabase() } } }
  let server = await startAenigma(of, ports, setting)
  const place = { starttls: ports.starttls, tls: ports.tls, ca: server.ca }
  const play = async (scenario: string, settings: object) => {
    const child = startSlixmpp(of, 'chat.py', scenario, { server: place, ...settings })
    await child.succeeds(60_000)
    return child.lines.map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
  }
  await server.addUser(romeo.name, romeo.password)
  await server.addUser(juliet.name, juliet.password)

  assert.equal((await play('talk', { romeo, juliet, texts })).length, 2 * texts.length)
  const away = await play('while_away', { romeo, juliet, texts })
  const waited = away.filter(({ saw }) => saw === 'message')
  assert.deepEqual(
    waited.map(({ body, by }) => [body, by]),
    texts.map((text) => [text, 'localhost']),
  )
  for (const { stamp } of waited) assert.ok(Math.abs(Date.parse(String(stamp)) - Date.now()) < 60_000, String(stamp))
  await play('pair', { romeo, juliet })

  const writer = startSlixmpp(of, 'chat.py', 'send_durably', { server: place, romeo, to: j, texts })
  await writer.until('acknowledged', () => writer.lines[0])
  await server.crash()
  await writer.end('SIGKILL')
  server = await startAenigma(of, ports, setting)
  assert.deepEqual(await play('catch_up', { user: juliet, last: texts.at(-1) }), [{ saw: 'messages', bodies: texts }])
  await server.stop()
  server = await startAenigma(of, ports, setting)
  for (const [user, contact] of [
    [romeo, j],
    [juliet, r],
  ] as const) {
    assert.deepEqual(await play('contacts', { user }), [{ saw: 'roster', items: { [contact]: 'both' } }])
  }
  assert.match(await server.command(['status', '--json']), /"store":\s*"postgres"/)
  await server.stop()
  assert.ok(!existsSync(join(server.data, 'aenigma.db')), 'nothing was kept in SQLite')
})
