// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { NS_CLIENT, Stanza } from './stanza.ts'

const ID = el('stanza-id', 'urn:xmpp:sid:0', { by: 'juliet@localhost', id: 'x' })

for (const xml of [
  `<message to='juliet@localhost' id='a'><body>&lt;x/&gt;</body></message>`,
  `<message to='juliet@localhost' type='chat'/>`,
  `<message xmlns:a='urn:a' to='juliet@localhost'><a:b c='/&gt;'/></message>`,
]) {
  test(`a child at the end, rendered before or not: ${xml}`, () => {
    const stanza = Stanza.parse(parseElement(xml, NS_CLIENT))
    const fresh = stanza.append(ID).xml(NS_CLIENT)
    stanza.xml(NS_CLIENT)
    assert.equal(stanza.append(ID).xml(NS_CLIENT), fresh)
    assert.deepEqual(parseElement(fresh, NS_CLIENT).elements.at(-1)?.attrs, ID.attrs)
    assert.equal(stanza.append(ID).append(ID).element.childrenNamed('stanza-id', ID.ns).length, 2)
  })
}
