// SPDX-License-Identifier: Apache-2.0
// What people publish, and who hears of it on another server (XEP-0163, XEP-0060, XEP-0384, XEP-0084).
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { verificationText } from '../../src/xep/0115-caps/hash.ts'
import type { Element } from '../../src/xml/element.ts'
import { parseElement } from '../../src/xml/reader.ts'
import type { Actor } from '../support/cast.ts'
import { assertLike, error } from '../support/match.ts'
import { event, itemsOf, learns, listener, listens, listensAt, publish, pubsub, refused } from '../support/pubsub.ts'
import { enableResume, resume } from '../support/resume.ts'
import { allSettle, befriendAcross, CAPULET, lovers, MONTAGUE } from '../support/two-servers.ts'

const TUNE = 'http://jabber.org/protocol/tune'
const BUNDLES = 'urn:xmpp:omemo:2:bundles'
const AVATAR = 'urn:xmpp:avatar'
const SONG = `<item id='current'><tune xmlns='${TUNE}'><title>Heart's ease</title></tune></item>`

test('a contact hears of what is published if its client asks for it, and of what was published when it comes (§4.3)', async () => {
  const { montague, juliet, romeo, road } = await lovers()
  await befriendAcross(juliet, romeo)
  await listens(romeo, TUNE)
  await allSettle(romeo, juliet)
  await juliet.sets(publish(TUNE, SONG))
  await romeo.receives(event(TUNE, SONG, `from='${juliet.bare}' to='${romeo.full}'`))
  const phone = await montague.enter('romeo', 'phone', false)
  await learns(phone, TUNE)
  await phone.receivesAll(
    `<presence from='${romeo.full}'/>`,
    `<presence from='${juliet.full}'/>`,
    `<message from='${juliet.bare}' to='${phone.full}'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${TUNE}'>${SONG}</items></event>
      <delay xmlns='urn:xmpp:delay' from='${juliet.bare}' stamp='*'/></message>`,
  )
  await phone.receivesNothing(CAPULET)
  assert.equal(road.log.filter((line) => line.includes('disco#info') && line.includes(`type='get'`)).length, 1)
})

test('somebody who is away is heard of by what they published (§4.3.4)', async () => {
  const { montague, juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  await juliet.sets(publish(TUNE, SONG))
  juliet.link.clientCloses()
  await allSettle(romeo)
  const phone = await montague.enter('romeo', 'phone', false)
  const heard = await listensAt(CAPULET, phone, TUNE)
  assertLike(await messageAfter(heard, phone), event(TUNE, SONG, `from='${juliet.bare}' to='${phone.full}'`))
})

test('who becomes a contact while being there is told then', async () => {
  const { juliet, romeo } = await lovers()
  await juliet.sets(publish(TUNE, SONG))
  await listens(romeo, TUNE)
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
  await allSettle(juliet)
  romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
  await listensAt(CAPULET, romeo, TUNE)
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
  await allSettle(juliet, romeo)
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
  assertLike(await messageAfter([], romeo), event(TUNE, SONG, `from='${juliet.bare}' to='${romeo.full}'`))
  await nothingSaid(romeo)
})

/** Last items are looked up while other things go on. */
async function messageAfter(heard: readonly Element[], actor: Actor): Promise<Element> {
  let found = heard.find(({ name }) => name === 'message')
  while (found?.name !== 'message') found = await actor.hears()
  return found
}

async function nothingSaid(actor: Actor): Promise<void> {
  const heard = await actor.hearsOut(CAPULET)
  assert.deepEqual(
    heard.filter(({ name }) => name === 'message').map((one) => one.xml('jabber:client')),
    [],
  )
}

test('who may not see the presence, whoever is blocked, and who has gone hear nothing', async () => {
  const { montague, juliet, romeo, road } = await lovers()
  const tybalt = await montague.enter('tybalt')
  await befriendAcross(juliet, romeo)
  for (const actor of [romeo, tybalt]) await listens(actor, TUNE)
  tybalt.sends(`<presence to='${juliet.bare}'/>`)
  await allSettle(romeo, tybalt)
  await juliet.sets(`<block xmlns='urn:xmpp:blocking'><item jid='${romeo.bare}'/></block>`)
  await juliet.sets(publish(TUNE, SONG))
  await allSettle(romeo, tybalt)
  assert.equal(road.log.filter((line) => line.includes('#event')).length, 0)
  await juliet.sets(`<unblock xmlns='urn:xmpp:blocking'><item jid='${romeo.bare}'/></unblock>`)
  await allSettle(romeo)
  romeo.link.clientVanishes()
  await allSettle(tybalt)
  road.log.length = 0
  await juliet.sets(publish(TUNE, SONG))
  await allSettle(tybalt)
  assert.equal(road.log.filter((line) => line.includes('#event')).length, 0)
})

test('a client whose answer is not what its hash says is not believed, and another one of its kind is asked', async () => {
  const { montague, juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  const query = `<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/><feature var='${TUNE}+notify'/></query>`
  romeo.sends(
    `<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:test' ver='${hashOf(query)}'/></presence>`,
  )
  const asked = await questionFor(romeo, juliet.bare)
  const phone = await montague.enter('romeo', 'phone', false)
  phone.sends(
    `<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:test' ver='${hashOf(query)}'/></presence>`,
  )
  await questionFor(phone, MONTAGUE)
  romeo.sends(`<iq type='result' id='${asked.attrs.id}' to='${juliet.bare}'>${query.replace('pc', 'bot')}</iq>`)
  const again = await questionFor(phone, juliet.bare)
  phone.sends(`<iq type='result' id='${again.attrs.id}' to='${juliet.bare}'>${query}</iq>`)
  await allSettle(romeo, phone)
  await juliet.sets(publish(TUNE, SONG))
  await phone.receives(event(TUNE, SONG))
  await nothingSaid(romeo)
})

function hashOf(query: string): string {
  return createHash('sha1')
    .update(verificationText(parseElement(query)))
    .digest('base64')
}

async function questionFor(actor: Actor, from: string): Promise<Element> {
  for (;;) {
    const heard = await actor.hears()
    if (heard.name === 'iq' && heard.attrs.from === from) return heard
  }
}

test('keys in open nodes are there for strangers, what is for contacts is not (XEP-0384 §5)', async () => {
  const { juliet, romeo } = await lovers()
  const bundle = `<item id='31415'><bundle xmlns='urn:xmpp:omemo:2'><ik>key</ik></bundle></item>`
  await juliet.sets(publish(BUNDLES, bundle, { access_model: 'open' }))
  await juliet.sets(publish(TUNE, SONG))
  assertLike(
    await romeo.gets(itemsOf(BUNDLES, `<item id='31415'/>`), juliet.bare),
    `<iq type='result' from='${juliet.bare}'>${pubsub(`<items node='${BUNDLES}'>${bundle}</items>`)}</iq>`,
  )
  assertLike(
    await romeo.gets(itemsOf(TUNE), juliet.bare),
    refused('auth', 'not-authorized', 'presence-subscription-required'),
  )
  for (const write of [publish(BUNDLES, bundle), pubsub(`<retract node='${BUNDLES}'><item id='31415'/></retract>`)])
    assertLike(await romeo.sets(write, juliet.bare), `<iq type='error'/>`)
})

test('an avatar is announced, fetched, and shown in the card and in the presence (XEP-0084, XEP-0153)', async () => {
  const { juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  await listens(romeo, `${AVATAR}:metadata`)
  await allSettle(romeo, juliet)
  const id = createHash('sha1').update('png').digest('hex')
  const data = Buffer.from('png').toString('base64')
  await juliet.sets(publish(`${AVATAR}:data`, `<item id='${id}'><data xmlns='${AVATAR}:data'>${data}</data></item>`))
  const info = `<item id='${id}'><metadata xmlns='${AVATAR}:metadata'><info bytes='3' id='${id}' type='image/png'/></metadata></item>`
  await juliet.sets(publish(`${AVATAR}:metadata`, info))
  const heard = await romeo.hearsOut(CAPULET)
  assert.ok(heard.some((one) => one.name === 'message' && one.attrs.from === juliet.bare))
  assertLike(
    await romeo.gets(itemsOf(`${AVATAR}:data`, `<item id='${id}'/>`), juliet.bare),
    `<iq type='result'>${pubsub(`<items node='${AVATAR}:data'><item id='${id}'><data xmlns='${AVATAR}:data'>${data}</data></item></items>`)}</iq>`,
  )
  assertLike(
    await romeo.gets(`<vCard xmlns='vcard-temp'/>`, juliet.bare),
    `<iq type='result'><vCard xmlns='vcard-temp'><PHOTO><BINVAL>${data}</BINVAL></PHOTO></vCard></iq>`,
  )
})

test('a node of a service is subscribed to from elsewhere; nobody makes one there from elsewhere (XEP-0060 §6.1, §8.1)', async () => {
  const { juliet, romeo } = await lovers()
  const service = `pubsub.${CAPULET}`
  assertLike(await juliet.sets(pubsub(`<create node='news'/>`), service), `<iq type='result'/>`)
  await juliet.sets(publish('news', '<item id="1"/>', { access_model: 'open' }), service)
  assertLike(
    await romeo.sets(pubsub(`<subscribe node='news' jid='${romeo.bare}'/>`), service),
    `<iq type='result' from='${service}'/>`,
  )
  await allSettle(romeo)
  await juliet.sets(publish('news', `<item id='2'><x xmlns='urn:news'/></item>`), service)
  await romeo.receives(
    `<message from='${service}' to='${romeo.bare}'><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>`,
  )
  assertLike(await romeo.sets(pubsub(`<create node='mine'/>`), service), `<iq type='error'/>`)
  assertLike(await romeo.sets(publish('news', `<item id='3'/>`), service), `<iq type='error'/>`)
  assertLike(
    await romeo.sets(pubsub(`<subscribe node='news' jid='${juliet.bare}'/>`), service),
    `<iq type='error'>${error('modify', 'bad-request')}</iq>`,
  )
})

test('after a restart those who go on are heard of as before, and hear as before', async () => {
  const { capulet, juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  await listens(romeo, TUNE)
  await listens(juliet, TUNE)
  await allSettle(romeo, juliet)
  const id = await enableResume(juliet)
  await capulet.restarts()
  const back = await resume(capulet, juliet, id, 0)
  await back.settles()
  back.sends(`<iq type='set' id='p'>${publish(TUNE, SONG)}</iq>`)
  const answers = [romeo, back].map(async (actor) => {
    for (;;) {
      const heard = await actor.hears()
      if (heard.name === 'message') return heard
      if (heard.child('query', 'http://jabber.org/protocol/disco#info'))
        actor.sends(`<iq type='result' id='${heard.attrs.id}' to='${heard.attrs.from}'>${listener(TUNE)}</iq>`)
    }
  })
  for (const heard of await Promise.all(answers)) assertLike(heard, event(TUNE, SONG, `from='${juliet.bare}'`))
})
