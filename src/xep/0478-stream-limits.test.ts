// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'

const NS = 'urn:xmpp:stream-limits:0'

test('the limits are told before login, and the larger ones after it', async () => {
  const stage = await theatre()
  await stage.account('romeo')
  const romeo = stage.stranger()
  const before = await romeo.opens()
  assertLike(before, `<features><limits xmlns='${NS}'><max-bytes>10000</max-bytes></limits></features>`)
  assert.equal(before.child('limits', NS)?.child('idle-seconds'), undefined)
  romeo.sends(auth('romeo', 'secret'))
  await romeo.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  assertLike(
    await romeo.opens(),
    `<features><limits xmlns='${NS}'><max-bytes>262144</max-bytes><idle-seconds>600</idle-seconds></limits></features>`,
  )
})
