// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import type { Element } from '../xml/element.ts'

const NS = 'urn:xmpp:message-retract:1'
const MAM = 'urn:xmpp:mam:2'
const SID = 'urn:xmpp:sid:0'

/** What is in the actor's archive. */
async function archived(actor: Actor): Promise<readonly Element[]> {
  actor.sends(`<iq type='set' id='q'><query xmlns='${MAM}'/></iq>`)
  const messages: Element[] = []
  for (let heard = await actor.hears(); heard.name !== 'iq'; heard = await actor.hears()) {
    const message = heard
      .child('result', MAM)
      ?.child('forwarded', 'urn:xmpp:forward:0')
      ?.child('message', 'jabber:client')
    if (message) messages.push(message)
  }
  return messages
}

/** An archive in short: bodies, and tombstones with the id of their retraction. */
async function short(actor: Actor): Promise<string> {
  return (await archived(actor))
    .map((message) => message.childText('body') ?? `†${message.child('retracted', NS)?.attrs.id ?? '?'}`)
    .join(' ')
}

async function says(from: Actor, to: Actor, id: string, content: string): Promise<void> {
  from.sends(`<message type='chat' to='${to.bare}' id='${id}'>${content}</message>`)
  await to.receives(`<message id='${id}'/>`)
}

function retract(id: string): string {
  return `<retract xmlns='${NS}' id='${id}'/><body>retracted</body><fallback xmlns='urn:xmpp:fallback:0' for='${NS}'/><store xmlns='urn:xmpp:hints'/>`
}

test('a retracted message becomes a tombstone in both archives, and the retraction stays (§5)', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  await says(romeo, juliet, 'wrong-recipient-1', `<body>Have not saints lips</body><thread>secret</thread>`)
  await says(romeo, juliet, 'other', `<body>other</body>`)
  clock.advance(5000)
  await says(romeo, juliet, 'retract-message-1', retract('wrong-recipient-1'))
  for (const actor of [juliet, romeo]) {
    assert.equal(await short(actor), '†retract-message-1 other retracted')
    const [tombstone] = await archived(actor)
    assert.deepEqual(tombstone?.attrs, { type: 'chat', from: romeo.full, to: juliet.bare, id: 'wrong-recipient-1' })
    assert.deepEqual(
      tombstone?.elements.map((element) => [element.name, element.attrs]),
      [['retracted', { id: 'retract-message-1', stamp: new Date(clock.now()).toISOString() }]],
    )
  }
})

test('only who sent a message takes it back (§6)', async () => {
  const { romeo, paris, juliet, phone } = await cast('romeo', 'paris', 'juliet', { phone: 'romeo' })
  await says(romeo, juliet, 'm', '<body>mine</body>')
  await says(paris, juliet, 'r1', retract('m'))
  await says(juliet, romeo, 'r2', retract('m'))
  assert.equal(await short(juliet), 'mine retracted retracted')
  await says(phone, juliet, 'r3', retract('m'))
  assert.equal(await short(juliet), '†r3 retracted retracted retracted')
})

test('an occupant of a room takes back nothing of another one (§6)', async () => {
  const { juliet, theatre: stage } = await cast('juliet')
  const x = `<x xmlns='http://jabber.org/protocol/muc#user'/>`
  const { thirdwitch, hecate } = await stage.scene({ thirdwitch: 'coven', hecate: 'coven' })
  await says(thirdwitch, juliet, 'pm', `<body>psst</body>${x}`)
  await says(hecate, juliet, 'r1', `${retract('pm')}${x}`)
  assert.equal(await short(juliet), 'psst retracted')
  await says(thirdwitch, juliet, 'r2', `${retract('pm')}${x}`)
  assert.equal(await short(juliet), '†r2 retracted retracted')
})

test('a message is found by its origin id, and its corrections go with it', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await says(romeo, juliet, 'a', `<body>one</body><origin-id xmlns="${SID}" id="or%ig_in"/>`)
  await says(romeo, juliet, 'b', `<body>two</body>`)
  await says(romeo, juliet, 'c', `<body>too</body><replace id='b' xmlns='urn:xmpp:message-correct:0'/>`)
  await says(romeo, juliet, 'r1', retract('or%ig_in'))
  await says(romeo, juliet, 'r2', retract('b'))
  assert.equal(await short(juliet), '†r1 †r2 †r2 retracted retracted')
})

test('what names nothing, itself, a retraction, or what is retracted already changes nothing', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await says(romeo, juliet, 'm', '<body>m</body>')
  await says(romeo, juliet, 'r1', retract('m'))
  await says(romeo, juliet, 'r2', retract('m'))
  await says(romeo, juliet, 'r3', retract('r3'))
  await says(romeo, juliet, 'r4', retract('r1'))
  await says(romeo, juliet, 'r5', retract(''))
  await says(romeo, juliet, 'r6', retract('%'))
  await says(romeo, juliet, 'r7', retract('x'.repeat(600)))
  assert.equal(await short(juliet), `†r1${' retracted'.repeat(7)}`)
})

test('what waits for somebody is retracted too, and they learn that it was', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const jid = await stage.account('juliet')
  romeo.sends(`<message type='chat' to='${jid}' id='m'><body>m</body></message>`)
  romeo.sends(`<message type='chat' to='${jid}' id='r'>${retract('m')}</message>`)
  assert.equal(await short(romeo), '†r retracted')
  const juliet = await stage.stranger().logsIn(jid, 'secret', 'balcony')
  juliet.sends('<presence/>')
  const got: string[] = []
  while (got.length < 2) {
    const heard = await juliet.hears()
    if (heard.name === 'message') got.push(heard.childText('body') ?? `†${heard.child('retracted', NS)?.attrs.id}`)
  }
  assert.deepEqual(got, ['†r', 'retracted'])
})
