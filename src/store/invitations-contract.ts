// SPDX-License-Identifier: Apache-2.0
// What every store must do with invitations; part of `contract.ts`.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Jid } from '../xmpp/jid.ts'
import { type Check, juliet, romeo } from './contract.ts'
import type { InvitationLimits, InvitationTerms, Redemption } from './invitation-store.ts'
import type { NewAccount, Store } from './store.ts'

const DAY = 86_400_000
const MOST: InvitationLimits = { perDay: 3, waiting: 2, all: 10 }
const paris = Jid.parse('paris@example.org')

function terms(created: number, changes: Partial<InvitationTerms> = {}): InvitationTerms {
  return {
    domain: 'example.org',
    creator: romeo,
    contact: romeo,
    name: undefined,
    admin: false,
    accounts: true,
    note: 'Come, gentle night',
    uses: 1,
    created,
    expires: created + DAY,
    ...changes,
  }
}

function account(jid: Jid): NewAccount {
  const key = Buffer.from([1, 0, 255])
  const verifier = { salt: key, iterations: 4096, storedKey: key, serverKey: key }
  return { jid, admin: false, verifiers: [{ mechanism: 'SCRAM-SHA-256', ...verifier }] }
}

function redeemed(jid: Jid, at: number, changes: Partial<Redemption> = {}): Redemption {
  return { account: account(jid), hash: 'h', at, rosterItems: 10, deed: randomUUID(), ...changes }
}

async function contactsOf({ rosters }: Store, owner: Jid) {
  const { version, items } = await rosters.load(owner)
  return { version, items: items.map(({ jid, subscription, listed, name }) => [jid.key, subscription, listed, name]) }
}

/** Registers the tests for invitations. */
export function invitationTests(check: Check): void {
  redemptionTests(check)
  refusalTests(check)
  limitTests(check)
}

function redemptionTests(check: Check): void {
  check(
    'an invitation is found by its hash alone, and lets one person in, who becomes a contact',
    async (store, _, clock) => {
      const { accounts, invitations } = store
      await accounts.create([account(romeo)])
      const made = terms(clock.time)
      const id = await invitations.create('h', made, MOST)
      assert.ok(typeof id === 'number')
      assert.deepEqual(await invitations.find('h', clock.time), { ...made, id, used: 0 })
      assert.equal(await invitations.find('other', clock.time), undefined)
      assert.equal(await invitations.until(clock.time), made.expires)
      const both = await Promise.all([juliet, paris].map((jid) => accounts.redeem(redeemed(jid, clock.time))))
      assert.deepEqual(both, [true, false])
      const found = await accounts.find(juliet)
      assert.deepEqual([found?.admin, found?.verifiers.length, found?.created], [false, 1, clock.time])
      assert.equal(await accounts.find(paris), undefined)
      assert.deepEqual(await contactsOf(store, juliet), { version: 1, items: [[romeo.key, 'both', true, undefined]] })
      assert.deepEqual(await contactsOf(store, romeo), { version: 1, items: [[juliet.key, 'both', true, undefined]] })
      assert.equal(await invitations.find('h', clock.time), undefined, 'it is used up')
      assert.equal(await invitations.until(clock.time), 0)
      assert.deepEqual(await invitations.list(clock.time, 10), [])
    },
  )

  check('one for many lets many in, and keeps what the host called them', async (store, _, clock) => {
    const { accounts, rosters, invitations } = store
    await accounts.create([account(romeo)])
    const base = { jid: juliet, groups: ['Verona'], subscription: 'none', ask: true, approved: false } as const
    await rosters.put(romeo, { ...base, name: 'J', request: undefined, listed: true })
    await invitations.create('h', terms(clock.time, { uses: undefined, admin: true }), MOST)
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time)), true)
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time)), false, 'the name is taken')
    assert.equal(await accounts.redeem(redeemed(paris, clock.time, { rosterItems: 1 })), true)
    assert.equal((await accounts.find(juliet))?.admin, true)
    assert.equal((await invitations.find('h', clock.time))?.used, 2)
    const { items } = await contactsOf(store, romeo)
    assert.deepEqual(items, [[juliet.key, 'both', true, 'J']], 'the second found a full roster')
    assert.deepEqual(await contactsOf(store, paris), { version: 1, items: [] })
  })

  check('one for a contact is used by whoever has an account', async ({ accounts, invitations }, _, clock) => {
    await accounts.create([account(romeo)])
    await invitations.create('h', terms(clock.time, { accounts: false }), MOST)
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time)), false)
    assert.equal(await invitations.until(clock.time), 0)
    assert.equal(await invitations.use('h', juliet, clock.time), false)
    assert.equal(await invitations.use('h', romeo, clock.time + DAY), false)
    assert.equal(await invitations.use('h', romeo, clock.time), true)
    assert.equal(await invitations.use('h', romeo, clock.time), false)
  })
}

function refusalTests(check: Check): void {
  check('a refused newcomer leaves nothing behind', async (store, _, clock) => {
    const { accounts, invitations } = store
    await accounts.create([account(romeo)])
    await invitations.create('h', terms(clock.time, { name: 'juliet' }), MOST)
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time, { hash: 'other' })), false)
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time + DAY)), false)
    assert.equal(await accounts.redeem(redeemed(paris, clock.time)), false, 'it is for another name')
    assert.equal(await accounts.redeem(redeemed(Jid.parse('juliet@example.net'), clock.time)), false)
    await invitations.create('i', terms(clock.time), MOST)
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time, { hash: 'i' })), false, 'the name is kept')
    assert.deepEqual(await contactsOf(store, juliet), { version: 0, items: [] })
    assert.deepEqual(await contactsOf(store, romeo), { version: 0, items: [] })
    await accounts.create([{ jid: juliet, admin: false, verifiers: [] }])
    assert.deepEqual((await accounts.find(juliet))?.verifiers, [], 'and no password')
  })

  check('whoever may not log in, or is gone, invites nobody', async ({ accounts, invitations }, _, clock) => {
    await accounts.create([account(romeo), account(paris)])
    await invitations.create('h', terms(clock.time), MOST)
    await invitations.create('i', terms(clock.time, { creator: undefined }), MOST)
    await invitations.create('j', terms(clock.time, { creator: undefined, contact: paris }), MOST)
    await accounts.setDisabled(romeo, true)
    assert.equal(await invitations.find('h', clock.time), undefined)
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time)), false)
    await accounts.setDisabled(romeo, false)
    assert.notEqual(await invitations.find('h', clock.time), undefined)
    await accounts.remove(romeo)
    await accounts.create([account(romeo)])
    assert.deepEqual(
      (await invitations.list(clock.time, 10)).map(({ contact }) => contact?.key),
      [paris.key],
    )
  })

  check('what is revoked is gone', async ({ invitations }, _, clock) => {
    const id = await invitations.create('h', terms(clock.time, { creator: undefined }), MOST)
    assert.ok(typeof id === 'number')
    assert.deepEqual(await invitations.revoke([id, id + 1]), 1)
    assert.equal(await invitations.find('h', clock.time), undefined)
    assert.equal(await invitations.revoke([id]), 0)
  })
}

function limitTests(check: Check): void {
  check('an account makes so many', async ({ accounts, invitations }, _, clock) => {
    await accounts.create([account(romeo), account(paris)])
    const make = (hash: string, changes: Partial<InvitationTerms> = {}) =>
      invitations.create(hash, terms(clock.time, changes), MOST)
    assert.equal(typeof (await make('a')), 'number')
    assert.equal(typeof (await make('b')), 'number')
    assert.equal(await make('c'), 'waiting')
    assert.equal(await invitations.use('a', romeo, clock.time), true)
    assert.equal(typeof (await make('c')), 'number')
    assert.equal(await invitations.use('b', romeo, clock.time), true)
    assert.equal(await make('d'), 'perDay')
    assert.equal(typeof (await make('d', { creator: paris })), 'number')
    for (let n = 0; n < 6; n++) assert.equal(typeof (await make(`e${n}`, { creator: undefined })), 'number')
    assert.equal(await make('f', { creator: undefined }), 'all')
    clock.time += DAY
    assert.equal(typeof (await make('g', { expires: clock.time + 1 })), 'number', 'used ones were forgotten')
  })

  check('a name is kept for one person', async ({ accounts, invitations }, _, clock) => {
    await accounts.create([account(romeo)])
    const named = (hash: string, name: string) =>
      invitations.create(hash, terms(clock.time, { creator: undefined, name }), MOST)
    assert.equal(typeof (await named('a', 'juliet')), 'number')
    assert.equal(await named('b', 'juliet'), 'name')
    assert.equal(await named('b', 'romeo'), 'name')
    assert.deepEqual(
      [await invitations.reserved(juliet, clock.time), await invitations.reserved(juliet, clock.time + DAY)],
      [true, false],
    )
    assert.equal(await accounts.redeem(redeemed(juliet, clock.time, { hash: 'a' })), true)
    assert.equal(await invitations.reserved(juliet, clock.time), false)
  })
}
