// SPDX-License-Identifier: Apache-2.0
// A connection breaks, the session does not (XEP-0198 §5).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, nothingFor, type Theatre, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { error } from '../../../test/support/match.ts'
import { chat, enableResume, failedWith, resume, SM } from '../../../test/support/resume.ts'
import type { Jid } from '../../xmpp/jid.ts'

test('a session can be resumed under an id that nobody guesses', async () => {
  const { juliet } = await cast('juliet')
  juliet.sends(`<enable xmlns='${SM}' resume='true' max='60'/>`)
  const enabled = await juliet.receives(`<enabled xmlns='${SM}' resume='true' max='60'/>`)
  assert.match(enabled.attrs.id ?? '', /^[\w-]{24}$/)
})

test('who wants to wait longer than the server does is told for how long it does', async () => {
  const { juliet } = await cast('juliet')
  juliet.sends(`<enable xmlns='${SM}' resume='true' max='86400'/>`)
  await juliet.receives(`<enabled xmlns='${SM}' resume='true' max='600'/>`)
})

test('what was sent while the connection was broken comes in order, and once', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  romeo.sends(chat(juliet.bare, 'one'))
  await juliet.receives(`<message><body>one</body></message>`)
  romeo.sends(chat(juliet.bare, 'two'))
  await romeo.settles()
  juliet.link.clientVanishes()
  romeo.sends(chat(juliet.bare, 'three'))
  romeo.sends(`<iq type='get' id='v' to='${juliet.full}'><query xmlns='jabber:iq:version'/></iq>`)
  romeo.sends(chat(juliet.full, 'four'))
  await romeo.settles()
  const again = await resume(theatre, juliet, id, 1)
  await again.receives(`<message><body>two</body></message>`)
  await again.receives(`<message><body>three</body></message>`)
  await again.receives(`<iq type='get' id='v'/>`)
  await again.receives(`<message><body>four</body></message>`)
  await again.receives(`<r xmlns='${SM}'/>`)
  again.sends(`<a xmlns='${SM}' h='5'/>`)
  romeo.sends(chat(juliet.full, 'five'))
  await again.receives(`<message><body>five</body></message>`)
  await nothingFor(again)
})

test('the server says what it has of the client, which goes on from there', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  juliet.sends(chat(romeo.bare, 'one'))
  juliet.sends(chat(romeo.bare, 'two'))
  await romeo.receives(`<message><body>one</body></message>`)
  await romeo.receives(`<message><body>two</body></message>`)
  juliet.link.clientVanishes()
  const again = await resume(theatre, juliet, id, 0, 2)
  again.sends(chat(romeo.bare, 'three'))
  await romeo.receives(`<message from='${juliet.full}'><body>three</body></message>`)
  again.sends(`<r xmlns='${SM}'/>`)
  await again.receives(`<a xmlns='${SM}' h='3'/>`)
})

test('nobody notices: presence does not flap, and the roster is still pushed', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  juliet.sends(`<presence to='${romeo.full}'/>`)
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  const id = await enableResume(juliet)
  juliet.link.clientVanishes()
  await nothingFor(romeo)
  assert.equal([...theatre.server.sessions()].filter((session) => !session.attached).length, 1)
  assert.equal(theatre.metrics.detached(), 1)
  const again = await resume(theatre, juliet, id, 0)
  await nothingFor(romeo)
  assert.equal(theatre.metrics.detached(), 0)
  again.sends(`<presence type='unavailable'/>`)
  await romeo.receives(`<presence from='${juliet.full}' type='unavailable'/>`)
})

test('a connection that hangs gives way to the one that resumes', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  romeo.sends(chat(juliet.bare, 'one'))
  await juliet.receives(`<message><body>one</body></message>`)
  const again = await resume(theatre, juliet, id, 0)
  await juliet.isClosed('conflict')
  await again.receives(`<message><body>one</body></message>`)
  await again.receives(`<r xmlns='${SM}'/>`)
  romeo.sends(chat(juliet.bare, 'two'))
  await again.receives(`<message><body>two</body></message>`)
})

test('an unknown id is refused, and the client may bind instead', async () => {
  const { juliet, theatre } = await cast('juliet')
  const other = theatre.stranger()
  await other.proves(juliet.jid)
  other.sends(`<resume xmlns='${SM}' previd='nonsense' h='0'/>`)
  await other.receives(failedWith('item-not-found'))
  other.sends(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
  await other.receives(`<iq type='result' id='bind'/>`)
})

test('who guesses ids is cut off', async () => {
  const { juliet, theatre } = await cast('juliet')
  const other = theatre.stranger()
  await other.proves(juliet.jid)
  for (let count = 0; count < 6; count++) {
    other.sends(`<resume xmlns='${SM}' previd='guess ${count}' h='0'/>`)
    await other.receives(failedWith('item-not-found'))
  }
  await other.isClosed('policy-violation')
})

test('of a session of somebody else nobody learns that it exists', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  const thief = theatre.stranger()
  await thief.proves(romeo.jid)
  thief.sends(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
  const refusal = await thief.receives(failedWith('item-not-found'))
  assert.equal(refusal.attrs.h, undefined)
  romeo.sends(chat(juliet.bare, 'still there?'))
  await juliet.receives(`<message><body>still there?</body></message>`)
})

test('who claims to have got more than was sent is cut off, and may come back with the right count', async () => {
  const { juliet, theatre } = await cast('juliet')
  const id = await enableResume(juliet)
  juliet.link.clientVanishes()
  const wrong = theatre.stranger()
  await wrong.proves(juliet.jid)
  wrong.sends(`<resume xmlns='${SM}' previd='${id}' h='7'/>`)
  await wrong.isClosed('undefined-condition')
  await nothingFor(await resume(theatre, juliet, id, 0))
})

test('who closes the stream properly is gone, and is told what was handled if it asks', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  juliet.sends(chat(romeo.bare, 'goodbye'))
  await romeo.receives(`<message><body>goodbye</body></message>`)
  juliet.link.clientCloses()
  await juliet.isClosed(undefined)
  const again = theatre.stranger()
  await again.proves(juliet.jid)
  again.sends(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
  await again.receives(`<failed xmlns='${SM}' h='1'/>`)
})

test('who does not come back in time is unavailable, and what was sent to it waits for the next client', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  juliet.sends(`<presence to='${romeo.full}'/>`)
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  await enableResume(juliet, 60)
  juliet.link.clientVanishes()
  romeo.sends(chat(juliet.bare, 'are you there?'))
  romeo.sends(`<iq type='get' id='v' to='${juliet.full}'><query xmlns='jabber:iq:version'/></iq>`)
  await nothingFor(romeo)
  clock.advance(60_000)
  await romeo.receives(`<presence from='${juliet.full}' type='unavailable'/>`)
  await romeo.receives(`<iq type='error' id='v' from='${juliet.full}'>${error('cancel', 'service-unavailable')}</iq>`)
  const next = await logsIn(stage, juliet.jid)
  next.sends('<presence/>')
  await next.receives(`<presence/>`)
  await next.receives(`<message from='${romeo.full}'><body>are you there?</body></message>`)
  await nothingFor(next)
})

test('a client that is silent is asked, taken for gone, and may come back', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const { juliet } = await stage.scene('juliet')
  const id = await enableResume(juliet)
  clock.advance(600_000)
  await juliet.receives(`<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>`)
  clock.advance(500)
  await juliet.receives(`<r xmlns='${SM}'/>`)
  clock.advance(90_000)
  await juliet.isClosed('connection-timeout')
  const again = await resume(stage, juliet, id, 1)
  await nothingFor(again)
})

test('who is replaced by a client of the same resource does not come back', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  juliet.link.clientVanishes()
  romeo.sends(chat(juliet.full, 'for you'))
  await romeo.settles()
  const next = await logsIn(theatre, juliet.jid)
  next.sends('<presence/>')
  await next.receives(`<presence/>`)
  await next.receives(`<message><body>for you</body></message>`)
  const late = theatre.stranger()
  await late.proves(juliet.jid)
  late.sends(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
  await late.receives(failedWith('item-not-found'))
})

test('a new password ends sessions that wait', async () => {
  const { juliet, theatre } = await cast('juliet')
  await enableResume(juliet)
  juliet.link.clientVanishes()
  await theatre.accounts.setPassword(juliet.jid, 'another')
  assert.equal([...theatre.server.sessions()].length, 0)
})

test('what waits is bounded: beyond that the session ends, and nothing of it is lost', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  await enableResume(juliet)
  juliet.link.clientVanishes()
  const long = 'x'.repeat(200_000)
  for (let count = 0; count < 42; count++) romeo.sends(chat(juliet.bare, long))
  await romeo.settles()
  assert.equal([...theatre.server.sessions()].length, 1)
  assert.equal(await theatre.store.messages.offlineCount(juliet.jid.bare), 42)
})

test('a long queue comes in portions, so that the connection is not cut for not taking it at once', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  juliet.link.clientVanishes()
  const long = 'x'.repeat(200_000)
  for (let count = 0; count < 8; count++) romeo.sends(chat(juliet.bare, `${count} ${long}`))
  await romeo.settles()
  const again = await resume(theatre, juliet, id, 0)
  romeo.sends(chat(juliet.bare, `8 meanwhile`))
  await romeo.settles()
  for (let count = 0; count < 9; count++) {
    const message = await again.receives('<message/>')
    assert.equal(message.childText('body')?.slice(0, 2), `${count} `)
    if (count % 3 < 2) continue
    await again.receives(`<r xmlns='${SM}'/>`)
    again.sends(`<a xmlns='${SM}' h='${count + 1}'/>`)
  }
  romeo.sends(chat(juliet.bare, 'at once'))
  await again.receives('<message><body>at once</body></message>')
})

test('of one account only a few sessions wait; the one that waits longest ends', async () => {
  const stage = await theatre()
  const clients: Actor[] = []
  for (let count = 0; count < 6; count++) clients.push(await stage.enter('juliet', `client-${count}`))
  const ids: string[] = []
  for (const client of clients) {
    await client.settles()
    ids.push(await enableResume(client))
  }
  for (const client of clients) client.link.clientVanishes()
  const waiting = [...stage.server.sessions()].map((session) => session.resource)
  assert.deepEqual(waiting, ['client-1', 'client-2', 'client-3', 'client-4', 'client-5'])
})

test('who waits makes room for who is there', async () => {
  const stage = await theatre({ limits: { sessionsPerAccount: 1 } })
  const phone = await stage.enter('juliet', 'phone')
  await enableResume(phone)
  phone.link.clientVanishes()
  const laptop = await stage.enter('juliet', 'laptop')
  await laptop.settles()
  assert.deepEqual(
    [...stage.server.sessions()].map((session) => session.resource),
    ['laptop'],
  )
})

async function logsIn(stage: Theatre, jid: Jid): Promise<Actor> {
  return stage.stranger().logsIn(jid, 'secret', jid.resource ?? '')
}
