// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, nothingFor, theatre } from '../../../test/support/cast.ts'
import { befriend, follow, rosterSet } from '../../../test/support/friends.ts'
import { assertLike } from '../../../test/support/match.ts'
import { event, form, itemsOf, listens, owner, publish, pubsub, refused } from '../../../test/support/pubsub.ts'
import type { Element } from '../../xml/element.ts'

const NS = 'http://jabber.org/protocol/pubsub'
const NODE = 'princely_musings'
const OK = `<iq type='result'/>`

function entry(id: string): string {
  return `<item id='${id}'><entry xmlns='http://www.w3.org/2005/Atom'>${id}</entry></item>`
}

function create(node: string, config?: Readonly<Record<string, string>>): string {
  return pubsub(`<create node='${node}'/>${config ? `<configure>${form('node_config', config)}</configure>` : ''}`)
}

function configure(node: string, config: Readonly<Record<string, string>>): string {
  return owner(`<configure node='${node}'>${form('node_config', config)}</configure>`)
}

function subscribe(node: string, jid: string): string {
  return pubsub(`<subscribe node='${node}' jid='${jid}'/>`)
}

function rsm(content: string): string {
  return pubsub(`<items node='${NODE}'/><set xmlns='http://jabber.org/protocol/rsm'>${content}</set>`)
}

function ids(answer: Element): string {
  const items = answer.child('pubsub', NS)?.child('items')?.elements ?? []
  return items.map(({ attrs }) => attrs.id).join(' ')
}

async function works(actor: Actor, payload: string, to?: string): Promise<Element> {
  const answer = await actor.sets(payload, to)
  assertLike(answer, OK)
  return answer
}

test('a node is created with a configuration, configured, and described', async () => {
  const { juliet } = await cast('juliet')
  assertLike(await juliet.sets(create(NODE, { access_model: 'open', max_items: '5', title: 'Musings' })), OK)
  assertLike(await juliet.sets(create(NODE)), refused('cancel', 'conflict'))
  const shown = (values: string) =>
    `<iq>${owner(`<configure node='${NODE}'><x xmlns='jabber:x:data' type='form'>${values}</x></configure>`)}</iq>`
  const field = (name: string, value: string) => `<field var='pubsub#${name}'><value>${value}</value></field>`
  const ask = owner(`<configure node='${NODE}'/>`)
  assertLike(
    await juliet.gets(ask),
    shown(field('access_model', 'open') + field('max_items', '5') + field('persist_items', '1')),
  )
  await works(juliet, configure(NODE, { max_items: 'max', access_model: 'whitelist' }))
  assertLike(
    await juliet.gets(ask),
    shown(field('access_model', 'whitelist') + field('max_items', 'max') + field('title', 'Musings')),
  )
  await works(juliet, owner(`<configure node='${NODE}'><x xmlns='jabber:x:data' type='cancel'/></configure>`))
  for (const wrong of [
    { max_items: '5000' },
    { max_items: 'all' },
    { access_model: 'closed' },
    { persist_items: 'maybe' },
  ])
    assertLike(await juliet.sets(configure(NODE, wrong)), refused('modify', 'not-acceptable'))
  assertLike(
    await juliet.gets(owner('<default/>')),
    `<iq>${owner(`<default><x xmlns='jabber:x:data' type='form'>${field('access_model', 'presence')}</x></default>`)}</iq>`,
  )
  assertLike(
    await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info' node='${NODE}'/>`, juliet.bare),
    `<iq><query xmlns='http://jabber.org/protocol/disco#info' node='${NODE}'><identity category='pubsub' type='leaf'/><x xmlns='jabber:x:data'>${field('title', 'Musings')}</x></query></iq>`,
  )
  const instant = await works(juliet, pubsub('<create/>'))
  assert.match(instant.child('pubsub', NS)?.child('create')?.attrs.node ?? '', /^[-0-9a-f]{36}$/)
})

test('a node keeps its newest items, and hands them out in pages', async () => {
  const { juliet } = await cast('juliet')
  await works(juliet, create(NODE, { max_items: '5' }))
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await works(juliet, publish(NODE, entry(id)))
  await works(juliet, publish(NODE, entry('c')))
  assert.equal(ids(await juliet.gets(itemsOf(NODE))), 'b d e f c')
  assert.equal(ids(await juliet.gets(pubsub(`<items node='${NODE}' max_items='2'/>`))), 'f c')
  assert.equal(ids(await juliet.gets(itemsOf(NODE, `<item id='e'/><item id='a'/>`))), 'e')
  assertLike(await juliet.gets(itemsOf(NODE, `<item id='a'/>`)), refused('cancel', 'item-not-found'))
  const first = await juliet.gets(rsm('<max>2</max>'))
  assert.equal(ids(first), 'b d')
  assertLike(
    first,
    `<iq>${pubsub(`<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>b</first><last>d</last><count>5</count></set>`)}</iq>`,
  )
  assert.equal(ids(await juliet.gets(rsm('<max>2</max><after>d</after>'))), 'e f')
  assert.equal(ids(await juliet.gets(rsm('<max>2</max><before/>'))), 'f c')
  assert.equal(ids(await juliet.gets(rsm('<max>9</max><before>e</before>'))), 'b d')
  assert.equal(ids(await juliet.gets(rsm('<max>2</max><after>c</after>'))), '')
  assertLike(
    await juliet.gets(rsm('<max>0</max>')),
    `<iq>${pubsub(`<set xmlns='http://jabber.org/protocol/rsm'><count>5</count></set>`)}</iq>`,
  )
  assertLike(await juliet.gets(rsm('<after>a</after>')), refused('cancel', 'item-not-found'))
  await works(juliet, configure(NODE, { max_items: '1' }))
  assert.equal(ids(await juliet.gets(itemsOf(NODE))), 'c')
  const items = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#items' node='${NODE}'/>`, juliet.bare)
  assertLike(
    items,
    `<iq><query xmlns='http://jabber.org/protocol/disco#items'><item jid='${juliet.bare}' name='c'/></query></iq>`,
  )
})

test('a long node is cut, and says so', async () => {
  const { juliet } = await cast('juliet')
  await works(juliet, create(NODE, { max_items: '9' }))
  const long = 'x'.repeat(180_000)
  for (const id of ['a', 'b', 'c', 'd'])
    await works(juliet, publish(NODE, `<item id='${id}'><entry xmlns='urn:a'>${long}</entry></item>`))
  const answer = await juliet.gets(itemsOf(NODE))
  assert.equal(ids(answer), 'c d')
  assertLike(
    answer,
    `<iq>${pubsub(`<set xmlns='http://jabber.org/protocol/rsm'><first index='2'>c</first><count>4</count></set>`)}</iq>`,
  )
  const big = `<item><entry xmlns='urn:a'>${'x'.repeat(200_000)}</entry></item>`
  assertLike(await juliet.sets(publish(NODE, big)), refused('modify', 'not-acceptable', 'payload-too-big'))
})

test('items are retracted, nodes purged and deleted, and everybody who sees them hears of it', async () => {
  const { juliet, romeo, iago } = await cast('juliet', 'romeo', 'iago')
  await follow(romeo, juliet)
  await listens(romeo, NODE)
  await juliet.settles()
  await works(juliet, create(NODE, { max_items: '9' }))
  for (const id of ['a', 'b']) {
    await works(juliet, publish(NODE, entry(id)))
    await romeo.receives(event(NODE, entry(id)))
  }
  const retract = (attrs: string, id: string) => pubsub(`<retract node='${NODE}' ${attrs}><item id='${id}'/></retract>`)
  assertLike(await romeo.sets(retract('', 'a'), juliet.bare), refused('auth', 'forbidden'))
  await works(juliet, retract('', 'a'))
  await romeo.receives(event(NODE, `<retract id='a'/>`))
  await works(juliet, retract(`notify='0'`, 'b'))
  assertLike(await juliet.sets(pubsub(`<retract node='${NODE}'/>`)), refused('modify', 'bad-request', 'item-required'))
  await works(juliet, publish(NODE, entry('c')))
  await romeo.receives(event(NODE, entry('c')))
  const purge = owner(`<purge node='${NODE}'/>`)
  assertLike(await romeo.sets(purge, juliet.bare), refused('auth', 'forbidden'))
  assertLike(await iago.sets(purge, juliet.bare), refused('auth', 'forbidden'))
  await works(juliet, purge)
  const told = (name: string) =>
    `<message type='headline'><event xmlns='${NS}#event'><${name} node='${NODE}'/></event></message>`
  await romeo.receives(told('purge'))
  assert.equal(ids(await juliet.gets(itemsOf(NODE))), '')
  await works(juliet, owner(`<delete node='${NODE}'/>`))
  await romeo.receives(told('delete'))
  assertLike(await juliet.sets(owner(`<delete node='${NODE}'/>`)), refused('cancel', 'item-not-found'))
  await nothingFor(romeo, juliet, iago)
})

test('who subscribes is told, with the last item first, until it unsubscribes', async () => {
  const { juliet, iago } = await cast('juliet', 'iago')
  await works(juliet, create(NODE, { access_model: 'open' }))
  await works(juliet, publish(NODE, entry('a')))
  iago.sends(`<iq type='set' id='s' to='${juliet.bare}'>${subscribe(NODE, iago.bare)}</iq>`)
  await iago.receives(event(NODE, entry('a'), `to='${iago.bare}'`))
  await iago.receives(
    `<iq type='result' id='s'>${pubsub(`<subscription node='${NODE}' jid='${iago.bare}' subscription='subscribed'/>`)}</iq>`,
  )
  await works(juliet, publish(NODE, entry('b')))
  await iago.receives(event(NODE, entry('b')))
  const mine = `<iq>${pubsub(`<subscriptions><subscription node='${NODE}' jid='${iago.bare}' subscription='subscribed'/></subscriptions>`)}</iq>`
  assertLike(await iago.gets(pubsub('<subscriptions/>'), juliet.bare), mine)
  const unsubscribe = pubsub(`<unsubscribe node='${NODE}' jid='${iago.bare}'/>`)
  await works(iago, unsubscribe, juliet.bare)
  assertLike(await iago.sets(unsubscribe, juliet.bare), refused('cancel', 'unexpected-request', 'not-subscribed'))
  assertLike(
    await iago.sets(subscribe(NODE, 'romeo@localhost'), juliet.bare),
    refused('modify', 'bad-request', 'invalid-jid'),
  )
  assertLike(await iago.sets(subscribe(NODE, 'a@@b'), juliet.bare), refused('modify', 'bad-request', 'invalid-jid'))
  assertLike(
    await iago.gets(pubsub(`<options node='${NODE}' jid='${iago.bare}'/>`), juliet.bare),
    refused('cancel', 'feature-not-implemented', 'unsupported'),
  )
  await works(juliet, publish(NODE, entry('c')))
  await nothingFor(iago)
  for (let index = 0; index < 20; index++) await works(iago, subscribe(NODE, `${iago.bare}/${index}`), juliet.bare)
  assertLike(
    await iago.sets(subscribe(NODE, iago.bare), juliet.bare),
    refused('wait', 'policy-violation', 'too-many-subscriptions'),
  )
})

test('who is subscribed and asks by its capabilities is told once', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await befriend(juliet, romeo)
  await listens(romeo, NODE)
  await works(juliet, create(NODE))
  for (const jid of [romeo.bare, romeo.full]) await works(romeo, subscribe(NODE, jid), juliet.bare)
  await works(juliet, publish(NODE, entry('a')))
  await romeo.receives(event(NODE, entry('a')))
  await nothingFor(romeo)
})

test('an owner lets subscribers in', async () => {
  const { juliet, iago, nurse } = await cast('juliet', 'iago', 'nurse')
  await works(juliet, create(NODE, { access_model: 'authorize' }))
  await works(juliet, publish(NODE, entry('a')))
  const pending = `<iq type='result'>${pubsub(`<subscription subscription='pending'/>`)}</iq>`
  assertLike(await iago.sets(subscribe(NODE, iago.bare), juliet.bare), pending)
  await juliet.receives(
    `<message><x xmlns='jabber:x:data' type='form'><field var='pubsub#subscriber_jid'><value>${iago.bare}</value></field></x></message>`,
  )
  assertLike(await iago.gets(itemsOf(NODE), juliet.bare), refused('auth', 'not-authorized', 'not-subscribed'))
  const answer = form('subscribe_authorization', { node: NODE, subscriber_jid: iago.bare, allow: '1' })
  juliet.sends(`<message to='${juliet.bare}'>${answer}</message>`)
  await iago.receives(
    `<message><event xmlns='${NS}#event'><subscription node='${NODE}' jid='${iago.bare}' subscription='subscribed'/></event></message>`,
  )
  await iago.receives(event(NODE, entry('a')))
  assertLike(await iago.gets(itemsOf(NODE), juliet.bare), OK)
  assertLike(await nurse.sets(subscribe(NODE, nurse.bare), juliet.bare), pending)
  await juliet.receives('<message/>')
  const all = await juliet.gets(owner(`<subscriptions node='${NODE}'/>`))
  assertLike(
    all,
    `<iq>${owner(`<subscriptions><subscription jid='${nurse.bare}' subscription='pending'/><subscription jid='${iago.bare}' subscription='subscribed'/></subscriptions>`)}</iq>`,
  )
  await works(
    juliet,
    owner(`<subscriptions node='${NODE}'><subscription jid='${nurse.bare}' subscription='none'/></subscriptions>`),
  )
  await nurse.receives(`<message><event xmlns='${NS}#event'><subscription subscription='none'/></event></message>`)
  await nothingFor(juliet)
})

test('affiliations let others read, publish and own', async () => {
  const { juliet, romeo, iago } = await cast('juliet', 'romeo', 'iago')
  await works(juliet, create(NODE, { access_model: 'whitelist', max_items: '9' }))
  const affiliate = (jid: string, affiliation: string) =>
    owner(`<affiliations node='${NODE}'><affiliation jid='${jid}' affiliation='${affiliation}'/></affiliations>`)
  await works(juliet, affiliate(romeo.bare, 'member'))
  assertLike(await romeo.gets(itemsOf(NODE), juliet.bare), OK)
  assertLike(await romeo.sets(publish(NODE, entry('r')), juliet.bare), refused('auth', 'forbidden'))
  assertLike(await iago.sets(subscribe(NODE, iago.bare), juliet.bare), refused('cancel', 'not-allowed', 'closed-node'))
  await works(juliet, affiliate(romeo.bare, 'publisher'))
  await works(juliet, subscribe(NODE, juliet.full))
  await works(romeo, publish(NODE, entry('r')), juliet.bare)
  await juliet.receives(event(NODE, `<item id='r' publisher='${romeo.bare}'/>`))
  assertLike(
    await romeo.gets(pubsub('<affiliations/>'), juliet.bare),
    `<iq>${pubsub(`<affiliations><affiliation node='${NODE}' affiliation='publisher'/></affiliations>`)}</iq>`,
  )
  assertLike(await romeo.gets(owner(`<affiliations node='${NODE}'/>`), juliet.bare), refused('auth', 'forbidden'))
  await works(juliet, affiliate(romeo.bare, 'owner'))
  assertLike(
    await romeo.gets(owner(`<affiliations node='${NODE}'/>`), juliet.bare),
    `<iq>${owner(`<affiliations><affiliation jid='${juliet.bare}' affiliation='owner'/></affiliations>`)}</iq>`,
  )
  assertLike(await romeo.sets(affiliate(juliet.bare, 'outcast'), juliet.bare), refused('cancel', 'not-acceptable'))
  assertLike(await juliet.sets(affiliate(romeo.bare, 'king')), refused('modify', 'not-acceptable'))
  await works(juliet, affiliate(romeo.bare, 'none'))
  assertLike(await romeo.gets(itemsOf(NODE), juliet.bare), refused('cancel', 'not-allowed', 'closed-node'))
})

test('groups of the roster open a node', async () => {
  const { juliet, romeo, iago } = await cast('juliet', 'romeo', 'iago')
  await follow(romeo, juliet)
  await follow(iago, juliet)
  juliet.sends(rosterSet(`<item jid='${romeo.bare}'><group>Friends</group></item>`))
  await juliet.settles()
  await works(juliet, create(NODE, { access_model: 'roster', roster_groups_allowed: 'Friends' }))
  assertLike(await romeo.gets(itemsOf(NODE), juliet.bare), OK)
  assertLike(await iago.gets(itemsOf(NODE), juliet.bare), refused('auth', 'not-authorized', 'not-in-roster-group'))
})

test('what is no request is refused', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await works(juliet, create(NODE, { access_model: 'open', publish_model: 'open' }))
  for (const [payload, error] of [
    [pubsub(''), refused('modify', 'bad-request')],
    [pubsub('<constructor/>'), refused('modify', 'bad-request')],
    [pubsub(`<publish>${entry('a')}</publish>`), refused('modify', 'bad-request', 'nodeid-required')],
    [publish(NODE, ''), refused('modify', 'bad-request', 'item-required')],
    [publish(NODE, '<item/>'), refused('modify', 'bad-request', 'payload-required')],
    [
      publish(NODE, `<item><a xmlns='urn:a'/><b xmlns='urn:b'/></item>`),
      refused('modify', 'bad-request', 'invalid-payload'),
    ],
    [publish(NODE, entry('a') + entry('b')), refused('cancel', 'not-allowed', 'max-items-exceeded')],
    [publish('n'.repeat(2000), entry('a')), refused('modify', 'bad-request')],
    [publish(NODE, entry('i'.repeat(2000))), refused('modify', 'bad-request')],
  ] as const)
    assertLike(await juliet.sets(payload), error)
  await works(romeo, publish(NODE, entry('r')), juliet.bare)
  assertLike(await romeo.sets(publish('other', entry('r')), juliet.bare), refused('cancel', 'item-not-found'))
  assertLike(await romeo.sets(create('other'), juliet.bare), refused('cancel', 'item-not-found'))
})

test('nobody fills the disk', async () => {
  const stage = await theatre({ options: { pubsubBytes: 100_000 } })
  const jid = await stage.account('juliet')
  const made = Array.from({ length: 500 }, (_, index) => stage.store.pubsub.change(jid, `n${index}`, { create: '{}' }))
  await Promise.all(made)
  const juliet = await stage.enter('juliet')
  assertLike(await juliet.sets(publish('one-more', entry('a'))), refused('wait', 'resource-constraint'))
  assertLike(await juliet.sets(publish('n7', entry('a'))), OK)
  const long = `<item><entry xmlns='urn:a'>${'x'.repeat(60_000)}</entry></item>`
  assertLike(await juliet.sets(publish('n8', long)), OK)
  assertLike(await juliet.sets(publish('n9', long)), refused('wait', 'resource-constraint'))
  assertLike(await juliet.sets(owner(`<purge node='n8'/>`)), OK)
  assertLike(await juliet.sets(publish('n9', long)), OK)
})

test('to strangers a question that is wrong, or is about nothing, gets the same answer whether there is an account or not', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  const gets = [
    owner('<default/>'),
    pubsub(''),
    pubsub('<items/>'),
    pubsub('<nonsense/>'),
    pubsub('<subscriptions/>'),
    pubsub('<affiliations/>'),
  ]
  const sets = [
    pubsub(`<publish node='${NODE}'/>`),
    pubsub(`<retract node='${NODE}'/>`),
    subscribe(NODE, 'somebody@else'),
    pubsub(`<unsubscribe node='${NODE}' jid='somebody@else'/>`),
    pubsub('<create/>'),
    owner(`<configure node='${NODE}'/>`),
  ]
  for (const to of [juliet.bare, 'nobody@localhost']) {
    for (const payload of gets) assertLike(await romeo.gets(payload, to), refused('cancel', 'service-unavailable'))
    for (const payload of sets) assertLike(await romeo.sets(payload, to), refused('cancel', 'service-unavailable'))
  }
})
