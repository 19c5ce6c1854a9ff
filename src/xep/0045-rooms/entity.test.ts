// SPDX-License-Identifier: Apache-2.0
// XEP-0045 §6: what anybody finds out about rooms.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { theatre } from '../../../test/support/cast.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import { asks, configures, gathers, makes, newRoom, OPEN } from '../../../test/support/rooms.ts'
import type { Element } from '../../xml/element.ts'

const stage = await theatre()
const INFO = `xmlns='http://jabber.org/protocol/disco#info'`
const ITEMS = `xmlns='http://jabber.org/protocol/disco#items'`

function itemsIn(answer: Element): readonly string[] {
  return (answer.elements[0]?.childrenNamed('item') ?? []).map(({ attrs }) => `${attrs.jid} ${attrs.name ?? ''}`.trim())
}

function featuresIn(answer: Element): readonly string[] {
  return (answer.elements[0]?.childrenNamed('feature') ?? []).map(({ attrs }) => attrs.var ?? '')
}

test('§6.1, §6.2: a domain names its rooms, and they say what they can do', async () => {
  const { crone } = await stage.scene('crone')
  assertLike(
    await crone.gets(`<query ${ITEMS}/>`, 'localhost'),
    `<iq type='result'><query ${ITEMS}><item jid='rooms.localhost'/></query></iq>`,
  )
  assertLike(
    await crone.gets(`<query ${INFO}/>`, 'rooms.localhost'),
    `<iq type='result'><query ${INFO}><identity category='conference' type='text'/><feature var='http://jabber.org/protocol/muc'/><feature var='urn:xmpp:occupant-id:0'/><feature var='vcard-temp'/><feature var='http://jabber.org/protocol/muc#stable_id'/></query></iq>`,
  )
  assertLike(await crone.gets(`<ping xmlns='urn:xmpp:ping'/>`, 'rooms.localhost'), `<iq type='result'/>`)
})

test('§6.3: rooms that are public are listed by pages, others are not', async () => {
  const own = await theatre()
  const { crone } = await own.scene('crone')
  await makes(crone, 'hidden@rooms.localhost', 'crone', { membersonly: '0' })
  for (const name of ['a', 'b', 'c'])
    await makes(crone, `${name}@rooms.localhost`, 'crone', { ...OPEN, roomname: `Room ${name}` })
  const all = await crone.gets(`<query ${ITEMS}/>`, 'rooms.localhost')
  assert.deepEqual(itemsIn(all), ['a@rooms.localhost Room a', 'b@rooms.localhost Room b', 'c@rooms.localhost Room c'])
  const page = (set: string) =>
    crone.gets(`<query ${ITEMS}><set xmlns='http://jabber.org/protocol/rsm'>${set}</set></query>`, 'rooms.localhost')
  const first = await page('<max>2</max>')
  assert.deepEqual(itemsIn(first), ['a@rooms.localhost Room a', 'b@rooms.localhost Room b'])
  assertLike(
    first,
    `<iq><query ${ITEMS}><set xmlns='http://jabber.org/protocol/rsm'><first>a@rooms.localhost</first><last>b@rooms.localhost</last><count>3</count></set></query></iq>`,
  )
  assert.deepEqual(itemsIn(await page('<max>2</max><after>b@rooms.localhost</after>')), ['c@rooms.localhost Room c'])
  assert.deepEqual(itemsIn(await page('<max>1</max><before/>')), ['c@rooms.localhost Room c'])
  assert.deepEqual(itemsIn(await page('<max>0</max>')), [])
})

test('§6.4: a room says what it is', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone')
  const kinds = async (): Promise<string> =>
    featuresIn(await hag.gets(`<query ${INFO}/>`, room))
      .filter((one) => one.startsWith('muc_'))
      .sort()
      .join(' ')
  assert.equal(
    await kinds(),
    'muc_hidden muc_membersonly muc_nonanonymous muc_persistent muc_unmoderated muc_unsecured',
  )
  await configures(crone, room, {
    ...OPEN,
    moderatedroom: '1',
    whois: 'moderators',
    persistentroom: '0',
    passwordprotectedroom: '1',
    roomsecret: 'x',
  })
  assert.equal(await kinds(), 'muc_moderated muc_open muc_passwordprotected muc_public muc_semianonymous muc_temporary')
  const features = featuresIn(await hag.gets(`<query ${INFO}/>`, room))
  for (const one of [
    'http://jabber.org/protocol/muc',
    'http://jabber.org/protocol/muc#stable_id',
    'http://jabber.org/protocol/muc#self-ping-optimization',
    'urn:xmpp:mam:2',
    'urn:xmpp:occupant-id:0',
    'vcard-temp',
    'urn:xmpp:message-moderate:1',
    'urn:xmpp:hats:0',
  ])
    assert.ok(features.includes(one), one)
})

test('§6.4: a room tells more of itself by a form, and what goes on in it to who may enter', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { roomname: 'A Dark Cave', roomdesc: 'For good witches', lang: 'en' }, { crone })
  crone.sends(`<message to='${room}' type='groupchat'><subject>Spells &amp; more</subject></message>`)
  const form = (fields: string) =>
    `<iq type='result'><query ${INFO}><identity category='conference' type='text' name='A Dark Cave'/><x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roominfo</value></field>${fields}</x></query></iq>`
  const field = (name: string, value: string) => `<field var='muc#roominfo_${name}'><value>${value}</value></field>`
  const known = field('description', 'For good witches') + field('lang', 'en') + field('subjectmod', '0')
  assertLike(
    await crone.gets(`<query ${INFO}/>`, room),
    form(known + field('subject', 'Spells &amp; more') + field('occupants', '1') + field('contactjid', crone.bare)),
  )
  const others = await hag.gets(`<query ${INFO}/>`, room)
  assertLike(others, form(known))
  assert.doesNotMatch(others.xml('jabber:client'), /Spells|occupants|contactjid/)
  assertLike(
    await hag.gets(`<query ${INFO}/>`, newRoom()),
    `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`,
  )
})

test('§6.5: who is in a room learn only those who are', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  assert.deepEqual(itemsIn(await hag.gets(`<query ${ITEMS}/>`, room)), [])
  assert.deepEqual(itemsIn(await crone.gets(`<query ${ITEMS}/>`, room)), [`${room}/crone`])
})

test('§6.6: only occupants ask occupants, and neither learns the other address', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, whois: 'moderators' }, { crone, hag })
  assertLike(
    await wicca.gets(`<query ${INFO}/>`, `${room}/crone`),
    `<iq type='error' from='${room}/crone'>${error('modify', 'bad-request')}</iq>`,
  )
  hag.sends(`<iq type='get' id='q1' to='${room}/crone'><query ${INFO}/></iq>`)
  const question = await crone.receives(`<iq type='get' from='${room}/hag' to='${crone.full}'><query ${INFO}/></iq>`)
  wicca.sends(`<iq type='result' id='${question.attrs.id}' to='${room}/hag'><query ${INFO}/></iq>`)
  await wicca.settles()
  crone.sends(
    `<iq type='result' id='${question.attrs.id}' to='${room}/hag'><query ${INFO}><feature var='x'/></query></iq>`,
  )
  await hag.receives(
    `<iq type='result' id='q1' from='${room}/crone' to='${hag.full}'><query ${INFO}><feature var='x'/></query></iq>`,
  )
  assertLike(
    await hag.gets(`<query ${INFO}/>`, `${room}/nobody`),
    `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`,
  )
})

test('§6.6: the card of an occupant comes from the account', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  await crone.sets(`<vCard xmlns='vcard-temp'><FN>Crone</FN></vCard>`)
  const card = await hag.gets(`<vCard xmlns='vcard-temp'/>`, `${room}/crone`)
  assertLike(card, `<iq type='result' from='${room}/crone'><vCard xmlns='vcard-temp'><FN>Crone</FN></vCard></iq>`)
})

test('§6.7: questions to contacts about their rooms are theirs to answer', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  hag.sends(
    `<iq type='get' id='q' to='${crone.full}'><query ${ITEMS} node='http://jabber.org/protocol/muc#rooms'/></iq>`,
  )
  await crone.receives(
    `<iq type='get' from='${hag.full}'><query node='http://jabber.org/protocol/muc#rooms' ${ITEMS}/></iq>`,
  )
})

test('§18.1.1: everything may pass, and the room says so', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await makes(crone, room, 'crone')
  const answer = await crone.gets(`<query ${INFO} node='http://jabber.org/protocol/muc#traffic'/>`, room)
  assertLike(answer, `<iq type='error'>${error('cancel', 'service-unavailable')}</iq>`)
  asks(crone, room, 'crone')
  await crone.settles()
})
