// SPDX-License-Identifier: Apache-2.0
// XEP-0045 §10: what owners do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothingFor, theatre } from '../../../test/support/cast.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import {
  ADMIN,
  admin,
  asks,
  configuration,
  configures,
  enters,
  gathers,
  lines,
  makes,
  newRoom,
  OPEN,
  OWNER,
  seen,
  USER,
} from '../../../test/support/rooms.ts'
import type { Element } from '../../xml/element.ts'

const stage = await theatre()
const DONE = `<iq type='result'/>`
const FORBIDDEN = `<iq type='error'>${error('auth', 'forbidden')}</iq>`
const CONFLICT = `<iq type='error'>${error('cancel', 'conflict')}</iq>`
const INFO = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
const NONE = `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`

function valuesIn(answer: Element, name: string): readonly string[] {
  const form = answer.elements[0]?.child('x', 'jabber:x:data')
  const field = form
    ?.childrenNamed('field')
    .find(({ attrs }) => attrs.var === name || attrs.var === `muc#roomconfig_${name}`)
  return (field?.childrenNamed('value') ?? []).map(({ text }) => text)
}

function message(room: string, ...codes: readonly number[]): string {
  return `<message from='${room}' type='groupchat'><x ${USER}>${codes.map((code) => `<status code='${code}'/>`).join('')}</x></message>`
}

test('§10.1.1: who makes rooms is for the server to say, and how many', async () => {
  const refusal = (room: string) =>
    `<presence type='error' from='${room}/crone'>${error('cancel', 'not-allowed')}</presence>`
  for (const [roomsCreate, crone, boss] of [
    ['nobody', false, false],
    ['admins', false, true],
    ['users', true, true],
  ] as const) {
    const own = await theatre({ options: { roomsCreate }, admins: ['boss@localhost'] })
    for (const [name, may] of [
      ['crone', crone],
      ['boss', boss],
    ] as const) {
      const actor = await own.enter(name)
      const room = newRoom()
      if (may) await enters(actor, room, 'crone')
      else {
        asks(actor, room, 'crone')
        await actor.receives(refusal(room))
      }
    }
  }
  const few = await theatre({ options: { roomsPerUser: 1 } })
  const crone = await few.enter('crone')
  const first = newRoom()
  await makes(crone, first, 'crone')
  asks(crone, newRoom(), 'crone')
  await crone.receives(`<presence type='error'>${error('wait', 'resource-constraint')}</presence>`)
  await crone.sets(`<query ${OWNER}><destroy/></query>`, first)
  await enters(crone, newRoom(), 'crone')
})

test('§10.1.2: an instant room is there at once, as a private group', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await enters(crone, room, 'crone')
  assertLike(await crone.sets(`<query ${OWNER}><x xmlns='jabber:x:data' type='submit'/></query>`, room), DONE)
  await nothingFor(crone)
  asks(hag, room, 'hag')
  await hag.receives(`<presence type='error'>${error('auth', 'registration-required')}</presence>`)
})

test('§10.1.3: a reserved room is set up by its form before anybody else is let in', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await enters(crone, room, 'crone')
  const form = await crone.gets(`<query ${OWNER}/>`, room)
  const defaults = {
    FORM_TYPE: 'http://jabber.org/protocol/muc#roomconfig',
    membersonly: '1',
    publicroom: '0',
    persistentroom: '1',
    moderatedroom: '0',
    whois: 'anyone',
    enablearchiving: '1',
    changesubject: '0',
    allowinvites: '0',
    allowpm: 'anyone',
    maxusers: 'none',
    passwordprotectedroom: '0',
    'muc#maxhistoryfetch': '20',
    presencebroadcast: 'visitor participant moderator',
    getmemberlist: 'visitor participant moderator',
    roomowners: crone.bare,
  }
  for (const [name, value] of Object.entries(defaults)) assert.equal(valuesIn(form, name).join(' '), value, name)
  await configures(crone, room, {
    ...OPEN,
    roomname: 'A Dark Cave',
    roomdesc: 'The place for all good witches!',
    roomadmins: [hag.bare],
    maxusers: '10',
  })
  const later = await crone.gets(`<query ${OWNER}/>`, room)
  for (const [name, value] of Object.entries({
    membersonly: '0',
    roomname: 'A Dark Cave',
    maxusers: '10',
    roomadmins: hag.bare,
  })) {
    assert.equal(valuesIn(later, name).join(' '), value, name)
  }
  const heard = await enters(hag, room, 'hag')
  assert.ok(heard[1])
  assertLike(heard[1], seen(`${room}/hag`, `affiliation='admin' role='moderator'`))
})

test('§10.1.3: what a room cannot be is refused, and changes nothing', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await enters(crone, room, 'crone')
  for (const settings of [
    { passwordprotectedroom: '1', roomsecret: '' },
    { passwordprotectedroom: '1' },
    { whois: 'nobody' },
    { membersonly: 'perhaps' },
    { maxusers: '-5' },
    { 'muc#maxhistoryfetch': 'all' },
    { roomname: 'x'.repeat(2000) },
    { roomowners: ['@'] },
  ]) {
    assertLike(
      await crone.sets(configuration(settings), room),
      `<iq type='error'>${error('modify', 'not-acceptable')}</iq>`,
    )
  }
  assertLike(await crone.sets(configuration({ roomowners: [] }), room), CONFLICT)
  asks(await stage.enter('other'), room, 'x')
  await configures(crone, room, {})
})

test('§10.1.3: a room whose owner does not want it, or goes, before it is set up is gone', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await enters(crone, room, 'crone')
  assertLike(await crone.sets(`<query ${OWNER}><x xmlns='jabber:x:data' type='cancel'/></query>`, room), DONE)
  assertLike(await hag.gets(INFO, room), NONE)
  await enters(crone, room, 'crone')
  crone.sends(`<presence type='unavailable'/>`)
  await crone.settles()
  assertLike(await hag.gets(INFO, room), NONE)
})

test('§10.2: only owners set a room up; who changes their mind changes nothing', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  assertLike(await hag.gets(`<query ${OWNER}/>`, room), FORBIDDEN)
  assertLike(await hag.sets(configuration({ roomname: 'Mine' }), room), FORBIDDEN)
  assertLike(await crone.sets(`<query ${OWNER}><x xmlns='jabber:x:data' type='cancel'/></query>`, room), DONE)
  assertLike(await crone.sets(`<query ${OWNER}/>`, room), `<iq type='error'>${error('modify', 'bad-request')}</iq>`)
  await nothingFor(crone, hag)
})

test('§10.2: who is made an administrator or an owner by the form, or is not any more, is shown as such', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const steps: readonly (readonly [Record<string, readonly string[]>, string])[] = [
    [{ roomadmins: [hag.bare] }, `affiliation='admin' role='moderator'`],
    [{ roomadmins: [] }, `affiliation='member' role='participant'`],
    [{ roomowners: [crone.bare, hag.bare] }, `affiliation='owner' role='moderator'`],
    [{ roomowners: [crone.bare] }, `affiliation='admin' role='moderator'`],
  ]
  for (const [settings, item] of steps) {
    await crone.sets(configuration(settings), room)
    await hag.receives(seen(`${room}/hag`, item, [110]))
    await hag.settles()
  }
})

test('§10.2: who is no member is out when a room becomes one for members', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  await admin(crone, room, `<item jid='${wicca.bare}' affiliation='member'/>`)
  for (const one of [hag, wicca]) await one.settles()
  await crone.sets(configuration({ membersonly: '1' }), room)
  await hag.receives(seen(`${room}/hag`, `affiliation='none' role='none'`, [110, 322], `type='unavailable'`))
  await wicca.receives(seen(`${room}/hag`, `role='none'`, [322], `type='unavailable'`))
  await wicca.receives(message(room, 104))
})

test('§10.2: in a room that becomes moderated strangers lose their voice, and get it back', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  await crone.sets(configuration({ moderatedroom: '1' }), room)
  await hag.receives(seen(`${room}/hag`, `role='visitor'`, [110]))
  await hag.settles()
  await crone.sets(configuration({ moderatedroom: '0' }), room)
  await hag.receives(seen(`${room}/hag`, `role='participant'`, [110]))
})

test('§10.2.1: everybody hears what a change means for their privacy, and of any other that there was one', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const steps: readonly (readonly [Record<string, string>, readonly number[]])[] = [
    [{ enablearchiving: '0' }, [171]],
    [{ enablearchiving: '1' }, [170]],
    [{ whois: 'moderators' }, [173]],
    [{ whois: 'anyone' }, [172]],
    [{ roomname: 'Another' }, [104]],
    [{ roomname: 'One more', whois: 'moderators' }, [104, 173]],
  ]
  for (const [settings, codes] of steps) {
    await crone.sets(configuration(settings), room)
    await hag.receives(message(room, ...codes))
  }
  await crone.sets(configuration({ roomname: 'One more' }), room)
  await nothingFor(hag)
})

test('§10.3, §10.4: owners make owners, and unmake them, as long as there is one', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  assertLike(await admin(hag, room, `<item jid='${hag.bare}' affiliation='owner'/>`), FORBIDDEN)
  assertLike(await admin(crone, room, `<item jid='${crone.bare}' affiliation='admin'/>`), CONFLICT)
  assertLike(
    await admin(
      crone,
      room,
      `<item jid='${hag.full}' affiliation='owner'><reason>A worthy witch indeed!</reason></item>`,
    ),
    DONE,
  )
  await hag.receives(
    `<presence from='${room}/hag'><x ${USER}><item affiliation='owner' role='moderator'><reason>A worthy witch indeed!</reason></item></x></presence>`,
  )
  assertLike(await admin(hag, room, `<item jid='${crone.bare}' affiliation='admin'/>`), DONE)
  await wicca.settles()
  await crone.settles()
  assertLike(await crone.gets(`<query ${OWNER}/>`, room), FORBIDDEN)
  assertLike(await admin(hag, room, `<item jid='${hag.bare}' affiliation='none'/>`), CONFLICT)
})

test('§10.5: the list of owners', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, whois: 'moderators' }, { crone, hag })
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='admin'/>`)
  const query = `<query ${ADMIN}><item affiliation='owner'/></query>`
  assertLike(
    await crone.gets(query, room),
    `<iq type='result'><query ${ADMIN}><item affiliation='owner' jid='${crone.bare}'/></query></iq>`,
  )
  for (const one of [hag, wicca]) assertLike(await one.gets(query, room), FORBIDDEN)
  await configures(crone, room, { whois: 'anyone' })
  assertLike(await hag.gets(query, room), DONE)
  assertLike(await wicca.gets(query, room), FORBIDDEN)
  assertLike(await admin(hag, room, `<item jid='${wicca.bare}' affiliation='owner'/>`), FORBIDDEN)
})

test('§10.6, §10.7: owners make administrators and unmake them', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  assertLike(await admin(crone, room, `<item jid='${hag.bare}' affiliation='admin'/>`), DONE)
  await hag.receives(seen(`${room}/hag`, `affiliation='admin' role='moderator'`, [110]))
  assertLike(await admin(hag, room, `<item jid='wicca@localhost' affiliation='admin'/>`), FORBIDDEN)
  assertLike(await admin(hag, room, `<item jid='${hag.bare}' affiliation='none'/>`), FORBIDDEN)
  assertLike(await admin(crone, room, `<item jid='${hag.bare}' affiliation='none'/>`), DONE)
  await hag.receives(seen(`${room}/hag`, `affiliation='none' role='participant'`, [110]))
})

test('§10.8: the list of administrators', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, whois: 'moderators' }, { crone, hag })
  await admin(
    crone,
    room,
    `<item jid='${hag.bare}' affiliation='admin'/>`,
    `<item jid='a@x.example' affiliation='admin'/>`,
  )
  const query = `<query ${ADMIN}><item affiliation='admin'/></query>`
  assertLike(
    await crone.gets(query, room),
    `<iq type='result'><query ${ADMIN}><item affiliation='admin' jid='a@x.example'/><item affiliation='admin' jid='${hag.bare}'/></query></iq>`,
  )
  assertLike(await hag.gets(query, room), FORBIDDEN)
})

test('§10.9: a room that is destroyed tells everybody once, with the place to go to, and is gone with its archive', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  crone.sends(`<message to='${room}' type='groupchat'><body>secret</body></message>`)
  for (const one of [crone, hag]) await one.settles()
  const destroy = `<query ${OWNER}><destroy jid='heath@rooms.localhost'><reason>Macbeth doth come.</reason><password>pw</password></destroy></query>`
  assertLike(await hag.sets(destroy, room), FORBIDDEN)
  assertLike(await crone.sets(destroy, room), DONE)
  await hag.receives(
    `<presence from='${room}/hag' to='${hag.full}' type='unavailable'><x ${USER}><item affiliation='none' role='none'/><destroy jid='heath@rooms.localhost'><reason>Macbeth doth come.</reason><password>pw</password></destroy></x></presence>`,
  )
  await nothingFor(hag)
  assertLike(await hag.gets(INFO, room), NONE)
  assertLike(await crone.sets(destroy, room), NONE)
  const again = await enters(hag, room, 'hag')
  assert.deepEqual(lines(again), ['presence hag here 100 110 170 201', 'message'])
  const archive = await hag.sets(`<query xmlns='urn:xmpp:mam:2'/>`, room)
  assertLike(
    archive,
    `<iq type='result'><fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='http://jabber.org/protocol/rsm'><count>0</count></set></fin></iq>`,
  )
})
