// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Element } from '../../../xml/element.ts'
import { Reader } from '../../../xml/reader.ts'
import { capsHash } from './streams.ts'

function parsed(xml: string): Element {
  const reader = new Reader()
  reader.push(Buffer.from(`<stream xmlns='jabber:client'>${xml}`))
  reader.next()
  const event = reader.next()
  return event?.kind === 'element' ? event.element : assert.fail('no element')
}

test('capabilities are hashed as in the example with a form (XEP-0115 §5.3)', () => {
  const info = parsed(
    `
    <query xmlns='http://jabber.org/protocol/disco#info'>
      <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
      <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
      <feature var='http://jabber.org/protocol/caps'/>
      <feature var='http://jabber.org/protocol/disco#info'/>
      <feature var='http://jabber.org/protocol/disco#items'/>
      <feature var='http://jabber.org/protocol/muc'/>
      <x xmlns='jabber:x:data' type='result'>
        <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
        <field var='ip_version'><value>ipv4</value><value>ipv6</value></field>
        <field var='os'><value>Mac</value></field>
        <field var='os_version'><value>10.5.1</value></field>
        <field var='software'><value>Psi</value></field>
        <field var='software_version'><value>0.11</value></field>
      </x>
    </query>`.trim(),
  )
  assert.equal(capsHash(info), 'q07IKJEyjvHSyhy//CH0CxmKi8w=')
})
