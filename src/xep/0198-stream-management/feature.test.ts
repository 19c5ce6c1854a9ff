// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, nothingFor, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { error } from '../../../test/support/match.ts'
import type { NewMessage } from '../../store/store.ts'

const SM = 'urn:xmpp:sm:3'

async function enable(actor: Actor): Promise<void> {
  actor.sends(`<enable xmlns='${SM}'/>`)
  await actor.receives(`<enabled xmlns='${SM}'/>`)
}

const chat = (to: string, text: string): string => `<message type='chat' to='${to}'><body>${text}</body></message>`

test('the server says how many stanzas it has handled, not counting those from before', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await enable(romeo)
  romeo.sends(`<r xmlns='${SM}'/>`)
  await romeo.receives(`<a xmlns='${SM}' h='0'/>`)
  for (const text of ['one', 'two', 'three']) romeo.sends(chat(juliet.bare, text))
  romeo.sends(`<r xmlns='${SM}'/>`)
  await romeo.receives(`<a xmlns='${SM}' h='3'/>`)
})

test('what was acknowledged is in the archive and in the queue', async () => {
  const { romeo, theatre } = await cast('romeo')
  const juliet = await theatre.account('juliet')
  await enable(romeo)
  for (let count = 0; count < 20; count++) romeo.sends(chat('juliet@localhost', `number ${count}`))
  romeo.sends(`<r xmlns='${SM}'/>`)
  await romeo.receives(`<a xmlns='${SM}' h='20'/>`)
  assert.equal(theatre.store.uncommitted, 0)
  assert.equal(await theatre.store.messages.offlineCount(juliet), 20)
})

test('a write that failed since the last count ends the stream of who cannot be told that all is kept', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  await enable(romeo)
  await enable(juliet)
  romeo.sends(chat(juliet.bare, 'is this kept?'))
  await romeo.settles()
  const refused = null as unknown as string // no database takes this for a text
  theatre.store.messages.append({
    xml: refused,
    from: romeo.jid,
    to: juliet.jid,
    archiveFor: [],
    offlineFor: undefined,
  })
  await assert.rejects(theatre.store.durable())
  juliet.sends(`<r xmlns='${SM}'/>`)
  await juliet.receivesAll(chat(juliet.bare, 'is this kept?'), `<a xmlns='${SM}' h='0'/>`) // she had sent nothing
  romeo.sends(`<r xmlns='${SM}'/>`)
  await romeo.isClosed('internal-server-error')
})

test('after ten stanzas the client is asked, and its answer is believed', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  await enable(juliet)
  for (let count = 0; count < 10; count++) romeo.sends(chat(juliet.bare, `number ${count}`))
  for (let count = 0; count < 10; count++) await juliet.receives(`<message><body>number ${count}</body></message>`)
  await juliet.receives(`<r xmlns='${SM}'/>`)
  juliet.sends(`<a xmlns='${SM}' h='10'/>`)
  juliet.link.clientVanishes()
  const next = await theatre.enter('juliet', 'next')
  await nothingFor(next)
})

test('a client that was sent little is asked soon, once for what came together', async () => {
  const clock = new FakeClock()
  const { romeo, juliet } = await (await theatre({ clock })).scene('romeo', 'juliet')
  await enable(juliet)
  for (const text of ['one', 'two']) romeo.sends(chat(juliet.bare, text))
  for (const text of ['one', 'two']) await juliet.receives(`<message><body>${text}</body></message>`)
  clock.advance(500)
  await juliet.receives(`<r xmlns='${SM}'/>`)
  clock.advance(60_000)
  await nothingFor(juliet)
})

test('a client that is sent something again and again is asked when that ends', async () => {
  const clock = new FakeClock()
  const { romeo, juliet } = await (await theatre({ clock })).scene('romeo', 'juliet')
  await enable(juliet)
  for (const text of ['one', 'two', 'three']) {
    romeo.sends(chat(juliet.bare, text))
    await juliet.receives(`<message><body>${text}</body></message>`)
    clock.advance(250)
    await nothingFor(juliet) // who is answered is sent something, too
  }
  clock.advance(500)
  await juliet.receives(`<r xmlns='${SM}'/>`)
})

test('a client that is sent much is asked no more often for that, and at the end for the rest', async () => {
  const clock = new FakeClock()
  const { romeo, juliet } = await (await theatre({ clock })).scene('romeo', 'juliet')
  await enable(juliet)
  for (let count = 0; count < 25; count++) romeo.sends(chat(juliet.bare, `number ${count}`))
  await romeo.settles()
  const seen: string[] = []
  while (seen.length < 27) seen.push((await juliet.hears()).name)
  assert.deepEqual([seen.filter((name) => name === 'r').length, seen.at(10), seen.at(21)], [2, 'r', 'r'])
  clock.advance(250)
  await nothingFor(juliet)
  clock.advance(500)
  await juliet.receives(`<r xmlns='${SM}'/>`)
})

test('a message that the client did not acknowledge waits for the next one', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  await enable(juliet)
  romeo.sends(chat(juliet.bare, 'did you get this?'))
  await romeo.settles()
  juliet.link.clientVanishes()
  const next = await theatre.enter('juliet', 'next', false)
  next.sends('<presence/>')
  await next.receives(`<presence/>`)
  await next.receives(
    `<message from='${romeo.full}'><body>did you get this?</body><delay xmlns='urn:xmpp:delay'/></message>`,
  )
})

test('nor is it lost when another client is there; who has it does not get it twice', async () => {
  const { romeo, laptop, phone } = await cast('romeo', { laptop: 'juliet', phone: 'juliet' })
  await enable(phone)
  romeo.sends(chat(phone.full, 'for your phone only'))
  romeo.sends(chat(phone.bare, 'for all of you'))
  await romeo.settles()
  await laptop.receives(`<message><body>for all of you</body></message>`)
  phone.link.clientVanishes()
  await laptop.receives(`<presence type='unavailable'/>`)
  await laptop.receives(`<message><body>for your phone only</body></message>`)
  await nothingFor(laptop)
})

test('a client that was connected but not available when a message came did not get it', async () => {
  const { romeo, phone, theatre } = await cast('romeo', { phone: 'juliet' })
  await enable(phone)
  const laptop = await theatre.enter('juliet', 'laptop', false)
  await laptop.settles()
  romeo.sends(chat(phone.bare, 'are you there?'))
  await romeo.settles()
  await laptop.appears()
  phone.link.clientVanishes()
  await laptop.receives(`<presence type='unavailable'/>`)
  await laptop.receives(`<message><body>are you there?</body></message>`)
  await nothingFor(laptop)
})

test('what a removed account did not acknowledge is not for the next one of that name', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  await enable(juliet)
  romeo.sends(chat(juliet.bare, 'for you alone'))
  await romeo.settles()
  await theatre.accounts.remove(juliet.jid)
  const next = await theatre.enter('juliet', 'next', false)
  next.sends('<presence/>')
  await next.receives(`<presence/>`)
  await nothingFor(next)
  assert.equal(await theatre.store.messages.offlineCount(juliet.jid), 0)
})

test('a message that may not be stored goes back if nobody got it', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await enable(juliet)
  const body = `<body>burn this</body><no-store xmlns='urn:xmpp:hints'/>`
  romeo.sends(`<message type='chat' to='${juliet.bare}'>${body}</message>`)
  await romeo.settles()
  juliet.link.clientVanishes()
  await romeo.receives(
    `<message type='error' from='${juliet.bare}'>${body}${error('cancel', 'service-unavailable')}</message>`,
  )
})

test('a message that nobody acknowledged and no disk can keep goes back', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  await enable(juliet)
  romeo.sends(chat(juliet.bare, 'did you get this?'))
  await romeo.settles()
  const { messages } = theatre.store
  Object.assign(messages, {
    append(_: NewMessage, failed?: (error: Error) => void) {
      setImmediate(() => failed?.(new Error('the disk is full')))
      return 1
    },
  })
  juliet.link.clientVanishes()
  await romeo.receives(
    `<message type='error'><body>did you get this?</body>${error('wait', 'internal-server-error')}</message>`,
  )
})

test('a count beyond the largest one ends the stream instead of keeping the server busy (§4)', async () => {
  const { juliet } = await cast('juliet')
  await enable(juliet)
  juliet.sends(`<a xmlns='${SM}' h='${2 * 2 ** 32}'/>`)
  await juliet.isClosed('bad-format')
})

test('who acknowledges more than was sent is told so and cut off', async () => {
  const { juliet } = await cast('juliet')
  await enable(juliet)
  juliet.sends(`<a xmlns='${SM}' h='8'/>`)
  await juliet.isClosed('undefined-condition')
})

test('an acknowledgement without a count, or before anything was enabled, ends the stream', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await enable(juliet)
  juliet.sends(`<a xmlns='${SM}' h='many'/>`)
  await juliet.isClosed('bad-format')
  romeo.sends(`<r xmlns='${SM}'/>`)
  await romeo.isClosed('policy-violation')
})

test('it is enabled once, and who has a session cannot resume another one', async () => {
  const { juliet } = await cast('juliet')
  await enable(juliet)
  juliet.sends(`<enable xmlns='${SM}'/>`)
  await juliet.receives(
    `<failed xmlns='${SM}'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`,
  )
  juliet.sends(`<resume xmlns='${SM}' previd='x' h='0'/>`)
  await juliet.receives(
    `<failed xmlns='${SM}'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`,
  )
})

test('it is not offered again to who enabled it together with the login', async () => {
  const stage = await theatre()
  await stage.account('juliet')
  const data = Buffer.from('\0juliet\0secret').toString('base64')
  const offered = async (wish: string): Promise<boolean> => {
    const client = stage.stranger()
    await client.opens()
    client.sends(
      `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>${data}</initial-response><bind xmlns='urn:xmpp:bind:0'>${wish}</bind></authenticate>`,
    )
    await client.receives(`<success xmlns='urn:xmpp:sasl:2'/>`)
    return (await client.receives('<features/>')).child('sm', SM) !== undefined
  }
  assert.equal(await offered(''), true)
  assert.equal(await offered(`<enable xmlns='${SM}'/>`), false)
})
