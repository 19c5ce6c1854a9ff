// SPDX-License-Identifier: Apache-2.0
// XEP-0045 §9: what administrators do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothingFor, theatre } from '../../../test/support/cast.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import {
  ADMIN,
  admin,
  asks,
  configures,
  enters,
  gathers,
  makes,
  newRoom,
  OPEN,
  seen,
  USER,
} from '../../../test/support/rooms.ts'
import type { Element } from '../../xml/element.ts'

const stage = await theatre()
const DONE = `<iq type='result'/>`
const FORBIDDEN = `<iq type='error'>${error('auth', 'forbidden')}</iq>`
const NOT_ALLOWED = `<iq type='error'>${error('cancel', 'not-allowed')}</iq>`
const CONFLICT = `<iq type='error'>${error('cancel', 'conflict')}</iq>`

function list(affiliation: string, set = ''): string {
  return `<query ${ADMIN}><item affiliation='${affiliation}'/>${set}</query>`
}

function jidsIn(answer: Element): readonly string[] {
  return (answer.elements[0]?.childrenNamed('item') ?? []).map(({ attrs }) => attrs.jid ?? '')
}

test('§9.1: who is banned is out, told why, and stays out', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member' nick='hag'/>`)
  for (const one of [hag, wicca]) await one.settles()
  assertLike(
    await admin(crone, room, `<item jid='${hag.full}' affiliation='outcast'><reason>Treason</reason></item>`),
    DONE,
  )
  await hag.receives(
    `<presence type='unavailable' from='${room}/hag'><x ${USER}><item affiliation='outcast' role='none'><actor nick='crone'/><reason>Treason</reason></item><status code='110'/><status code='301'/></x></presence>`,
  )
  await wicca.receives(
    seen(`${room}/hag`, `affiliation='outcast' role='none' jid='${hag.full}'`, [301], `type='unavailable'`),
  )
  asks(hag, room, 'hag')
  await hag.receives(`<presence type='error'>${error('auth', 'forbidden')}</presence>`)
  await enters(await stage.enter('other'), room, 'hag')
})

test('§9.1: nobody bans who is more, or themselves; mere members ban nobody', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  await admin(
    crone,
    room,
    `<item jid='${wicca.bare}' affiliation='admin'/>`,
    `<item jid='${hag.bare}' affiliation='member'/>`,
  )
  assertLike(await admin(wicca, room, `<item jid='${crone.bare}' affiliation='outcast'/>`), NOT_ALLOWED)
  assertLike(await admin(wicca, room, `<item jid='${wicca.bare}' affiliation='outcast'/>`), CONFLICT)
  assertLike(await admin(crone, room, `<item jid='${crone.bare}' affiliation='outcast'/>`), CONFLICT)
  assertLike(await admin(hag, room, `<item jid='${wicca.bare}' affiliation='outcast'/>`), FORBIDDEN)
})

test('§9.2: the list of bans, whole domains in it, is changed as a whole or not at all', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  const bans = [
    `<item jid='scroop@shakespeare.example' affiliation='outcast'><reason>Treason</reason></item>`,
    `<item jid='evil.example' affiliation='outcast'/>`,
  ]
  assertLike(await admin(crone, room, ...bans, `<item jid='${crone.bare}' affiliation='outcast'/>`), CONFLICT)
  assert.deepEqual(jidsIn(await crone.gets(list('outcast'), room)), [])
  assertLike(await admin(crone, room, ...bans), DONE)
  assertLike(
    await crone.gets(list('outcast'), room),
    `<iq type='result'><query ${ADMIN}><item affiliation='outcast' jid='evil.example'/><item affiliation='outcast' jid='scroop@shakespeare.example'><reason>Treason</reason></item></query></iq>`,
  )
  assertLike(await hag.gets(list('outcast'), room), FORBIDDEN)
  assertLike(
    await admin(
      crone,
      room,
      `<item jid='evil.example' affiliation='none'/>`,
      `<item jid='localhost' affiliation='outcast'/>`,
    ),
    DONE,
  )
  await hag.receives(seen(`${room}/hag`, `affiliation='outcast' role='none'`, [110, 301], `type='unavailable'`))
  await crone.settles()
  crone.sends(`<message to='${room}' type='groupchat'><body>alone</body></message>`)
  await crone.receives(`<message from='${room}/crone'/>`)
})

test('§9.3: who becomes a member is shown as one, and has the nick that was given', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  assertLike(
    await admin(
      crone,
      room,
      `<item jid='${hag.bare}' affiliation='member' nick='thirdwitch'><reason>A worthy witch</reason></item>`,
    ),
    DONE,
  )
  await hag.receives(
    `<presence from='${room}/hag'><x ${USER}><item affiliation='member' role='participant'><reason>A worthy witch</reason></item><status code='110'/></x></presence>`,
  )
  assertLike(await admin(crone, room, `<item jid='wicca@localhost' affiliation='member' nick='ThirdWitch'/>`), CONFLICT)
})

test('§9.4: who is no member any more loses the voice, and is out where only members are', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await makes(crone, room, 'crone')
  await admin(crone, room, ...[hag, wicca].map(({ bare }) => `<item jid='${bare}' affiliation='member'/>`))
  for (const one of [hag, wicca]) await one.receives(`<message from='${room}' to='${one.bare}'/>`)
  await enters(hag, room, 'hag')
  await enters(wicca, room, 'wicca')
  await hag.settles()
  assertLike(await admin(crone, room, `<item jid='${hag.bare}' affiliation='none'/>`), DONE)
  await hag.receives(
    `<presence type='unavailable' from='${room}/hag'><x ${USER}><item affiliation='none' role='none'><actor nick='crone'/></item><status code='110'/><status code='321'/></x></presence>`,
  )
  await wicca.receives(seen(`${room}/hag`, `affiliation='none' role='none'`, [321], `type='unavailable'`))
  await configures(crone, room, { membersonly: '0', moderatedroom: '1' })
  await wicca.settles()
  await admin(crone, room, `<item jid='${wicca.bare}' affiliation='none'/>`)
  await wicca.receives(seen(`${room}/wicca`, `affiliation='none' role='visitor'`, [110]))
})

test('§9.5: the list of members; who is new in a room for members is invited', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', { passwordprotectedroom: '1', roomsecret: 'cauldronburn' })
  assertLike(
    await admin(
      crone,
      room,
      `<item jid='${hag.bare}' affiliation='member'/>`,
      `<item jid='b@x.example' affiliation='member'/>`,
    ),
    DONE,
  )
  await hag.receives(
    `<message from='${room}' to='${hag.bare}'><x ${USER}><invite from='${crone.bare}'/><password>cauldronburn</password></x></message>`,
  )
  assert.deepEqual(jidsIn(await crone.gets(list('member'), room)), ['b@x.example', hag.bare])
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='none'/>`)
  assert.deepEqual(jidsIn(await crone.gets(list('member'), room)), ['b@x.example'])
})

test('§9.5: a long list comes by pages (XEP-0059)', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await makes(crone, room, 'crone')
  await admin(
    crone,
    room,
    ...['a', 'b', 'c', 'd', 'e'].map((one) => `<item jid='${one}@x.example' affiliation='member'/>`),
  )
  const page = async (set: string) =>
    crone.gets(list('member', `<set xmlns='http://jabber.org/protocol/rsm'>${set}</set>`), room)
  const first = await page('<max>2</max>')
  assert.deepEqual(jidsIn(first), ['a@x.example', 'b@x.example'])
  assertLike(
    first,
    `<iq><query ${ADMIN}><set xmlns='http://jabber.org/protocol/rsm'><count>5</count><last>b@x.example</last></set></query></iq>`,
  )
  assert.deepEqual(jidsIn(await page('<max>2</max><after>d@x.example</after>')), ['e@x.example'])
  assert.deepEqual(jidsIn(await page('<max>2</max><before/>')), ['d@x.example', 'e@x.example'])
})

test('§9.5: invitations into a room for members are for its administrators, unless it says otherwise', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await makes(crone, room, 'crone')
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member'/>`)
  await hag.receives(`<message from='${room}' to='${hag.bare}'/>`)
  await enters(hag, room, 'hag')
  const invite = `<message to='${room}' id='i'><x ${USER}><invite to='${wicca.bare}'/></x></message>`
  hag.sends(invite)
  await hag.receives(
    `<message type='error' id='i'><x ${USER}><invite to='${wicca.bare}'/></x>${error('auth', 'forbidden')}</message>`,
  )
  await configures(crone, room, { allowinvites: '1' })
  await hag.settles()
  hag.sends(invite)
  await wicca.receives(`<message from='${room}'><x ${USER}><invite from='${hag.bare}'/></x></message>`)
  await enters(wicca, room, 'wicca')
})

test('§9.5: an invitation into an open room makes nobody a member', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(`<message to='${room}'><x ${USER}><invite to='${hag.bare}'/></x></message>`)
  await hag.receives(`<message from='${room}'/>`)
  assert.deepEqual(jidsIn(await crone.gets(list('member'), room)), [])
})

test('§9.6, §9.7: moderators are made and unmade by administrators; those are moderators anyway', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, whois: 'moderators' }, { crone, hag, wicca })
  assertLike(await admin(hag, room, `<item nick='hag' role='moderator'/>`), FORBIDDEN)
  assertLike(await admin(crone, room, `<item nick='hag' role='moderator'/>`), DONE)
  await hag.receives(seen(`${room}/hag`, `role='moderator'`, [110]))
  // Now it sees who the others are.
  await hag.receivesAll(seen(`${room}/crone`, `jid='${crone.full}'`), seen(`${room}/wicca`, `jid='${wicca.full}'`))
  assertLike(await admin(hag, room, `<item nick='wicca' role='moderator'/>`), FORBIDDEN)
  assertLike(await admin(crone, room, `<item nick='hag' role='participant'/>`), DONE)
  await hag.receives(seen(`${room}/hag`, `role='participant'`, [110]))
  await admin(crone, room, `<item jid='${wicca.bare}' affiliation='admin'/>`)
  assertLike(await admin(crone, room, `<item nick='wicca' role='participant'/>`), NOT_ALLOWED)
})

test('§9.8: the list of moderators', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const query = `<query ${ADMIN}><item role='moderator'/></query>`
  assertLike(
    await crone.gets(query, room),
    `<iq type='result'><query ${ADMIN}><item affiliation='owner' jid='${crone.full}' nick='crone' role='moderator'/></query></iq>`,
  )
  assertLike(await hag.gets(query, room), FORBIDDEN)
})

test('§9.9: who wants to become a member of a closed room is let in by an administrator, or not', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  const field = (name: string, value: string) => `<field var='${name}'><value>${value}</value></field>`
  const form = (fields: string) =>
    `<x xmlns='jabber:x:data' type='submit'>${field('FORM_TYPE', 'http://jabber.org/protocol/muc#register')}${fields}</x>`
  const wish = (nick: string) =>
    `<query xmlns='jabber:iq:register'>${form(field('muc#register_roomnick', nick))}</query>`
  await makes(crone, room, 'crone', { publicroom: '1' })
  assertLike(await hag.sets(wish('hag'), room), DONE)
  await crone.receives(
    `<message from='${room}' to='${crone.full}'><x xmlns='jabber:x:data' type='form'>${field('FORM_TYPE', 'http://jabber.org/protocol/muc#register')}${field('muc#register_jid', hag.bare)}${field('muc#register_roomnick', 'hag')}${field('muc#register_allow', '0')}</x></message>`,
  )
  const answer = (jid: string, allow: string) =>
    crone.sends(
      `<message to='${room}' id='a'>${form(field('muc#register_jid', jid) + field('muc#register_allow', allow))}</message>`,
    )
  answer(wicca.bare, '1')
  await crone.receives(`<message type='error' id='a'>${error('cancel', 'item-not-found')}</message>`)
  answer(hag.bare, '1')
  await crone.settles()
  await enters(hag, room, 'hag')
  await wicca.sets(wish('wicca'), room)
  answer(wicca.bare, '0')
  await crone.settles()
  asks(wicca, room, 'wicca')
  await wicca.receives(`<presence type='error'>${error('auth', 'registration-required')}</presence>`)
  crone.sends(`<presence to='${room}/crone' type='unavailable'/>`)
  await crone.settles()
  assertLike(await wicca.sets(wish('wicca'), room), NOT_ALLOWED)
})

test('what affiliations may cost has a bound', async () => {
  const small = await theatre({ options: { roomAffiliations: 10 } })
  const { crone } = await small.scene('crone')
  const room = newRoom()
  await makes(crone, room, 'crone')
  const people = Array.from({ length: 10 }, (_, i) => `<item jid='${i}@x.example' affiliation='member'/>`)
  assertLike(await admin(crone, room, ...people), `<iq type='error'>${error('wait', 'resource-constraint')}</iq>`)
  assertLike(await admin(crone, room, ...people.slice(1)), DONE)
  assertLike(await admin(crone, room, `<item jid='spam@x.example' affiliation='outcast'/>`), DONE)
  const others = people.map((item) => item.replace('@', '@y.').replace('member', 'outcast'))
  assertLike(await admin(crone, room, ...others), `<iq type='error'>${error('wait', 'resource-constraint')}</iq>`)
  await nothingFor(crone)
})
