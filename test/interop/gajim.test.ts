// SPDX-License-Identifier: Apache-2.0
// Debian's Gajim on a screen that nobody sees, against the real program in its trial mode: what is typed there is read by a
// client of another make, and the other way round.
import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startDesktop } from '../support/desktop.ts'
import { startGajim } from '../support/gajim.ts'
import { bench, startAenigma, startSlixmpp } from '../support/process.ts'

const of = bench({ after })

test('Gajim logs in and shows a conversation', { timeout: 180_000 }, async () => {
  const server = await startAenigma(of)
  const { starttls, tls } = server.ports
  const [romeo, juliet] = ['romeo', 'juliet'].map((name) => ({ name, password: `secret of ${name}` }))
  assert.ok(romeo && juliet)
  for (const { name, password } of [romeo, juliet]) await server.addUser(name, password)
  const settings = { server: { starttls, tls, ca: server.ca }, romeo, juliet }
  await startSlixmpp(of, 'chat.py', 'pair', settings).succeeds()
  const desktop = await startDesktop(of)

  const peer = startSlixmpp(of, 'gajim.py', 'converse', settings)
  const saw = (what: string): Promise<Readonly<Record<string, unknown>>> =>
    peer.until(what, () => peer.lines.map((line) => JSON.parse(line)).find((fact) => fact.saw === what), 60_000)
  await saw('ready')
  const certificate = join(server.data, 'tls', 'localhost.crt')
  startGajim(of, desktop, { ...romeo, port: starttls, certificate }, 'juliet@localhost')
  assert.equal((await saw('software')).name, 'Gajim')
  await saw('received')
  desktop.focuses('Gajim')
  desktop.presses('ctrl+Next')
  await saw('displayed')
  desktop.types('Is the day so young?')
  await saw('answer')
  await saw('end')
  const sessions: readonly { jid: string; encrypted: boolean }[] = JSON.parse(
    await server.command(['sessions', '--json']),
  )
  const session = sessions.find(({ jid }) => jid === 'romeo@localhost/gajim')
  assert.equal(session?.encrypted, true)
  // With PICTURE the one for the documentation is made.
  const picture = process.env.PICTURE ?? join(of.directory, 'gajim.png')
  desktop.photographs(picture)
  assert.ok(existsSync(picture) && statSync(picture).size > 5000)
})
