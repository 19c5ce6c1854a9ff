// SPDX-License-Identifier: Apache-2.0
// The server goes and comes back; for clients that resume (XEP-0198 §5) it was a short pause.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cast, nothingFor, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { chat, enableResume, failedWith, resume, SM } from '../../../test/support/resume.ts'

test('both go on where they were: nothing is missing, nothing comes twice, nobody was away', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const ids = [await enableResume(romeo), await enableResume(juliet)] as const
  juliet.sends(`<presence to='${romeo.full}'><show>chat</show></presence>`)
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  for (const text of ['one', 'two', 'three']) romeo.sends(chat(juliet.bare, text))
  await juliet.receives(`<message><body>one</body></message>`)
  juliet.sends(`<a xmlns='${SM}' h='1'/>`)
  await juliet.receives(`<message><body>two</body></message>`)
  await juliet.receives(`<message><body>three</body></message>`)
  await theatre.restarts()
  await juliet.isClosed('system-shutdown')
  await romeo.isClosed('system-shutdown')
  assert.equal(theatre.metrics.detached(), 2)

  const newRomeo = await resume(theatre, romeo, ids[0], 1, 3)
  newRomeo.sends(chat(juliet.bare, 'four'))
  await nothingFor(newRomeo)
  const newJuliet = await resume(theatre, juliet, ids[1], 2, 1)
  await newJuliet.receives(`<message from='${romeo.full}'><body>three</body></message>`)
  await newJuliet.receives(`<message from='${romeo.full}'><body>four</body></message>`)
  await newJuliet.receives(`<r xmlns='${SM}'/>`)
  newJuliet.sends(`<a xmlns='${SM}' h='4'/>`)
  await nothingFor(newJuliet)
  newJuliet.sends(`<presence type='unavailable'/>`)
  await newRomeo.receives(`<presence from='${juliet.full}' type='unavailable'/>`)
})

test('a client that got more than could be written down is believed, and what came since then is not taken for it', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  romeo.sends(chat(juliet.bare, 'one'))
  await juliet.receives(`<message><body>one</body></message>`)
  await theatre.restarts()
  const again = await theatre.enter('romeo', 'romeo')
  again.sends(chat(juliet.bare, 'since then'))
  await again.settles()
  const back = await resume(theatre, juliet, id, 3)
  await back.receives(`<message><body>since then</body></message>`)
  await back.receives(`<r xmlns='${SM}'/>`)
  back.sends(`<a xmlns='${SM}' h='4'/>`)
  await back.settles()
  await theatre.restarts()
  await nothingFor(await resume(theatre, juliet, id, 5))
})

test('what waits survives two restarts and the end of the session', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  await enableResume(juliet, 60)
  romeo.sends(chat(juliet.bare, 'one'))
  await romeo.settles()
  await stage.restarts()
  await stage.restarts()
  const again = await stage.stranger().logsIn(romeo.jid, 'secret', 'again')
  again.sends(chat(juliet.bare, 'two'))
  await again.settles()
  clock.advance(60_000)
  assert.equal(await stage.store.messages.offlineCount(juliet.jid.bare), 2)
  assert.deepEqual(await stage.store.sessions.all(), [])
})

test('a message that two sessions got before the restart does not come to one of them twice after it', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const { romeo, phone, laptop } = await stage.scene('romeo', { phone: 'juliet', laptop: 'juliet' })
  await enableResume(phone, 60)
  const id = await enableResume(laptop)
  romeo.sends(chat(phone.bare, 'for both'))
  await laptop.receives(`<message><body>for both</body></message>`)
  await stage.restarts()
  clock.advance(60_000)
  const back = await resume(stage, laptop, id, 1)
  await back.receives(`<presence from='${phone.full}' type='unavailable'/>`)
  await back.receives(`<r xmlns='${SM}'/>`)
  await nothingFor(back)
})

test('notes about a client go with its session', async () => {
  const { juliet, theatre } = await cast('juliet')
  await enableResume(juliet)
  for (const session of theatre.server.sessions()) session.note('test', { awake: true })
  await theatre.restarts()
  assert.deepEqual(
    [...theatre.server.sessions()].map((session) => session.notes.get('test')),
    [{ awake: true }],
  )
})

test('who cannot resume is gone, and its account that was removed has no session', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  romeo.sends(`<enable xmlns='${SM}'/>`)
  await romeo.receives(`<enabled xmlns='${SM}'/>`)
  const id = await enableResume(juliet)
  assert.equal((await theatre.store.sessions.all()).length, 1)
  await theatre.accounts.remove(juliet.jid.bare)
  assert.equal((await theatre.store.sessions.all()).length, 0)
  await theatre.restarts()
  assert.equal([...theatre.server.sessions()].length, 0)
  await theatre.accounts.add(juliet.jid.bare, 'secret')
  const next = theatre.stranger()
  await next.proves(juliet.jid.bare)
  next.sends(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
  await next.receives(failedWith('item-not-found'))
})

test('a session whose writing failed is written anew with the next commit', async () => {
  const { romeo, juliet, theatre } = await cast('romeo', 'juliet')
  const id = await enableResume(juliet)
  await theatre.store.durable()
  const { sessions } = theatre.store
  const write = sessions.write.bind(sessions)
  let fail = (): void => assert.fail('nothing was written')
  Object.assign(sessions, {
    write(changes: Parameters<typeof write>[0], failed: Parameters<typeof write>[1]) {
      Object.assign(sessions, { write })
      fail = () => {
        changes(1)
        failed(new Error('the disk is full'))
      }
    },
  })
  romeo.sends(chat(juliet.bare, 'one'))
  await romeo.settles()
  fail()
  romeo.sends(chat(juliet.bare, 'two'))
  await romeo.settles()
  await theatre.restarts()
  const back = await resume(theatre, juliet, id, 0)
  await back.receives(`<message><body>one</body></message>`)
  await back.receives(`<message><body>two</body></message>`)
})
