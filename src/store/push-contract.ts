// SPDX-License-Identifier: Apache-2.0
// What every store must do about push registrations and reports: part of the contract.
import assert from 'node:assert/strict'
import { Jid } from '../xmpp/jid.ts'
import type { NewAccount, NewReport, PushWish, Store } from './store.ts'

type Check = (name: string, run: (store: Store) => Promise<void>) => void

const romeo = Jid.parse('romeo@example.org')
const juliet = Jid.parse('juliet@example.org')
const service = Jid.parse('push.example.net')
const other = Jid.parse('push.example.com')
const account: NewAccount = { jid: romeo, admin: false, verifiers: [] }

function wish(node: string, changes: Partial<PushWish> = {}): PushWish {
  return { owner: romeo, service, node, device: 'phone', options: undefined, ...changes }
}

function report(subject: string, changes: Partial<NewReport> = {}): NewReport {
  return { reporter: romeo, subject: Jid.parse(subject), reason: 'spam', text: undefined, stanzas: [], ...changes }
}

/** Adds the checks. */
export function pushContract(check: Check): void {
  registrationTests(check)
  reportTests(check)
}

function registrationTests(check: Check): void {
  check('a push registration is renewed, counted, and removed', async ({ pushes }) => {
    await pushes.enable(wish('a', { options: '<x/>' }), 1, 10)
    await pushes.enable(wish('b', { service: other, owner: juliet }), 2, 10)
    await pushes.failed(wish('a'), 3, 'gone', false)
    await pushes.failed(wish('a'), 4, 'item-not-found', true)
    const [failed, ...more] = await pushes.list(romeo, 10)
    assert.equal(more.length, 0)
    assert.deepEqual(
      { ...failed, owner: String(failed?.owner), service: String(failed?.service) },
      {
        owner: 'romeo@example.org',
        service: 'push.example.net',
        node: 'a',
        device: 'phone',
        options: '<x/>',
        enabled: 1,
        lastPush: 4,
        lastSuccess: undefined,
        lastError: 4,
        error: 'item-not-found',
        errors: 2,
        disabled: true,
      },
    )
    await pushes.enable(wish('a', { device: 'tablet' }), 5, 10)
    await pushes.succeeded(wish('a'), 6)
    const [renewed] = await pushes.list(romeo, 10)
    assert.deepEqual(
      [renewed?.device, renewed?.options, renewed?.errors, renewed?.disabled, renewed?.lastSuccess, renewed?.enabled],
      ['tablet', undefined, 0, false, 6, 5],
    )
    assert.equal((await pushes.list(undefined, 10)).length, 2)
    await pushes.disable(romeo, service, 'b')
    assert.equal((await pushes.list(romeo, 10)).length, 1)
    await pushes.disable(romeo, service, undefined)
    assert.deepEqual(await pushes.list(romeo, 10), [])
    await pushes.failed(wish('a'), 7, 'gone', false)
    assert.deepEqual(await pushes.list(romeo, 10), [])
  })

  check('beyond the bound a disabled registration goes first, then the oldest', async ({ pushes }) => {
    const nodes = async () => (await pushes.list(romeo, 10)).map(({ node }) => node).join('')
    for (const [time, node] of [...'abc'].entries()) await pushes.enable(wish(node), time, 3)
    await pushes.failed(wish('b'), 4, 'gone', true)
    await pushes.enable(wish('z', { owner: juliet }), 5, 3)
    await pushes.enable(wish('d'), 5, 3)
    assert.equal(await nodes(), 'acd')
    await pushes.enable(wish('e'), 6, 3)
    assert.equal(await nodes(), 'cde')
    assert.equal((await pushes.list(juliet, 10)).length, 1)
  })
}

function reportTests(check: Check): void {
  check('reports are kept within bounds, the newest first, and removed', async ({ reports }) => {
    const subjects = async () => (await reports.list(100)).map(({ subject }) => subject.local).join('')
    const stanzas = [{ by: 'romeo@example.org', id: '1' }]
    await reports.add([report('a@b', { text: 'Rude.', stanzas })], 7, { each: 2, all: 4 })
    const [first] = await reports.list(1)
    assert.deepEqual(
      [first?.time, String(first?.reporter), first?.reason, first?.text, first?.stanzas],
      [7, 'romeo@example.org', 'spam', 'Rude.', stanzas],
    )
    await reports.add([report('b@b'), report('c@b')], 8, { each: 2, all: 4 })
    assert.equal(await subjects(), 'cb')
    const byJuliet = ['d@b', 'e@b', 'f@b'].map((subject) => report(subject, { reporter: juliet }))
    await reports.add(byJuliet, 9, { each: 9, all: 4 })
    assert.equal(await subjects(), 'fedc')
    const ids = (await reports.list(2)).map(({ id }) => id)
    assert.equal(await reports.remove([...ids, 999_999]), 2)
    assert.equal(await subjects(), 'dc')
    assert.equal(await reports.remove(undefined), 2)
    assert.equal(await subjects(), '')
  })

  check('push registrations and reports go with their account, and do not come to the next', async (store) => {
    const left = async () =>
      [await store.pushes.list(romeo, 9), await store.reports.list(9)].map(({ length }) => length)
    const keep = async () => {
      await store.pushes.enable(wish('a'), 1, 10)
      await store.reports.add([report('a@b'), report('romeo@example.org', { reporter: juliet })], 1, {
        each: 9,
        all: 9,
      })
    }
    await store.accounts.create([account])
    await keep()
    await store.accounts.remove(romeo)
    assert.deepEqual(await left(), [0, 1])
    await keep()
    await store.accounts.create([account])
    assert.deepEqual(await left(), [0, 2])
  })
}
