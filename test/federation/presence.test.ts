// SPDX-License-Identifier: Apache-2.0
// Presence and subscriptions between users of two servers (RFC 6121 §3, §4, appendix A).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor } from '../support/cast.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { push, rosterOf, rosterSet } from '../support/friends.ts'
import { error } from '../support/match.ts'
import { allSettle, befriendAcross, CAPULET, lovers, MONTAGUE, otherThan } from '../support/two-servers.ts'

function item(contact: Actor, subscription: string, more = ''): string {
  return `<item jid='${contact.bare}' subscription='${subscription}' ${more}/>`
}

function from(actor: Actor, type: string): string {
  return `<presence type='${type}' from='${actor.bare}'/>`
}

async function nothingAcross(...actors: readonly Actor[]): Promise<void> {
  for (const actor of actors) await actor.receivesNothing(otherThan(actor))
}

test('one asks, the other allows and is seen; then the other way round (§3.1)', async () => {
  const { juliet, romeo } = await lovers()
  romeo.sends(`<presence type='subscribe' to='${juliet.full}'><status>It is my lady</status></presence>`)
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await juliet.receives(
    `<presence type='subscribe' from='${romeo.bare}' to='${juliet.bare}'><status>It is my lady</status></presence>`,
  )
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
  await juliet.receives(push(item(romeo, 'from')))
  await romeo.receives(from(juliet, 'subscribed'))
  await romeo.receives(push(item(juliet, 'to')))
  await romeo.receives(`<presence from='${juliet.full}' to='${romeo.bare}'/>`)
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
  await juliet.receives(push(item(romeo, 'from', `ask='subscribe'`)))
  await romeo.receives(from(juliet, 'subscribe'))
  romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
  await romeo.receives(push(item(juliet, 'both')))
  await juliet.receives(from(romeo, 'subscribed'))
  await juliet.receives(push(item(romeo, 'both')))
  await juliet.receives(`<presence from='${romeo.full}'/>`)
  await nothingAcross(juliet, romeo)
})

test('a request waits for who is away, and a refusal ends it (§3.1.3, §3.2)', async () => {
  const { capulet, romeo } = await lovers()
  await capulet.account('nurse')
  romeo.sends(`<presence type='subscribe' to='nurse@${CAPULET}'/>`)
  await allSettle(romeo)
  const nurse = await capulet.enter('nurse', 'phone', false)
  await nurse.gets(`<query xmlns='jabber:iq:roster'/>`)
  nurse.sends('<presence/>')
  await nurse.receives(`<presence from='${nurse.full}'/>`)
  await nurse.receives(from(romeo, 'subscribe'))
  nurse.sends(`<presence type='unsubscribed' to='${romeo.bare}'/>`)
  await romeo.receives(from(nurse, 'unsubscribed'))
  await romeo.receives(push(item(nurse, 'none')))
  await nothingAcross(nurse, romeo)
})

test('a pre-approval is used without a question (§3.4)', async () => {
  const { juliet, romeo } = await lovers()
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
  await juliet.receives(push(item(romeo, 'none', `approved='true'`)))
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await romeo.receives(from(juliet, 'subscribed'))
  await romeo.receives(push(item(juliet, 'to')))
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  await juliet.receives(push(item(romeo, 'from')))
  await nothingAcross(juliet, romeo)
})

test('who unsubscribes sees nothing more, and who is unsubscribed either (§3.2, §3.3)', async () => {
  const { juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  romeo.sends(`<presence type='unsubscribe' to='${juliet.bare}'/>`)
  await romeo.receives(push(item(juliet, 'from')))
  await juliet.receives(from(romeo, 'unsubscribe'))
  await juliet.receives(push(item(romeo, 'to')))
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  romeo.sends(`<presence type='unsubscribed' to='${juliet.bare}'/>`)
  await romeo.receives(push(item(juliet, 'none')))
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  await juliet.receives(from(romeo, 'unsubscribed'))
  await juliet.receives(push(item(romeo, 'none')))
  await nothingAcross(juliet, romeo)
})

test('who is removed from a roster loses both subscriptions (§2.5.2)', async () => {
  const { juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  romeo.sends(rosterSet(`<item jid='${juliet.bare}' subscription='remove'/>`))
  await allSettle(romeo, juliet)
  assert.deepEqual(await rosterOf(romeo), [])
  assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} none`])
  juliet.sends('<presence><show>away</show></presence>')
  await juliet.receives(`<presence from='${juliet.full}'/>`)
  await nothingAcross(romeo, juliet)
})

test('a request that cannot get there comes back to who made it', async () => {
  const { romeo, road } = await lovers()
  romeo.sends(`<presence type='subscribe' id='s' to='tybalt@verona.example'/>`)
  await romeo.receives(push(`<item jid='tybalt@verona.example' subscription='none' ask='subscribe'/>`))
  await romeo.receives(
    `<presence type='error' id='s' from='tybalt@verona.example'>${error('cancel', 'remote-server-not-found')}</presence>`,
  )
  road.refused.add('capulet.example')
  romeo.sends(`<presence type='subscribe' id='t' to='nurse@${CAPULET}'/>`)
  await romeo.receives(
    `<presence type='error' id='t' from='nurse@${CAPULET}'>${error('cancel', 'not-allowed')}</presence>`,
  )
  await nothingFor(romeo)
})

test('who asks for nobody hears nothing; who probes for nobody is no contact (§8.5.1)', async () => {
  const { romeo, road } = await lovers()
  romeo.sends(`<presence type='subscribe' to='nobody@${CAPULET}'/>`)
  await romeo.receives(push(`<item jid='nobody@${CAPULET}' subscription='none' ask='subscribe'/>`))
  await nothingAcross(romeo)
  await road.forges(MONTAGUE, `<presence type='probe' from='${romeo.bare}' to='nobody@${CAPULET}'/>`)
  assert.match(road.log.at(-1) ?? '', /type='unsubscribed'/)
})

test('who comes learns who is there, and is seen; who goes is seen to go (§4.2 to §4.5)', async () => {
  const { montague, juliet, romeo, road } = await lovers()
  await befriendAcross(juliet, romeo)
  juliet.sends('<presence><show>chat</show></presence>')
  await allSettle(juliet, romeo)
  road.log.length = 0
  const phone = await montague.enter('romeo', 'phone', false)
  phone.sends('<presence/>')
  await phone.receives(`<presence from='${phone.full}'/>`)
  await phone.receives(`<presence from='${romeo.full}'/>`)
  await phone.receives(`<presence from='${juliet.full}' to='${phone.full}'><show>chat</show></presence>`)
  await juliet.receives(`<presence from='${phone.full}' to='${juliet.bare}'/>`)
  assert.equal(road.log.filter((line) => line.includes(`type='probe'`)).length, 1)
  phone.link.clientVanishes()
  await juliet.receives(`<presence type='unavailable' from='${phone.full}'/>`)
  romeo.sends(`<presence type='unavailable'><status>O, I am fortune's fool!</status></presence>`)
  await juliet.receives(
    `<presence type='unavailable' from='${romeo.full}'><status>O, I am fortune's fool!</status></presence>`,
  )
  await nothingAcross(juliet)
})

test('who asks for somebody who is away is told so (§4.3.2)', async () => {
  const { juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  juliet.sends(`<presence type='unavailable'/>`)
  await allSettle(juliet, romeo)
  romeo.sends(`<presence type='unavailable'/>`)
  romeo.sends('<presence/>')
  const heard = await romeo.hearsOut(CAPULET)
  assert.ok(heard.some(({ attrs }) => attrs.type === 'unavailable' && attrs.from === juliet.bare))
})

test('a stranger who probes learns nothing (§4.3.2)', async () => {
  const { juliet, romeo, road } = await lovers()
  for (const to of [juliet.bare, juliet.full, `nobody@${CAPULET}`]) {
    await road.forges(MONTAGUE, `<presence type='probe' from='${romeo.full}' to='${to}'/>`)
    assert.match(road.log.at(-1) ?? '', /type='unsubscribed'\/>$|from='[^/']*'.* type='unsubscribed'/)
  }
  await nothingAcross(juliet, romeo)
})

test('directed presence goes to whom it is for, and so does the goodbye (§4.6)', async () => {
  const { juliet, romeo } = await lovers()
  romeo.sends(`<presence to='${juliet.bare}'><status>here</status></presence>`)
  await juliet.receives(`<presence from='${romeo.full}' to='${juliet.bare}'><status>here</status></presence>`)
  romeo.link.clientVanishes()
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  juliet.sends(`<presence id='d' to='tybalt@verona.example'/>`)
  await juliet.receives(`<presence type='error' id='d'>${error('cancel', 'remote-server-not-found')}</presence>`)
})

test('when a server that could not be reached is there again, both sides learn what they missed', async () => {
  const clock = new FakeClock()
  const stage = { clock, limits: { idleTimeout: 86_400_000 } }
  const { juliet, romeo, road } = await lovers({ capulet: stage, montague: stage })
  await befriendAcross(juliet, romeo)
  road.cut()
  for (const [actor, other, show] of [
    [romeo, juliet, 'dnd'],
    [juliet, romeo, 'away'],
  ] as const) {
    actor.sends(`<presence><show>${show}</show></presence>`)
    await actor.receivesAll(
      `<presence from='${actor.full}'/>`,
      `<presence type='error' from='${other.bare}'>${error('wait', 'remote-server-timeout')}</presence>`,
    )
  }
  await nothingFor(juliet, romeo)
  road.heal()
  juliet.sends(`<message type='chat' to='${romeo.bare}'><body>Art thou there?</body></message>`)
  await romeo.receives(`<message><body>Art thou there?</body></message>`)
  await allSettle(juliet, romeo)
  clock.advance(3000)
  await romeo.receives(`<presence from='${juliet.full}' to='${romeo.bare}'><show>away</show></presence>`)
  await juliet.receives(`<presence from='${romeo.full}'><show>dnd</show></presence>`)
})
