// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'

const INFO = `<query xmlns='http://jabber.org/protocol/disco#info'/>`

test('the server tells whom to write to (§3)', async () => {
  const contacts = {
    abuse: ['mailto:abuse@localhost', 'xmpp:abuse@localhost'],
    admin: [],
    status: ['https://status.localhost'],
  }
  const romeo = await (await theatre({ options: { contacts } })).enter('romeo')
  const answer = await romeo.gets(INFO, 'localhost')
  assertLike(
    answer,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data' type='result'>
      <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>
      <field var='abuse-addresses'><value>mailto:abuse@localhost</value><value>xmpp:abuse@localhost</value></field>
      <field var='status-addresses'><value>https://status.localhost</value></field>
    </x></query></iq>`,
  )
  assert.ok(!answer.xml('jabber:client').includes('admin-addresses'))
})

test('a reload changes it, and without contacts there is no form', async () => {
  const options: Record<string, unknown> = {}
  const romeo = await (await theatre({ options })).enter('romeo')
  assert.ok(!(await romeo.gets(INFO, 'localhost')).xml('jabber:client').includes('serverinfo'))
  options.contacts = { security: ['mailto:security@localhost'] }
  assert.ok((await romeo.gets(INFO, 'localhost')).xml('jabber:client').includes('security-addresses'))
})
