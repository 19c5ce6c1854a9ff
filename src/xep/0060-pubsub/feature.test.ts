// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, nothingFor, theatre } from '../../../test/support/cast.ts'
import { assertLike } from '../../../test/support/match.ts'
import { event, form, itemsOf, owner, publish, pubsub, refused } from '../../../test/support/pubsub.ts'
import type { Element } from '../../xml/element.ts'

const NS = 'http://jabber.org/protocol/pubsub'
const INFO = 'http://jabber.org/protocol/disco#info'
const ITEMS = 'http://jabber.org/protocol/disco#items'
const AT = 'pubsub.localhost'
const OK = `<iq type='result' from='${AT}'/>`
const UNAVAILABLE = refused('cancel', 'service-unavailable')

function entry(id: string): string {
  return `<item id='${id}'><entry xmlns='http://www.w3.org/2005/Atom'>${id}</entry></item>`
}

function create(node: string, config: Readonly<Record<string, string>> = {}): string {
  return pubsub(`<create node='${node}'/><configure>${form('node_config', config)}</configure>`)
}

function subscribe(node: string, jid: string): string {
  return pubsub(`<subscribe node='${node}' jid='${jid}'/>`)
}

function affiliate(node: string, ...people: readonly (readonly [string, string])[]): string {
  const all = people.map(([jid, affiliation]) => `<affiliation jid='${jid}' affiliation='${affiliation}'/>`)
  return owner(`<affiliations node='${node}'>${all.join('')}</affiliations>`)
}

async function works(actor: Actor, payload: string, to = AT): Promise<Element> {
  const answer = await actor.sets(payload, to)
  assertLike(answer, `<iq type='result' from='${to}'/>`)
  return answer
}

function nodesIn(answer: Element): string {
  return (answer.child('query', ITEMS)?.elements ?? []).map(({ attrs }) => attrs.node ?? attrs.jid).join(' ')
}

test('a domain lists its service, which says what it is', async () => {
  const { romeo } = await cast('romeo')
  assertLike(
    await romeo.gets(`<query xmlns='${ITEMS}'/>`, 'localhost'),
    `<iq type='result'><query xmlns='${ITEMS}'><item jid='${AT}'/></query></iq>`,
  )
  const info = await romeo.gets(`<query xmlns='${INFO}'/>`, AT)
  assertLike(
    info,
    `<iq type='result' from='${AT}'><query xmlns='${INFO}'><identity category='pubsub' type='service'/>
      <feature var='${INFO}'/><feature var='${NS}'/><feature var='${NS}#publish-options'/><feature var='${NS}#access-whitelist'/></query></iq>`,
  )
  const features = (info.child('query', INFO)?.childrenNamed('feature') ?? []).map(({ attrs }) => attrs.var)
  assert.ok(!features.includes(`${NS}#access-presence`) && !features.includes('jabber:iq:roster'))
  assert.equal(nodesIn(await romeo.gets(`<query xmlns='${ITEMS}'/>`, AT)), '')
  assertLike(await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, AT), OK)
  assertLike(await romeo.gets(`<query xmlns='${INFO}' node='x'/>`, AT), refused('cancel', 'item-not-found'))
})

test('who makes a node owns it; others subscribe, are told, and read', async () => {
  const { juliet, romeo, nurse } = await cast('juliet', 'romeo', 'nurse')
  await works(juliet, create('news', { title: 'Verona', max_items: '2' }))
  assertLike(await romeo.sets(create('news'), AT), refused('cancel', 'conflict'))
  await works(romeo, subscribe('news', romeo.bare))
  await works(juliet, publish('news', entry('a')))
  await romeo.receives(event('news', entry('a'), `from='${AT}' to='${romeo.full}'`))
  for (const id of ['b', 'c']) await works(juliet, publish('news', entry(id)))
  await romeo.hearsOut()
  assertLike(
    await nurse.gets(itemsOf('news'), AT),
    `<iq type='result'>${itemsOf('news', entry('b') + entry('c'))}</iq>`,
  )
  const page = pubsub(`<items node='news'/><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set>`)
  assertLike(
    await nurse.gets(page, AT),
    `<iq>${pubsub(`<items node='news'>${entry('b')}</items><set xmlns='http://jabber.org/protocol/rsm'><count>2</count></set>`)}</iq>`,
  )
  assert.equal(nodesIn(await nurse.gets(`<query xmlns='${ITEMS}'/>`, AT)), 'news')
  assertLike(
    await nurse.gets(`<query xmlns='${INFO}' node='news'/>`, AT),
    `<iq><query xmlns='${INFO}'><identity category='pubsub' type='leaf'/><x xmlns='jabber:x:data'>
      <field var='pubsub#creator'><value>${juliet.bare}</value></field><field var='pubsub#owner'><value>${juliet.bare}</value></field></x></query></iq>`,
  )
  await works(juliet, pubsub(`<retract node='news' notify='true'><item id='b'/></retract>`))
  await romeo.receives(event('news', `<retract id='b'/>`))
  await works(juliet, owner(`<purge node='news'/>`))
  await romeo.receives(`<message from='${AT}'><event xmlns='${NS}#event'><purge node='news'/></event></message>`)
  await works(romeo, pubsub(`<unsubscribe node='news' jid='${romeo.bare}'/>`))
  await works(juliet, owner(`<delete node='news'/>`))
  assertLike(await nurse.gets(itemsOf('news'), AT), refused('cancel', 'item-not-found'))
  await nothingFor(juliet, romeo, nurse)
})

test('nobody does what is not theirs', async () => {
  const { juliet, tybalt, nurse } = await cast('juliet', 'tybalt', 'nurse')
  await works(juliet, create('diary', { access_model: 'whitelist' }))
  await works(juliet, publish('diary', entry('a')))
  for (const payload of [
    publish('diary', entry('b')),
    pubsub(`<retract node='diary'><item id='a'/></retract>`),
    owner(`<purge node='diary'/>`),
    owner(`<delete node='diary'/>`),
    owner(`<configure node='diary'>${form('node_config', { access_model: 'open' })}</configure>`),
    affiliate('diary', [tybalt.bare, 'owner']),
  ])
    assertLike(await tybalt.sets(payload, AT), refused('auth', 'forbidden'))
  assertLike(await tybalt.gets(itemsOf('diary'), AT), refused('cancel', 'not-allowed', 'closed-node'))
  assertLike(await tybalt.sets(subscribe('diary', tybalt.bare), AT), refused('cancel', 'not-allowed', 'closed-node'))
  assertLike(await tybalt.sets(subscribe('diary', juliet.bare), AT), refused('modify', 'bad-request', 'invalid-jid'))
  assert.equal(nodesIn(await tybalt.gets(`<query xmlns='${ITEMS}'/>`, AT)), '')
  await works(juliet, affiliate('diary', [nurse.bare, 'publisher'], [tybalt.bare, 'outcast']))
  await works(nurse, publish('diary', entry('c')))
  assertLike(await tybalt.gets(itemsOf('diary'), AT), refused('auth', 'forbidden'))
  assertLike(await juliet.sets(affiliate('diary', [juliet.bare, 'none']), AT), refused('cancel', 'not-acceptable'))
  await works(juliet, affiliate('diary', [juliet.bare, 'none'], [nurse.bare, 'owner']))
  assertLike(await juliet.sets(owner(`<delete node='diary'/>`), AT), refused('auth', 'forbidden'))
  await works(nurse, owner(`<delete node='diary'/>`))
})

test('there is no roster at a service: what needs one is not on offer', async () => {
  const { juliet } = await cast('juliet')
  for (const wrong of [
    { access_model: 'presence' },
    { access_model: 'roster' },
    { send_last_published_item: 'on_sub_and_presence' },
  ])
    assertLike(await juliet.sets(create('n', wrong), AT), refused('modify', 'not-acceptable'))
  assertLike(
    await juliet.sets(publish('n', entry('a'), { access_model: 'presence' }), AT),
    refused('modify', 'bad-request'),
  )
  await works(juliet, publish('n', entry('a'), { access_model: 'whitelist', max_items: 'max' }))
  assertLike(
    await juliet.sets(publish('n', entry('b'), { access_model: 'open' }), AT),
    refused('cancel', 'conflict', 'precondition-not-met'),
  )
  assertLike(
    await juliet.gets(owner('<default/>'), AT),
    `<iq>${owner(`<default><x xmlns='jabber:x:data' type='form'><field var='pubsub#access_model'><value>open</value></field></x></default>`)}</iq>`,
  )
})

test('who made a node lets subscribers in, and nobody else does', async () => {
  const { juliet, romeo, tybalt } = await cast('juliet', 'romeo', 'tybalt')
  await works(juliet, create('club', { access_model: 'authorize' }))
  await works(juliet, publish('club', entry('a')))
  const asked = await works(romeo, subscribe('club', romeo.bare))
  assertLike(asked, `<iq>${pubsub(`<subscription node='club' subscription='pending'/>`)}</iq>`)
  await juliet.receives(
    `<message from='${AT}'><x xmlns='jabber:x:data' type='form'><field var='pubsub#subscriber_jid'><value>${romeo.bare}</value></field></x></message>`,
  )
  const answer = `<message to='${AT}'>${form('subscribe_authorization', { node: 'club', subscriber_jid: romeo.bare, allow: '1' })}</message>`
  tybalt.sends(answer)
  await tybalt.receives(`<message type='error' from='${AT}'/>`)
  assertLike(await romeo.gets(itemsOf('club'), AT), refused('auth', 'not-authorized', 'not-subscribed'))
  juliet.sends(answer)
  await romeo.receives(
    `<message from='${AT}'><event xmlns='${NS}#event'><subscription node='club' subscription='subscribed'/></event></message>`,
  )
  await romeo.receives(event('club', entry('a')))
  await nothingFor(juliet, romeo, tybalt)
})

test('nobody is pestered by way of a service', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await works(juliet, create('spam'))
  const force = owner(
    `<subscriptions node='spam'><subscription jid='${romeo.bare}' subscription='subscribed'/></subscriptions>`,
  )
  assertLike(await juliet.sets(force, AT), refused('cancel', 'not-allowed'))
  await works(romeo, subscribe('spam', romeo.bare))
  await romeo.sets(`<block xmlns='urn:xmpp:blocking'><item jid='${AT}'/></block>`)
  await romeo.settles()
  await works(juliet, publish('spam', entry('a')))
  await nothingFor(romeo, juliet)
})

test('notifications that somebody has subscribed to are not counted as those of a stranger', async () => {
  const stage = await theatre({ limits: { strangerMessagesPerHour: 1 } })
  const juliet = await stage.enter('juliet')
  const romeo = await stage.enter('romeo')
  await works(juliet, create('news'))
  await works(romeo, subscribe('news', romeo.bare))
  for (let id = 0; id < 12; id++) {
    await works(juliet, publish('news', entry(`i${id}`)))
    await romeo.receives(event('news', entry(`i${id}`)))
  }
})

test('what is not for a service comes back, and presence is ignored', async () => {
  const { romeo } = await cast('romeo')
  const bounced = (to: string) =>
    `<message type='error' from='${to}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`
  for (const to of [AT, `somebody@${AT}`, `${AT}/x`]) {
    romeo.sends(`<message to='${to}' type='chat'><body>Anybody there?</body></message>`)
    await romeo.receives(bounced(to))
    romeo.sends(`<message to='${to}' type='error'/>`)
    romeo.sends(`<presence to='${to}'/>`)
    romeo.sends(`<iq type='result' id='x' to='${to}'/>`)
    await romeo.receivesNothing()
  }
  assertLike(await romeo.gets(itemsOf('n'), `somebody@${AT}`), UNAVAILABLE)
  assertLike(await romeo.gets(`<query xmlns='jabber:iq:roster'/>`, AT), UNAVAILABLE)
  assertLike(await romeo.sets(pubsub(''), AT), refused('modify', 'bad-request'))
  assertLike(await romeo.sets(`<pubsub xmlns='${NS}'><constructor/></pubsub>`, AT), refused('modify', 'bad-request'))
  assertLike(
    await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, `other.localhost`),
    refused('cancel', 'remote-server-not-found'),
  )
})

test('each domain has a service of its own, unless the configuration says whose the name is', async () => {
  const stage = await theatre({ hosts: ['a.example', 'b.example', 'pubsub.b.example'] })
  const juliet = await stage.enter('juliet@a.example')
  const romeo = await stage.enter('romeo@b.example')
  const here = 'pubsub.a.example'
  assert.match(nodesIn(await juliet.gets(`<query xmlns='${ITEMS}'/>`, 'a.example')), /\bpubsub\.a\.example\b/)
  assert.doesNotMatch(nodesIn(await juliet.gets(`<query xmlns='${ITEMS}'/>`, 'b.example')), /pubsub/)
  assertLike(
    await romeo.gets(`<query xmlns='${INFO}'/>`, 'pubsub.b.example'),
    `<iq><query xmlns='${INFO}'><identity category='server' type='im'/></query></iq>`,
  )
  assertLike(await romeo.sets(create('n'), 'pubsub.b.example'), UNAVAILABLE)
  await works(juliet, create('n'), here)
  assertLike(await romeo.sets(create('m'), here), refused('auth', 'forbidden'))
  await works(romeo, subscribe('n', romeo.bare), here)
  await works(juliet, publish('n', entry('a')), here)
  await romeo.receives(event('n', entry('a'), `from='${here}'`))
})

test('two domains do not share nodes', async () => {
  const stage = await theatre({ hosts: ['a.example', 'b.example'] })
  const juliet = await stage.enter('juliet@a.example')
  const romeo = await stage.enter('romeo@b.example')
  await works(juliet, publish('n', entry('a')), 'pubsub.a.example')
  await works(romeo, publish('n', entry('b')), 'pubsub.b.example')
  assertLike(await romeo.gets(itemsOf('n'), 'pubsub.a.example'), `<iq type='result'>${itemsOf('n', entry('a'))}</iq>`)
  assertLike(await romeo.gets(itemsOf('n'), 'pubsub.b.example'), `<iq type='result'>${itemsOf('n', entry('b'))}</iq>`)
})

test('administrators own everything, and the configuration says who makes nodes', async () => {
  const options: Record<string, unknown> = { pubsubCreate: 'admins' }
  const stage = await theatre({ options, admins: ['admin@localhost'] })
  const admin = await stage.enter('admin')
  const romeo = await stage.enter('romeo')
  assertLike(await romeo.sets(create('n'), AT), refused('auth', 'forbidden'))
  assertLike(await romeo.sets(publish('n', entry('a')), AT), refused('cancel', 'item-not-found'))
  await works(admin, create('n'))
  options.pubsubCreate = 'users'
  await works(romeo, create('m', { access_model: 'whitelist' }))
  await works(admin, owner(`<delete node='m'/>`))
  options.pubsubCreate = 'nobody'
  assertLike(await admin.sets(create('m'), AT), refused('auth', 'forbidden'))
})

test('nodes outlive the process with their owners, but not the account of the last of them', async () => {
  const stage = await theatre()
  const juliet = await stage.enter('juliet')
  await works(juliet, create('hers'))
  await works(juliet, create('ours'))
  await works(juliet, affiliate('ours', ['romeo@localhost', 'owner']))
  await stage.restarts()
  const romeo = await stage.enter('romeo')
  const nurse = await stage.enter('juliet', 'again')
  await works(nurse, publish('hers', entry('a')))
  await works(romeo, subscribe('hers', romeo.bare))
  await romeo.settles()
  await stage.accounts.remove(nurse.jid.bare)
  await romeo.receives(`<message from='${AT}'><event xmlns='${NS}#event'><delete node='hers'/></event></message>`)
  const impostor = await stage.enter('juliet', 'new')
  assertLike(await impostor.sets(owner(`<delete node='ours'/>`), AT), refused('auth', 'forbidden'))
  assert.equal(nodesIn(await impostor.gets(`<query xmlns='${ITEMS}'/>`, AT)), 'ours')
  await works(romeo, owner(`<delete node='ours'/>`))
})

test('nobody fills a service', async () => {
  const stage = await theatre({ options: { pubsubBytes: 65_536 } })
  const tybalt = await stage.enter('tybalt')
  const juliet = await stage.enter('juliet')
  for (let count = 0; count < 50; count++) await works(tybalt, create(`n${count}`))
  const full = refused('wait', 'resource-constraint')
  assertLike(await tybalt.sets(create('one-more'), AT), full)
  await works(tybalt, affiliate('n0', [tybalt.bare, 'none'], ['nobody@localhost', 'owner']))
  assertLike(await tybalt.sets(create('one-more'), AT), full)
  const big = (id: string) => `<item id='${id}'><entry xmlns='urn:a'>${'x'.repeat(40_000)}</entry></item>`
  await works(tybalt, publish('n1', big('a')))
  assertLike(await tybalt.sets(publish('n2', big('b')), AT), full)
  assertLike(await tybalt.sets(publish('x'.repeat(2000), entry('a')), AT), refused('modify', 'bad-request'))
  await works(juliet, publish('hers', big('a')))
})
