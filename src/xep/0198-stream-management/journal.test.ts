// SPDX-License-Identifier: Apache-2.0
// What is written of sessions that can be resumed: entries of a log, which stays short.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Theatre, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { chat, enableResume, resume } from '../../../test/support/resume.ts'
import { enters, makes, newRoom, OPEN } from '../../../test/support/rooms.ts'
import type { SessionChanges } from '../../store/store.ts'

interface Write extends SessionChanges {
  readonly number: number
}

/** Notes everything that is written from now on. */
function watch({ store }: Theatre): readonly Write[] {
  const { sessions } = store
  const write = sessions.write.bind(sessions)
  const seen: Write[] = []
  Object.assign(sessions, {
    write: (changes: Parameters<typeof write>[0], failed: Parameters<typeof write>[1]) =>
      write((number) => {
        const made = changes(number)
        seen.push({ number, ...made })
        return made
      }, failed),
  })
  return seen
}

test('what changes is an entry, and some time later the session is written whole and nobody needs the entry', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  const id = await enableResume(juliet)
  await stage.store.durable()
  const writes = watch(stage)
  romeo.sends(chat(juliet.bare, 'one'))
  await romeo.settles()
  await stage.store.durable()
  const entry = writes.at(-1)
  assert.ok(entry)
  assert.deepEqual(
    entry.changed.map(({ anew }) => anew),
    [false],
  )
  assert.ok(entry.floor <= entry.number)

  clock.advance(60_000)
  await stage.store.durable()
  const whole = writes.at(-1)
  assert.ok(whole)
  assert.deepEqual(
    whole.changed.map(({ anew }) => anew),
    [true],
  )
  assert.equal(whole.floor, whole.number, 'every entry before this one can go')
  clock.advance(60_000)
  await stage.store.durable()
  assert.equal(writes.at(-1), whole, 'nothing is written for nothing')

  await stage.restarts()
  const back = await resume(stage, juliet, id, 0)
  await back.receives(`<message><body>one</body></message>`)
})

test('what a session left in the log goes with it', async () => {
  const stage = await theatre()
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  await enableResume(juliet)
  await stage.store.durable()
  const writes = watch(stage)
  romeo.sends(chat(juliet.bare, 'one'))
  await romeo.settles()
  await stage.store.durable()
  const entry = writes.at(-1)
  assert.equal(entry?.changed.length, 1)
  await stage.accounts.remove(juliet.jid.bare)
  await stage.store.durable()
  const last = writes.at(-1)
  assert.ok(last && entry && last.floor > entry.number)
  assert.deepEqual(last.changed, [])
})

test('a long log is made short while it grows', async () => {
  const stage = await theatre()
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  await enableResume(juliet)
  const writes = watch(stage)
  const body = 'x'.repeat(200_000)
  for (let number = 0; number < 30; number++) {
    romeo.sends(chat(juliet.bare, body))
    await romeo.settles()
    await stage.store.durable()
  }
  const [first, last] = [writes[0], writes.at(-1)]
  assert.ok(first && last)
  assert.ok(last.floor > first.number, 'the first entries are gone')
  const whole = writes.filter(({ changed }) => changed.some(({ anew }) => anew))
  assert.ok(whole.length <= 3, `written whole ${whole.length} times`)
})

test('what is said in a room is written once for all who were sent it, and comes again after a restart', async () => {
  const stage = await theatre()
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  await enters(hag, room, 'hag')
  await crone.hearsOut()
  const ids = [await enableResume(crone), await enableResume(hag)] as const
  await stage.store.durable()
  const writes = watch(stage)
  const said = 'Harpier cries: ’tis time, ’tis time 🌙'
  crone.sends(`<message type='groupchat' to='${room}' id='one'><body>${said}</body></message>`)
  await crone.settles()
  await stage.store.durable()
  assert.equal(
    writes
      .map((write) => JSON.stringify(write))
      .join('')
      .split(said).length - 1,
    1,
  )
  await stage.restarts()
  for (const [who, id] of [
    [crone, ids[0]],
    [hag, ids[1]],
  ] as const) {
    const back = await resume(stage, who, id, 0)
    await back.receives(`<message from='${room}/crone' to='${who.full}' id='one'><body>${said}</body></message>`)
  }
})
