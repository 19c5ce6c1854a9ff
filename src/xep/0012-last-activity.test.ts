// SPDX-License-Identifier: Apache-2.0
import { test } from 'node:test'
import { type Stage, type Theatre, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'
import { newItem } from '../core/roster.ts'

const LAST = `<query xmlns='jabber:iq:last'/>`
const UNAVAILABLE = `<iq type='error'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`

/** Juliet, whose presence romeo may see and tybalt may not. */
async function verona(stage: Stage = {}): Promise<Theatre> {
  const built = await theatre(stage)
  const [juliet, romeo] = await Promise.all([built.account('juliet'), built.account('romeo')])
  await built.store.rosters.put(juliet, { ...newItem(romeo), subscription: 'from', listed: true })
  return built
}

test('the server tells how long it has been up (§5)', async () => {
  const clock = new FakeClock()
  const romeo = await (await theatre({ clock })).enter('romeo')
  clock.advance(5500)
  assertLike(
    await romeo.gets(LAST, 'localhost'),
    `<iq type='result' from='localhost'><query xmlns='jabber:iq:last' seconds='5'/></iq>`,
  )
})

test('a contact learns when somebody went, and what they said then (§3)', async () => {
  const clock = new FakeClock()
  const stage = await verona({ clock, limits: { idleTimeout: 3_600_000 } })
  const romeo = await stage.enter('romeo')
  const juliet = await stage.enter('juliet')
  assertLike(
    await romeo.gets(LAST, 'juliet@localhost'),
    `<iq type='result' from='juliet@localhost'><query xmlns='jabber:iq:last' seconds='0'/></iq>`,
  )
  juliet.sends(`<presence type='unavailable'><status>Heading Home</status></presence>`)
  await juliet.settles()
  juliet.link.close()
  await romeo.settles()
  clock.advance(903_000)
  assertLike(
    await romeo.gets(LAST, 'juliet@localhost'),
    `<iq type='result' from='juliet@localhost'><query xmlns='jabber:iq:last' seconds='903'>Heading Home</query></iq>`,
  )
})

test('it counts from when the last client went, without words if that one had none', async () => {
  const clock = new FakeClock()
  const stage = await verona({ clock })
  const romeo = await stage.enter('romeo')
  const balcony = await stage.enter('juliet', 'balcony')
  const chamber = await stage.enter('juliet', 'chamber')
  balcony.sends(`<presence type='unavailable'><status>Good night</status></presence>`)
  await balcony.settles()
  balcony.link.close()
  clock.advance(10_000)
  assertLike(
    await romeo.gets(LAST, 'juliet@localhost'),
    `<iq type='result'><query xmlns='jabber:iq:last' seconds='0'/></iq>`,
  )
  chamber.link.clientVanishes()
  clock.advance(7000)
  const answer = await romeo.gets(LAST, 'juliet@localhost')
  assertLike(answer, `<iq type='result'><query xmlns='jabber:iq:last' seconds='7'/></iq>`)
})

test('somebody who was never there has no last activity', async () => {
  const stage = await verona()
  const romeo = await stage.enter('romeo')
  assertLike(
    await romeo.gets(LAST, 'juliet@localhost'),
    `<iq type='error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  )
})

test('who may not see the presence learns nothing, not even whether there is an account', async () => {
  const stage = await verona()
  const tybalt = await stage.enter('tybalt')
  const juliet = await stage.enter('juliet', 'balcony')
  for (const name of ['juliet@localhost', 'nobody@localhost']) {
    for (const to of [name, `${name}/balcony`, `${name}/elsewhere`]) {
      assertLike(await tybalt.gets(LAST, to), UNAVAILABLE)
    }
  }
  await juliet.receivesNothing()
})

test('a client is asked by contacts, by its owner and by those to whom it showed itself (§4)', async () => {
  const stage = await verona()
  const romeo = await stage.enter('romeo')
  const tybalt = await stage.enter('tybalt')
  const juliet = await stage.enter('juliet', 'balcony')
  juliet.sends(`<presence to='${tybalt.full}'/>`)
  await juliet.settles()
  await romeo.settles()
  await tybalt.settles()
  for (const asker of [romeo, tybalt, juliet]) {
    asker.sends(`<iq type='get' id='last2' to='${juliet.full}'>${LAST}</iq>`)
    await juliet.receives(`<iq type='get' id='last2' from='${asker.full}'>${LAST}</iq>`)
  }
})

test('an administrator may know', async () => {
  const stage = await verona({ admins: ['prince@localhost'] })
  const prince = await stage.enter('prince')
  await stage.enter('juliet')
  assertLike(
    await prince.gets(LAST, 'juliet@localhost'),
    `<iq type='result'><query xmlns='jabber:iq:last' seconds='0'/></iq>`,
  )
})
