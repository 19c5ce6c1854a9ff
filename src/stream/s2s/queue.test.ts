// SPDX-License-Identifier: Apache-2.0
// What waits for another server, by itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { el } from '../../xml/element.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { parcel, Queue } from './queue.ts'

const [JULIET, ROMEO] = [Jid.parse('juliet@ours.example/balcony'), Jid.parse('romeo@theirs.example')]

test('news that is replaced over and over leaves nothing behind to look through', () => {
  const queue = new Queue({ queueStanzas: 100, queueBytes: 100_000 })
  const message = parcel(Stanza.of(el('message', NS_CLIENT, null, 'first'), JULIET, ROMEO), 0)
  const news = Array.from({ length: 50 }, (_, n) =>
    parcel(Stanza.of(el('presence', NS_CLIENT), JULIET.bare.withResource(`r${n}`), ROMEO), 0),
  )
  queue.push(message)
  // If what it replaces stayed there, looking for it would take so long that the test never ended.
  for (let round = 0; round < 20_000; round++) for (const one of news) queue.push({ ...one, since: round })
  assert.equal(queue.length, 51)
  assert.equal(queue.shift(), message)
  for (const { stanza } of news) {
    const next = queue.shift()
    assert.deepEqual([next?.stanza, next?.since], [stanza, 19_999])
  }
  assert.deepEqual([queue.shift(), queue.length, queue.bytes], [undefined, 0, 0])
})
