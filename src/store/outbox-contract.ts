// SPDX-License-Identifier: Apache-2.0
// What every store must do with messages for other servers; called by contract.ts.
import assert from 'node:assert/strict'
import type { Check } from './contract.ts'
import type { Store } from './store.ts'

const THERE = 'example.org montague.example'
const ELSEWHERE = 'example.org capulet.example'

function put(store: Store, way: string, text: string): number {
  return store.outbox.put({ way, since: 1_000, xml: `<message><body>${text} 🌙</body></message>` }, assert.ifError)
}

async function left(store: Store): Promise<string> {
  return (await store.outbox.page(0, 100)).map(({ xml }) => xml.replace(/<[^>]*>| 🌙/g, '')).join(' ')
}

/** What was put is there after a restart, in order, until it arrived. */
async function messagesWait(open: () => Promise<Store>): Promise<void> {
  let store = await open()
  assert.deepEqual(await store.outbox.page(0, 10), [])
  const ids = ['one', 'two', 'three'].map((text) => put(store, THERE, text))
  const other = put(store, ELSEWHERE, 'other')
  assert.deepEqual([...ids, other], [1, 2, 3, 4])
  await store.durable()
  await store.close()
  store = await open()
  const [first] = await store.outbox.page(0, 1)
  assert.deepEqual({ ...first }, { id: 1, way: THERE, since: 1_000, xml: '<message><body>one 🌙</body></message>' })
  assert.deepEqual(
    (await store.outbox.page(2, 10)).map(({ id }) => id),
    [3, 4],
  )
  assert.equal(put(store, THERE, 'four'), 5)
  await store.durable()
  assert.equal(await left(store), 'one two three other four')
  await store.close()
}

/** What arrived or went back is gone; what else there is stays. */
async function messagesArrive(open: () => Promise<Store>): Promise<void> {
  let store = await open()
  for (const text of ['one', 'two', 'three', 'four']) put(store, THERE, text)
  for (const text of ['five', 'six']) put(store, ELSEWHERE, text)
  store.outbox.arrived(THERE, 1)
  store.outbox.arrived(THERE, 2)
  store.outbox.drop([4, 6])
  store.outbox.drop([])
  await store.durable()
  assert.equal(await left(store), 'three five')
  store.outbox.arrived(ELSEWHERE, 100)
  await store.close() // what is under way is finished
  store = await open()
  assert.equal(await left(store), 'three')
  store.outbox.arrived(THERE, 3)
  await store.durable()
  assert.equal(await left(store), '')
  await store.close()
}

/** A message that could not be kept is told about. */
async function messagesAreRefused(open: () => Promise<Store>): Promise<void> {
  const store = await open()
  const { promise, resolve } = Promise.withResolvers<Error>()
  store.outbox.put({ way: THERE, since: 1, xml: null as unknown as string }, resolve)
  assert.ok((await promise) instanceof Error)
  await store.close()
}

/** Registers the checks. */
export function outboxContract(check: Check): void {
  for (const [name, body] of Object.entries({ messagesWait, messagesArrive, messagesAreRefused })) {
    check(`${name} (for other servers)`, async (store, place, clock) => {
      await store.close()
      await body(() => place.open(clock))
    })
  }
}
