// SPDX-License-Identifier: Apache-2.0
// What one says to another keeps its order while old messages are handed over, whatever else is going on (RFC 6120 §10.1).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, theatre } from '../../test/support/cast.ts'
import { delayedStore } from '../store/delayed-store.ts'

const HINTS = 'urn:xmpp:hints'
const UNAVAILABLE = `<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`

/** Becomes available and gives the texts that came by then. */
async function textsFor(actor: Actor): Promise<readonly string[]> {
  actor.sends('<presence/>')
  actor.sends(`<iq type='get' id='now' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
  const texts: string[] = []
  for (;;) {
    const element = await actor.hears()
    if (element.name === 'iq' && element.attrs.id === 'now') return texts
    const text = element.childText('body')
    if (text !== undefined) texts.push(text)
  }
}

/** Numbers from 0 to 1, the same each time. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`whatever the store takes its time for, what one says to another keeps its order (${seed})`, async () => {
    const stage = await theatre({ limits: { offlineMessages: 150 } }) // fewer than come in all
    const random = numbers(seed)
    const { messages, accounts, rosters } = delayedStore(stage.store, random)
    Object.assign(stage.store, { messages, accounts, rosters })
    const romeo = await stage.enter('romeo')
    const juliet = await stage.enter('juliet', 'juliet', false)
    let said = 0
    const says = async (): Promise<void> => {
      for (let count = Math.floor(random() * 60); count > 0; count--, said++) {
        romeo.sends(`<message type='chat' to='${juliet.bare}'><body>${said}</body></message>`)
      }
      for (let turns = Math.floor(random() * 5); turns > 0; turns--) await new Promise(setImmediate)
    }
    await says()
    await says()
    juliet.sends(`<presence/>`)
    for (let round = 0; round < 6; round++) await says()
    const heard: number[] = []
    while (heard.length < said) {
      const text = (await juliet.hears()).childText('body')
      if (text !== undefined) heard.push(Number(text))
    }
    assert.deepEqual(
      heard,
      Array.from({ length: said }, (_, index) => index),
    )
  })
}

test('who has two clients gets everything in order at both', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const phone = await stage.enter('juliet', 'phone', false)
  const says = (text: string): void =>
    romeo.sends(`<message type='chat' to='${phone.bare}'><body>${text}</body></message>`)
  for (let count = 0; count < 60; count++) says(`before ${count}`)
  await romeo.settles()
  const { messages } = stage.store
  const read = messages.offline.bind(messages)
  const laptop = await stage.enter('juliet', 'laptop', false)
  Object.assign(messages, {
    async offline(...asked: Parameters<typeof read>) {
      Object.assign(messages, { offline: read })
      laptop.sends('<presence/>')
      await laptop.settles()
      says('to both')
      romeo.sends(`<message type='chat' to='${phone.bare}'><body>no trace</body><no-store xmlns='${HINTS}'/></message>`)
      await romeo.settles()
      return read(...asked)
    },
  })
  phone.sends('<presence/>')
  const heard: string[] = []
  while (heard.length < 62) {
    const text = (await phone.hears()).childText('body')
    if (text !== undefined) heard.push(text)
  }
  assert.deepEqual(heard, [...Array.from({ length: 60 }, (_, count) => `before ${count}`), 'to both', 'no trace'])
  await laptop.receives('<message><body>to both</body></message>')
  await laptop.receives('<message><body>no trace</body></message>')
})

test('what was held back for a client that goes waits for the next one, unless others have it', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const phone = await stage.enter('juliet', 'phone', false)
  const says = (text: string, rest = ''): void =>
    romeo.sends(`<message type='chat' to='${phone.bare}'><body>${text}</body>${rest}</message>`)
  says('before')
  await romeo.settles()
  const { messages } = stage.store
  const read = messages.offline.bind(messages)
  const gone = Promise.withResolvers<void>()
  Object.assign(messages, {
    async offline(...asked: Parameters<typeof read>) {
      Object.assign(messages, { offline: read })
      says('no trace', `<no-store xmlns='${HINTS}'/>`)
      says('behind it')
      await romeo.receivesNothing()
      phone.link.clientVanishes()
      gone.resolve()
      return read(...asked)
    },
  })
  phone.sends('<presence/>')
  await gone.promise
  await romeo.receives(`<message type='error'><body>no trace</body>${UNAVAILABLE}</message>`)
  const laptop = await stage.enter('juliet', 'laptop', false)
  assert.deepEqual(await textsFor(laptop), ['before', 'behind it'])
})
