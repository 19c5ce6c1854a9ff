// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, type Theatre, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { befriend } from '../../../test/support/friends.ts'
import { assertLike } from '../../../test/support/match.ts'
import type { Feature } from '../../core/feature.ts'
import type { Router } from '../../core/router.ts'
import { el } from '../../xml/element.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { features } from '../index.ts'
import { Allowances } from './allowances.ts'

const REFUSED = `<error type='wait'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
const limits = { strangerMessagesPerHour: 2, strangerRequestsPerHour: 2, idleTimeout: 86_400_000 }

async function stage(): Promise<{ stage: Theatre; clock: FakeClock }> {
  const clock = new FakeClock()
  return { stage: await theatre({ limits, clock }), clock }
}

async function writes(from: Actor, to: Actor, text: string): Promise<void> {
  from.sends(`<message type='chat' id='${text}' to='${to.bare}'><body>${text}</body></message>`)
  await from.settles()
}

async function reads(actor: Actor, text: string): Promise<void> {
  await actor.receives(`<message type='chat'><body>${text}</body></message>`)
}

async function isRefused(from: Actor, to: Actor, text: string): Promise<void> {
  from.sends(`<message type='chat' id='${text}' to='${to.bare}'><body>${text}</body></message>`)
  await from.receives(`<message type='error' id='${text}' from='${to.bare}'>${REFUSED}</message>`)
}

test('a stranger may write a little, is told when it is too much, and may again later', async () => {
  const { stage: here, clock } = await stage()
  const iago = await here.enter('iago')
  const juliet = await here.enter('juliet')
  const nurse = await here.enter('nurse')
  await writes(iago, juliet, 'a')
  await writes(iago, nurse, 'b')
  await isRefused(iago, juliet, 'c')
  await isRefused(iago, nurse, 'd')
  clock.advance(1_800_000)
  await writes(iago, juliet, 'e')
  await isRefused(iago, juliet, 'f')
  for (const text of ['a', 'e']) await reads(juliet, text)
  await reads(nurse, 'b')
  await nothingFor(juliet, nurse, iago)
})

test('contacts are never slowed', async () => {
  const { stage: here } = await stage()
  const romeo = await here.enter('romeo')
  const juliet = await here.enter('juliet')
  await befriend(romeo, juliet)
  await juliet.settles()
  for (const text of ['a', 'b', 'c', 'd']) await writes(romeo, juliet, text)
  for (const text of ['a', 'b', 'c', 'd']) await reads(juliet, text)
})

for (const [how, turnsTo] of [
  ['writes to', (to: string) => `<message type='chat' to='${to}'><body>Who are you?</body></message>`],
  ['shows its presence to', (to: string) => `<presence to='${to}'/>`],
] as const) {
  test(`somebody whom the account ${how} is no stranger any more`, async () => {
    const { stage: here } = await stage()
    const iago = await here.enter('iago')
    const juliet = await here.enter('juliet')
    for (const text of ['a', 'b']) await writes(iago, juliet, text)
    await isRefused(iago, juliet, 'c')
    juliet.sends(turnsTo(iago.bare))
    await juliet.settles()
    await iago.hears()
    for (const text of ['d', 'e', 'f']) {
      await writes(iago, juliet, text)
      await reads(juliet, text)
    }
  })
}

test('an error that comes back to a stranger makes no acquaintance, and errors are never refused', async () => {
  const { stage: here } = await stage()
  const iago = await here.enter('iago')
  const juliet = await here.enter('juliet')
  for (const text of ['a', 'b']) await writes(iago, juliet, text)
  juliet.sends(`<message type='error' to='${iago.bare}'/>`)
  await juliet.settles()
  await isRefused(iago, juliet, 'c')
})

test('strangers may ask a few people for a subscription', async () => {
  const { stage: here } = await stage()
  const iago = await here.enter('iago')
  const people = [await here.enter('juliet'), await here.enter('nurse'), await here.enter('rosaline')] as const
  for (const person of people) iago.sends(`<presence type='subscribe' to='${person.bare}'/>`)
  const answers = await iago.hearsOut()
  const errors = answers.filter(({ name }) => name === 'presence')
  assert.equal(errors.length, 1)
  for (const error of errors) assertLike(error, `<presence type='error' from='${people[2].bare}'>${REFUSED}</presence>`)
  await people[0].receives(`<presence type='subscribe' from='${iago.bare}'/>`)
  await people[1].receives(`<presence type='subscribe' from='${iago.bare}'/>`)
  await nothingFor(people[2])
})

test('all strangers together may do ten times as much at one account', async () => {
  const { stage: here } = await stage()
  const juliet = await here.enter('juliet')
  const guests: Actor[] = []
  for (let index = 0; index < 11; index++) guests.push(await here.enter(`guest${index}`))
  for (const guest of guests.slice(0, 10)) for (const text of ['a', 'b']) await writes(guest, juliet, text)
  assert.ok(guests[10])
  await isRefused(guests[10], juliet, 'c')
  assert.equal((await juliet.hearsOut()).length, 20)
})

test('another server with many names may do ten times as much, at whatever accounts', async () => {
  let router: Router | undefined
  const spy: Feature = {
    name: 'test-router',
    implements: [],
    setup(ctx) {
      router = ctx.router
      return {}
    },
  }
  const here = await theatre({ limits, features: [...features, spy] })
  const people = [await here.enter('juliet'), await here.enter('nurse')]
  const message = el('message', NS_CLIENT, { type: 'chat' }, el('body', NS_CLIENT, null, 'Buy!'))
  for (let index = 0; index < 30; index++) {
    const from = Jid.parse(`seller${index}@shop.example/x`)
    await router?.route(Stanza.of(message, from, people[index % 2]?.jid.bare))
  }
  let got = 0
  for (const person of people) got += (await person.hearsOut()).length
  assert.equal(got, 20)
})

test('an allowance comes back evenly, and names that nobody uses any more are forgotten', () => {
  const allowances = new Allowances()
  const left = (name: string, now: number) => {
    if (!allowances.has(name, 60, now)) return false
    allowances.use(name, 60, now)
    return true
  }
  for (let index = 0; index < 60; index++) assert.ok(left('iago', 0))
  assert.equal(left('iago', 59_999), false)
  assert.equal(left('iago', 60_001), true)
  assert.equal(left('iago', 60_002), false)
  assert.equal(left('x'.repeat(5000), 0), true)
  for (let index = 0; index < 20_000; index++) left(String(index), 0)
  assert.equal(left('iago', 60_002), true)
})
