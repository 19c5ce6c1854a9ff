// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cast, theatre } from '../../test/support/cast.ts'
import { assertLike, error } from '../../test/support/match.ts'
import type { Jid } from '../xmpp/jid.ts'

const LIST = `<list xmlns='urn:xmpp:cam:0'/>`

/** A login that asks for a token and does not stay. */
function authenticate(jid: Jid): string {
  const data = Buffer.from(`\0${jid.local}\0secret`).toString('base64')
  return `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>${data}</initial-response><user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>App</software><device>Phone</device></user-agent><request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/></authenticate>`
}

test('an owner sees who is connected, and who may come again without the password (§3.1)', async () => {
  const stage = await theatre()
  const juliet = await stage.enter('juliet')
  const phone = stage.stranger()
  await phone.opens()
  phone.sends(authenticate(juliet.jid.bare))
  await phone.receives(`<success xmlns='urn:xmpp:sasl:2'/>`)
  phone.link.clientVanishes()
  const answer = await juliet.gets(LIST)
  assertLike(
    answer,
    `<iq type='result'><clients xmlns='urn:xmpp:cam:0'>
      <client id='*' connected='true' type='session'><auth><password/></auth><permission status='unrestricted'/></client>
      <client id='*' connected='false' type='session'>
        <first-seen/><last-seen/><auth><password/><fast/></auth><permission status='unrestricted'/>
        <user-agent><software>App</software><device>Phone</device></user-agent>
      </client>
    </clients></iq>`,
  )
  assert.equal(answer.elements[0]?.elements.length, 2)
})

test('who has shown the password is kept out by a new one only (§3.2)', async () => {
  const { juliet } = await cast('juliet')
  const id = (await juliet.gets(LIST)).elements[0]?.elements[0]?.attrs.id
  const refused = await juliet.sets(`<revoke xmlns='urn:xmpp:cam:0' id='${id}'/>`)
  assertLike(refused, `<iq type='error'>${error('cancel', 'service-unavailable')}</iq>`)
  assert.ok(refused.child('error')?.child('password-reset-required', 'urn:xmpp:cam:0'))
  for (const unknown of [`id='x'`, '']) {
    const nobody = await juliet.sets(`<revoke xmlns='urn:xmpp:cam:0' ${unknown}/>`)
    assertLike(nobody, `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
  }
})

test("nobody sees or revokes another one's clients", async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  for (const answer of [
    await romeo.gets(LIST, juliet.bare),
    await romeo.sets(`<revoke xmlns='urn:xmpp:cam:0' id='x'/>`, juliet.bare),
  ]) {
    assertLike(answer, `<iq type='error'>${error('cancel', 'service-unavailable')}</iq>`)
  }
})
