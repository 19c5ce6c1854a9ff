// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cast, theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'
import type { Feature } from '../core/feature.ts'
import { newItem } from '../core/roster.ts'
import { type Element, el } from '../xml/element.ts'
import { features as allFeatures } from './index.ts'

const INFO = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
const ITEMS = `<query xmlns='http://jabber.org/protocol/disco#items'/>`
const UNAVAILABLE = `<iq type='error'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`
const NOT_FOUND = `<iq type='error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`

function featuresIn(answer: Element): readonly (string | undefined)[] {
  const query = answer.child('query', 'http://jabber.org/protocol/disco#info')
  return query?.childrenNamed('feature').map((feature) => feature.attrs.var) ?? []
}

test('the server tells what it is and what it can do, each thing once', async () => {
  const { romeo } = await cast('romeo')
  const answer = await romeo.gets(INFO, 'localhost')
  assertLike(
    answer,
    `<iq type='result' from='localhost'><query xmlns='http://jabber.org/protocol/disco#info'>
      <identity category='server' type='im' name='aenigma'/>
      <feature var='http://jabber.org/protocol/disco#info'/>
      <feature var='http://jabber.org/protocol/disco#items'/>
      <feature var='jabber:iq:roster'/>
      <feature var='urn:xmpp:ping'/>
      <feature var='msgoffline'/>
      <feature var='vcard-temp'/>
      <feature var='urn:xmpp:blocking'/>
    </query></iq>`,
  )
  const features = featuresIn(answer)
  assert.equal(new Set(features).size, features.length)
  const items = await romeo.gets(ITEMS, 'localhost')
  assertLike(items, `<iq type='result' from='localhost'>${ITEMS}</iq>`)
})

test('an account is described to its owner', async () => {
  const { romeo } = await cast('romeo')
  const answer = await romeo.gets(INFO)
  assertLike(
    answer,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>
      <identity category='account' type='registered'/><feature var='http://jabber.org/protocol/disco#info'/>
    </query></iq>`,
  )
  assert.ok(!featuresIn(answer).includes('msgoffline'))
  assertLike(await romeo.gets(ITEMS, romeo.bare), `<iq type='result' from='${romeo.bare}'>${ITEMS}</iq>`)
})

test('an account is described to contacts who may see its presence, and to strangers it does not exist (§8)', async () => {
  const stage = await theatre()
  const juliet = await stage.account('juliet')
  const romeo = await stage.enter('romeo')
  const tybalt = await stage.enter('tybalt')
  await stage.store.rosters.put(juliet, { ...newItem(romeo.jid.bare), subscription: 'from', listed: true })
  await stage.store.rosters.put(juliet, { ...newItem(tybalt.jid.bare), subscription: 'to', listed: true })
  assertLike(
    await romeo.gets(INFO, 'juliet@localhost'),
    `<iq type='result' from='juliet@localhost'><query xmlns='http://jabber.org/protocol/disco#info'>
      <identity category='account' type='registered'/></query></iq>`,
  )
  assertLike(await romeo.gets(ITEMS, 'juliet@localhost'), `<iq type='result'>${ITEMS}</iq>`)
  for (const name of ['juliet@localhost', 'nobody@localhost']) {
    assertLike(await tybalt.gets(INFO, name), UNAVAILABLE)
    assertLike(await tybalt.gets(ITEMS, name), UNAVAILABLE)
  }
})

test('a node that nobody knows is not found', async () => {
  const { romeo } = await cast('romeo')
  for (const to of ['localhost', romeo.bare]) {
    assertLike(await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>`, to), NOT_FOUND)
    assertLike(await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#items' node='x'/>`, to), NOT_FOUND)
  }
})

test('features answer for their nodes and items, and the answer repeats the node (§3.2, §4.2)', async () => {
  const NS = 'http://jabber.org/protocol/disco#items'
  const library: Feature = {
    name: 'library',
    implements: [],
    setup: () => ({
      disco: {
        info: ({ node }) =>
          node === 'books' ? { identities: [{ category: 'hierarchy', type: 'branch' }] } : undefined,
        items: ({ node, owner }) =>
          node === undefined ? [el('item', NS, { jid: owner.toString(), node: 'books' })] : undefined,
      },
    }),
  }
  const stage = await theatre({ features: [...allFeatures, library] })
  const romeo = await stage.enter('romeo')
  assertLike(
    await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#info' node='books'/>`, 'localhost'),
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info' node='books'>
      <identity category='hierarchy' type='branch'/></query></iq>`,
  )
  assertLike(
    await romeo.gets(ITEMS, 'localhost'),
    `<iq type='result'><query xmlns='${NS}'><item jid='localhost' node='books'/></query></iq>`,
  )
})
