// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cast, nothingFor, theatre } from '../../test/support/cast.ts'
import { befriend, follow } from '../../test/support/friends.ts'
import { assertLike } from '../../test/support/match.ts'
import { event, form, itemsOf, learns, listens, owner, publish, pubsub, refused } from '../../test/support/pubsub.ts'

const TUNE = 'http://jabber.org/protocol/tune'
const OK = `<iq type='result'/>`
const UNAVAILABLE = refused('cancel', 'service-unavailable')

function tune(title: string, id = 'current'): string {
  return `<item id='${id}'><tune xmlns='${TUNE}'><title>${title}</title></tune></item>`
}

test('an account says that it is a PEP service', async () => {
  const { juliet } = await cast('juliet')
  const info = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, juliet.bare)
  assertLike(
    info,
    `<iq><query xmlns='http://jabber.org/protocol/disco#info'><identity category='pubsub' type='pep'/>
      <feature var='http://jabber.org/protocol/pubsub#publish-options'/><feature var='http://jabber.org/protocol/pubsub#auto-create'/>
      <feature var='http://jabber.org/protocol/pubsub#config-node-max'/></query></iq>`,
  )
})

test('what is published makes its node, and reaches the own clients and contacts that ask for it', async () => {
  const { juliet, phone, romeo, tablet, nurse } = await cast(
    'juliet',
    { phone: 'juliet' },
    'romeo',
    { tablet: 'romeo' },
    'nurse',
  )
  await follow(romeo, juliet)
  await listens(phone, TUNE)
  await listens(romeo, TUNE)
  await listens(nurse, TUNE)
  for (const actor of [juliet, phone, romeo, tablet, nurse]) await actor.settles()
  assertLike(
    await juliet.sets(publish(TUNE, tune('Gagliarda'))),
    `<iq type='result'>${pubsub(`<publish node='${TUNE}'><item id='current'/></publish>`)}</iq>`,
  )
  await phone.receives(event(TUNE, tune('Gagliarda'), `from='${juliet.bare}' to='${phone.full}'`))
  await romeo.receives(event(TUNE, tune('Gagliarda'), `from='${juliet.bare}' to='${romeo.full}'`))
  await nothingFor(juliet, phone, romeo, tablet, nurse)
  assertLike(await romeo.gets(itemsOf(TUNE), juliet.bare), `<iq type='result'>${itemsOf(TUNE, tune('Gagliarda'))}</iq>`)
})

test('who comes later is told what was published last, once', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await befriend(romeo, juliet)
  await juliet.sets(publish(TUNE, tune('Pavane')))
  juliet.sends(`<presence type='unavailable'/>`)
  await juliet.settles()
  await romeo.settles()
  await learns(romeo, TUNE, 'urn:other')
  const last = await romeo.receives(event(TUNE, tune('Pavane'), `from='${juliet.bare}'`))
  assertLike(last, `<message><delay xmlns='urn:xmpp:delay' stamp='*'/></message>`)
  await nothingFor(romeo)
  romeo.sends('<presence><show>away</show></presence>')
  await romeo.receives(`<presence from='${romeo.full}'/>`)
  await nothingFor(romeo)
  await juliet.settles()
  await learns(juliet, TUNE)
  await juliet.receives(`<presence from='${romeo.full}'/>`)
  await juliet.receives(event(TUNE, tune('Pavane')))
})

test('whose subscription is accepted is told what was published last', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await juliet.sets(publish(TUNE, tune('Pavane')))
  await listens(romeo, TUNE)
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
  await romeo.settles()
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
  let heard = await romeo.hears()
  while (heard.name !== 'message') heard = await romeo.hears()
  assertLike(heard, event(TUNE, tune('Pavane'), `from='${juliet.bare}'`))
})

test('a node that is never to be sent is not', async () => {
  const { juliet } = await cast('juliet')
  await juliet.sets(publish(TUNE, tune('Pavane'), { send_last_published_item: 'never' }))
  await listens(juliet, 'urn:other')
  await learns(juliet, TUNE)
  await nothingFor(juliet)
})

test('blocks hold in both directions', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await befriend(romeo, juliet)
  await listens(romeo, TUNE)
  await listens(juliet, TUNE)
  const block = (jid: string) => `<block xmlns='urn:xmpp:blocking'><item jid='${jid}'/></block>`
  await juliet.sets(block(romeo.bare))
  await romeo.settles()
  await juliet.sets(publish(TUNE, tune('one')))
  await nothingFor(romeo)
  assertLike(await romeo.gets(itemsOf(TUNE), juliet.bare), UNAVAILABLE)
  await romeo.sets(publish(TUNE, tune('two')))
  await romeo.settles()
  await juliet.settles()
  await juliet.sets(`<unblock xmlns='urn:xmpp:blocking'/>`)
  await romeo.settles()
  assertLike(await romeo.gets(itemsOf(TUNE), juliet.bare), OK)
})

test('strangers see what is open, and learn why they do not see the rest', async () => {
  const { juliet, iago } = await cast('juliet', 'iago')
  assertLike(await iago.gets(itemsOf(TUNE), juliet.bare), UNAVAILABLE)
  assertLike(await iago.gets(itemsOf(TUNE), 'nobody@localhost'), UNAVAILABLE)
  await juliet.sets(publish(TUNE, tune('presence')))
  const asks = () => iago.gets(itemsOf(TUNE), juliet.bare)
  assertLike(await asks(), refused('auth', 'not-authorized', 'presence-subscription-required'))
  for (const [model, error] of [
    ['whitelist', refused('cancel', 'not-allowed', 'closed-node')],
    ['roster', refused('auth', 'not-authorized', 'not-in-roster-group')],
    ['authorize', refused('auth', 'not-authorized', 'not-subscribed')],
    ['open', OK],
  ] as const) {
    await juliet.sets(owner(`<configure node='${TUNE}'>${form('node_config', { access_model: model })}</configure>`))
    assertLike(await asks(), error)
  }
  assertLike(await iago.gets(itemsOf('urn:nothing'), juliet.bare), refused('cancel', 'item-not-found'))
  const nodes = await iago.gets(`<query xmlns='http://jabber.org/protocol/disco#items'/>`, juliet.bare)
  assertLike(
    nodes,
    `<iq><query xmlns='http://jabber.org/protocol/disco#items'><item jid='${juliet.bare}' node='${TUNE}'/></query></iq>`,
  )
  await juliet.sets(
    owner(`<affiliations node='${TUNE}'><affiliation jid='${iago.bare}' affiliation='outcast'/></affiliations>`),
  )
  assertLike(await asks(), refused('auth', 'forbidden'))
})

test('the clients of OMEMO: a list and bundles that strangers can read', async () => {
  const { juliet, iago } = await cast('juliet', 'iago')
  const list = 'eu.siacs.conversations.axolotl.devicelist'
  const bundle = 'eu.siacs.conversations.axolotl.bundles:31415'
  const open = { persist_items: 'true', access_model: 'open' }
  const item = `<item id='current'><list xmlns='eu.siacs.conversations.axolotl'><device id='31415'/></list></item>`
  assertLike(await juliet.gets(itemsOf(list)), refused('cancel', 'item-not-found'))
  assertLike(await juliet.sets(publish(list, item, open)), OK)
  assertLike(
    await juliet.sets(
      publish(bundle, `<item id='current'><bundle xmlns='eu.siacs.conversations.axolotl'/></item>`, open),
    ),
    OK,
  )
  assertLike(await iago.gets(itemsOf(list), juliet.bare), `<iq>${itemsOf(list, item)}</iq>`)
  assertLike(await iago.gets(itemsOf(bundle), juliet.bare), OK)
  const devices = { access_model: 'open', max_items: 'max' }
  for (const id of ['1', '2'])
    assertLike(
      await juliet.sets(
        publish('urn:xmpp:omemo:2:bundles', `<item id='${id}'><bundle xmlns='urn:xmpp:omemo:2'/></item>`, devices),
      ),
      OK,
    )
  const answer = await iago.gets(itemsOf('urn:xmpp:omemo:2:bundles', `<item id='1'/>`), juliet.bare)
  assert.equal(answer.child('pubsub', 'http://jabber.org/protocol/pubsub')?.child('items')?.elements.length, 1)
})

test('preconditions that the node does not meet stop a publication', async () => {
  const { juliet } = await cast('juliet')
  await juliet.sets(publish(TUNE, tune('one')))
  assertLike(
    await juliet.sets(publish(TUNE, tune('two'), { access_model: 'open' })),
    refused('cancel', 'conflict', 'precondition-not-met'),
  )
  assertLike(
    await juliet.sets(publish(TUNE, tune('two'), { access_model: 'presence', unheard_of: '1' })),
    refused('cancel', 'conflict', 'precondition-not-met'),
  )
  assertLike(await juliet.gets(itemsOf(TUNE)), `<iq>${itemsOf(TUNE, tune('one'))}</iq>`)
  await juliet.sets(owner(`<configure node='${TUNE}'>${form('node_config', { access_model: 'open' })}</configure>`))
  assertLike(await juliet.sets(publish(TUNE, tune('two'), { access_model: 'open', max_items: '1' })), OK)
})

test('private storage: many items that nobody else sees, synchronized among the own clients', async () => {
  const { juliet, phone, romeo } = await cast('juliet', { phone: 'juliet' }, 'romeo')
  await befriend(juliet, romeo)
  const node = 'urn:xmpp:mds:displayed:0'
  await listens(phone, node)
  await listens(romeo, node)
  for (const actor of [juliet, phone, romeo]) await actor.settles()
  const options = {
    persist_items: 'true',
    max_items: 'max',
    send_last_published_item: 'never',
    access_model: 'whitelist',
  }
  const marker = (id: string) => `<item id='${id}'><displayed xmlns='${node}'/></item>`
  for (const id of ['romeo@localhost', 'nurse@localhost']) {
    assertLike(await juliet.sets(publish(node, marker(id), options)), OK)
    await phone.receives(event(node, marker(id)))
  }
  await nothingFor(romeo)
  assertLike(await romeo.gets(itemsOf(node), juliet.bare), refused('cancel', 'not-allowed', 'closed-node'))
  const answer = await phone.gets(itemsOf(node))
  assertLike(answer, `<iq>${itemsOf(node, marker('romeo@localhost') + marker('nurse@localhost'))}</iq>`)
  const retract = pubsub(`<retract node='${node}' notify='true'><item id='nurse@localhost'/></retract>`)
  assertLike(await juliet.sets(retract), OK)
  await phone.receives(event(node, `<retract id='nurse@localhost'/>`))
  assertLike(await juliet.sets(retract), refused('cancel', 'item-not-found'))
})

test('nodes come from the store with those who may see them', async () => {
  const stage = await theatre()
  const jid = await stage.account('juliet')
  const { pubsub: nodes } = stage.store
  const item = { id: 'current', publisher: jid.key, xml: `<tune xmlns='${TUNE}'><title>Pavane</title></tune>` }
  await nodes.change(jid, TUNE, { create: '{"access":"whitelist"}', put: [item], keep: 1 })
  await nodes.affiliate(jid, TUNE, new Map([['romeo@localhost', 'member']]))
  await nodes.subscribe(jid, TUNE, new Map([['romeo@localhost', 'subscribed']]))
  const [romeo, iago, juliet] = [await stage.enter('romeo'), await stage.enter('iago'), await stage.enter('juliet')]
  assertLike(await romeo.gets(itemsOf(TUNE), jid.key), `<iq>${itemsOf(TUNE, tune('Pavane'))}</iq>`)
  assertLike(await iago.gets(itemsOf(TUNE), jid.key), refused('cancel', 'not-allowed', 'closed-node'))
  await juliet.sets(publish(TUNE, tune('Galliard'), { access_model: 'whitelist' }))
  await romeo.receives(event(TUNE, tune('Galliard')))
  await nothingFor(iago)
})

test('what cannot be stored is told to nobody, and was not published', async () => {
  const { juliet, phone, theatre: stage } = await cast('juliet', { phone: 'juliet' })
  await listens(phone, TUNE)
  await juliet.sets(publish(TUNE, tune('one')))
  await phone.settles()
  const nodes: { change: typeof stage.store.pubsub.change } = stage.store.pubsub
  const { change } = nodes
  nodes.change = () => Promise.reject(new Error('the disk is full'))
  assertLike(await juliet.sets(publish(TUNE, tune('two'))), refused('wait', 'internal-server-error'))
  assertLike(await juliet.sets(publish('urn:new', tune('two'))), refused('wait', 'internal-server-error'))
  nodes.change = change
  await nothingFor(phone)
  assertLike(await juliet.gets(itemsOf(TUNE)), `<iq>${itemsOf(TUNE, tune('one'))}</iq>`)
  assertLike(await juliet.gets(itemsOf('urn:new')), refused('cancel', 'item-not-found'))
  assertLike(await juliet.sets(publish(TUNE, tune('three'))), OK)
  await phone.receives(event(TUNE, tune('three')))
})

test('publications at the same time are made one after the other, and told in that order', async () => {
  const { juliet, phone, tablet } = await cast('juliet', { phone: 'juliet' }, { tablet: 'juliet' })
  await listens(tablet, TUNE)
  const titles = Array.from({ length: 20 }, (_, index) => String(index))
  await Promise.all([
    ...titles.map((title) => juliet.sends(`<iq type='set' id='p${title}'>${publish(TUNE, tune(title))}</iq>`)),
    phone.sets(publish(TUNE, tune('phone'))),
  ])
  await juliet.settles()
  const heard = (await tablet.hearsOut()).map((message) => message.xml('').replace(/.*<title>(.*)<\/title>.*/, '$1'))
  assert.deepEqual(
    heard.filter((title) => title !== 'phone'),
    titles,
  )
  assert.equal(heard.length, 21)
  assertLike(await phone.gets(itemsOf(TUNE)), `<iq>${itemsOf(TUNE, tune(heard.at(-1) ?? ''))}</iq>`)
})

test('nicknames and vCards of version 4 reach contacts, and public data everybody', async () => {
  const { juliet, romeo, iago } = await cast('juliet', 'romeo', 'iago')
  await befriend(juliet, romeo)
  const nick = 'http://jabber.org/protocol/nick'
  const vcard4 = 'urn:xmpp:vcard4'
  await listens(romeo, nick, vcard4)
  await juliet.settles()
  const name = `<item id='current'><nick xmlns='${nick}'>Giulietta</nick></item>`
  assertLike(await juliet.sets(publish(nick, name)), OK)
  await romeo.receives(event(nick, name))
  const card = `<item id='current'><vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Juliet</text></fn></vcard></item>`
  const open = { persist_items: 'true', access_model: 'open' }
  assertLike(await juliet.sets(publish(vcard4, card, open)), OK)
  await romeo.receives(event(vcard4, card))
  assertLike(await iago.gets(itemsOf(vcard4), juliet.bare), `<iq>${itemsOf(vcard4, card)}</iq>`)
  assertLike(
    await iago.gets(itemsOf(nick), juliet.bare),
    refused('auth', 'not-authorized', 'presence-subscription-required'),
  )
})
