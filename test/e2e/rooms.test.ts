// SPDX-License-Identifier: Apache-2.0
// Rooms with the program itself: the command line shows and removes them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bench, freePorts, startAenigma } from '../support/process.ts'
import { Wire } from '../support/wire.ts'

test('the command line shows the rooms and removes one; who is in it is told', async (t) => {
  const server = await startAenigma(bench(t), await freePorts(), { options: { accounts: { plain: true } } })
  await server.addUser('juliet', 'secret')
  assert.match(await server.command(['rooms']), /There are no rooms/)
  const juliet = await Wire.direct(server.ports.tls, { ca: readFileSync(server.ca) })
  await juliet.logsIn('juliet', 'balcony')
  const room = 'verona@rooms.localhost'
  await juliet.write(`<presence to='${room}/J'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  await juliet.until(/<subject/)
  const [info] = JSON.parse(await server.command(['rooms', '--json']))
  assert.deepEqual([info.jid, info.creator, info.places, info.inside], [room, 'juliet@localhost', 1, 1])
  assert.match(await server.command(['rooms']), /verona@rooms\.localhost +juliet@localhost +1 +1 +no/)
  assert.match(await server.command(['rooms', '--rm', room, 'none@rooms.localhost']), /Removed 1 room\./)
  await juliet.until(/<presence[^>]*type=.unavailable.*<destroy/)
  assert.deepEqual(JSON.parse(await server.command(['rooms', '--json'])), [])
  juliet.socket.destroy()
})
