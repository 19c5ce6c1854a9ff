// SPDX-License-Identifier: Apache-2.0
// What every store must do, whatever stands behind it: run by sqlite.test.ts and by test/interop/postgres.test.ts.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Clock } from '../clock.ts'
import { Jid } from '../xmpp/jid.ts'
import { accountTests, rosterTests } from './accounts-contract.ts'
import { clientTests } from './clients-contract.ts'
import { invitationTests } from './invitations-contract.ts'
import { outboxContract } from './outbox-contract.ts'
import { pubsubContract } from './pubsub-contract.ts'
import { pushContract } from './push-contract.ts'
import { roomsContract } from './rooms-contract.ts'
import { sessionTests } from './session-contract.ts'
import type { KeptMessage, NewAccount, NewMessage, RosterItem, Store, StoreObserver, Verifier } from './store.ts'
import { uploadTests } from './uploads-contract.ts'

/** One place for data, which can be opened, closed and opened again. */
interface Place {
  open(clock: Clock, observer?: StoreObserver): Promise<Store>
}

/** Makes an empty place that disappears after the test. */
export type NewPlace = (t: TestContext) => Promise<Place>

/** A clock whose time is set by hand. Its timers never run. */
export class HandClock implements Clock {
  time = Date.UTC(2026, 0, 1)
  now(): number {
    return this.time
  }
  after(): () => void {
    return () => undefined
  }
  every(): () => void {
    return () => undefined
  }
}

/** One of the cast. */
export const romeo = Jid.parse('romeo@example.org')
/** One of the cast. */
export const juliet = Jid.parse('juliet@example.org')
/** One of the cast. */
export const nurse = Jid.parse('nurse@example.net')
/** One of the cast. */
export const phone = romeo.withResource('phone')
const balcony = juliet.withResource('balcony')

/** Keys that are as good as any. */
export function verifier(mechanism: Verifier['mechanism'], iterations = 10_000): Verifier {
  const bytes = (seed: number) => Buffer.from([seed, 0, 255, 39])
  return { mechanism, salt: bytes(1), iterations, storedKey: bytes(2), serverKey: bytes(3) }
}

/** An account to be made. */
export function account(jid: Jid, admin = false): NewAccount {
  return { jid, admin, verifiers: [verifier('SCRAM-SHA-256'), verifier('SCRAM-SHA-512')] }
}

/** A contact that has neither asked nor been asked. */
export function contact(jid: Jid, changes: Partial<RosterItem> = {}): RosterItem {
  const plain = { name: undefined, groups: [], subscription: 'none', ask: false, approved: false } as const
  return { jid, ...plain, request: undefined, listed: true, ...changes }
}

/** A message from one to another in the archives of those of them that are bare and ours. */
export function message(from: Jid, to: Jid, text: string, changes: Partial<NewMessage> = {}): NewMessage {
  const archiveFor = [from.bare, to.bare].filter((jid) => jid.domain === 'example.org')
  return { xml: `<message><body>${text}</body></message>`, from, to, archiveFor, offlineFor: undefined, ...changes }
}

/** What can be read in messages. */
export function texts(messages: readonly KeptMessage[]): string {
  return messages.map(({ xml }) => xml.replace(/<[^>]*>/g, '')).join(' ')
}

/** The texts of a whole archive. */
export async function everything(store: Store, owner: Jid): Promise<string> {
  return texts((await store.messages.page(owner, { limit: 10_000 })).messages)
}

/** Makes tests, each with a store of its own. */
export function checks(engine: string, newPlace: NewPlace): Check {
  return (name, body) =>
    void test(`${engine}: ${name}`, async (t) => {
      const place = await newPlace(t)
      const clock = new HandClock()
      const store = await place.open(clock)
      try {
        await body(store, place, clock)
      } finally {
        await store.close()
      }
    })
}

/** Registers the tests. @param engine goes in front of their names */
export function storeContract(engine: string, newPlace: NewPlace): void {
  const check = checks(engine, newPlace)
  accountTests(check)
  rosterTests(check)
  messageTests(check)
  archiveTests(check)
  removalTests(check)
  restTests(check)
  failureTests(check)
  outboxContract(check)
  pushContract(check)
  clientTests((name, body) => check(name, (store, _place, clock) => body(store, clock)), account(romeo))
  sessionTests(check)
  uploadTests(check)
  invitationTests(check)
  pubsubContract(engine, newPlace)
  roomsContract(engine, newPlace)
}

/** Registers one test. */
export type Check = (name: string, body: (store: Store, place: Place, clock: HandClock) => Promise<void>) => void

function messageTests(check: Check): void {
  check('ids grow, also with the clock set back and after opening again', async (store, place, clock) => {
    const ids = [
      store.messages.append(message(phone, juliet, 'one')),
      store.messages.append(message(phone, juliet, 'two')),
    ]
    assert.equal(ids[0], clock.time * 1024)
    clock.time -= 3_600_000
    ids.push(store.messages.append(message(phone, juliet, 'three')))
    await store.close()
    const again = await place.open(clock)
    ids.push(again.messages.append(message(phone, juliet, 'four')))
    await again.messages.delivered(juliet, Number.MAX_SAFE_INTEGER)
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(ids).size, 4)
    assert.equal(await everything(again, romeo), 'one two three four')
    await again.close()
  })

  check('an id is not given out again when its message is gone', async (store, place, clock) => {
    const id = store.messages.append(message(nurse, juliet, 'gone', { archiveFor: [], offlineFor: juliet }))
    await store.messages.delivered(juliet, id)
    await store.close()
    clock.time -= 3_600_000
    const again = await place.open(clock)
    assert.ok(again.messages.append(message(nurse, juliet, 'next')) > id)
    await again.close()
  })

  check('what was appended is read before anybody waited for it, and waits for nothing once durable', async (store) => {
    assert.equal(store.uncommitted, 0)
    const id = store.messages.append(message(phone, juliet, 'Ciao è مرحبا 🌹', { offlineFor: juliet }))
    assert.equal(store.uncommitted, 1)
    assert.equal(store.durable(), store.durable())
    const { messages, complete } = await store.messages.page(juliet, { limit: 10 })
    assert.deepEqual(messages, [
      { id, time: Math.floor(id / 1024), xml: '<message><body>Ciao è مرحبا 🌹</body></message>' },
    ])
    assert.equal(complete, true)
    await store.durable()
    assert.equal(store.uncommitted, 0)
  })

  check('offline messages come oldest first, and go once delivered, but not out of the archive', async (store) => {
    const ids = ['a', 'b', 'c', 'd'].map((text) =>
      store.messages.append(message(phone, juliet, text, { offlineFor: juliet })),
    )
    assert.equal(await store.messages.offlineCount(juliet), 4)
    assert.equal(texts(await store.messages.offline(juliet, 3)), 'a b c')
    await store.messages.delivered(juliet, ids[1] ?? 0)
    await store.messages.delivered(juliet, ids[1] ?? 0)
    assert.equal(texts(await store.messages.offline(juliet, 10)), 'c d')
    await store.messages.delivered(juliet, ids[3] ?? 0)
    assert.equal(await store.messages.offlineCount(juliet), 0)
    assert.equal(await store.messages.offlineCount(romeo), 0)
    assert.equal(await everything(store, juliet), 'a b c d')
  })

  check('thousands of messages in one turn all arrive, in order', async (store) => {
    const expected = Array.from({ length: 3000 }, (_, i) => String(i))
    for (const text of expected) store.messages.append(message(phone, juliet, text))
    await store.durable()
    assert.equal(await everything(store, juliet), expected.join(' '))
  })

  check('a message kept for nobody, for one twice, or for many is kept all the same', async (store) => {
    store.messages.append(message(phone, juliet, 'nobody', { archiveFor: [] }))
    store.messages.append(message(phone, romeo, 'self', { archiveFor: [romeo, romeo] }))
    store.messages.append(message(phone, juliet, 'many', { archiveFor: [romeo, juliet, romeo, nurse] }))
    await store.durable()
    assert.equal(await everything(store, romeo), 'self many')
    assert.equal(await everything(store, juliet), 'many')
    assert.equal(await everything(store, nurse), 'many')
    const self = await store.messages.page(romeo, { with: romeo, limit: 10 })
    assert.equal(texts(self.messages), 'self')
  })
}

function archiveTests(check: Check): void {
  const filled = async (store: Store, clock: HandClock): Promise<readonly number[]> => {
    const ids = [
      message(phone, juliet, 'm0'),
      message(balcony, phone, 'm1'),
      message(phone, nurse, 'm2'),
      message(nurse.withResource('x'), romeo, 'm3'),
      message(phone, balcony, 'm4'),
      message(juliet.withResource('tomb'), romeo, 'm5'),
    ].map((each) => {
      clock.time += 1000
      return store.messages.append(each)
    })
    await store.durable()
    return ids
  }

  check('an archive is paged in both directions, always in ascending order', async (store, _place, clock) => {
    const ids = await filled(store, clock)
    const page = async (range: Parameters<Store['messages']['page']>[1]) => {
      const { messages, complete } = await store.messages.page(romeo, range)
      return `${texts(messages)}${complete ? '.' : ''}`
    }
    assert.equal(await page({ limit: 3 }), 'm0 m1 m2')
    assert.equal(await page({ limit: 3, after: ids[2] ?? 0 }), 'm3 m4 m5.')
    assert.equal(await page({ limit: 4, after: ids[2] ?? 0 }), 'm3 m4 m5.')
    assert.equal(await page({ limit: 2, last: true }), 'm4 m5')
    assert.equal(await page({ limit: 2, last: true, before: ids[2] ?? 0 }), 'm0 m1.')
    assert.equal(await page({ limit: 1, last: true, before: ids[2] ?? 0 }), 'm1')
    assert.equal(await page({ limit: 9, before: ids[4] ?? 0, after: ids[1] ?? 0 }), 'm2 m3.')
    assert.equal(await page({ limit: 0 }), '')
    assert.equal(await page({ limit: 5, after: ids[5] ?? 0 }), '.')
    assert.equal(await everything(store, juliet), 'm0 m1 m4 m5')
  })

  check('an archive is searched by address and time', async (store, _place, clock) => {
    const begin = clock.time
    await filled(store, clock)
    const page = async (range: Partial<Parameters<Store['messages']['page']>[1]>) =>
      texts((await store.messages.page(romeo, { limit: 50, ...range })).messages)
    assert.equal(await page({ with: juliet }), 'm0 m1 m4 m5')
    assert.equal(await page({ with: balcony }), 'm1 m4')
    assert.equal(await page({ with: balcony, last: true, limit: 1 }), 'm4')
    assert.equal(await page({ with: nurse }), 'm2 m3')
    assert.equal(await page({ with: Jid.parse('nobody@example.org') }), '')
    assert.equal(await page({ with: romeo }), '')
    assert.equal(await page({ start: begin + 5000 }), 'm4 m5')
    assert.equal(await page({ start: begin + 5001 }), 'm5')
    assert.equal(await page({ end: begin + 2000 }), 'm0 m1')
    assert.equal(await page({ end: begin + 1999 }), 'm0')
    assert.equal(await page({ start: begin + 2000, end: begin + 5000, with: juliet }), 'm1 m4')
  })
}

function removalTests(check: Check): void {
  check('with an account goes everything that belongs to it, and nothing else', async (store) => {
    await store.accounts.create([account(romeo), account(juliet)])
    for (const owner of [romeo, juliet]) {
      await store.rosters.put(owner, contact(nurse))
      await store.documents.put(owner, 'vcard', '<vCard/>')
      await store.sets.add(owner, 'blocked', ['tybalt@example.net'])
    }
    store.messages.append(message(phone, juliet, 'shared', { offlineFor: juliet }))
    store.messages.append(message(nurse, romeo, 'offline', { offlineFor: romeo, archiveFor: [] }))
    assert.equal(await store.accounts.remove(romeo), true)
    assert.equal(await store.accounts.remove(romeo), false)
    await store.accounts.create([account(romeo)])
    assert.deepEqual(await store.rosters.load(romeo), { version: 0, items: [] })
    assert.equal(await store.documents.size(romeo), 0)
    assert.deepEqual(await store.sets.all(romeo, 'blocked'), [])
    assert.equal(await everything(store, romeo), '')
    assert.equal(await store.messages.offlineCount(romeo), 0)
    assert.equal(await everything(store, juliet), 'shared')
    assert.equal(texts(await store.messages.offline(juliet, 5)), 'shared')
    assert.equal((await store.rosters.load(juliet)).items.length, 1)
    assert.equal(await store.documents.get(juliet, 'vcard'), '<vCard/>')
    assert.deepEqual(await store.sets.all(juliet, 'blocked'), ['tybalt@example.net'])
    assert.ok(await store.accounts.find(juliet))
  })

  check('an account of the same name that comes later has its own archive', async (store) => {
    await store.accounts.create([account(romeo)])
    store.messages.append(message(phone, juliet, 'before'))
    const removed = store.accounts.remove(romeo)
    store.messages.append(message(phone, juliet, 'at once'))
    await removed
    store.messages.append(message(phone, juliet, 'after', { offlineFor: romeo }))
    await store.durable()
    assert.equal(await everything(store, romeo), 'at once after')
    assert.equal(await everything(store, juliet), 'before at once after')
    assert.equal(await store.messages.offlineCount(romeo), 1)
  })
}

function restTests(check: Check): void {
  check('what came for a name while nobody had it is not for its next owner', async (store) => {
    const { accounts, messages, rosters, documents, sets } = store
    await accounts.create([account(romeo), account(juliet)])
    await accounts.remove(romeo)
    messages.append(message(balcony, romeo, 'late', { offlineFor: romeo }))
    await rosters.put(romeo, contact(juliet, { request: '<presence/>', listed: false }))
    await documents.put(romeo, 'a', 'x')
    await sets.add(romeo, 'blocked', ['x'])
    assert.deepEqual(await accounts.create([account(romeo), account(juliet)]), [juliet])
    assert.deepEqual(await messages.offline(romeo, 10), [])
    assert.deepEqual((await messages.page(romeo, { limit: 10 })).messages, [])
    assert.deepEqual((await rosters.load(romeo)).items, [])
    assert.equal(await documents.get(romeo, 'a'), undefined)
    assert.deepEqual(await sets.all(romeo, 'blocked'), [])
    assert.equal(texts((await messages.page(juliet, { limit: 10 })).messages), 'late')
    assert.equal((await accounts.find(juliet))?.verifiers.length, 2)
  })

  check('documents are put, measured in bytes and removed', async ({ documents }) => {
    assert.equal(await documents.get(romeo, 'a'), undefined)
    await documents.put(romeo, 'a', 'first')
    await documents.put(romeo, 'a', 'perché 🌹')
    await documents.put(romeo, 'b', '123')
    assert.equal(await documents.get(romeo, 'a'), 'perché 🌹')
    assert.equal(await documents.size(romeo), 15)
    await documents.remove(romeo, 'a')
    await documents.remove(romeo, 'a')
    assert.equal(await documents.get(romeo, 'a'), undefined)
    assert.equal(await documents.size(romeo), 3)
    assert.equal(await documents.size(juliet), 0)
  })

  check('sets hold each value once', async ({ sets }) => {
    await sets.add(romeo, 'blocked', ['b', 'a', 'b'])
    await sets.add(romeo, 'blocked', ['a', 'c'])
    await sets.add(romeo, 'other', ['z'])
    await sets.add(romeo, 'other', [])
    assert.deepEqual(await sets.all(romeo, 'blocked'), ['a', 'b', 'c'])
    await sets.remove(romeo, 'blocked', ['a', 'x', 'c'])
    assert.deepEqual(await sets.all(romeo, 'blocked'), ['b'])
    await sets.clear(romeo, 'blocked')
    assert.deepEqual(await sets.all(romeo, 'blocked'), [])
    assert.deepEqual(await sets.all(romeo, 'other'), ['z'])
    assert.deepEqual(await sets.all(juliet, 'blocked'), [])
  })

  check('a secret is made once and stays', async (store, place, clock) => {
    const [one, two] = await Promise.all([store.secret('salt'), store.secret('salt')])
    assert.equal(one.length, 32)
    assert.deepEqual(one, two)
    assert.notDeepEqual(await store.secret('other'), one)
    await store.close()
    const again = await place.open(clock)
    assert.deepEqual(await again.secret('salt'), one)
    await again.close()
  })

  check('a closed store says so', async (store) => {
    store.messages.append(message(phone, juliet, 'last'))
    await store.close()
    await store.close()
    await assert.rejects(store.sets.all(romeo, 'x'), /closed/)
    await assert.rejects(store.sets.add(romeo, 'x', ['y']), /closed/)
    const { promise, resolve } = Promise.withResolvers<Error>()
    store.messages.append(message(phone, juliet, 'too late'), resolve)
    assert.match((await promise).message, /closed/)
  })
}

/** What no caller would do, and every database refuses. */
const REFUSED = null as unknown as string

function failureTests(check: Check): void {
  check('a deed that fails amid others leaves nothing of itself and does them no harm', async ({ sets, documents }) => {
    const results = await Promise.allSettled([
      documents.put(romeo, 'before', '1'),
      sets.add(romeo, 'names', ['a', 'b', REFUSED, 'c']),
      documents.put(romeo, 'after', '2'),
      sets.add(romeo, 'names', ['d']),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    )
    assert.deepEqual(await sets.all(romeo, 'names'), ['d'])
    assert.equal(await documents.size(romeo), 2)
  })

  check('a message that is refused is reported once, and durable() of that time rejects', async (store) => {
    const failures: string[] = []
    for (const text of ['a', 'b', 'c', 'd', 'e']) {
      store.messages.append(message(phone, juliet, text), () => failures.push(text))
    }
    store.messages.append({ ...message(phone, juliet, ''), xml: REFUSED }, () => failures.push('refused'))
    store.messages.append(message(phone, juliet, 'f'), () => failures.push('f'))
    assert.equal(store.failures, 0)
    await assert.rejects(store.durable())
    assert.deepEqual(failures, ['refused'])
    assert.equal(store.failures, 1)
    await store.durable()
    store.messages.append(message(phone, juliet, 'g'))
    await store.durable()
    assert.equal(await everything(store, juliet), 'a b c d e f g')
  })
}
