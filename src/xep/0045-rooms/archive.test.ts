// SPDX-License-Identifier: Apache-2.0
// The archive of a room (XEP-0313), and what is taken back in it (XEP-0424, XEP-0425).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../../test/support/cast.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import { admin, configures, enters, gathers, makes, newRoom, OPEN, USER } from '../../../test/support/rooms.ts'
import type { Element } from '../../xml/element.ts'

const stage = await theatre()
const FORBIDDEN = `<iq type='error'>${error('auth', 'forbidden')}</iq>`
const SID = 'urn:xmpp:sid:0'
const RETRACT = 'urn:xmpp:message-retract:1'
const MODERATE = 'urn:xmpp:message-moderate:1'

/** What a room's archive answers: the messages, and the end. */
async function archive(actor: Actor, room: string, fields = '', set = ''): Promise<readonly Element[]> {
  const form =
    fields === ''
      ? ''
      : `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>${fields}</x>`
  actor.sends(
    `<iq type='set' id='mam' to='${room}'><query xmlns='urn:xmpp:mam:2' queryid='q'>${form}${set}</query></iq>`,
  )
  const heard: Element[] = []
  for (;;) {
    const one = await actor.hears()
    heard.push(one)
    if (one.attrs.id === 'mam') return heard
  }
}

/** The messages in it. */
function messagesIn(answer: readonly Element[]): readonly Element[] {
  return answer.flatMap((one) => {
    const result = one.child('result', 'urn:xmpp:mam:2')
    return result?.child('forwarded', 'urn:xmpp:forward:0')?.child('message', 'jabber:client') ?? []
  })
}

function texts(answer: readonly Element[]): string {
  return messagesIn(answer)
    .map((one) => one.childText('body') ?? one.childText('subject') ?? '-')
    .join(' ')
}

/** Says something, and gives the id that the room gave it. */
async function says(actor: Actor, room: string, content: string, id = 'm'): Promise<string> {
  actor.sends(`<message to='${room}' type='groupchat' id='${id}'>${content}</message>`)
  const heard = await actor.receives(`<message type='groupchat' from='*'/>`)
  return heard.child('stanza-id', SID)?.attrs.id ?? ''
}

test('what was said is in the archive, once, under the id that everybody saw', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const id = await says(crone, room, '<body>one</body>')
  await says(crone, room, `<active xmlns='http://jabber.org/protocol/chatstates'/>`)
  await says(crone, room, `<body>off the record</body><no-store xmlns='urn:xmpp:hints'/>`)
  await says(crone, room, '<subject>News</subject>')
  hag.sends(`<message to='${room}/crone' type='chat'><body>psst</body></message>`)
  await hag.settles()
  const answer = await archive(hag, room)
  assert.equal(texts(answer), 'one News')
  assertLike(
    answer[0] as Element,
    `<message from='${room}' to='${hag.full}'><result xmlns='urn:xmpp:mam:2' queryid='q' id='${id}'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='*'/><message xmlns='jabber:client' from='${room}/crone' type='groupchat' id='m'><body>one</body><x ${USER}><item jid='${crone.full}' affiliation='owner' role='moderator'/></x></message></forwarded></result></message>`,
  )
  assertLike(
    answer.at(-1) as Element,
    `<iq type='result' from='${room}'><fin xmlns='urn:xmpp:mam:2' complete='true'/></iq>`,
  )
  const metadata = await hag.gets(`<metadata xmlns='urn:xmpp:mam:2'/>`, room)
  assertLike(metadata, `<iq type='result'><metadata xmlns='urn:xmpp:mam:2'><start id='${id}'/><end/></metadata></iq>`)
})

test('pages, times and ids are asked for as of any archive', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  const ids = []
  for (const text of ['one', 'two', 'three']) ids.push(await says(crone, room, `<body>${text}</body>`))
  const set = (inside: string) => `<set xmlns='http://jabber.org/protocol/rsm'>${inside}</set>`
  assert.equal(texts(await archive(crone, room, '', set('<max>1</max><before/>'))), 'three')
  assert.equal(texts(await archive(crone, room, '', set(`<after>${ids[0]}</after>`))), 'two three')
  assert.equal(texts(await archive(crone, room, `<field var='ids'><value>${ids[1]}</value></field>`)), 'two')
  assert.equal(
    texts(await archive(crone, room, `<field var='with'><value>${crone.bare}</value></field>`)),
    'one two three',
  )
  assert.equal(texts(await archive(crone, room, `<field var='with'><value>other@localhost</value></field>`)), '')
})

test('who may not enter may not read; members may, without being in the room', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, {}, { crone })
  await says(crone, room, '<body>for us alone</body>')
  const query = `<query xmlns='urn:xmpp:mam:2'/>`
  assertLike(await hag.sets(query, room), FORBIDDEN)
  assertLike(await hag.gets(`<metadata xmlns='urn:xmpp:mam:2'/>`, room), FORBIDDEN)
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member'/>`)
  await hag.receives(`<message from='${room}'/>`)
  assert.equal(texts(await archive(hag, room)), 'for us alone')
  await configures(crone, room, OPEN)
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='outcast'/>`)
  assertLike(await hag.sets(query, room), FORBIDDEN)
})

test('in a semi-anonymous room the archive tells real addresses to moderators only', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, whois: 'moderators' }, { crone, hag })
  await says(crone, room, `<body>x</body><x ${USER}><item jid='forged@x.example'/></x>`)
  await hag.receives('<message><body>x</body></message>')
  const seen = messagesIn(await archive(hag, room))[0]?.xml('jabber:client') ?? ''
  assert.match(seen, /<body>x<\/body>/)
  assert.doesNotMatch(seen, /jid=/)
  assert.match(messagesIn(await archive(crone, room))[0]?.xml('jabber:client') ?? '', new RegExp(`jid='${crone.full}'`))
  const answer = await archive(hag, room, `<field var='with'><value>${crone.bare}</value></field>`)
  assertLike(answer[0] as Element, FORBIDDEN)
})

test('a room without an archive keeps nothing; those in it get the last messages all the same', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, enablearchiving: '0' }, { crone })
  await says(crone, room, '<body>x</body>')
  assert.equal(texts(await archive(crone, room)), '')
  assert.equal((await enters(hag, room, 'hag')).filter((one) => one.child('body')).length, 1)
})

test('who takes something back leaves a tombstone, in the archive and for those who come later; nobody does it for others', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const id = await says(hag, room, '<body>oh no</body>', 'wrong')
  await crone.receives('<message><body>oh no</body></message>')
  const kept = await says(crone, room, '<body>good</body>')
  await hag.receives('<message><body>good</body></message>')
  await says(
    hag,
    room,
    `<retract xmlns='${RETRACT}' id='${kept}'/><fallback xmlns='urn:xmpp:fallback:0'/><body>taken back</body>`,
  )
  await says(hag, room, `<retract xmlns='${RETRACT}' id='${id}'/>`, 'back')
  await crone.receives('<message/>')
  await crone.receives(`<message from='${room}/hag'><retract xmlns='${RETRACT}' id='${id}'/></message>`)
  assert.equal(texts(await archive(crone, room)), '- good taken back -')
  const [tombstone] = messagesIn(await archive(crone, room))
  assert.ok(tombstone)
  assertLike(
    tombstone,
    `<message from='${room}/hag' id='wrong' type='groupchat'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/><retracted xmlns='${RETRACT}' id='back' stamp='*'/></message>`,
  )
  assert.doesNotMatch(tombstone.xml('jabber:client'), /oh no/)
  assert.deepEqual(
    (await enters(wicca, room, 'wicca')).flatMap((one) => one.childText('body') ?? []),
    ['good'],
  )
})

test('XEP-0425: a moderator takes back what somebody said, and everybody hears of it', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const id = await says(hag, room, '<body>free magic potions!</body>', 'inappropriate-1')
  await crone.settles()
  const moderate = (target: string) =>
    `<moderate id='${target}' xmlns='${MODERATE}'><retract xmlns='${RETRACT}'/><reason>Spam</reason></moderate>`
  assertLike(await hag.sets(moderate(id), room), FORBIDDEN)
  assertLike(await crone.sets(moderate('12345'), room), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
  assertLike(await crone.sets(moderate(id), room), `<iq type='result'/>`)
  await hag.receives(
    `<message type='groupchat' from='${room}' to='${hag.full}' id='*'><retract id='${id}' xmlns='${RETRACT}'><moderated by='${room}/crone' xmlns='${MODERATE}'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/></moderated><reason>Spam</reason></retract><stanza-id xmlns='${SID}' by='${room}' id='*'/></message>`,
  )
  const [tombstone, event] = messagesIn(await archive(hag, room))
  assert.ok(tombstone && event)
  assertLike(
    tombstone,
    `<message from='${room}/hag' id='inappropriate-1'><retracted xmlns='${RETRACT}' stamp='*'><moderated by='${room}/crone' xmlns='${MODERATE}'/><reason xmlns='${MODERATE}'>Spam</reason></retracted></message>`,
  )
  assertLike(event, `<message from='${room}'><retract id='${id}' xmlns='${RETRACT}'/></message>`)
  assert.equal((await enters(wicca, room, 'wicca')).filter((one) => one.child('body')).length, 0)
  assertLike(await crone.sets(moderate(id), room), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
})

test('XEP-0425 §5: that something was moderated nobody says but the room', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(
    `<message to='${room}' type='groupchat'><retract id='1' xmlns='${RETRACT}'><moderated by='${room}/crone' xmlns='${MODERATE}'/></retract></message>`,
  )
  await hag.receives(`<message type='error'>${error('modify', 'bad-request')}</message>`)
  await nothingFor(crone)
})

test('the past and the subject are there after a restart', async () => {
  const own = await theatre()
  const crone = await own.enter('crone')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  await says(crone, room, '<body>before</body>')
  await says(crone, room, '<subject>News</subject>')
  await own.restarts()
  const hag = await own.enter('hag')
  const heard = await enters(hag, room, 'hag')
  assert.deepEqual(
    heard.flatMap((one) => one.childText('body') ?? one.childText('subject') ?? []),
    ['before', 'News'],
  )
  const past = heard.find((one) => one.child('body'))
  assertLike(
    past as Element,
    `<message from='${room}/crone'><body>before</body><delay xmlns='urn:xmpp:delay' from='${room}'/></message>`,
  )
  assert.equal(past?.child('x', 'http://jabber.org/protocol/muc#user'), undefined)
})
