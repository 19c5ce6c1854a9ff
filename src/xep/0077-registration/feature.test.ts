// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, auth, cast, nothingFor, type Stranger, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { befriend, follow, rosterOf } from '../../../test/support/friends.ts'
import { assertLike, difference } from '../../../test/support/match.ts'
import { MemoryLink } from '../../../test/support/memory-link.ts'
import type { Element } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { Jid } from '../../xmpp/jid.ts'

const NS = 'jabber:iq:register'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const FIELDS = `<iq type='get' id='reg1' to='localhost'><query xmlns='${NS}'/></iq>`
const FEATURE = `<features xmlns='jabber:client'><register xmlns='http://jabber.org/features/iq-register'/></features>`
const OPEN = { options: { registration: 'open' } }

function account(username: string, password: string): string {
  return `<query xmlns='${NS}'><username>${username}</username><password>${password}</password></query>`
}

function form(fields: Readonly<Record<string, string>>): string {
  const inside = Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
  return `<query xmlns='${NS}'><x xmlns='jabber:x:data' type='submit'>${inside.join('')}</x></query>`
}

function error(condition: string): string {
  return `<iq type='error' id='*'><error><${condition} xmlns='${STANZAS}'/></error></iq>`
}

/** The server refuses, and does not say again what it was told. */
async function registers(stranger: Stranger, query: string, condition?: string): Promise<void> {
  stranger.sends(`<iq type='set' id='reg2'>${query}</iq>`)
  const answer = await stranger.receives(condition ? error(condition) : `<iq type='result' id='reg2'/>`)
  assert.equal(answer.child('query', NS), undefined)
}

async function asks(actor: Actor, query: string, condition?: string, to?: string): Promise<void> {
  const answer = await actor.sets(query, to)
  assertLike(answer, condition ? error(condition) : `<iq type='result'/>`)
  assert.equal(answer.child('query', NS), undefined)
}

test('a stranger makes an account and logs in, as in XEP-0077 §3.1', async () => {
  const stage = await theatre(OPEN)
  const bill = stage.stranger()
  assertLike(await bill.opens(), FEATURE)
  bill.sends(FIELDS)
  await bill.receives(
    `<iq type='result' id='reg1' from='localhost'><query xmlns='${NS}'>
      <instructions/><username/><password/>
      <x xmlns='jabber:x:data' type='form'>
        <field type='hidden' var='FORM_TYPE'><value>${NS}</value></field>
        <field type='text-single' var='username'><required/></field>
        <field type='text-private' var='password'><required/></field>
      </x>
    </query></iq>`,
  )
  await registers(bill, account('Bill', 'Calliope'))
  bill.sends(auth('bill', 'Calliope'))
  await bill.receives(`<success xmlns='${SASL}'/>`)
})

test('a stranger fills in the form', async () => {
  const stage = await theatre(OPEN)
  const bill = stage.stranger()
  await bill.opens()
  await registers(bill, form({ FORM_TYPE: NS, username: 'bill', password: 'Calliope' }))
  await stage.stranger().logsIn(Jid.parse('bill@localhost'), 'Calliope', 'globe')
})

test('what cannot be an account is refused', async () => {
  const stage = await theatre({ ...OPEN, admins: ['bard@localhost'], limits: { registrationsPerHourPerAddress: 2 } })
  await stage.account('romeo')
  const bill = stage.stranger()
  await bill.opens()
  await registers(bill, account('romeo', 'm1cro$oft'), 'conflict')
  await registers(bill, account('ROMEO', 'm1cro$oft'), 'conflict')
  await registers(bill, account('bard', 'I will be an administrator'), 'conflict')
  await registers(bill, account('bill', ''), 'not-acceptable')
  await registers(bill, account('', 'secret'), 'not-acceptable')
  await registers(bill, `<query xmlns='${NS}'><username>bill</username></query>`, 'not-acceptable')
  await registers(bill, form({ username: 'bill' }), 'not-acceptable')
  await registers(bill, form({ username: 'bill', password: '\ue000' }), 'not-acceptable')
  for (const name of ['a b', 'a@localhost', 'a/b', '@', 'a@b/c', 'x'.repeat(2000)])
    await registers(bill, account(name, 'secret'), 'not-acceptable')
  await registers(bill, `<query xmlns='${NS}'><remove/></query>`, 'unexpected-request')
  bill.sends(`<iq type='get' id='g' to='example.org'><query xmlns='${NS}'/></iq>`)
  await bill.receives(error('service-unavailable'))
  assert.equal(await stage.accounts.count(), 1)
  await registers(bill, account('bill', 'secret'))
})

test('where registration is closed nothing is offered and nobody gets in', async () => {
  const stage = await theatre()
  const bill = stage.stranger()
  const features = await bill.opens()
  assert.notEqual(difference(features, parseElement(FEATURE)), undefined)
  bill.sends(FIELDS)
  await bill.receives(error('service-unavailable'))
  await registers(bill, account('bill', 'Calliope'), 'not-allowed')
  assert.equal(await stage.accounts.count(), 0)
})

test('it is not offered before TLS, nor after login', async () => {
  const stage = await theatre(OPEN)
  const offered = async (features: Promise<Element>): Promise<boolean> =>
    difference(await features, parseElement(FEATURE)) === undefined
  assert.equal(await offered(stage.stranger(new MemoryLink({ encrypted: false })).opens()), false)
  assert.equal(await offered(stage.stranger().opens()), true)
  assert.equal(await offered(stage.stranger().proves(await stage.account('romeo'))), false)
})

test('a network makes a few accounts in an hour, and others are not in its way', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ ...OPEN, clock })
  const from = async (address: string): Promise<Stranger> => {
    const stranger = stage.stranger(new MemoryLink({ address }))
    await stranger.opens()
    return stranger
  }
  const bill = await from('2001:db8:0:1::1')
  for (const name of ['a', 'b', 'c']) await registers(bill, account(name, 'secret'))
  await registers(bill, account('d', 'secret'), 'resource-constraint')
  await registers(await from('2001:db8:0:1::2'), account('d', 'secret'), 'resource-constraint')
  await registers(await from('2001:db8:0:2::1'), account('d', 'secret'))
  clock.advance(3_600_000)
  await registers(await from('2001:db8:0:1::1'), account('e', 'secret'))
})

test('names cannot be tried out without end', async () => {
  const stage = await theatre({ ...OPEN, limits: { registrationsPerHourPerAddress: 1 } })
  await stage.account('romeo')
  const iago = stage.stranger()
  await iago.opens()
  for (let attempt = 0; attempt < 10; attempt++) await registers(iago, account('romeo', 'x'), 'conflict')
  await registers(iago, account('romeo', 'x'), 'resource-constraint')
})

test('who is logged in is told that it is registered', async () => {
  const { romeo } = await cast('romeo')
  for (const to of [undefined, 'localhost', romeo.bare]) {
    assertLike(
      await romeo.gets(`<query xmlns='${NS}'/>`, to),
      `<iq type='result'><query xmlns='${NS}'><registered/><username>romeo</username><password/></query></iq>`,
    )
  }
})

test('a new password: this client stays, the others have to log in again', async () => {
  const { romeo, phone, theatre: stage } = await cast('romeo', { phone: 'romeo' })
  await asks(romeo, account('romeo', 'groundlings'), undefined, 'localhost')
  await phone.isClosed('not-authorized')
  await romeo.settles()
  await stage.stranger().logsIn(romeo.jid.bare, 'groundlings', 'phone')
  const old = stage.stranger()
  await old.opens()
  old.sends(auth('romeo', 'secret'))
  await old.receives(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
  const changePassword = 'jabber:iq:register:changepassword'
  await asks(romeo, form({ FORM_TYPE: changePassword, username: romeo.bare, old_password: 'x', password: 'theglobe' }))
  await stage.stranger().logsIn(romeo.jid.bare, 'theglobe', 'phone')
})

test('a password is not changed by half a request, nor for somebody else', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  await asks(romeo, account('romeo', ''), 'bad-request')
  await asks(romeo, `<query xmlns='${NS}'><password>new</password></query>`, 'bad-request')
  await asks(romeo, account('juliet', 'new'), 'not-allowed')
  await asks(romeo, account('romeo@example.org', 'new'), 'not-allowed')
  await asks(romeo, account('a@@b', 'new'), 'not-allowed')
  await asks(romeo, account('romeo', '\ue000'), 'not-acceptable')
  assertLike(await romeo.sets(account('juliet', 'new'), juliet.bare), error('service-unavailable'))
  await stage.stranger().logsIn(romeo.jid.bare, 'secret', 'phone')
  await nothingFor(romeo, juliet)
})

test('who cancels the registration gets the result, then the end of the stream, on all clients', async () => {
  const { romeo, phone, theatre: stage } = await cast('romeo', { phone: 'romeo' })
  romeo.sends(`<iq type='set' id='unreg1'><query xmlns='${NS}'><remove/></query></iq>`)
  await romeo.receives(`<presence type='unavailable' from='${phone.full}'/>`)
  await romeo.receives(`<iq type='result' id='unreg1' to='${romeo.full}'/>`)
  await romeo.isClosed('not-authorized')
  await phone.isClosed('not-authorized')
  assert.equal(await stage.accounts.find(romeo.jid), undefined)
})

test('two clients that cancel at the same time are both gone', async () => {
  const { romeo, phone, theatre: stage } = await cast('romeo', { phone: 'romeo' })
  for (const actor of [romeo, phone]) actor.sends(`<iq type='set' id='r'><query xmlns='${NS}'><remove/></query></iq>`)
  await stage.stranger().opens()
  for (const actor of [romeo, phone]) {
    let heard = await actor.link.next()
    while (heard.kind !== 'closed') heard = await actor.link.next()
    assert.equal(heard.error?.condition, 'not-authorized')
  }
  assert.deepEqual([...stage.server.sessions()], [])
})

test('a removal that is more than that, or of somebody else, is refused', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  await asks(romeo, `<query xmlns='${NS}'><remove/><username>romeo</username></query>`, 'bad-request')
  assertLike(await romeo.sets(`<query xmlns='${NS}'><remove/></query>`, juliet.bare), error('service-unavailable'))
  assert.equal(await stage.accounts.count(), 2)
  await nothingFor(romeo, juliet)
})

/** Waits for the push that says that there is nothing between them any more. */
async function hearsOfTheEnd(actor: Actor, other: Actor): Promise<void> {
  const end = `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${other.bare}' subscription='none'/></query></iq>`
  while (difference(await actor.hears(), parseElement(end, 'jabber:client')) !== undefined);
}

for (const [how, leave] of [
  [
    'its owner',
    async (romeo: Actor) => romeo.sends(`<iq type='set' id='r'><query xmlns='${NS}'><remove/></query></iq>`),
  ],
  ['an administrator', (romeo: Actor, remove: (jid: Jid) => Promise<void>) => remove(romeo.jid)],
] as const) {
  test(`nobody keeps a subscription to an account that ${how} removed`, async () => {
    const {
      romeo,
      juliet,
      nurse,
      friar,
      iago,
      theatre: stage,
    } = await cast('romeo', 'juliet', 'nurse', 'friar', 'iago')
    await befriend(romeo, juliet)
    await follow(nurse, romeo)
    await follow(romeo, friar)
    iago.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    for (const actor of [iago, romeo, juliet, nurse, friar]) await actor.settles()
    await leave(romeo, (jid) => stage.accounts.remove(jid))
    await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
    await juliet.receives(`<presence type='unsubscribe' from='${romeo.bare}'/>`)
    for (const actor of [juliet, nurse, friar, iago]) {
      await hearsOfTheEnd(actor, romeo)
      assert.deepEqual(await rosterOf(actor), [`${romeo.bare} none`])
    }
    const impostor = await stage.enter('romeo', 'impostor')
    juliet.sends('<presence><show>chat</show></presence>')
    await juliet.settles()
    await nothingFor(impostor)
  })
}
