// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseElement } from '../xml/reader.ts'
import { importanceOf, isImportant } from './importance.ts'
import { NS_CLIENT, Stanza } from './stanza.ts'

const ROMEO = 'romeo@montague.example/garden'
const COMPOSING = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`
const MUC_USER = 'http://jabber.org/protocol/muc#user'

function stanza(xml: string): Stanza {
  return Stanza.parse(parseElement(xml, NS_CLIENT))
}

function chat(content: string, type = 'chat'): Stanza {
  return stanza(`<message from='${ROMEO}' type='${type}'>${content}</message>`)
}

function carbon(content: string, way = 'received', by = 'juliet@capulet.example'): Stanza {
  const inner = `<message xmlns='jabber:client' from='${ROMEO}' to='juliet@capulet.example' type='chat'>${content}</message>`
  return stanza(
    `<message from='${by}' to='juliet@capulet.example/balcony' type='chat'><${way} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>${inner}</forwarded></${way}></message>`,
  )
}

function event(content: string): Stanza {
  return stanza(
    `<message from='romeo@montague.example' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>${content}</event></message>`,
  )
}

function keyOf(one: Stanza): string {
  const importance = importanceOf(one)
  return 'key' in importance ? importance.key : importance.kind
}

test('what somebody would want to know now is important', () => {
  const axolotl = 'eu.siacs.conversations.axolotl'
  for (const one of [
    chat('<body>Wherefore art thou?</body>'),
    chat(`<body>Wherefore art thou?</body>${COMPOSING}`, 'normal'),
    chat('<body>to all</body>', 'groupchat'),
    chat(`<encrypted xmlns='${axolotl}'><header/><payload>AA==</payload></encrypted><store xmlns='urn:xmpp:hints'/>`),
    chat(`<encryption xmlns='urn:xmpp:eme:0' namespace='urn:example:new'/><new xmlns='urn:example:new'/>`),
    chat(`<openpgp xmlns='urn:xmpp:openpgp:0'>AA==</openpgp>`),
    chat(`<propose xmlns='urn:xmpp:jingle-message:0' id='call'/><store xmlns='urn:xmpp:hints'/>`),
    chat(`<retract xmlns='urn:xmpp:jingle-message:0' id='call'/>`),
    chat(`<x xmlns='jabber:x:conference' jid='room@muc.example'/>`, 'normal'),
    chat(`<x xmlns='${MUC_USER}'><invite from='${ROMEO}'/></x>`, 'normal'),
    chat(`<error type='cancel'/>`, 'error'),
    carbon('<body>copied</body>'),
    carbon('<body>copied</body>', 'sent'),
    stanza(`<iq type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`),
    stanza(`<presence type='subscribe' from='${ROMEO}'/>`),
    stanza(`<presence type='error' from='${ROMEO}'/>`),
    stanza(`<presence from='room@muc.example/me'><x xmlns='${MUC_USER}'><status code='110'/></x></presence>`),
  ]) {
    assert.equal(isImportant(one), true, one.xml(NS_CLIENT))
  }
})

test('what must arrive may still wait', () => {
  for (const one of [
    chat(`<received xmlns='urn:xmpp:receipts' id='m'/>`),
    chat(`<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>`),
    chat(`<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>${COMPOSING}`),
    chat(`<encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted><encryption xmlns='urn:xmpp:eme:0'/>`),
    chat(`<reactions xmlns='urn:xmpp:reactions:0' id='m'/>`),
    chat(''),
    carbon(`<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>`, 'sent'),
    event(''),
  ]) {
    assert.equal(importanceOf(one).kind, 'patient', one.xml(NS_CLIENT))
  }
})

test('of presence the last one of each client counts', () => {
  const there = stanza(`<presence from='${ROMEO}'><show>away</show></presence>`)
  assert.equal(keyOf(there), keyOf(stanza(`<presence type='unavailable' from='${ROMEO}'/>`)))
  assert.notEqual(keyOf(there), keyOf(stanza(`<presence from='romeo@montague.example/tomb'/>`)))
  assert.equal(importanceOf(there).kind, 'state')
})

test('of typing the last notice of each contact counts, a copied one too', () => {
  const hint = `<no-store xmlns='urn:xmpp:hints'/><thread>t</thread>`
  assert.equal(importanceOf(chat(COMPOSING)).kind, 'typing')
  assert.equal(keyOf(chat(COMPOSING + hint)), keyOf(chat(`<active xmlns='http://jabber.org/protocol/chatstates'/>`)))
  assert.equal(importanceOf(carbon(COMPOSING)).kind, 'typing')
  assert.notEqual(keyOf(carbon(COMPOSING)), keyOf(chat(COMPOSING)))
})

test('of events the last one of each item counts, or of the node if it has only one', () => {
  const mood = 'http://jabber.org/protocol/mood'
  const items = (node: string, id: string): Stanza => event(`<items node='${node}'><item id='${id}'/></items>`)
  assert.equal(keyOf(items(mood, 'a')), keyOf(items(mood, 'b')))
  assert.equal(keyOf(items('urn:xmpp:bookmarks:1', 'a')), keyOf(items('urn:xmpp:bookmarks:1', 'a')))
  assert.notEqual(keyOf(items('urn:xmpp:bookmarks:1', 'a')), keyOf(items('urn:xmpp:bookmarks:1', 'b')))
  assert.equal(
    keyOf(items('urn:xmpp:bookmarks:1', 'a')),
    keyOf(event(`<items node='urn:xmpp:bookmarks:1'><retract id='a'/></items>`)),
  )
  assert.notEqual(keyOf(items(mood, 'a')), keyOf(event(`<purge node='${mood}'/>`)))
})

test('a copy that somebody else claims to be one of the account makes nothing void', () => {
  assert.equal(importanceOf(carbon(COMPOSING, 'received', 'tybalt@capulet.example')).kind, 'patient')
})
