// SPDX-License-Identifier: Apache-2.0
// What belongs to rooms by other XEPs: XEP-0317, XEP-0410, XEP-0421, XEP-0486.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothingFor, theatre } from '../../../test/support/cast.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import { enters, gathers, makes, newRoom, OPEN, seen, USER } from '../../../test/support/rooms.ts'
import type { Element } from '../../xml/element.ts'

const stage = await theatre()
const PING = `<ping xmlns='urn:xmpp:ping'/>`
const FORBIDDEN = `<iq type='error'>${error('auth', 'forbidden')}</iq>`
const NOT_THERE = `<iq type='error'>${error('cancel', 'not-acceptable')}</iq>`

test('XEP-0410: the room answers for itself whether somebody is in it', async () => {
  const { crone, hag, laptop } = await stage.scene('crone', 'hag', { laptop: 'hag' })
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  assertLike(await hag.gets(PING, `${room}/hag`), `<iq type='result' from='${room}/hag'/>`)
  for (const to of [`${room}/hag`, `${room}/crone`, `${newRoom()}/hag`])
    assertLike(await laptop.gets(PING, to), NOT_THERE)
  assertLike(await hag.gets(PING, `${room}/nobody`), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
  hag.sends(`<iq type='get' id='p' to='${room}/crone'>${PING}</iq>`)
  const passed = await crone.receives(`<iq type='get' from='${room}/hag'>${PING}</iq>`)
  crone.sends(`<iq type='result' id='${passed.attrs.id}' to='${room}/hag'/>`)
  await hag.receives(`<iq type='result' id='p' from='${room}/crone'/>`)
})

test('XEP-0421: an occupant has one id in a room, whatever the nick and the client; another room has another', async () => {
  const { crone, hag, laptop } = await stage.scene('crone', 'hag', { laptop: 'hag' })
  const [room, other] = [newRoom(), newRoom()]
  const idIn = (stanza: Element | undefined) => stanza?.child('occupant-id', 'urn:xmpp:occupant-id:0')?.attrs.id
  await gathers(room, OPEN, { crone, hag })
  const own = async (actor: typeof hag, where: string, nick: string) =>
    idIn((await enters(actor, where, nick)).find(({ attrs }) => attrs.from === `${where}/${nick}`))
  const id = await own(hag, room, 'hag')
  assert.ok(id && id.length <= 128)
  assert.equal(await own(laptop, room, 'Brunhilde'), id)
  await makes(crone, other, 'crone', OPEN)
  const elsewhere = await own(hag, other, 'hag')
  assert.ok(elsewhere)
  assert.notEqual(elsewhere, id)
  hag.sends(`<message to='${room}' type='groupchat'><body>x</body></message>`)
  await crone.settles()
  assert.equal(idIn((await enters(crone, room, 'crone')).find((one) => one.child('body'))), id)
})

test('XEP-0486: an owner gives the room an avatar; it is announced, told by its hash, and taken away again', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const card = `<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>aGVsbG8=</BINVAL></PHOTO></vCard>`
  assertLike(await hag.sets(card, room), FORBIDDEN)
  assertLike(await crone.sets(card, room), `<iq type='result'/>`)
  await hag.receives(`<message type='groupchat' from='${room}'><x ${USER}><status code='104'/></x></message>`)
  assertLike(await hag.gets(`<vCard xmlns='vcard-temp'/>`, room), `<iq type='result'>${card}</iq>`)
  const INFO = `xmlns='http://jabber.org/protocol/disco#info'`
  const info = await hag.gets(`<query ${INFO}/>`, room)
  assertLike(
    info,
    `<iq><query ${INFO}><x xmlns='jabber:x:data'><field var='muc#roominfo_avatarhash'><value>aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d</value></field></x></query></iq>`,
  )
  assertLike(await crone.sets(`<vCard xmlns='vcard-temp'/>`, room), `<iq type='result'/>`)
  assert.doesNotMatch((await hag.gets(`<query ${INFO}/>`, room)).xml(''), /avatarhash/)
  const large = `<vCard xmlns='vcard-temp'><PHOTO><BINVAL>${'A'.repeat(70_000)}</BINVAL></PHOTO></vCard>`
  assertLike(await crone.sets(large, room), `<iq type='error'>${error('modify', 'not-acceptable')}</iq>`)
})

test('XEP-0317: hats are made, given, shown, listed, taken and thrown away', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const field = (name: string, value: string) => `<field var='${name}'><value>${value}</value></field>`
  const command = (name: string, fields?: Readonly<Record<string, string>>) => {
    const inside =
      fields &&
      Object.entries(fields)
        .map(([key, value]) => field(`hats#${key}`, value))
        .join('')
    const form =
      inside === undefined
        ? ''
        : `<x xmlns='jabber:x:data' type='submit'>${field('FORM_TYPE', 'urn:xmpp:hats:commands')}${inside}</x>`
    return `<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:${name}' action='execute'>${form}</command>`
  }
  const status = (is: string, more = '') =>
    `<iq type='result'><command xmlns='http://jabber.org/protocol/commands' status='${is}'>${more}</command></iq>`
  const host = { title: 'Host', uri: 'http://x.example/hats#host', hue: '327.2' }
  assertLike(await hag.sets(command('create', host), room), FORBIDDEN)
  assertLike(
    await crone.sets(command('create'), room),
    status('executing', `<x xmlns='jabber:x:data' type='form'><field var='hats#title'><required/></field></x>`),
  )
  assertLike(await crone.sets(command('create', host), room), status('completed'))
  await hag.receives(`<message type='groupchat' from='${room}'><x ${USER}><status code='104'/></x></message>`)
  assertLike(await crone.sets(command('assign', { jid: hag.bare, uri: host.uri }), room), status('completed'))
  const hats = `<hats xmlns='urn:xmpp:hats:0'><hat title='Host' uri='${host.uri}' hue='327.2'/></hats>`
  await hag.receives(`<presence from='${room}/hag'>${hats}</presence>`)
  assertLike(
    await hag.sets(command('list'), room),
    status('completed', `<x xmlns='jabber:x:data' type='result'><item>${field('hats#title', 'Host')}</item></x>`),
  )
  assertLike(
    await crone.sets(command('list-assigned'), room),
    status('completed', `<x xmlns='jabber:x:data' type='result'><item>${field('hats#jid', hag.bare)}</item></x>`),
  )
  assertLike(await hag.sets(command('list-assigned'), room), FORBIDDEN)
  assertLike(
    await crone.sets(command('assign', { jid: hag.bare, uri: 'unknown' }), room),
    `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`,
  )
  assertLike(await crone.sets(command('unassign', { jid: hag.bare, uri: host.uri }), room), status('completed'))
  const without = await hag.receives(seen(`${room}/hag`, `role='participant'`, [110]))
  assert.equal(without.child('hats', 'urn:xmpp:hats:0'), undefined)
  await crone.sets(command('assign', { jid: hag.bare, uri: host.uri }), room)
  await hag.receives(`<presence>${hats}</presence>`)
  assertLike(await crone.sets(command('destroy', { uri: host.uri }), room), status('completed'))
  await hag.receivesAll(seen(`${room}/hag`, `role='participant'`, [110]), `<message from='${room}'/>`)
  assertLike(await crone.sets(command('king'), room), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
  await nothingFor(hag)
})
