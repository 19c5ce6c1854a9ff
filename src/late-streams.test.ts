// SPDX-License-Identifier: Apache-2.0
// Streams between servers that are made when somebody needs them: once, and with what an earlier process left, once.
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { FakeClock } from '../test/support/fake-clock.ts'
import { OURS, THEIRS, world } from '../test/support/other-servers.ts'
import { LateStreams } from './late-streams.ts'
import { parseElement } from './xml/reader.ts'
import { Jid } from './xmpp/jid.ts'
import { NS_CLIENT, Stanza } from './xmpp/stanza.ts'

function message(text: string): Stanza {
  const element = parseElement(`<message type='chat'><body>${text}</body></message>`, NS_CLIENT)
  return Stanza.of(element, Jid.parse(`juliet@${OURS}`), Jid.parse(`romeo@${THEIRS}`))
}

/** A server whose streams are late, and what the other one hears of it. */
async function begin() {
  const clock = new FakeClock()
  const place = await world({ clock })
  const { parts } = place.streams
  const late = new LateStreams(parts)
  const hears = async (...texts: readonly string[]): Promise<void> => {
    const host = await (await place.dialer.next()).connects().letsIn()
    const heard = []
    for (const _ of texts) heard.push((await host.hears()).childText('body'))
    assert.deepEqual(heard, texts)
    assert.equal(place.dialer.calls, 1)
  }
  return { clock, place, late, hears, outbox: parts.store.outbox }
}

test('who sends while it is looked whether something is left gets no second set of streams', async () => {
  const { late, outbox, hears } = await begin()
  outbox.put({ way: `${OURS} ${THEIRS}`, since: 1, xml: message('old').xml(NS_CLIENT) })
  const started = late.start()
  late.carry(message('new'))
  await started
  late.carry(message('newer'))
  await hears('old', 'new', 'newer')
})

test('what waits goes on when a store that could not read can again, in order and once', async () => {
  const { clock, late, outbox, hears } = await begin()
  const read = outbox.page.bind(outbox)
  let failures = 2
  mock.method(outbox, 'page', async (after: number, count: number) => {
    if (failures-- > 0) throw new Error('no connection')
    return read(after, count)
  })
  late.carry(message('one'))
  await clock.awaited(5_000)
  clock.advance(5_000)
  await clock.awaited(5_000)
  late.carry(message('two'))
  clock.advance(5_000)
  await hears('one', 'two')
})
