// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { type Actor, cast, type Theatre, theatre } from '../../../test/support/cast.ts'
import { assertLike } from '../../../test/support/match.ts'
import type { Session } from '../../core/session.ts'
import type { Element } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { capsOf } from './feature.ts'
import { verificationText } from './hash.ts'

const NS = 'http://jabber.org/protocol/caps'
const NODE = 'http://code.google.com/p/exodus'
const VER = 'QgayPKawpkPSDYmwT/WM94uAlu0='
const FEATURES = [
  'http://jabber.org/protocol/caps',
  'http://jabber.org/protocol/disco#info',
  'http://jabber.org/protocol/disco#items',
  'http://jabber.org/protocol/muc',
]
/** Example of §1.2. */
const EXODUS = `<identity category='client' name='Exodus 0.9.1' type='pc'/>${vars(FEATURES)}`
/** Example of §5.3. */
const PSI = `<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
  <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>${vars(FEATURES)}
  <x xmlns='jabber:x:data' type='result'>
    <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
    <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>
    <field var='os'><value>Mac</value></field>
    <field var='os_version'><value>10.5.1</value></field>
    <field var='software'><value>Psi</value></field>
    <field var='software_version'><value>0.11</value></field>
  </x>`

function vars(features: readonly string[]): string {
  return features.map((feature) => `<feature var='${feature}'/>`).join('')
}

function info(content: string): Element {
  return parseElement(`<query xmlns='http://jabber.org/protocol/disco#info'>${content}</query>`)
}

function hash(content: string): string {
  return createHash('sha1')
    .update(verificationText(info(content)))
    .digest('base64')
}

function presence(ver: string, attrs = `hash='sha-1'`): string {
  return `<presence><c xmlns='${NS}' ${attrs} node='${NODE}' ver='${ver}'/></presence>`
}

function sessionOf(stage: Theatre, actor: Actor): Session {
  for (const session of stage.server.sessions()) if (session.jid.equals(actor.jid)) return session
  throw new Error(`${actor.full} has no session`)
}

/** The server asks the client, which answers. */
async function tells(actor: Actor, ver: string, content: string): Promise<void> {
  let iq = await actor.hears()
  while (iq.name !== 'iq') iq = await actor.hears()
  assertLike(
    iq,
    `<iq type='get' from='localhost' to='${actor.full}'><query xmlns='http://jabber.org/protocol/disco#info' node='${NODE}#${ver}'/></iq>`,
  )
  actor.sends(
    `<iq type='result' id='${iq.attrs.id}' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info' node='${NODE}#${ver}'>${content}</query></iq>`,
  )
  await actor.settles()
}

test('the hash is made as the examples of §5.2 and §5.3 say', () => {
  assert.equal(hash(EXODUS), VER)
  assert.equal(hash(PSI), 'q07IKJEyjvHSyhy//CH0CxmKi8w=')
})

test('our own are in the stream features after login, and the node that they name has what their hash says (§6.3)', async () => {
  const { romeo, theatre: stage } = await cast('romeo')
  const stranger = stage.stranger()
  assert.equal((await stranger.opens()).child('c', NS), undefined)
  stranger.sends(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHNlY3JldA==</auth>`)
  await stranger.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  const c = (await stranger.opens()).child('c', NS)
  assert.equal(c?.attrs.hash, 'sha-1')
  const node = `${c?.attrs.node}#${c?.attrs.ver}`
  const answer = await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#info' node='${node}'/>`, 'localhost')
  assertLike(
    answer,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info' node='${node}'>
      <identity category='server' type='im'/><feature var='${NS}'/></query></iq>`,
  )
  const query = answer.child('query', 'http://jabber.org/protocol/disco#info')
  assert.equal(hash(query?.contentXml() ?? ''), c?.attrs.ver)
})

test('a kind of client is asked once, and then known (§5.4, §8.2)', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  assert.equal(capsOf(sessionOf(stage, romeo)), undefined)
  romeo.sends(presence(VER))
  await tells(romeo, VER, EXODUS)
  assert.deepEqual(capsOf(sessionOf(stage, romeo)), FEATURES)
  juliet.sends(presence(VER))
  await juliet.receives(`<presence from='${juliet.full}'/>`)
  await juliet.receivesNothing()
  assert.deepEqual(capsOf(sessionOf(stage, juliet)), FEATURES)
})

test('presence without them changes nothing, a client that goes is forgotten (§8.4)', async () => {
  const { romeo, theatre: stage } = await cast('romeo')
  romeo.sends(presence(VER))
  await tells(romeo, VER, EXODUS)
  romeo.sends(`<presence><show>away</show></presence>`)
  await romeo.settles()
  assert.deepEqual(capsOf(sessionOf(stage, romeo)), FEATURES)
  romeo.sends(`<presence type='unavailable'/>`)
  await romeo.settles()
  assert.equal(capsOf(sessionOf(stage, romeo)), undefined)
})

test('an answer with another hash is not believed, and the next client is asked anew', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  romeo.sends(presence(VER))
  await tells(romeo, VER, `<identity category='client' type='pc'/><feature var='urn:xmpp:lie'/>`)
  assert.equal(capsOf(sessionOf(stage, romeo)), undefined)
  juliet.sends(presence(VER))
  await tells(juliet, VER, EXODUS)
  assert.deepEqual(capsOf(sessionOf(stage, juliet)), FEATURES)
})

test('a client that does not answer keeps no other one waiting', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  romeo.sends(presence(VER))
  await romeo.settles()
  juliet.sends(presence(VER))
  await tells(juliet, VER, EXODUS)
  assert.deepEqual(capsOf(sessionOf(stage, juliet)), FEATURES)
})

test('a client that changes while it is asked is asked again, once it has answered', async () => {
  const { romeo, theatre: stage } = await cast('romeo')
  romeo.sends(presence('bm90aGluZw=='))
  let first = await romeo.hears()
  while (first.name !== 'iq') first = await romeo.hears()
  await romeo.settles()
  romeo.sends(presence(VER))
  await romeo.receives(`<presence/>`)
  await romeo.receivesNothing()
  romeo.sends(`<iq type='error' id='${first.attrs.id}' to='localhost'/>`)
  await tells(romeo, VER, EXODUS)
  assert.deepEqual(capsOf(sessionOf(stage, romeo)), FEATURES)
})

test('nobody is asked about the old format or an unknown hash', async () => {
  const { romeo } = await cast('romeo')
  for (const attrs of ['', `hash='md2'`, `hash='constructor'`]) {
    romeo.sends(presence(VER, attrs))
    await romeo.receives(`<presence/>`)
  }
  await romeo.receivesNothing()
})

test('what stands twice makes the answer worthless (§5.4)', async () => {
  const { romeo, theatre: stage } = await cast('romeo')
  const twice = [
    `${EXODUS}<feature var='${FEATURES[0]}'/>`,
    `${EXODUS}<identity category='client' name='Exodus 0.9.1' type='pc'/>`,
    `${PSI}<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field></x>`,
  ]
  for (const content of twice) {
    romeo.sends(presence(hash(content)))
    await tells(romeo, hash(content), content)
    assert.equal(capsOf(sessionOf(stage, romeo)), undefined)
  }
})

test('an answer that another one could be mistaken for counts for its sender only (§9.3)', async () => {
  const poisons = [
    // The last three features as a form.
    `<identity category='client' name='Exodus 0.9.1' type='pc'/>${vars(FEATURES.slice(0, 1))}
      <x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>${FEATURES[1]}</value></field>
      <field var='${FEATURES[2]}'><value>${FEATURES[3]}</value></field></x>`,
    // The first one as an identity.
    `<identity category='client' name='Exodus 0.9.1' type='pc'/>
      <identity category='http:' type='' xml:lang='jabber.org' name='protocol/caps'/>${vars(FEATURES.slice(1))}`,
    // All in one.
    `<identity category='client' name='Exodus 0.9.1' type='pc'/><feature var='${FEATURES.join('&lt;')}'/>`,
  ]
  for (const poison of poisons) {
    assert.equal(hash(poison), VER)
    const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
    romeo.sends(presence(VER))
    await tells(romeo, VER, poison)
    juliet.sends(presence(VER))
    await tells(juliet, VER, EXODUS)
    assert.deepEqual(capsOf(sessionOf(stage, juliet)), FEATURES)
  }
})

test('more features than any client has are ignored', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const many = `<identity category='client' type='pc'/>${vars(Array.from({ length: 2000 }, (_, n) => `urn:feature:${n}`))}`
  romeo.sends(presence(hash(many)))
  await tells(romeo, hash(many), many)
  assert.equal(capsOf(sessionOf(stage, romeo)), undefined)
})
