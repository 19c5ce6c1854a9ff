// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Stranger, type Theatre, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { push, rosterOf } from '../../../test/support/friends.ts'
import { difference } from '../../../test/support/match.ts'
import type { InvitationWish } from '../../accounts/invitations.ts'
import { parseElement } from '../../xml/reader.ts'
import { Jid } from '../../xmpp/jid.ts'

const NS = 'jabber:iq:register'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const FEATURES = `<features xmlns='jabber:client'><register xmlns='urn:xmpp:ibr-token:0'/>
  <register xmlns='http://jabber.org/features/iq-register'/></features>`
const DAY = 86_400_000
const MOST = { perDay: 10, waiting: 10 }

/** The token of an invitation by romeo. */
async function invited(stage: Theatre, wish: Partial<InvitationWish> = {}): Promise<string> {
  const creator = await stage.account('romeo')
  const base = { domain: 'localhost', creator, contact: creator, uses: 1, lifetime: DAY }
  return (await stage.accounts.invitations.create({ ...base, ...wish }, MOST)).token
}

function error(condition: string): string {
  return `<iq type='error' id='*'><error><${condition} xmlns='${STANZAS}'/></error></iq>`
}

async function shows(stranger: Stranger, token: string, condition?: string): Promise<void> {
  stranger.sends(`<iq type='set' id='pa1' to='localhost'><preauth xmlns='urn:xmpp:pars:0' token='${token}'/></iq>`)
  await stranger.receives(condition ? error(condition) : `<iq type='result' id='pa1' from='localhost'/>`)
}

async function registers(stranger: Stranger, name: string, condition?: string): Promise<void> {
  const query = `<username>${name}</username><password>secret</password>`
  stranger.sends(`<iq type='set' id='reg'><query xmlns='${NS}'>${query}</query></iq>`)
  await stranger.receives(condition ? error(condition) : `<iq type='result' id='reg'/>`)
}

async function newcomer(stage: Theatre): Promise<Stranger> {
  const stranger = stage.stranger()
  await stranger.opens()
  return stranger
}

test('who shows an invitation makes an account, and host and guest are contacts at once', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const token = await invited(stage)
  const juliet = stage.stranger()
  assert.equal(difference(await juliet.opens(), parseElement(FEATURES)), undefined)
  juliet.sends(`<iq type='get' id='g' to='localhost'><query xmlns='${NS}'/></iq>`)
  await juliet.receives(error('service-unavailable'))
  await shows(juliet, token)
  juliet.sends(`<iq type='get' id='g' to='localhost'><query xmlns='${NS}'/></iq>`)
  await juliet.receives(`<iq type='result'><query xmlns='${NS}'><username/><password/></query></iq>`)
  await registers(juliet, 'juliet')
  await romeo.receives(push(`<item jid='juliet@localhost' subscription='both'/>`))
  const actor = await stage.stranger().logsIn(Jid.parse('juliet@localhost'), 'secret', 'balcony')
  assert.deepEqual(await rosterOf(actor), ['romeo@localhost both'])
  await actor.appears()
  await romeo.receives(`<presence from='${actor.full}'/>`)
  assert.deepEqual(await rosterOf(romeo), ['juliet@localhost both'])
})

test('the host learns of it later, too', async () => {
  const stage = await theatre()
  const juliet = await newcomer(stage)
  await shows(juliet, await invited(stage))
  await registers(juliet, 'juliet')
  await stage.restarts()
  assert.deepEqual(await rosterOf(await stage.enter('romeo')), ['juliet@localhost both'])
})

test('it is used by the registration, not by being shown, and once for each time it is shown', async () => {
  const stage = await theatre()
  const [juliet, paris, tybalt] = [await newcomer(stage), await newcomer(stage), await newcomer(stage)]
  const token = await invited(stage)
  for (const one of [juliet, paris]) await shows(one, token)
  await registers(juliet, 'romeo', 'conflict')
  await registers(juliet, 'juliet')
  await registers(juliet, 'nurse', 'not-allowed')
  await registers(paris, 'paris', 'item-not-found')
  await shows(tybalt, token, 'item-not-found')
  await registers(tybalt, 'tybalt', 'not-allowed')
  assert.equal(await stage.accounts.count(), 2)
})

test('whether it has expired counts when it is shown; whether it was revoked, until it is used', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock, limits: { loginTimeout: 10 * DAY } })
  const [juliet, paris, nurse] = [await newcomer(stage), await newcomer(stage), await newcomer(stage)]
  const token = await invited(stage, { uses: 3 })
  await shows(juliet, token)
  clock.advance(DAY)
  await registers(juliet, 'juliet')
  await shows(paris, token, 'item-not-found')
  const other = await invited(stage)
  await shows(nurse, other)
  const [made] = await stage.accounts.invitations.list(10)
  await stage.accounts.invitations.revoke([made?.id ?? 0])
  await registers(nurse, 'nurse', 'item-not-found')
})

test('one for a name lets in nobody else, and nobody else has the name', async () => {
  const stage = await theatre({ options: { registration: 'open' }, admins: ['bard@localhost'] })
  const [juliet, paris] = [await newcomer(stage), await newcomer(stage)]
  const [named, plain] = [await invited(stage, { name: 'juliet' }), await invited(stage)]
  await registers(paris, 'juliet', 'conflict')
  await shows(paris, plain)
  await registers(paris, 'juliet', 'conflict')
  await registers(paris, 'bard', 'conflict')
  await shows(juliet, named)
  juliet.sends(`<iq type='get' id='g'><query xmlns='${NS}'/></iq>`)
  await juliet.receives(
    `<iq type='result'><query xmlns='${NS}'><username>juliet</username><x xmlns='jabber:x:data'>
      <field var='username'><value>juliet</value></field></x></query></iq>`,
  )
  await registers(juliet, 'capulet', 'item-not-found')
  await registers(juliet, 'juliet')
  await registers(paris, 'paris')
})

test('an administrator may make administrators', async () => {
  const stage = await theatre()
  const bard = await newcomer(stage)
  await shows(bard, await invited(stage, { admin: true, contact: undefined }))
  await registers(bard, 'bard')
  assert.equal((await stage.accounts.find(Jid.parse('bard@localhost')))?.admin, true)
})

test('nothing is offered where nobody was invited, and what is no token gets nobody in', async () => {
  const stage = await theatre()
  const iago = stage.stranger()
  assert.notEqual(difference(await iago.opens(), parseElement(FEATURES)), undefined)
  for (const wrong of ['', 'x', 'a'.repeat(24), 'A'.repeat(24)]) await shows(iago, wrong, 'item-not-found')
  await shows(iago, await invited(stage, { accounts: false }), 'item-not-found')
  iago.sends(`<iq type='set' id='pa1' to='example.org'><preauth xmlns='urn:xmpp:pars:0' token='x'/></iq>`)
  await iago.receives(error('service-unavailable'))
})

test('tokens cannot be tried out without end', async () => {
  const stage = await theatre()
  let tries = 0
  for (let refused = false; !refused; tries++) {
    const iago = await newcomer(stage)
    for (let n = 0; n < 10; n++)
      iago.sends(`<iq type='set' id='${n}'><preauth xmlns='urn:xmpp:pars:0' token='x'/></iq>`)
    for (let n = 0; n < 10; n++)
      refused = (await iago.hears()).child('error')?.child('resource-constraint', STANZAS) !== undefined
  }
  assert.ok(tries > 90 && tries < 110, `${tries} times ten`)
})
