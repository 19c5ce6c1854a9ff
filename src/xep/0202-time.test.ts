// SPDX-License-Identifier: Apache-2.0
import { test } from 'node:test'
import { theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'

test('the server tells the time in UTC', async () => {
  const clock = new FakeClock()
  const romeo = await (await theatre({ clock })).enter('romeo')
  clock.advance(90_500)
  assertLike(
    await romeo.gets(`<time xmlns='urn:xmpp:time'/>`, 'localhost'),
    `<iq type='result' from='localhost'><time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2026-01-01T00:01:30.500Z</utc></time></iq>`,
  )
})
