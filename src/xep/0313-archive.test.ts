// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as v from 'valibot'
import { type Actor, cast, type Theatre, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'
import { parseElement } from '../xml/reader.ts'
import { archive } from './0313-archive.ts'

const HINTS = 'urn:xmpp:hints'

/** What is in the archive of an account, as XML texts. */
async function archiveOf(stage: Theatre, actor: Actor): Promise<readonly string[]> {
  const { messages } = await stage.store.messages.page(actor.jid.bare, { limit: 100 })
  return messages.map(({ xml }) => xml)
}

test('a message is kept for its sender and its addressee, as one (§6.1.1)', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  romeo.sends(
    `<message type='chat' to='${juliet.bare}' id='m1' xml:lang='en'><body>Wherefore &amp; why?</body></message>`,
  )
  await juliet.receives(`<message id='m1'/>`)
  const [mine, hers] = await Promise.all([
    stage.store.messages.page(romeo.jid.bare, { limit: 10 }),
    stage.store.messages.page(juliet.jid.bare, { limit: 10 }),
  ])
  assert.equal(mine.messages.length, 1)
  assert.deepEqual(mine.messages, hers.messages)
  assertLike(
    parseElement(mine.messages[0]?.xml ?? '', 'jabber:client'),
    `<message type='chat' from='${romeo.full}' to='${juliet.bare}' id='m1' xml:lang='en'><body>Wherefore &amp; why?</body></message>`,
  )
})

test('a message to oneself, or to many clients, is kept once', async () => {
  const { phone, laptop, romeo, theatre: stage } = await cast({ phone: 'juliet', laptop: 'juliet' }, 'romeo')
  phone.sends(`<message to='${phone.bare}'><body>note</body></message>`)
  await laptop.receives(`<message><body>note</body></message>`)
  romeo.sends(`<message type='chat' to='${phone.bare}'><body>to both</body></message>`)
  await laptop.receives(`<message><body>to both</body></message>`)
  assert.equal((await archiveOf(stage, phone)).length, 2)
})

test('what is worth keeping is kept, and nothing else', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  const kept = [
    `<message type='chat'><body>chat</body></message>`,
    `<message><subject>normal</subject></message>`,
    `<message type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>`,
    `<message type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>`,
    `<message type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>`,
    `<message type='chat'><store xmlns='${HINTS}'/></message>`,
    `<message type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/><body>with a state</body></message>`,
  ]
  const dropped = [
    `<message type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread></message>`,
    `<message type='chat'><body>secret</body><no-store xmlns='${HINTS}'/></message>`,
    `<message type='chat'><body>off the record</body><no-permanent-store xmlns='${HINTS}'/></message>`,
    `<message type='chat'><store xmlns='${HINTS}'/><no-store xmlns='${HINTS}'/></message>`,
    `<message type='headline'><body>news</body></message>`,
    `<message type='groupchat'><body>all</body></message>`,
    `<message type='error'><body>broken</body></message>`,
    `<message type='chat'/>`,
  ]
  for (const message of [...kept, ...dropped]) {
    romeo.sends(message.replace('<message', `<message to='${juliet.full}'`))
    await juliet.hears()
  }
  const archived = await archiveOf(stage, juliet)
  assert.equal(archived.length, kept.length)
  for (const [place, message] of kept.entries())
    assertLike(parseElement(archived[place] ?? '', 'jabber:client'), message)
})

test('what goes back to its sender is in no archive (§6.1)', async () => {
  const stage = await theatre({ limits: { offlineMessages: 0 } })
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  for (const name of ['juliet', 'nobody']) {
    romeo.sends(`<message type='chat' to='${name}@localhost'><body>?</body></message>`)
    await romeo.receives(`<message type='error' from='${name}@localhost'/>`)
  }
  assert.deepEqual(await archiveOf(stage, romeo), [])
})

test('a message that has to wait is stored once, for the archives and for later', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const juliet = await stage.account('juliet')
  romeo.sends(`<message type='chat' to='${juliet}'><body>Later</body></message>`)
  await romeo.receivesNothing()
  const { messages } = stage.store
  const hers = (await messages.page(juliet, { limit: 10 })).messages
  assert.equal(hers.length, 1)
  assert.deepEqual((await messages.page(romeo.jid.bare, { limit: 10 })).messages, hers)
  assert.deepEqual(await messages.offline(juliet, 10), [{ ...hers[0], archived: true }])
})

test('it can be turned off, and on again by a reload', async () => {
  const options: Record<string, unknown> = { archive: 'off' }
  const stage = await theatre({ options })
  const romeo = await stage.enter('romeo')
  const juliet = await stage.enter('juliet')
  await stage.account('nurse')
  for (const archive of ['off', 'on']) {
    options.archive = archive
    romeo.sends(`<message type='chat' to='${juliet.bare}'><body>${archive}</body></message>`)
    await juliet.receives(`<message><body>${archive}</body></message>`)
    romeo.sends(`<message type='chat' to='nurse@localhost'><body>${archive}</body></message>`)
    await romeo.receivesNothing()
  }
  assert.equal((await archiveOf(stage, romeo)).length, 2)
  assert.equal((await archiveOf(stage, juliet)).length, 1)
})

test('when the disk fails, a message that was delivered is not bounced', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  Object.assign(stage.store.messages, {
    append(_: unknown, failed?: (error: Error) => void) {
      queueMicrotask(() => failed?.(new Error('the disk is full')))
      return 1
    },
  })
  romeo.sends(`<message type='chat' to='${juliet.bare}'><body>Hello</body></message>`)
  await juliet.receives(`<message><body>Hello</body></message>`)
  await romeo.receivesNothing()
})

test('what is too old or too much leaves the archives by the hour', async () => {
  const clock = new FakeClock()
  const options: Record<string, unknown> = {}
  const stage = await theatre({ clock, options, limits: { idleTimeout: 1e12 } })
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  const trimmed = watchTrims(stage)
  const say = async (body: string): Promise<void> => {
    romeo.sends(`<message type='chat' to='${juliet.bare}'><body>${body}</body></message>`)
    await juliet.receives(`<message><body>${body}</body></message>`)
  }
  const bodies = async (): Promise<string> =>
    (await archiveOf(stage, juliet)).map((xml) => /<body>(.*)<\/body>/.exec(xml)?.[1]).join(' ')
  for (const body of ['a', 'b', 'c', 'd']) {
    await say(body)
    clock.advance(20 * 60_000)
  }
  assert.deepEqual(trimmed, []) // the hour came twice, but nothing is said of any bound
  options.archiveKeep = 110 * 60_000
  clock.advance(55 * 60_000)
  await Promise.all(trimmed)
  assert.equal(await bodies(), 'b c d')
  options.archiveKeep = undefined
  options.archiveMessages = 1
  clock.advance(10 * 60_000)
  await Promise.all(trimmed)
  assert.equal(await bodies(), 'b c d')
  clock.advance(3_600_000)
  await Promise.all(trimmed)
  assert.equal(await bodies(), 'd')
})

/** Every trimming from now on. */
function watchTrims(stage: Theatre): Promise<number>[] {
  const trims: Promise<number>[] = []
  const { messages } = stage.store
  const trim = messages.trim.bind(messages)
  Object.assign(messages, {
    trim(...args: Parameters<typeof trim>) {
      const done = trim(...args)
      trims.push(done)
      return done
    },
  })
  return trims
}

test('how long messages stay is at least a day, or for ever', () => {
  const schema = archive.options?.archiveKeep ?? v.never()
  const day = 86_400_000
  for (const [value, expected] of [
    [undefined, 365.25 * day],
    ['forever', undefined],
    ['24h', day],
    ['30d', 30 * day],
    ['2 w', 14 * day],
  ]) {
    assert.equal(v.parse(schema, value), expected)
  }
  for (const value of ['23h', '0d', 'soon', '1', 5, null, '-3d', '5m', '9999999y']) {
    assert.equal(v.is(schema, value), false, String(value))
  }
})
