// SPDX-License-Identifier: Apache-2.0
import { test } from 'node:test'
import { cast, nothingFor } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'

test('a client pings its server, its account and another client', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  assertLike(await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, 'localhost'), `<iq type='result' from='localhost'/>`)
  assertLike(await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`), `<iq type='result'/>`)
  romeo.sends(`<iq type='get' id='p1' to='${juliet.full}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  await juliet.receives(`<iq type='get' id='p1' from='${romeo.full}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  juliet.sends(`<iq type='result' id='p1' to='${romeo.full}'/>`)
  await romeo.receives(`<iq type='result' id='p1' from='${juliet.full}'/>`)
  await nothingFor(romeo, juliet)
})

test('strangers cannot ping an account', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  const answer = await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, juliet.bare)
  assertLike(
    answer,
    `<iq type='error'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  )
})
