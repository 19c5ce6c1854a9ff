// SPDX-License-Identifier: Apache-2.0
// What every store must do with rooms; part of `contract.ts`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { Jid } from '../xmpp/jid.ts'
import type { NewPlace } from './contract.ts'
import type { NewRoom, StoredAffiliation, StoredOccupant } from './rooms-store.ts'
import type { Store } from './store.ts'

const romeo = Jid.parse('romeo@example.org')
const juliet = Jid.parse('juliet@example.org')
const coven = Jid.parse('coven@rooms.example.org')
const heath = Jid.parse('heath@rooms.example.org')

function room(jid: Jid, changes: Partial<NewRoom['settings']> = {}, creator = romeo, most = 10): NewRoom {
  return {
    jid,
    creator,
    most,
    settings: { config: '{}', name: jid.local ?? '', listed: false, temporary: false, ...changes },
  }
}

function place(jid: Jid, affiliation: string, more: Partial<StoredAffiliation> = {}): StoredAffiliation {
  return { jid: jid.key, affiliation, nick: undefined, reason: undefined, ...more }
}

function occupant(jid: string, more: Partial<StoredOccupant> = {}): StoredOccupant {
  return { room: coven.key, jid, nick: 'nick', role: 'participant', presence: '', ...more }
}

/** Runs the tests for rooms. */
export function roomsContract(name: string, newPlace: NewPlace): void {
  const check = checking(name, newPlace)
  test(`${name}: a room is made once, with its owner, and stays`, async (t) => {
    const at = await newPlace(t)
    const store = await at.open(systemClock)
    assert.equal(await store.rooms.load(coven), undefined)
    assert.equal(await store.rooms.create(room(coven, { config: '{"a":1}' })), 'made')
    assert.equal(await store.rooms.create(room(coven, { config: '{"a":2}' }, juliet)), 'exists')
    await store.rooms.setSubject(coven, '{"s":1}')
    await store.rooms.affiliate(coven, [place(juliet, 'member', { nick: 'J' })])
    await store.close()
    const again = await at.open(systemClock)
    assert.deepEqual(await again.rooms.load(coven), {
      config: '{"a":1}',
      subject: '{"s":1}',
      affiliations: [place(juliet, 'member', { nick: 'J' }), place(romeo, 'owner')],
    })
    await again.close()
  })

  check('administrators see all rooms', async ({ rooms }) => {
    await rooms.create(room(heath, { listed: true, temporary: true }))
    await rooms.create(room(coven, {}, juliet))
    await rooms.affiliate(coven, [place(romeo, 'member'), place(Jid.parse('tybalt@example.org'), 'outcast')])
    const [first, second, ...others] = await rooms.all(10)
    assert.deepEqual(first, {
      jid: coven.key,
      name: 'coven',
      creator: juliet.key,
      listed: false,
      temporary: false,
      places: 2,
      inside: 0,
    })
    assert.deepEqual([second?.jid, second?.listed, second?.temporary, others.length], [heath.key, true, true, 0])
    assert.equal((await rooms.all(1)).length, 1)
  })

  check('a creator has only so many rooms', async ({ rooms }) => {
    const ends = await Promise.all([
      rooms.create(room(coven, {}, romeo, 1)),
      rooms.create(room(heath, {}, romeo, 1)),
      rooms.create(room(coven, {}, romeo, 1)),
    ])
    assert.deepEqual(ends, ['made', 'too many', 'exists'])
    assert.equal(await rooms.load(heath), undefined)
    assert.deepEqual(await rooms.withPlaceOf(romeo), [coven])
    await rooms.remove(coven)
    assert.equal(await rooms.create(room(heath, {}, romeo, 1)), 'made')
  })

  check('affiliations are put in place and taken away, with settings too', async ({ rooms }) => {
    await rooms.create(room(coven))
    await rooms.affiliate(coven, [place(juliet, 'outcast', { reason: 'Treason' })])
    const { settings } = room(coven, { config: '{"b":1}', listed: true })
    await rooms.configure(coven, settings, [place(juliet, 'admin'), place(romeo, 'none')])
    const loaded = await rooms.load(coven)
    assert.deepEqual([loaded?.config, loaded?.affiliations], ['{"b":1}', [place(juliet, 'admin')]])
    await rooms.affiliate(heath, [place(juliet, 'owner')])
    assert.deepEqual(await rooms.withPlaceOf(juliet), [coven])
    await rooms.create(room(heath, { config: JSON.stringify({ wearers: { [juliet.key]: ['hat'] } }) }))
    assert.deepEqual(await rooms.withPlaceOf(juliet), [coven, heath])
  })

  check('rooms that everybody may find are listed by pages', async ({ rooms }) => {
    for (const local of ['c', 'a', 'b']) {
      await rooms.create(room(Jid.parse(`${local}@rooms.example.org`), { listed: true }))
    }
    await rooms.create(room(coven))
    await rooms.create(room(Jid.parse('x@rooms.example.net'), { listed: true }))
    const list = async (range: Parameters<typeof rooms.list>[1]) =>
      (await rooms.list('rooms.example.org', range)).map((one) => one.name).join('')
    assert.equal(await list({ limit: 9 }), 'abc')
    assert.equal(await list({ limit: 2 }), 'ab')
    assert.equal(await list({ limit: 2, after: 'a@rooms.example.org' }), 'bc')
    assert.equal(await list({ limit: 2, last: true }), 'bc')
    assert.equal(await list({ limit: 1, last: true, before: 'c@rooms.example.org' }), 'b')
    assert.equal(await rooms.countListed('rooms.example.org'), 3)
  })

  whatGoes(check)
}

type Check = (title: string, run: (store: Store) => Promise<void>) => void

function checking(name: string, newPlace: NewPlace): Check {
  return (title, run) => {
    test(`${name}: ${title}`, async (t) => {
      const store = await (await newPlace(t)).open(systemClock)
      await run(store)
      await store.close()
    })
  }
}

function whatGoes(check: Check): void {
  check('who is in a room is noted, changed and taken out, and goes with the room', async (store) => {
    const { rooms } = store
    await rooms.create(room(coven, { temporary: true }))
    rooms.enter(occupant('romeo@example.org/a'))
    rooms.enter(occupant('juliet@example.org/b', { nick: 'J', presence: '<show>away</show>' }))
    rooms.enter(occupant('romeo@example.org/a', { nick: 'R', role: 'moderator' }))
    rooms.enter(occupant('romeo@example.org/a', { room: heath.key }))
    assert.deepEqual(await rooms.occupants(), [
      occupant('juliet@example.org/b', { nick: 'J', presence: '<show>away</show>' }),
      occupant('romeo@example.org/a', { nick: 'R', role: 'moderator' }),
    ])
    assert.deepEqual(await rooms.temporary(), [coven])
    rooms.leave(coven.key, 'romeo@example.org/a')
    await store.durable()
    assert.equal((await rooms.occupants()).length, 1)
    await rooms.remove(coven)
    assert.deepEqual([await rooms.occupants(), await rooms.temporary()], [[], []])
  })

  check('a room takes its archive and its documents along, and its name is free for another one', async (store) => {
    const { rooms, messages, documents } = store
    const say = () =>
      messages.append({ xml: '<message/>', from: romeo, to: coven, archiveFor: [coven], offlineFor: undefined })
    const count = async () => (await messages.page(coven, { limit: 9 })).messages.length
    const { settings } = room(coven, { config: '{"card":1}' })
    await rooms.create(room(coven))
    say()
    await rooms.setDocument(coven, settings, 'card', '<card/>')
    assert.deepEqual([await count(), await documents.get(coven, 'card')], [1, '<card/>'])
    assert.equal((await rooms.load(coven))?.config, '{"card":1}')
    await rooms.setDocument(coven, settings, 'card', undefined)
    assert.equal(await documents.get(coven, 'card'), undefined)
    await rooms.setDocument(coven, settings, 'card', '<card/>')
    await rooms.remove(coven)
    assert.deepEqual([await count(), await documents.get(coven, 'card')], [0, undefined])
    say() // too late
    await rooms.create(room(coven, {}, juliet))
    assert.equal(await count(), 0)
    assert.deepEqual((await rooms.load(coven))?.affiliations, [place(juliet, 'owner')])
  })

  check('an account that goes has no place in rooms, and made none', async ({ rooms, accounts }) => {
    await accounts.create([{ jid: romeo, admin: false, verifiers: [] }])
    await rooms.create(room(coven, {}, romeo, 1))
    await rooms.affiliate(coven, [place(juliet, 'member')])
    await accounts.remove(romeo)
    assert.deepEqual((await rooms.load(coven))?.affiliations, [place(juliet, 'member')])
    assert.equal(await rooms.create(room(heath, {}, romeo, 1)), 'made')
  })

  check('of those with a place in a room, those are told who want to be woken', async ({ rooms, pushes }) => {
    await rooms.create(room(coven))
    await rooms.affiliate(coven, [place(juliet, 'outcast')])
    const service = Jid.parse('push.example.org')
    for (const owner of [romeo, juliet]) {
      for (const node of ['a', 'b'])
        await pushes.enable({ owner, service, node, device: 'd', options: undefined }, 1, 9)
    }
    assert.deepEqual(await rooms.wakeable(coven, 9), [romeo])
  })
}
