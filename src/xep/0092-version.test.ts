// SPDX-License-Identifier: Apache-2.0
import { test } from 'node:test'
import { cast } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'

test('the server tells its name and version, and that it does', async () => {
  const { romeo } = await cast('romeo')
  assertLike(
    await romeo.gets(`<query xmlns='jabber:iq:version'/>`, 'localhost'),
    `<iq type='result' from='localhost'><query xmlns='jabber:iq:version'><name>aenigma</name><version>0.0.0-test</version></query></iq>`,
  )
  assertLike(
    await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'localhost'),
    `<iq><query xmlns='http://jabber.org/protocol/disco#info'><feature var='jabber:iq:version'/></query></iq>`,
  )
})
