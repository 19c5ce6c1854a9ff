// SPDX-License-Identifier: Apache-2.0
// What a server that means harm can send in the name of its own addresses, one test for each attack. That it cannot speak in
// the name of others is the business of its stream.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Jid } from '../../src/xmpp/jid.ts'
import { type Actor, nothingFor } from '../support/cast.ts'
import { rosterOf } from '../support/friends.ts'
import { assertLike, error } from '../support/match.ts'
import { capsPresence, event, listener, listensAt, publish } from '../support/pubsub.ts'
import { asks, configures, enters, OPEN, USER } from '../support/rooms.ts'
import { allSettle, befriendAcross, CAPULET, lovers, MONTAGUE } from '../support/two-servers.ts'

const EVIL = `tybalt@${MONTAGUE}/prince`
const FORWARD = `xmlns='urn:xmpp:forward:0'`
const TUNE = 'http://jabber.org/protocol/tune'
const SONG = `<item id='current'><tune xmlns='${TUNE}'/></item>`
const UNSERVED = error('cancel', 'service-unavailable')

/** A message of Tybalt's. */
function message(to: Actor, content: string, attrs = ''): string {
  return `<message from='${EVIL}' to='${to.bare}' type='chat' ${attrs}>${content}</message>`
}

test('an id in the name of her archive is taken out, one in another name stays (XEP-0359 §5)', async () => {
  const { juliet, road } = await lovers()
  const forged = ['juliet', 'JULIET']
    .map((name) => `<stanza-id xmlns='urn:xmpp:sid:0' by='${name}@${CAPULET}' id='forged'/>`)
    .join('')
  await road.forges(
    MONTAGUE,
    message(juliet, `<body>a</body>${forged}<stanza-id xmlns='urn:xmpp:sid:0' by='${MONTAGUE}' id='theirs'/>`),
  )
  const got = await juliet.receives(`<message from='${EVIL}'><body>a</body></message>`)
  const ids = got.childrenNamed('stanza-id', 'urn:xmpp:sid:0').map(({ attrs }) => attrs)
  assert.deepEqual(
    ids.map(({ by }) => by),
    [MONTAGUE, juliet.bare],
  )
  assert.notEqual(ids[1]?.id, 'forged')
})

test('a time in the name of her server is taken out, whether she is there or not (XEP-0203 §5)', async () => {
  const { capulet, juliet, road } = await lovers()
  await capulet.account('nurse')
  const delay = (from: string): string => `<delay xmlns='urn:xmpp:delay' from='${from}' stamp='1970-01-01T00:00:00Z'/>`
  const content = `<body>long ago</body>${delay(CAPULET)}${delay(juliet.bare)}${delay(MONTAGUE)}`
  await road.forges(MONTAGUE, message(juliet, content))
  const got = await juliet.receives(`<message><body>long ago</body></message>`)
  assert.deepEqual(
    got.childrenNamed('delay', 'urn:xmpp:delay').map(({ attrs }) => attrs.from),
    [MONTAGUE],
  )
  await road.forges(MONTAGUE, `<message from='${EVIL}' to='nurse@${CAPULET}' type='chat'>${content}</message>`)
  const nurse = await capulet.enter('nurse', 'phone', false)
  nurse.sends('<presence/>')
  await nurse.receives(`<presence/>`)
  const late = await nurse.receives(`<message><body>long ago</body></message>`)
  const stamps = late.childrenNamed('delay', 'urn:xmpp:delay').filter(({ attrs }) => attrs.from === CAPULET)
  assert.equal(stamps.length, 1)
  assert.notEqual(stamps[0]?.attrs.stamp, '1970-01-01T00:00:00Z')
})

test('what is wrapped like a carbon is a message of who sent it, and is no copy to the server (XEP-0280 §11)', async () => {
  const { capulet, juliet, road } = await lovers()
  const laptop = await capulet.enter('juliet', 'laptop')
  await laptop.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
  await allSettle(juliet, laptop)
  const inner = `<message xmlns='jabber:client' from='romeo@${MONTAGUE}/x' to='${juliet.full}' type='chat'><body>forged</body></message>`
  const carbon = `<received xmlns='urn:xmpp:carbons:2'><forwarded ${FORWARD}>${inner}</forwarded></received>`
  await road.forges(MONTAGUE, message(juliet, carbon).replace(juliet.bare, juliet.full))
  await juliet.receives(`<message from='${EVIL}' to='${juliet.full}'><received xmlns='urn:xmpp:carbons:2'/></message>`)
  await laptop.receives(
    `<message from='${juliet.bare}'><received xmlns='urn:xmpp:carbons:2'><forwarded ${FORWARD}><message xmlns='jabber:client' from='${EVIL}'/></forwarded></received></message>`,
  )
  const { messages } = await capulet.store.messages.page(juliet.jid.bare, { limit: 9 })
  for (const { xml } of messages) assert.match(xml, new RegExp(`^<message [^>]*from='${EVIL}'`))
})

test('what looks like an answer of her archive keeps its sender, and is archived nowhere', async () => {
  const { capulet, juliet, road } = await lovers()
  const inner = `<message xmlns='jabber:client' from='romeo@${MONTAGUE}/x' to='${juliet.bare}'><body>forged</body></message>`
  const result = `<result xmlns='urn:xmpp:mam:2' id='1'><forwarded ${FORWARD}>${inner}</forwarded></result>`
  await road.forges(MONTAGUE, message(juliet, result))
  await juliet.receives(`<message from='${EVIL}'><result xmlns='urn:xmpp:mam:2'/></message>`)
  const { messages } = await capulet.store.messages.page(juliet.jid.bare, { limit: 9 })
  assert.deepEqual(messages, [])
})

for (const [what, payload] of [
  ['roster', `<query xmlns='jabber:iq:roster'><item jid='${EVIL}' subscription='both'/></query>`],
  ['block list', `<unblock xmlns='urn:xmpp:blocking'/>`],
] as const) {
  test(`nobody else pushes a ${what} to her clients (RFC 6121 §2.1.6)`, async () => {
    const { capulet, juliet, road } = await lovers()
    const iago = await capulet.enter('iago')
    for (const from of [EVIL, MONTAGUE])
      await road.forges(MONTAGUE, `<iq type='set' id='p' from='${from}' to='${juliet.full}'>${payload}</iq>`)
    assert.match(road.log.at(-1) ?? '', /type='error'.*service-unavailable/)
    assertLike(await iago.sets(payload, juliet.full), `<iq type='error'>${UNSERVED}</iq>`)
    await nothingFor(juliet)
    assert.deepEqual(await rosterOf(juliet), [])
  })
}

test('nothing that was not asked for changes a subscription (RFC 6121 appendix A.3)', async () => {
  const { juliet, road } = await lovers()
  for (const type of ['subscribed', 'unsubscribe', 'unsubscribed', 'error'])
    await road.forges(MONTAGUE, `<presence type='${type}' from='tybalt@${MONTAGUE}' to='${juliet.bare}'/>`)
  await nothingFor(juliet)
  assert.deepEqual(await rosterOf(juliet), [])
})

test('presence of who is no contact is shown, and nothing is told to it', async () => {
  const { juliet, road } = await lovers()
  await juliet.sets(publish(TUNE, SONG))
  const ver = 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='
  await road.forges(
    MONTAGUE,
    `<presence from='${EVIL}' to='${juliet.bare}'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='${ver}'/><x ${USER}><status code='110'/></x></presence>`,
  )
  await juliet.receives(`<presence from='${EVIL}'/>`)
  await nothingFor(juliet)
  assert.deepEqual(road.log, [])
})

test('an event in the name of nobody else: it is from who sent it (XEP-0163)', async () => {
  const { juliet, road } = await lovers()
  await road.forges(MONTAGUE, event(TUNE, SONG, `from='${EVIL}' to='${juliet.full}'`))
  await juliet.receives(event(TUNE, SONG, `from='${EVIL}'`))
  assertLike(
    await juliet.gets(`<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='${TUNE}'/></pubsub>`),
    `<iq type='error'/>`,
  )
})

test('an answer counts only from who was asked (RFC 6120 §8.1.2.1)', async () => {
  const { juliet, romeo, road } = await lovers()
  await befriendAcross(juliet, romeo)
  road.log.length = 0
  await romeo.settles()
  romeo.sends(capsPresence(TUNE))
  const asked = await questionFrom(romeo, juliet.bare)
  for (const from of [EVIL, romeo.bare, MONTAGUE])
    await road.forges(
      MONTAGUE,
      `<iq type='result' id='${asked}' from='${from}' to='${juliet.bare}'>${listener(TUNE)}</iq>`,
    )
  await juliet.sets(publish(TUNE, SONG))
  await allSettle(juliet)
  assert.equal(
    road.log.some((line) => line.includes('pubsub#event')),
    false,
  )
  await road.forges(
    MONTAGUE,
    `<iq type='result' id='${asked}' from='${romeo.full}' to='${juliet.bare}'>${listener(TUNE)}</iq>`,
  )
  let heard = await romeo.hears()
  while (heard.name !== 'message') heard = await romeo.hears()
  assertLike(heard, event(TUNE, SONG, `from='${juliet.bare}'`))
})

test('so many clients of one contact are remembered and no more', async () => {
  const { juliet, romeo, road } = await lovers()
  await befriendAcross(juliet, romeo)
  await listensAt(CAPULET, romeo, TUNE)
  for (let number = 0; number < 30; number++) {
    const presence = capsPresence(TUNE).replace(
      '<presence',
      `<presence from='${romeo.bare}/${number}' to='${juliet.bare}'`,
    )
    await road.forges(MONTAGUE, presence)
  }
  await allSettle(juliet)
  road.log.length = 0
  await juliet.sets(publish(TUNE, SONG))
  await allSettle(juliet)
  assert.equal(road.log.filter((line) => line.includes('pubsub#event')).length, 10)
})

test('a room takes out what only rooms say (XEP-0045 §17, XEP-0313 §6.1.2)', async () => {
  const { capulet, juliet, romeo, road } = await lovers()
  const room = `ball@rooms.${CAPULET}`
  await enters(juliet, room, 'juliet')
  await configures(juliet, room, OPEN)
  asks(romeo, room, 'romeo')
  await allSettle(romeo, juliet)
  const lies = [
    `<x ${USER}><item jid='${juliet.full}' affiliation='owner' role='moderator'/><status code='110'/></x>`,
    `<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>`,
    `<stanza-id xmlns='urn:xmpp:sid:0' by='${room}' id='forged'/>`,
    `<delay xmlns='urn:xmpp:delay' from='${room}' stamp='1970-01-01T00:00:00Z'/>`,
    `<addresses xmlns='urn:x'/>`,
  ]
  romeo.sends(`<message type='groupchat' to='${room}'><body>I am the owner</body>${lies.join('')}</message>`)
  const got = await juliet.receives(`<message from='${room}/romeo'><body>I am the owner</body></message>`)
  assert.doesNotMatch(got.xml(''), /forged|1970|status|owner'/)
  await road.forges(
    MONTAGUE,
    `<message type='groupchat' from='${EVIL}' to='${room}'><body>I am not here</body></message>`,
  )
  await road.forges(
    MONTAGUE,
    `<presence from='${EVIL}' to='${room}/romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
  )
  await nothingFor(juliet)
  const { messages } = await capulet.store.messages.page(Jid.parse(room), { limit: 9 })
  assert.deepEqual(
    messages.map(({ xml }) => /forged|not here/.test(xml)),
    [false],
  )
})

test('nobody elsewhere uses what is for our own users', async () => {
  const { capulet, juliet, romeo } = await lovers({ capulet: { admins: [`romeo@${MONTAGUE}`] } })
  assert.ok(capulet)
  const refused = async (to: string, type: 'get' | 'set', payload: string): Promise<void> => {
    const answer = await romeo.asks(type, payload, to)
    assert.equal(answer.attrs.type, 'error', `${to} ${payload}: ${answer.xml('')}`)
  }
  const register = `xmlns='jabber:iq:register'`
  for (const to of [CAPULET, juliet.bare]) {
    await refused(to, 'get', `<query ${register}/>`)
    await refused(to, 'set', `<query ${register}><remove/></query>`)
    await refused(to, 'set', `<query ${register}><username>romeo</username><password>p</password></query>`)
    await refused(to, 'set', `<query ${register}><username>juliet</username><password>p</password></query>`)
  }
  for (const [type, payload] of [
    ['get', `<query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query>`],
    ['set', `<query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query>`],
    ['get', `<query xmlns='jabber:iq:roster'/>`],
    ['set', `<query xmlns='jabber:iq:roster'><item jid='${romeo.bare}'/></query>`],
    ['get', `<blocklist xmlns='urn:xmpp:blocking'/>`],
    ['set', `<block xmlns='urn:xmpp:blocking'><item jid='x@y'/></block>`],
    ['set', `<query xmlns='urn:xmpp:mam:2'/>`],
    ['get', `<prefs xmlns='urn:xmpp:mam:2'/>`],
    ['get', `<metadata xmlns='urn:xmpp:mam:2'/>`],
    ['set', `<enable xmlns='urn:xmpp:carbons:2'/>`],
    ['set', `<enable xmlns='urn:xmpp:push:0' jid='${MONTAGUE}' node='n'/>`],
    ['set', `<vCard xmlns='vcard-temp'/>`],
    ['get', `<list xmlns='urn:xmpp:cam:0'/>`],
    ['get', `<query xmlns='jabber:iq:last'/>`],
    ['get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`],
    ['set', publish(TUNE, SONG)],
  ] as const)
    await refused(juliet.bare, type, payload)
  await refused(CAPULET, 'get', `<services xmlns='urn:xmpp:extdisco:2'/>`)
  await refused(`upload.${CAPULET}`, 'get', `<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/>`)
  await refused(`proxy.${CAPULET}`, 'get', `<query xmlns='http://jabber.org/protocol/bytestreams'/>`)
  const commands = await romeo.gets(
    `<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>`,
    CAPULET,
  )
  const nodes = commands.child('query')?.elements.map(({ attrs }) => attrs.node ?? '') ?? []
  assert.deepEqual(nodes, [])
  for (const node of [
    'http://jabber.org/protocol/admin#get-online-users-list',
    'http://jabber.org/protocol/admin#delete-user',
  ])
    await refused(
      CAPULET,
      'set',
      `<command xmlns='http://jabber.org/protocol/commands' node='${node}' action='execute'/>`,
    )
})

test('what anybody may ask a server is answered elsewhere too', async () => {
  const { romeo } = await lovers()
  for (const [to, payload] of [
    [CAPULET, `<query xmlns='http://jabber.org/protocol/disco#info'/>`],
    [CAPULET, `<query xmlns='http://jabber.org/protocol/disco#items'/>`],
    [CAPULET, `<ping xmlns='urn:xmpp:ping'/>`],
    [CAPULET, `<query xmlns='jabber:iq:version'/>`],
    [CAPULET, `<time xmlns='urn:xmpp:time'/>`],
    [`rooms.${CAPULET}`, `<query xmlns='http://jabber.org/protocol/disco#info'/>`],
    [`rooms.${CAPULET}`, `<ping xmlns='urn:xmpp:ping'/>`],
    [`pubsub.${CAPULET}`, `<query xmlns='http://jabber.org/protocol/disco#items'/>`],
  ] as const)
    assertLike(await romeo.gets(payload, to), `<iq type='result' from='${to}'/>`)
})

async function questionFrom(actor: Actor, from: string): Promise<string> {
  for (;;) {
    const { name, attrs } = await actor.hears()
    if (name === 'iq' && attrs.type === 'get' && attrs.from === from) return attrs.id ?? ''
  }
}
