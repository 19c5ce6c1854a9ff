// SPDX-License-Identifier: Apache-2.0
// XEP-0288: one stream for both ways.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OURS, THEIRS, world } from '../../../test/support/other-servers.ts'

const SM = 'urn:xmpp:sm:3'
const BIDI = `<bidi xmlns='urn:xmpp:bidi'/>`
const ROMEO = `romeo@${THEIRS}`

const chat = (text: string): string => `<message type='chat' to='${ROMEO}'><body>${text}</body></message>`
const says = (text: string): string => `<message type='chat'><body>${text}</body></message>`
const hail = (text: string, from = ROMEO): string =>
  `<message type='chat' from='${from}' to='juliet@${OURS}'><body>${text}</body></message>`

test('who comes and can take stanzas gets ours; nobody is dialled', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  const montague = await place.visitor().enters(BIDI)
  juliet.sends(chat('one'))
  await montague.receives(says('one'))
  montague.sends(hail('two'))
  await juliet.receives(says('two'))
  assert.equal(place.dialer.calls, 0)
  assert.equal(place.streams.list().streams[0]?.bidi, true)
})

test('who cannot is dialled', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  await place.visitor().enters()
  juliet.sends(chat('one'))
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(says('one'))
})

test('what was sent before they counted is not counted, and not lost', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  const montague = await place.visitor().enters(BIDI)
  juliet.sends(chat('one'))
  await montague.receives(says('one'))
  montague.sends(`<enable xmlns='${SM}'/>`)
  await montague.receives(`<enabled xmlns='${SM}'/>`)
  juliet.sends(chat('two'))
  await montague.receives(says('two'))
  montague.sends(`<a xmlns='${SM}' h='1'/>`)
  montague.sends(`<r xmlns='${SM}'/>`)
  await montague.receives(`<a xmlns='${SM}' h='0'/>`)
  await place.stage.store.durable()
  assert.deepEqual(await place.stage.store.outbox.page(0, 10), [])
  montague.sends(`<a xmlns='${SM}' h='2'/>`)
  await montague.isClosed('undefined-condition')
})

test('nothing is sent to who asked for it before proving anything', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  const tybalt = place.visitor('tybalt.example')
  await tybalt.visits()
  tybalt.sends(BIDI)
  juliet.sends(chat('one'))
  const call = await place.dialer.next()
  assert.equal(call.to, THEIRS)
})

test('on a stream of ours they may send, for their domain alone', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat('one'))
  const host = await (await place.dialer.next()).connects().letsIn('', `<bidi xmlns='urn:xmpp:features:bidi'/>`)
  await host.receives(says('one'))
  host.sends(hail('two'))
  await juliet.receives(says('two'))
  host.sends(hail('three', 'tybalt@capulet.example'))
  await host.isClosed('invalid-from')
})

test('when such a stream breaks, the next one carries what it did not deliver; a second one is kept for that', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  const first = await place.visitor().enters(BIDI)
  const second = await place.visitor().enters(BIDI)
  juliet.sends(chat('one'))
  await first.receives(says('one'))
  first.link.clientVanishes()
  await second.receives(says('one'))
  assert.equal(place.dialer.calls, 0)
})

test('while we dial, who comes is faster', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat('one'))
  const call = await place.dialer.next()
  const montague = await place.visitor().enters(BIDI)
  await montague.receives(says('one'))
  assert.ok(call.signal.aborted)
  const late = call.connects()
  await late.isClosed(undefined)
})

test('when what we dial fails after all, who came meanwhile carries everything', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat('one'))
  juliet.sends(`<iq type='get' to='${THEIRS}' id='q'><ping xmlns='urn:xmpp:ping'/></iq>`)
  await juliet.settles()
  const host = (await place.dialer.next()).connects()
  await host.link.next()
  const montague = await place.visitor().enters(BIDI)
  host.link.clientVanishes()
  await montague.receives(says('one'))
  await montague.receives(`<iq type='get' id='q'/>`)
  assert.equal(place.dialer.calls, 1)
})
