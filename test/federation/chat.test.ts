// SPDX-License-Identifier: Apache-2.0
// Messages and questions between users of two servers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseElement } from '../../src/xml/reader.ts'
import { type Actor, cast, nothingFor, type Theatre } from '../support/cast.ts'
import { assertLike, error } from '../support/match.ts'
import { allSettle, CAPULET, lovers, MONTAGUE } from '../support/two-servers.ts'

const CARBONS = `xmlns='urn:xmpp:carbons:2'`
const RETRACT = `xmlns='urn:xmpp:message-retract:1'`

function chat(to: string, id: string, content = `<body>${id}</body>`): string {
  return `<message type='chat' id='${id}' to='${to}'>${content}</message>`
}

/** What is in the archive of an account, as XML texts. */
async function archiveOf(stage: Theatre, { jid }: Actor): Promise<readonly string[]> {
  const { messages } = await stage.store.messages.page(jid.bare, { limit: 100 })
  return messages.map(({ xml }) => xml)
}

async function idsIn(stage: Theatre, actor: Actor): Promise<readonly (string | undefined)[]> {
  return (await archiveOf(stage, actor)).map((xml) => parseElement(xml, 'jabber:client').attrs.id)
}

test('a message goes to the other server and an answer comes back; each server keeps both', async () => {
  const { capulet, montague, juliet, romeo } = await lovers()
  romeo.sends(chat(juliet.bare, 'm1'))
  const got = await juliet.receives(
    `<message type='chat' id='m1' from='${romeo.full}' to='${juliet.bare}'><body>m1</body>
      <stanza-id xmlns='urn:xmpp:sid:0' by='${juliet.bare}' id='*'/></message>`,
  )
  assert.equal(got.childrenNamed('stanza-id', 'urn:xmpp:sid:0').length, 1)
  juliet.sends(chat(romeo.full, 'm2'))
  await romeo.receives(`<message type='chat' id='m2' from='${juliet.full}' to='${romeo.full}'/>`)
  assert.deepEqual(await idsIn(capulet, juliet), ['m1', 'm2'])
  assert.deepEqual(await idsIn(montague, romeo), ['m1', 'm2'])
  for (const xml of [...(await archiveOf(capulet, juliet)), ...(await archiveOf(montague, romeo))])
    assert.equal(xml.includes('stanza-id'), false)
})

test('what says when it was said, and what only says that somebody writes, passes and is kept as inside one server', async () => {
  const { capulet, montague, juliet, romeo } = await lovers()
  const typing = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`
  const receipt = `<received xmlns='urn:xmpp:receipts' id='m1'/>`
  const secret = `<body>secret</body><no-store xmlns='urn:xmpp:hints'/>`
  for (const [id, content] of Object.entries({ typing, receipt, secret })) {
    romeo.sends(chat(juliet.bare, id, content))
    await juliet.receives(`<message id='${id}'>${content}</message>`)
  }
  assert.deepEqual(await idsIn(capulet, juliet), ['receipt'])
  assert.deepEqual(await idsIn(montague, romeo), ['receipt'])
})

test('who is away finds it when coming back; nobody else does', async () => {
  const { capulet, montague, romeo } = await lovers()
  await capulet.account('nurse')
  romeo.sends(chat(`nurse@${CAPULET}`, 'm1'))
  await allSettle(romeo)
  const nurse = await capulet.enter('nurse', 'phone', false)
  nurse.sends('<presence/>')
  await nurse.receives(`<presence from='${nurse.full}'/>`)
  await nurse.receives(
    `<message id='m1' from='${romeo.full}'><body>m1</body><delay xmlns='urn:xmpp:delay' from='${CAPULET}' stamp='*'/>
      <stanza-id xmlns='urn:xmpp:sid:0' by='${nurse.bare}' id='*'/></message>`,
  )
  await nothingFor(nurse, romeo)
  assert.deepEqual(await idsIn(montague, romeo), ['m1'])
})

test('what cannot arrive comes back, with the reason', async () => {
  const { montague, juliet, romeo, road } = await lovers()
  romeo.sends(chat(`nobody@${CAPULET}`, 'm1'))
  await romeo.receives(
    `<message type='error' id='m1' from='nobody@${CAPULET}' to='${romeo.full}'>${error('cancel', 'service-unavailable')}</message>`,
  )
  romeo.sends(chat('tybalt@verona.example', 'm2'))
  await romeo.receives(
    `<message type='error' id='m2' from='tybalt@verona.example'>${error('cancel', 'remote-server-not-found')}</message>`,
  )
  road.refused.add('verona.example')
  romeo.sends(chat('tybalt@verona.example', 'm3'))
  await romeo.receives(`<message type='error' id='m3'>${error('cancel', 'not-allowed')}</message>`)
  road.cut()
  romeo.sends(chat(juliet.bare, 'm4'))
  await romeo.receives(
    `<message type='error' id='m4' from='${juliet.bare}'>${error('wait', 'remote-server-timeout')}</message>`,
  )
  road.heal()
  romeo.sends(chat(juliet.bare, 'm5'))
  await juliet.receives(`<message id='m5'/>`)
  assert.equal((await idsIn(montague, romeo)).includes('m3'), false)
})

test('a road that is blocked for a while loses nothing, and nothing overtakes', async () => {
  const { juliet, romeo, road } = await lovers()
  road.stop()
  for (const id of ['a', 'b', 'c']) romeo.sends(chat(juliet.bare, id))
  await nothingFor(romeo, juliet)
  road.heal()
  for (const id of ['a', 'b', 'c']) await juliet.receives(`<message id='${id}'/>`)
})

test('an error that a client sends reaches the one whose message it is about', async () => {
  const { juliet, romeo } = await lovers()
  romeo.sends(chat(juliet.full, 'm1'))
  await juliet.receives(`<message id='m1'/>`)
  juliet.sends(`<message type='error' id='m1' to='${romeo.full}'>${error('modify', 'not-acceptable')}</message>`)
  await romeo.receives(
    `<message type='error' id='m1' from='${juliet.full}'>${error('modify', 'not-acceptable')}</message>`,
  )
})

test('what one takes back is taken out of the archives on both sides (XEP-0424)', async () => {
  const { capulet, montague, juliet, romeo } = await lovers()
  romeo.sends(chat(juliet.bare, 'm1', '<body>Thou art a villain</body>'))
  romeo.sends(chat(juliet.bare, 'm2', `<retract ${RETRACT} id='m1'/><store xmlns='urn:xmpp:hints'/>`))
  await allSettle(romeo)
  for (const [actor, stage] of [
    [juliet, capulet],
    [romeo, montague],
  ] as const) {
    await actor.sets(`<query xmlns='urn:xmpp:mam:2'/>`) // waits until it is carried out
    const [first] = await archiveOf(stage, actor)
    assertLike(parseElement(first ?? '', 'jabber:client'), `<message id='m1'><retracted ${RETRACT} id='m2'/></message>`)
    assert.equal(first?.includes('villain'), false)
  }
})

test('nobody takes back what somebody else said', async () => {
  const { capulet, montague, juliet, romeo } = await lovers()
  const tybalt = await montague.enter('tybalt')
  romeo.sends(chat(juliet.bare, 'm1'))
  await juliet.receives(`<message id='m1'/>`)
  tybalt.sends(chat(juliet.bare, 'm2', `<retract ${RETRACT} id='m1'/><store xmlns='urn:xmpp:hints'/>`))
  await allSettle(tybalt)
  await juliet.sets(`<query xmlns='urn:xmpp:mam:2'/>`)
  assert.equal((await archiveOf(capulet, juliet))[0]?.includes('<body>m1</body>'), true)
})

test('who does not want messages with somebody kept has none, whoever sends (XEP-0441)', async () => {
  const { capulet, montague, juliet, romeo } = await lovers()
  await romeo.sets(`<prefs xmlns='urn:xmpp:mam:2' default='always'><never><jid>${juliet.bare}</jid></never></prefs>`)
  await juliet.sets(`<prefs xmlns='urn:xmpp:mam:2' default='roster'/>`)
  romeo.sends(chat(juliet.bare, 'm1'))
  await juliet.receives(`<message id='m1'/>`)
  juliet.sends(chat(romeo.bare, 'm2'))
  await romeo.receives(`<message id='m2'/>`)
  assert.deepEqual([await idsIn(capulet, juliet), await idsIn(montague, romeo)], [[], []])
  await juliet.sets(`<query xmlns='jabber:iq:roster'><item jid='${romeo.bare}'/></query>`)
  juliet.sends(chat(romeo.bare, 'm3'))
  await romeo.receives(`<message id='m3'/>`)
  assert.deepEqual([await idsIn(capulet, juliet), await idsIn(montague, romeo)], [['m3'], []])
})

test('the archive is asked for a contact elsewhere as for any other', async () => {
  const { juliet, romeo } = await lovers()
  juliet.sends(chat(romeo.bare, 'm1'))
  juliet.sends(chat(`nurse@${MONTAGUE}`, 'm2'))
  await allSettle(juliet)
  juliet.sends(
    `<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>
      <field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field><field var='with'><value>${romeo.bare}</value></field></x></query></iq>`,
  )
  await juliet.receives(
    `<message><result xmlns='urn:xmpp:mam:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' id='m1'/></forwarded></result></message>`,
  )
  await juliet.receives(`<iq type='result' id='q'/>`)
})

test('other clients of both get copies (XEP-0280)', async () => {
  const { capulet, montague, juliet, romeo } = await lovers()
  const [hers, his] = [await capulet.enter('juliet', 'laptop'), await montague.enter('romeo', 'laptop')]
  for (const actor of [hers, his]) await actor.sets(`<enable ${CARBONS}/>`)
  await allSettle(juliet, romeo, hers, his)
  romeo.sends(chat(juliet.full, 'm1'))
  await juliet.receives(`<message id='m1'/>`)
  const copy = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' id='m1' from='${romeo.full}' to='${juliet.full}'/></forwarded>`
  await hers.receives(`<message from='${hers.bare}'><received ${CARBONS}>${copy}</received></message>`)
  await his.receives(`<message from='${his.bare}'><sent ${CARBONS}>${copy}</sent></message>`)
  juliet.sends(`<message type='error' id='m1' to='${romeo.full}'>${error('cancel', 'gone')}</message>`)
  await romeo.receives(`<message type='error' id='m1'/>`)
  await his.receives(`<message type='error'><received ${CARBONS}/></message>`)
})

test('questions go to the server, the account or the client that is asked, and their answers come back', async () => {
  const { juliet, romeo } = await lovers()
  const version = `<query xmlns='jabber:iq:version'/>`
  assertLike(await juliet.gets(version, MONTAGUE), `<iq type='result' from='${MONTAGUE}' to='${juliet.full}'/>`)
  assertLike(await juliet.gets(version, romeo.bare), `<iq type='error'>${error('cancel', 'service-unavailable')}</iq>`)
  juliet.sends(`<iq type='get' id='v' to='${romeo.full}'>${version}</iq>`)
  await romeo.receives(`<iq type='get' id='v' from='${juliet.full}'>${version}</iq>`)
  romeo.sends(
    `<iq type='result' id='v' to='${juliet.full}'><query xmlns='jabber:iq:version'><name>Psi</name></query></iq>`,
  )
  await juliet.receives(
    `<iq type='result' id='v' from='${romeo.full}'><query xmlns='jabber:iq:version'><name>Psi</name></query></iq>`,
  )
  for (const to of [`${romeo.bare}/gone`, `nobody@${MONTAGUE}`, `nobody@${MONTAGUE}/x`, `what.${MONTAGUE}`])
    assertLike(await juliet.gets(version, to), `<iq type='error' from='${to}'/>`)
})

test('a server without federation says so', async () => {
  const { hermit } = await cast('hermit')
  hermit.sends(chat(`juliet@${CAPULET}`, 'm1'))
  await hermit.receives(
    `<message type='error' id='m1'><error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
      <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>This server does not talk to other servers.</text></error></message>`,
  )
})
