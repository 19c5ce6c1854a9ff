// SPDX-License-Identifier: Apache-2.0
// Whom nobody wants to hear of: blocks of addresses and domains elsewhere (XEP-0191), and brakes on strangers (XEP-0205).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor } from '../support/cast.ts'
import { assertLike, error } from '../support/match.ts'
import { allSettle, befriendAcross, CAPULET, lovers, MONTAGUE } from '../support/two-servers.ts'

const BLOCKING = `xmlns='urn:xmpp:blocking'`
const VERSION = `<query xmlns='jabber:iq:version'/>`

async function blocks(actor: Actor, jid: string): Promise<void> {
  assertLike(await actor.sets(`<block ${BLOCKING}><item jid='${jid}'/></block>`), `<iq type='result'/>`)
}

function chat(to: string, id: string): string {
  return `<message type='chat' id='${id}' to='${to}'><body>${id}</body></message>`
}

for (const [what, whom] of [
  ['an address', (romeo: Actor) => romeo.bare],
  ['a whole domain', () => MONTAGUE],
] as const) {
  test(`nothing passes between somebody and ${what} that is blocked, in either direction`, async () => {
    const { juliet, romeo, road } = await lovers()
    await befriendAcross(juliet, romeo)
    await blocks(juliet, whom(romeo))
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    for (const to of [juliet.bare, juliet.full]) {
      romeo.sends(chat(to, 'm'))
      await romeo.receives(
        `<message type='error' id='m' from='${to}'>${error('cancel', 'service-unavailable')}</message>`,
      )
    }
    assertLike(
      await romeo.gets(VERSION, juliet.full),
      `<iq type='error'>${error('cancel', 'service-unavailable')}</iq>`,
    )
    romeo.sends('<presence><show>dnd</show></presence>')
    romeo.sends(`<presence type='probe' to='${juliet.bare}'/>`)
    romeo.sends(`<presence to='${juliet.full}'/>`)
    await allSettle(romeo)
    await nothingFor(juliet)
    road.log.length = 0
    juliet.sends('<presence><show>away</show></presence>')
    juliet.sends(chat(romeo.bare, 'n'))
    const blocked = `<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><blocked xmlns='urn:xmpp:blocking:errors'/></error>`
    await juliet.receives(`<presence from='${juliet.full}'/>`)
    await juliet.receives(`<message type='error' id='n' from='${romeo.bare}'>${blocked}</message>`)
    assertLike(await juliet.gets(VERSION, romeo.full), `<iq type='error'>${blocked}</iq>`)
    assert.deepEqual(road.log, [])
    juliet.sends(`<iq type='set' id='u'><unblock ${BLOCKING}><item jid='${whom(romeo)}'/></unblock></iq>`)
    await romeo.receivesAll(`<presence from='${juliet.full}'><show>away</show></presence>`)
    await juliet.receivesAll(`<iq type='result' id='u'/>`, `<presence from='${romeo.full}'><show>dnd</show></presence>`)
    romeo.sends(chat(juliet.bare, 'o'))
    await juliet.receives(`<message id='o'/>`)
  })
}

test('a room elsewhere whose domain is blocked is not heard any more', async () => {
  const { juliet, road } = await lovers()
  await blocks(juliet, `rooms.${MONTAGUE}`)
  await road.forges(
    MONTAGUE,
    `<message type='groupchat' from='ball@rooms.${MONTAGUE}/tybalt' to='${juliet.full}'><body>here</body></message>`,
  )
  await juliet.receivesNothing()
})

test('strangers elsewhere may write so much and no more, alone or many of one domain', async () => {
  const { juliet, romeo, road } = await lovers({
    capulet: { limits: { strangerMessagesPerHour: 1, strangerRequestsPerHour: 1 } },
  })
  for (const id of ['a', 'b']) romeo.sends(chat(juliet.bare, id))
  await juliet.receives(`<message id='a'/>`)
  await romeo.receives(`<message type='error' id='b'>${error('wait', 'policy-violation')}</message>`)
  for (let number = 0; number < 20; number++) {
    const from = `from='seller${number}@${MONTAGUE}/x' to='${juliet.bare}'`
    await road.forges(MONTAGUE, `<message type='chat' ${from}><body>Buy!</body></message>`)
    await road.forges(MONTAGUE, `<presence type='subscribe' from='seller${number}@${MONTAGUE}' to='${juliet.bare}'/>`)
  }
  const heard = await juliet.hearsOut()
  const count = (kind: string): number => heard.filter(({ name }) => name === kind).length
  assert.deepEqual([count('message'), count('presence')], [9, 10])
  juliet.sends(chat(romeo.bare, 'c'))
  await romeo.hearsOut(CAPULET)
  for (const id of ['d', 'e']) {
    romeo.sends(chat(juliet.bare, id))
    await juliet.receives(`<message id='${id}'/>`)
  }
})
