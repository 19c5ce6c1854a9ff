// SPDX-License-Identifier: Apache-2.0
// What every store must do with accounts and rosters.
import assert from 'node:assert/strict'
import { Jid } from '../xmpp/jid.ts'
import { account, type Check, contact, juliet, nurse, romeo, verifier } from './contract.ts'

/** What stores do with accounts. */
export function accountTests(check: Check): void {
  check('an account is found with its verifiers', async ({ accounts }, _place, clock) => {
    assert.deepEqual(await accounts.create([account(romeo, true)]), [])
    assert.deepEqual(await accounts.find(romeo), {
      jid: romeo,
      admin: true,
      disabled: false,
      created: clock.time,
      lastSeen: undefined,
      lastStatus: undefined,
      verifiers: [verifier('SCRAM-SHA-256'), verifier('SCRAM-SHA-512')],
    })
    assert.equal(await accounts.find(juliet), undefined)
  })

  check('an account that exists is left as it is', async ({ accounts }) => {
    await accounts.create([account(romeo)])
    const again = { jid: romeo, admin: true, verifiers: [verifier('SCRAM-SHA-1', 1)] }
    assert.deepEqual(await accounts.create([again, account(juliet), account(juliet)]), [romeo, juliet])
    const found = await accounts.find(romeo)
    assert.equal(found?.admin, false)
    assert.deepEqual(found?.verifiers, account(romeo).verifiers)
  })

  check('an account is changed, or it is said that there is none', async ({ accounts }) => {
    await accounts.create([account(romeo)])
    assert.equal(await accounts.setVerifiers(romeo, [verifier('SCRAM-SHA-512', 99)]), true)
    assert.equal(await accounts.setDisabled(romeo, true), true)
    assert.equal(await accounts.setAdmin(romeo, true), true)
    await accounts.seen(romeo, 1234, 'gone to Mantua 🏃')
    const found = await accounts.find(romeo)
    assert.deepEqual(found?.verifiers, [verifier('SCRAM-SHA-512', 99)])
    assert.deepEqual([found?.disabled, found?.admin, found?.lastSeen], [true, true, 1234])
    assert.equal(found?.lastStatus, 'gone to Mantua 🏃')
    assert.equal(await accounts.setVerifiers(juliet, [verifier('SCRAM-SHA-512')]), false)
    assert.equal(await accounts.setDisabled(juliet, true), false)
    assert.equal(await accounts.setAdmin(juliet, true), false)
    assert.equal(await accounts.remove(juliet), false)
    await accounts.seen(juliet, 1, undefined)
    assert.equal(await accounts.find(juliet), undefined)
    await accounts.create([{ ...account(juliet), verifiers: [] }])
    assert.deepEqual((await accounts.find(juliet))?.verifiers, [])
  })

  check('five thousand accounts are made at once, counted and listed in pages', async ({ accounts }) => {
    const many = Array.from({ length: 5000 }, (_, i) =>
      account(Jid.parse(`user${String(i).padStart(4, '0')}@example.org`)),
    )
    const few = [account(Jid.parse('another@example.net'))]
    assert.deepEqual(await accounts.create([...many, ...few]), [])
    assert.equal(await accounts.count(), 5001)
    assert.equal(await accounts.count('example.org'), 5000)
    const first = await accounts.list({ limit: 2 })
    assert.deepEqual(
      first.map(({ jid }) => jid.key),
      ['another@example.net', 'user0000@example.org'],
    )
    const later = await accounts.list({ domain: 'example.org', after: 'user4997@example.org', limit: 10 })
    assert.deepEqual(
      later.map(({ jid }) => jid.key),
      ['user4998@example.org', 'user4999@example.org'],
    )
  })
}

/** What stores do with rosters. */
export function rosterTests(check: Check): void {
  check('a roster that was never changed is empty and of version 0', async ({ rosters }) => {
    assert.deepEqual(await rosters.load(romeo), { version: 0, items: [] })
    assert.equal(await rosters.remove(romeo, juliet), 0)
  })

  check('every change of a roster is kept and counted', async ({ rosters }) => {
    const full = contact(juliet, {
      name: 'Giulietta ❤ "x"',
      groups: ['Verona', "Capu'leti"],
      subscription: 'both',
      ask: true,
      approved: true,
      request: '<presence type="subscribe"/>',
      listed: false,
    })
    assert.equal(await rosters.put(romeo, contact(juliet)), 1)
    assert.equal(await rosters.put(romeo, contact(nurse, { name: 'Nurse' })), 2)
    assert.equal(await rosters.put(romeo, full), 3)
    assert.deepEqual(await rosters.load(romeo), { version: 3, items: [full, contact(nurse, { name: 'Nurse' })] })
    assert.equal(await rosters.remove(romeo, juliet), 4)
    assert.equal(await rosters.remove(romeo, juliet), 4)
    assert.equal(await rosters.remove(romeo, nurse), 5)
    assert.deepEqual(await rosters.load(romeo), { version: 5, items: [] })
    assert.deepEqual(await rosters.load(juliet), { version: 0, items: [] })
  })

  check('changes asked for at the same time are all made, one after the other', async ({ rosters }) => {
    const contacts = Array.from({ length: 50 }, (_, i) => contact(Jid.parse(`contact${i}@example.net`)))
    const versions = await Promise.all(contacts.map((item) => rosters.put(romeo, item)))
    assert.deepEqual(
      versions,
      contacts.map((_, i) => i + 1),
    )
    assert.equal((await rosters.load(romeo)).items.length, 50)
  })
}
