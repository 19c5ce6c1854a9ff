// SPDX-License-Identifier: Apache-2.0
// What every store must do when archives are trimmed, erased and searched. Run with contract.ts.
import assert from 'node:assert/strict'
import {
  type Check,
  checks,
  everything,
  type HandClock,
  juliet,
  message,
  type NewPlace,
  nurse,
  phone,
  romeo,
  texts,
} from './contract.ts'
import type { Store } from './store.ts'

/** Registers the tests. @param engine goes in front of their names */
export function archiveContract(engine: string, newPlace: NewPlace): void {
  const check = checks(engine, newPlace)
  retentionTests(check)
  searchTests(check)
}

function retentionTests(check: Check): void {
  /** So many messages between romeo and juliet, a second apart. */
  const talk = async (store: Store, clock: HandClock, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      clock.time += 1000
      store.messages.append(message(phone, i % 2 === 0 ? juliet : nurse, `m${i}`))
    }
    await store.durable()
  }

  check(
    'what is older than it may be goes, in whatever number, and stays with those who still wait',
    async (store, _place, clock) => {
      clock.time += 1000
      store.messages.append(message(phone, juliet, 'waits', { offlineFor: juliet }))
      await talk(store, clock, 1200)
      const before = clock.time - 1000
      assert.equal(await store.messages.trim({}), 0)
      assert.equal(await store.messages.trim({ before }), 1199 + 600)
      assert.equal(await store.messages.trim({ before }), 0)
      assert.equal(await everything(store, romeo), 'm1198 m1199')
      assert.equal(await everything(store, juliet), 'm1198')
      const waiting = await store.messages.offline(juliet, 10)
      assert.equal(texts(waiting), 'waits')
      assert.equal(waiting[0]?.archived, false)
    },
  )

  check('of too many messages the oldest go, in each archive by itself', async (store, _place, clock) => {
    await talk(store, clock, 8)
    assert.equal(await store.messages.trim({ most: 5 }), 3)
    assert.equal(await everything(store, romeo), 'm3 m4 m5 m6 m7')
    assert.equal(await everything(store, juliet), 'm0 m2 m4 m6')
    assert.equal(await store.messages.trim({ most: 5, before: clock.time - 1000 }), 3 + 3)
    assert.equal(await everything(store, romeo), 'm6 m7')
    assert.equal(await everything(store, juliet), 'm6')
  })

  check('an archive says how far it goes', async (store, _place, clock) => {
    assert.equal(await store.messages.ends(romeo), undefined)
    await talk(store, clock, 4)
    const time = clock.time
    const ends = await store.messages.ends(juliet)
    assert.deepEqual([ends?.first.time, ends?.last.time], [time - 3000, time - 1000])
    const { messages } = await store.messages.page(juliet, { limit: 10 })
    assert.deepEqual([ends?.first.id, ends?.last.id], [messages[0]?.id, messages.at(-1)?.id])
    await store.messages.erase(juliet)
    assert.equal(await store.messages.ends(juliet), undefined)
  })

  check('an owner erases all, or one conversation, and nobody else loses anything', async (store, _place, clock) => {
    await talk(store, clock, 1100)
    assert.equal(await store.messages.erase(romeo, nurse), 550)
    assert.equal(await store.messages.erase(romeo, nurse), 0)
    assert.equal(texts((await store.messages.page(romeo, { limit: 2 })).messages), 'm0 m2')
    assert.equal(await store.messages.erase(romeo), 550)
    assert.equal(await everything(store, romeo), '')
    assert.equal((await store.messages.page(juliet, { limit: 1000 })).messages.length, 550)
    store.messages.append(message(phone, juliet, 'new'))
    assert.equal(await everything(store, romeo), 'new')
  })
}

function searchTests(check: Check): void {
  check('a conversation is found among very many messages of others', async (store) => {
    const rare = ['r0', 'r1', 'r2', 'r3']
    for (const [i, text] of rare.entries()) {
      store.messages.append(message(phone, nurse, text))
      for (let n = 0; n < (i < 3 ? 15_000 : 2); n++)
        store.messages.append(message(phone, juliet, 'x', { archiveFor: [romeo] }))
      await store.durable()
    }
    for (const last of [true, false]) {
      const seen: string[] = []
      let cursor = {}
      for (;;) {
        const { messages, complete } = await store.messages.page(romeo, { with: nurse, limit: 3, last, ...cursor })
        if (last) seen.unshift(texts(messages))
        else seen.push(texts(messages))
        if (complete) break
        cursor = last ? { before: messages[0]?.id } : { after: messages.at(-1)?.id }
      }
      assert.equal(seen.join(' ').trim(), 'r0 r1 r2 r3')
    }
    assert.equal(await store.messages.erase(romeo, nurse), 4)
    assert.deepEqual(await store.messages.page(romeo, { with: nurse, limit: 3 }), { messages: [], complete: true })
    assert.equal(await store.messages.erase(romeo), 45_002)
  })

  check('a conversation is searched for a text, and a message rewritten wherever it stands', async (store) => {
    const ids = ['50%', '50x', 'a_b', 'axb', String.raw`a\b`].map((text) =>
      store.messages.append(message(phone, juliet, text, { offlineFor: juliet })),
    )
    store.messages.append(message(phone, nurse, '50%'))
    const search = async (text: string, among = 100, before = Number.MAX_SAFE_INTEGER, limit = 9) =>
      texts(await store.messages.search(juliet, { with: romeo, texts: ['nothing', text], among, before, limit }))
    assert.equal(await search('50%'), '50%')
    assert.equal(await search('a_b'), 'a_b')
    assert.equal(await search(String.raw`a\b`), String.raw`a\b`)
    assert.equal(await search('50'), '50x 50%')
    assert.equal(await search('50', 4), '50x')
    assert.equal(await search('50', 100, ids[1] ?? 0), '50%')
    assert.equal(await search('50', 100, Number.MAX_SAFE_INTEGER, 1), '50x')
    assert.equal(await search("'50"), '')
    await store.messages.rewrite(ids[0] ?? 0, '<message>gone</message>')
    await store.messages.rewrite(1, '<message>never was</message>')
    assert.match(await everything(store, romeo), /^gone 50x/)
    assert.match(await everything(store, juliet), /^gone 50x/)
    const waiting = await store.messages.offline(juliet, 10)
    assert.match(texts(waiting), /^gone 50x/)
    assert.ok(waiting.every(({ archived }) => archived))
  })
}
