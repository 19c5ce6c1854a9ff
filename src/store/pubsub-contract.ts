// SPDX-License-Identifier: Apache-2.0
// What every store must do with nodes and items; part of `contract.ts`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { Jid } from '../xmpp/jid.ts'
import type { NewPlace } from './contract.ts'
import type { PubsubItem, StoredItem } from './pubsub-store.ts'

const romeo = Jid.parse('romeo@example.org')
const juliet = Jid.parse('juliet@example.org')

function item(id: string, xml = `<${id}/>`): PubsubItem {
  return { id, publisher: romeo.key, xml }
}

function idsOf(items: readonly StoredItem[]): string {
  return items.map(({ id }) => id).join(' ')
}

/** Runs the tests for nodes. */
export function pubsubContract(name: string, newPlace: NewPlace): void {
  test(`${name}: a node is made once, and what is published replaces, is trimmed, and stays`, async (t) => {
    const place = await newPlace(t)
    const store = await place.open(systemClock)
    const { pubsub } = store
    assert.deepEqual(await pubsub.load(romeo), [])
    assert.deepEqual(await pubsub.change(romeo, 'n', { create: '{"a":1}', put: [item('a')], keep: 2 }), {
      items: 1,
      bytes: 4,
    })
    await pubsub.change(romeo, 'n', { create: '{"a":2}', put: [item('b', '<ä/>')], keep: 2 })
    assert.equal(idsOf(await pubsub.items(romeo, 'n', { limit: 9 })), 'a b')
    assert.deepEqual(await pubsub.change(romeo, 'n', { put: [item('a', '<new/>'), item('c')], keep: 2 }), {
      items: 2,
      bytes: 10,
    })
    assert.equal(idsOf(await pubsub.items(romeo, 'n', { limit: 9 })), 'a c')
    await store.close()
    const again = await place.open(systemClock)
    const [node] = await again.pubsub.load(romeo)
    assert.deepEqual(node, { name: 'n', config: '{"a":1}', items: 2, bytes: 10, affiliations: [], subscriptions: [] })
    const found = await again.pubsub.item(romeo, 'n', 'a')
    assert.deepEqual([found?.xml, found?.publisher], ['<new/>', romeo.key])
    assert.equal(await again.pubsub.item(romeo, 'n', 'b'), undefined)
    assert.equal(await again.pubsub.item(juliet, 'n', 'a'), undefined)
    await again.close()
  })

  test(`${name}: items come in pages, in the order in which they were published`, async (t) => {
    const store = await (await newPlace(t)).open(systemClock)
    const { pubsub } = store
    await pubsub.change(romeo, 'n', { create: '{}', put: ['d', 'a', 'c', 'b'].map((id) => item(id)), keep: 9 })
    const ids = await pubsub.ids(romeo, 'n')
    assert.equal(ids.map(({ id }) => id).join(' '), 'd a c b')
    assert.equal(new Set(ids.map(({ time }) => time)).size, 4)
    const [first, second, , fourth] = ids.map(({ time }) => time)
    assert.ok(first !== undefined && second !== undefined && fourth !== undefined)
    assert.equal(idsOf(await pubsub.items(romeo, 'n', { limit: 2 })), 'd a')
    assert.equal(idsOf(await pubsub.items(romeo, 'n', { after: second, limit: 9 })), 'c b')
    assert.equal(idsOf(await pubsub.items(romeo, 'n', { before: fourth, last: true, limit: 2 })), 'a c')
    await pubsub.change(romeo, 'n', { remove: ['a', 'nothing'] })
    assert.equal(idsOf(await pubsub.items(romeo, 'n', { last: true, limit: 9 })), 'd c b')
    assert.deepEqual(await pubsub.configure(romeo, 'n', '{"b":1}', 1), { items: 1, bytes: 4 })
    assert.equal((await pubsub.load(romeo))[0]?.config, '{"b":1}')
    await pubsub.purge(romeo, 'n')
    assert.deepEqual(await pubsub.ids(romeo, 'n'), [])
    await store.close()
  })

  membersContract(name, newPlace)
}

function membersContract(name: string, newPlace: NewPlace): void {
  test(`${name}: affiliations and subscriptions go with their node, and all with the account`, async (t) => {
    const store = await (await newPlace(t)).open(systemClock)
    const { pubsub } = store
    await store.accounts.create([{ jid: romeo, admin: false, verifiers: [] }])
    for (const node of ['m', 'n']) {
      await pubsub.change(romeo, node, { create: '{}', put: [item('a')], keep: 9 })
      await pubsub.affiliate(
        romeo,
        node,
        new Map([
          ['a@b', 'member'],
          ['c@d', 'outcast'],
        ]),
      )
      await pubsub.affiliate(
        romeo,
        node,
        new Map([
          ['a@b', 'publisher'],
          ['c@d', 'none'],
        ]),
      )
      await pubsub.subscribe(
        romeo,
        node,
        new Map([
          ['a@b', 'pending'],
          ['c@d/e', 'subscribed'],
        ]),
      )
      await pubsub.subscribe(romeo, node, new Map([['a@b', 'subscribed']]))
    }
    const [, node] = await pubsub.load(romeo)
    assert.deepEqual(node?.affiliations, [['a@b', 'publisher']])
    assert.deepEqual(node?.subscriptions, [
      ['a@b', 'subscribed'],
      ['c@d/e', 'subscribed'],
    ])
    await pubsub.remove(romeo, 'm')
    assert.equal((await pubsub.load(romeo)).length, 1)
    const service = Jid.parse('pubsub.example.org')
    await pubsub.change(service, 's', { create: '{}', creator: juliet.key })
    assert.deepEqual((await pubsub.load(service))[0]?.affiliations, [[juliet.key, 'owner']])
    await pubsub.affiliate(service, 's', new Map([[romeo.key, 'member']]))
    await pubsub.subscribe(
      service,
      's',
      new Map([
        [romeo.key, 'subscribed'],
        [`${romeo.key}/phone`, 'subscribed'],
        [`${romeo.key}x`, 'subscribed'],
      ]),
    )
    await pubsub.change(romeo, 'm', { create: '{}' })
    assert.deepEqual(await pubsub.load(romeo).then(([one]) => [one?.items, one?.affiliations, one?.subscriptions]), [
      0,
      [],
      [],
    ])
    await store.accounts.remove(romeo)
    await pubsub.change(romeo, 'm', { put: [item('late')] })
    await store.accounts.create([{ jid: romeo, admin: false, verifiers: [] }])
    assert.deepEqual(await pubsub.load(romeo), [])
    assert.equal(await pubsub.item(romeo, 'm', 'late'), undefined)
    const [left] = await pubsub.load(service)
    assert.deepEqual(left?.affiliations, [[juliet.key, 'owner']])
    assert.deepEqual(left?.subscriptions, [[`${romeo.key}x`, 'subscribed']])
    await store.close()
  })
}
