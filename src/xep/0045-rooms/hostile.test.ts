// SPDX-License-Identifier: Apache-2.0
// What people try who want more of a room than it gives them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import { enableResume, resume, SM } from '../../../test/support/resume.ts'
import {
  ADMIN,
  admin,
  asks,
  configuration,
  enters,
  gathers,
  hasCode,
  makes,
  newRoom,
  OPEN,
  OWNER,
  seen,
  USER,
} from '../../../test/support/rooms.ts'
import { Jid } from '../../xmpp/jid.ts'

const stage = await theatre()
const RETRACT = 'urn:xmpp:message-retract:1'
const MODERATE = 'urn:xmpp:message-moderate:1'
const SID = 'urn:xmpp:sid:0'
const RESULT = `<iq type='result'/>`
const SECRET = { ...OPEN, passwordprotectedroom: '1', roomsecret: 'cauldronburn' }

function registers(actor: Actor, room: string, nick: string) {
  return actor.sets(
    `<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field><field var='muc#register_roomnick'><value>${nick}</value></field></x></query>`,
    room,
  )
}

function groupchat(room: string, content: string): string {
  return `<message to='${room}' type='groupchat' id='m'>${content}</message>`
}

function moderate(id: string): string {
  return `<moderate id='${id}' xmlns='${MODERATE}'><retract xmlns='${RETRACT}'/></moderate>`
}

test('§7.10: who does not know the password does not become a member, and reads nothing', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', SECRET)
  await registers(hag, room, 'hag')
  assertLike(
    await hag.sets(`<query xmlns='urn:xmpp:mam:2'/>`, room),
    `<iq type='error'>${error('auth', 'forbidden')}</iq>`,
  )
  await enters(hag, room, 'hag', '<password>cauldronburn</password>')
  assertLike(await registers(hag, room, 'hag'), RESULT)
})

test('§7.10: who has no voice does not get one by registering', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  await registers(hag, room, 'hag')
  hag.sends(groupchat(room, '<body>Now I may!</body>'))
  await hag.receives(`<message type='error'>${error('auth', 'forbidden')}</message>`)
})

test('§9.9: who asks again and again to become a member does not bother anybody with it', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone')
  assertLike(await registers(hag, room, 'hag'), RESULT)
  await crone.receives(`<message from='${room}'><x xmlns='jabber:x:data' type='form'/></message>`)
  assertLike(await registers(hag, room, 'hag2'), `<iq type='error'>${error('wait', 'policy-violation')}</iq>`)
  await nothingFor(crone)
})

test('XEP-0425: nothing that somebody says is safe from moderators', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  for (const shield of [
    `<retract xmlns='${RETRACT}' id='none'/>`,
    `<retracted xmlns='${RETRACT}' stamp='2026-01-01T00:00:00Z'><moderated by='${room}/crone' xmlns='${MODERATE}'/></retracted>`,
  ]) {
    hag.sends(groupchat(room, `<body>Buy!</body>${shield}`))
    const heard = await crone.receives(`<message type='groupchat' from='${room}/hag'><body>Buy!</body></message>`)
    assert.ok(!heard.child('retracted', RETRACT))
    const id = heard.child('stanza-id', SID)?.attrs.id ?? ''
    assertLike(await crone.sets(moderate(id), room), RESULT)
  }
})

test('§7.2.13: a time that the room did not give is not said to be the room’s, however its name is written', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  for (const from of [room.toUpperCase(), `${room}/crone`]) {
    hag.sends(
      groupchat(room, `<body>Hi</body><delay xmlns='urn:xmpp:delay' from='${from}' stamp='2026-01-01T00:00:00Z'/>`),
    )
    const heard = await crone.receives(`<message type='groupchat'><body>Hi</body></message>`)
    assert.ok(!heard.child('delay', 'urn:xmpp:delay'))
  }
})

test('§10.1.1: a room whose maker did not get in is not kept from others', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  asks(crone, room, 'crone', `<history since='yesterday'/>`)
  await crone.receives(`<presence type='error'>${error('modify', 'bad-request')}</presence>`)
  asks(crone, room, 'crone', '', `<status>${'x'.repeat(20_000)}</status>`)
  await crone.receives(`<presence type='error'>${error('modify', 'not-acceptable')}</presence>`)
  assert.ok((await enters(hag, room, 'hag')).some((one) => hasCode(one, '201')))
})

test('§7.6: who may not enter under another nick is still there under the old one', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  asks(hag, room, 'oldhag', '', `<status>${'x'.repeat(20_000)}</status>`)
  await hag.receives(`<presence type='error'>${error('modify', 'not-acceptable')}</presence>`)
  await nothingFor(crone)
  hag.sends(groupchat(room, '<body>Here</body>'))
  await crone.receives(`<message from='${room}/hag'><body>Here</body></message>`)
})

test('§8.5: who was put out has no role any more, in the same request neither', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag, wicca })
  await admin(crone, room, `<item nick='hag' role='none'/>`, `<item nick='hag' role='participant'/>`)
  const heard = await wicca.hearsOut()
  assert.deepEqual(
    heard.filter(({ name }) => name === 'presence').map(({ attrs }) => attrs.type),
    ['unavailable'],
  )
})

test('§9.5: one nick is reserved for one person, in one request too', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  const member = (actor: Actor, nick: string): string =>
    `<item jid='${actor.bare}' affiliation='member' nick='${nick}'/>`
  assertLike(
    await admin(crone, room, member(hag, 'Witch'), member(wicca, 'witch')),
    `<iq type='error'>${error('cancel', 'conflict')}</iq>`,
  )
  assertLike(await admin(crone, room, member(hag, 'Witch')), RESULT)
  asks(wicca, room, 'witch')
  await wicca.receives(`<presence type='error'>${error('cancel', 'conflict')}</presence>`)
})

test('§7.2.5: passwords cannot be tried out fast', async () => {
  const slow = await theatre({ options: { roomMessageRate: 0.2 } })
  const { crone, hag } = await slow.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', SECRET)
  for (const guess of ['one', 'two']) {
    asks(hag, room, 'hag', `<password>${guess}</password>`)
    await hag.receives(`<presence type='error'>${error('auth', 'not-authorized')}</presence>`)
  }
  asks(hag, room, 'hag', '<password>cauldronburn</password>')
  await hag.receives(`<presence type='error'>${error('wait', 'policy-violation')}</presence>`)
})

test('§7.8.2: many invitations in one message are many', async () => {
  const slow = await theatre({ options: { roomMessageRate: 0.4 } })
  const { crone, hag } = await slow.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  const invites = `<invite to='${hag.bare}'/>`.repeat(10)
  crone.sends(`<message to='${room}'><x xmlns='http://jabber.org/protocol/muc#user'>${invites}</x></message>`)
  await crone.receives(`<message type='error'>${error('wait', 'policy-violation')}</message>`)
  await nothingFor(hag)
})

test('XEP-0317: nobody wears more than ten hats, and whoever gets the name of an account that was removed none of them', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  const hat = (name: string, ...fields: readonly (readonly [string, string])[]) => {
    const answers = fields.map(([key, value]) => `<field var='hats#${key}'><value>${value}</value></field>`).join('')
    return crone.sets(
      `<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:${name}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:hats:commands</value></field>${answers}</x></command>`,
      room,
    )
  }
  assertLike(await hat('create', ['title', 'Staff'], ['uri', 'urn:staff']), RESULT)
  assertLike(await hat('assign', ['jid', hag.bare], ['uri', 'urn:staff']), RESULT)
  for (let more = 1; more <= 10; more++) {
    await hat('create', ['title', `Hat ${more}`], ['uri', `urn:hat:${more}`])
    const answer = await hat('assign', ['jid', hag.bare], ['uri', `urn:hat:${more}`])
    assertLike(answer, more < 10 ? RESULT : `<iq type='error'>${error('wait', 'resource-constraint')}</iq>`)
  }
  await stage.accounts.remove(hag.jid.bare)
  const stored = await stage.store.rooms.load(Jid.parse(room))
  assert.match(stored?.config ?? '', /urn:staff/)
  assert.ok(!stored?.config.includes(hag.bare))
})

test('XEP-0313: what was taken back in a semi-anonymous room does not tell whose it was', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, whois: 'moderators' }, { crone, hag, wicca })
  hag.sends(
    groupchat(
      room,
      `<body>Oops</body><a xmlns='x'><x xmlns='http://jabber.org/protocol/muc#user'><item jid='${crone.full}'/></x></a>`,
    ),
  )
  const said = await wicca.receives(`<message><body>Oops</body></message>`)
  const id = said.child('stanza-id', SID)?.attrs.id ?? ''
  const query = `<iq type='set' id='mam' to='${room}'><query xmlns='urn:xmpp:mam:2'/></iq>`
  wicca.sends(query)
  assert.ok((await wicca.hearsOut()).every((one) => !one.xml('').replaceAll(wicca.bare, '').includes(hag.bare)))
  assertLike(await crone.sets(moderate(id), room), RESULT)
  wicca.sends(query)
  const heard = (await wicca.hearsOut()).map((one) => one.xml(''))
  assert.ok(heard.some((one) => one.includes('retracted')))
  assert.ok(
    heard.every((one) => !one.includes(hag.bare)),
    heard.join('\n'),
  )
})

test('§9.1: who was banned when the server died is not in the room after it, and reads nothing', async () => {
  const own = await theatre({ clock: new FakeClock() })
  const { crone, hag } = await own.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const ids = [await enableResume(crone), await enableResume(hag)] as const
  await own.store.rooms.affiliate(Jid.parse(room), [
    { jid: hag.bare, affiliation: 'outcast', nick: undefined, reason: undefined },
  ])
  await own.restarts()
  const newCrone = await resume(own, crone, ids[0], 0)
  await newCrone.receives(seen(`${room}/hag`, `affiliation='outcast' role='none'`, [301], `type='unavailable'`))
  const newHag = await resume(own, hag, ids[1], 0)
  await newHag.receives(seen(`${room}/hag`, `role='none'`, [110, 301], `type='unavailable'`))
  newCrone.sends(groupchat(room, '<body>Only us</body>'))
  await newCrone.settles()
  newHag.sends(groupchat(room, '<body>And me</body>'))
  assert.deepEqual(
    (await newHag.hearsOut()).filter(({ name }) => name === 'message').map(({ attrs }) => attrs.type),
    ['error'],
  )
})

test('§10.2: a room that is made to last while its last occupant leaves lasts', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', { ...OPEN, persistentroom: '0' })
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='owner'/>`)
  hag.sends(`<iq type='set' id='keep' to='${room}'>${configuration({ persistentroom: '1' })}</iq>`)
  crone.sends(`<presence to='${room}/crone' type='unavailable'/>`)
  await hag.receives(`<iq id='keep' type='result'/>`)
  await crone.settles()
  assert.ok(!(await enters(hag, room, 'hag')).some((one) => hasCode(one, '201')))
})

test('§10.9: who is no owner any more when it is their turn destroys nothing', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='owner'/>`)
  for (const one of [crone, hag]) await one.settles()
  crone.sends(
    `<iq type='set' id='out' to='${room}'><query ${ADMIN}><item jid='${hag.bare}' affiliation='member'/></query></iq>`,
  )
  hag.sends(`<iq type='set' id='end' to='${room}'><query ${OWNER}><destroy/></query></iq>`)
  await hag.receives(`<presence><x ${USER}><item affiliation='member'/></x></presence>`)
  await hag.receives(`<iq id='end' type='error'>${error('auth', 'forbidden')}</iq>`)
  await crone.settles()
  crone.sends(groupchat(room, '<body>Still here</body>'))
  await crone.receives(`<message><body>Still here</body></message>`)
})

test('what is acknowledged (XEP-0198) of what somebody says in a room is in its archive, and its subject is kept', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(`<enable xmlns='${SM}'/>`)
  await crone.receives(`<enabled xmlns='${SM}'/>`)
  for (let count = 0; count < 20; count++) crone.sends(groupchat(room, `<body>number ${count}</body>`))
  crone.sends(groupchat(room, '<subject>Brews</subject>'))
  crone.sends(`<r xmlns='${SM}'/>`)
  let heard = await crone.hears()
  while (heard.name !== 'a') heard = await crone.hears()
  assert.equal(stage.store.uncommitted, 0)
  const { messages } = await stage.store.messages.page(Jid.parse(room), { limit: 100 })
  assert.equal(messages.length, 21)
  assert.match((await stage.store.rooms.load(Jid.parse(room)))?.subject ?? '', /Brews/)
})
