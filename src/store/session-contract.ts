// SPDX-License-Identifier: Apache-2.0
// What every store must do with sessions that can be resumed; called by contract.ts.
import assert from 'node:assert/strict'
import { Jid } from '../xmpp/jid.ts'
import type { Check } from './contract.ts'
import type { SessionChange, SessionChanges, Store } from './store.ts'

const juliet = Jid.parse('juliet@example.org')

function change(changes: Partial<SessionChange>): SessionChange {
  const counts = { handled: 0, acknowledged: 0 }
  return {
    key: 'a',
    owner: juliet,
    anew: false,
    ...counts,
    state: undefined,
    sent: undefined,
    ...changes,
  }
}

async function writes(store: Store, changes: Partial<SessionChanges>): Promise<void> {
  store.sessions.write((number) => ({ changed: [], ended: [], floor: number, ...changes }), assert.ifError)
  await store.durable()
}

/** As after a start: sessions are read before they are written. */
async function opened(open: () => Promise<Store>): Promise<Store> {
  const store = await open()
  await store.sessions.all()
  return store
}

/** A session is begun, changes, is there after the store was opened anew, and ends. */
async function sessionsArePut(open: () => Promise<Store>): Promise<void> {
  let store = await opened(open)
  await store.accounts.create([{ jid: juliet, admin: false, verifiers: [] }])
  assert.deepEqual(await store.sessions.all(), [])
  const chunks = [1, 2, 3].map((number) => ({ from: number - 1, text: `text ${number} 🌙` }))
  await writes(store, { changed: [change({ anew: true, state: 'one', sent: chunks[0] })], floor: 0 })
  await writes(store, { changed: [change({ handled: 1, sent: chunks[1] })], shared: ['end 🌙'], floor: 0 })
  await writes(store, { changed: [change({ handled: 2, acknowledged: 1, state: 'two', sent: chunks[2] })], floor: 0 })
  await store.close()
  store = await opened(open)
  const there = [chunks[0], { ...chunks[1], shared: ['end 🌙'] }, { ...chunks[2], shared: [] }]
  const stored = { key: 'a', owner: juliet, handled: 2, acknowledged: 1, state: 'two', chunks: there }
  assert.deepEqual(plain(await store.sessions.all()), plain([stored]))
  await writes(store, { changed: [change({ anew: true, handled: 2, acknowledged: 7, state: 'three' })] })
  assert.deepEqual((await store.sessions.all())[0]?.chunks, [])
  await writes(store, { ended: ['a'] })
  assert.deepEqual(await store.sessions.all(), [])
  await store.close()
}

/** What was written before a session was written anew does not count any more, and what nobody needs can go. */
async function sessionsAreWrittenAnew(open: () => Promise<Store>): Promise<void> {
  let store = await opened(open)
  await store.accounts.create([{ jid: juliet, admin: false, verifiers: [] }])
  const [a, b] = ['a', 'b'].map((key) => (changes: Partial<SessionChange>) => change({ key, state: key, ...changes }))
  assert.ok(a && b)
  const numbers: number[] = []
  const all = (changed: readonly SessionChange[]) =>
    store.sessions.write((number) => {
      numbers.push(number)
      return { changed, ended: [], floor: numbers[1] ?? 0 }
    }, assert.ifError)
  all([a({ anew: true }), b({ anew: true })])
  await store.durable()
  all([a({ handled: 1 }), b({ handled: 1, state: 'changed' })])
  await store.durable()
  await store.close()
  store = await opened(open)
  all([a({ anew: true, handled: 5, sent: { from: 3, text: 'whole' } })])
  await store.durable()
  assert.deepEqual(
    (await store.sessions.all()).map(({ key, handled, state, chunks }) => ({ key, handled, state, chunks })),
    [
      { key: 'a', handled: 5, state: 'a', chunks: [{ from: 3, text: 'whole' }] },
      { key: 'b', handled: 1, state: 'changed', chunks: [] },
    ],
  )
  assert.deepEqual(
    numbers,
    numbers.toSorted((one, other) => one - other),
  )
  assert.equal(new Set(numbers).size, 3)
  await store.close()
}

/** They go with their account, and come to none that is not there. */
async function sessionsGoWithTheirAccount(open: () => Promise<Store>): Promise<void> {
  const store = await opened(open)
  await store.accounts.create([{ jid: juliet, admin: false, verifiers: [] }])
  const begun = change({ anew: true, state: 'one', sent: { from: 0, text: 'text' } })
  await writes(store, { changed: [begun] })
  await store.accounts.remove(juliet)
  assert.deepEqual(await store.sessions.all(), [])
  await writes(store, { changed: [begun] })
  assert.deepEqual(await store.sessions.all(), [])
  await store.close()
}

/** What they tell is asked for when the commit is put together, and comes after everything else in it. */
async function sessionsAreWrittenLast(open: () => Promise<Store>): Promise<void> {
  const store = await opened(open)
  await store.accounts.create([{ jid: juliet, admin: false, verifiers: [] }])
  let handled = 0
  const failed = assert.ifError
  const begun = () => [change({ anew: true, state: '', handled })]
  store.sessions.write((floor) => ({ changed: begun(), ended: [], floor }), failed)
  for (; handled < 5; handled++) {
    store.messages.append({ xml: '<message/>', from: juliet, to: juliet, archiveFor: [juliet], offlineFor: undefined })
  }
  await store.durable()
  assert.equal((await store.sessions.all())[0]?.handled, 5)
  await store.close()
}

/** JIDs by their text. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, one: unknown) => (one instanceof Jid ? one.key : one)))
}

/** Registers the tests. */
export function sessionTests(check: Check): void {
  const tests = { sessionsArePut, sessionsAreWrittenAnew, sessionsGoWithTheirAccount, sessionsAreWrittenLast }
  for (const [name, body] of Object.entries(tests)) {
    check(name, async (store, place, clock) => {
      await store.close()
      await body(() => place.open(clock))
    })
  }
}
