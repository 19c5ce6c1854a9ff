// SPDX-License-Identifier: Apache-2.0
// XEP-0045 §8: what moderators do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../../test/support/cast.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import {
  ADMIN,
  admin,
  configures,
  enters,
  gathers,
  hasCode,
  lines,
  newRoom,
  OPEN,
  seen,
  USER,
} from '../../../test/support/rooms.ts'

const stage = await theatre()
const DONE = `<iq type='result'/>`
const FORBIDDEN = `<iq type='error'>${error('auth', 'forbidden')}</iq>`
const NOT_ALLOWED = `<iq type='error'>${error('cancel', 'not-allowed')}</iq>`

function request(nick: string, allow: string, jid = 'x@localhost/y'): string {
  const field = (name: string, value: string) => `<field var='${name}'><value>${value}</value></field>`
  return `<x xmlns='jabber:x:data' type='submit'>${field('FORM_TYPE', 'http://jabber.org/protocol/muc#request')}${field('muc#role', 'participant')}${field('muc#jid', jid)}${field('muc#roomnick', nick)}${field('muc#request_allow', allow)}</x>`
}

test('§8.1: a moderator changes the subject, and takes it away', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  crone.sends(`<message to='${room}' type='groupchat' id='s1'><subject>Fire Burn</subject></message>`)
  for (const one of [crone, hag])
    await one.receives(`<message from='${room}/crone' type='groupchat' id='s1'><subject>Fire Burn</subject></message>`)
  crone.sends(`<message to='${room}' type='groupchat'><subject/></message>`)
  for (const one of [crone, hag])
    await one.receives(`<message from='${room}/crone' type='groupchat'><subject/></message>`)
  assert.deepEqual(lines(await enters(hag, room, 'hag')).at(-1), 'message crone')
})

test('§8.1: with a body or a thread it is no change of the subject', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(`<message to='${room}' type='groupchat'><subject>News</subject><body>Read this</body></message>`)
  await crone.receives(`<message from='${room}/hag'><subject>News</subject><body>Read this</body></message>`)
  hag.sends(`<message to='${room}' type='groupchat'><subject>News</subject><thread>t</thread></message>`)
  await crone.receives(`<message from='${room}/hag'><thread>t</thread></message>`)
  assert.equal((await enters(hag, room, 'hag')).at(-1)?.childText('subject'), '')
})

test('§8.1: a subject has an end', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(`<message to='${room}' type='groupchat'><subject>${'x'.repeat(5000)}</subject></message>`)
  await crone.receives(`<message type='error'>${error('modify', 'not-acceptable')}</message>`)
})

test('§8.2: who is kicked is told why and by whom, and the others are; coming back is allowed', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  assertLike(await admin(crone, room, `<item nick='hag' role='none'><reason>Avaunt!</reason></item>`), DONE)
  await hag.receives(
    `<presence type='unavailable' from='${room}/hag'><x ${USER}><item affiliation='none' role='none'><actor nick='crone'/><reason>Avaunt!</reason></item><status code='110'/><status code='307'/></x></presence>`,
  )
  await wicca.receives(seen(`${room}/hag`, `affiliation='none' role='none'`, [307], `type='unavailable'`))
  hag.sends(`<message to='${room}' type='groupchat'><body>x</body></message>`)
  await hag.receives(`<message type='error'>${error('modify', 'not-acceptable')}</message>`)
  await enters(hag, room, 'hag')
})

test('§8.2: nobody is kicked by who is less, and by who is no moderator', async () => {
  const { crone, hag, wicca, member } = await stage.scene('crone', 'hag', 'wicca', 'member')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca, member })
  await admin(
    crone,
    room,
    `<item jid='${wicca.bare}' affiliation='admin'/>`,
    `<item nick='hag' role='moderator'/>`,
    `<item jid='${member.bare}' affiliation='member'/>`,
  )
  assertLike(await admin(member, room, `<item nick='hag' role='none'/>`), FORBIDDEN)
  assertLike(await admin(hag, room, `<item nick='crone' role='none'/>`), NOT_ALLOWED)
  assertLike(await admin(hag, room, `<item nick='wicca' role='none'/>`), NOT_ALLOWED)
  assertLike(await admin(hag, room, `<item nick='member' role='none'/>`), NOT_ALLOWED)
  assertLike(await admin(wicca, room, `<item nick='crone' role='none'/>`), NOT_ALLOWED)
  assertLike(await admin(wicca, room, `<item nick='hag' role='none'/>`), DONE)
  assertLike(
    await admin(wicca, room, `<item nick='nobody' role='none'/>`),
    `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`,
  )
})

test('§8.3, §8.4: a visitor gets a voice and loses it again', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  assertLike(
    await admin(crone, room, `<item nick='hag' role='participant'><reason>A worthy witch</reason></item>`),
    DONE,
  )
  await hag.receives(
    `<presence from='${room}/hag'><x ${USER}><item affiliation='none' role='participant'><reason>A worthy witch</reason></item><status code='110'/></x></presence>`,
  )
  hag.sends(`<message to='${room}' type='groupchat'><body>Hi</body></message>`)
  await hag.receives(`<message from='${room}/hag'><body>Hi</body></message>`)
  assertLike(await admin(crone, room, `<item nick='hag' role='visitor'/>`), DONE)
  await hag.receives(seen(`${room}/hag`, `role='visitor'`, [110]))
})

test('§5.1: in a moderated room a voice is kept for who comes back', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  await admin(crone, room, `<item nick='hag' role='participant'/>`)
  hag.sends(`<presence to='${room}/hag' type='unavailable'/>`)
  await hag.settles()
  const self = (await enters(hag, room, 'hag')).find((one) => hasCode(one, '110'))
  assert.ok(self)
  assertLike(self, seen(`${room}/hag`, `role='participant'`))
})

test('§8.4: administrators keep their voice, and so do those who are more', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag, wicca })
  await admin(crone, room, `<item jid='${wicca.bare}' affiliation='admin'/>`, `<item nick='hag' role='moderator'/>`)
  assertLike(await admin(hag, room, `<item nick='wicca' role='visitor'/>`), NOT_ALLOWED)
  assertLike(await admin(crone, room, `<item nick='wicca' role='visitor'/>`), NOT_ALLOWED)
  assertLike(await admin(hag, room, `<item nick='crone' role='visitor'/>`), NOT_ALLOWED)
})

test('§8.5: the list of voices, and changes to it as a whole', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag, wicca })
  const list = `<query ${ADMIN}><item role='participant'/></query>`
  assertLike(await hag.gets(list, room), FORBIDDEN)
  assertLike(
    await admin(crone, room, `<item nick='hag' role='participant'/>`, `<item nick='crone' role='visitor'/>`),
    NOT_ALLOWED,
  )
  assert.equal((await crone.gets(list, room)).elements[0]?.elements.length, 0)
  assertLike(
    await admin(crone, room, `<item nick='hag' role='participant'/>`, `<item nick='wicca' role='participant'/>`),
    DONE,
  )
  assertLike(
    await crone.gets(list, room),
    `<iq type='result'><query ${ADMIN}><item affiliation='none' jid='${hag.full}' nick='hag' role='participant'/><item affiliation='none' jid='${wicca.full}' nick='wicca' role='participant'/></query></iq>`,
  )
})

test('§8.6: a moderator gives the voice that was asked for, or does not', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  const answer = (who: Actor, allow: string) =>
    who.sends(`<message to='${room}' id='a'>${request('hag', allow, hag.full)}</message>`)
  answer(hag, 'true')
  await hag.receives(`<message type='error' id='a'>${error('auth', 'forbidden')}</message>`)
  answer(crone, 'false')
  await nothingFor(crone, hag)
  answer(crone, 'true')
  await crone.receives(seen(`${room}/hag`, `role='participant'`))
})

test('§17.4: either a role or an affiliation, and of those there are', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const bad = `<iq type='error'>${error('modify', 'bad-request')}</iq>`
  for (const item of [
    `<item nick='hag' jid='${hag.bare}' role='visitor' affiliation='member'/>`,
    `<item nick='hag'/>`,
    `<item nick='hag' role='king'/>`,
    `<item jid='${hag.bare}' affiliation='king'/>`,
    `<item affiliation='member'/>`,
    `<item jid='localhost' affiliation='member'/>`,
    '',
  ]) {
    assertLike(await admin(crone, room, item), bad)
  }
  for (const item of [
    '',
    `<item role='king'/>`,
    `<item affiliation='none'/>`,
    `<item role='visitor'/><item role='participant'/>`,
  ]) {
    assertLike(await crone.gets(`<query ${ADMIN}>${item}</query>`, room), bad)
  }
  await configures(crone, room, {})
})
