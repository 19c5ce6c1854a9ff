// SPDX-License-Identifier: Apache-2.0
// Binding a resource (RFC 6120 §7): which one, how often, for how many, and what happens to the one who had it before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Stranger, theatre } from '../../test/support/cast.ts'
import { error } from '../../test/support/match.ts'
import { ping } from '../xep/0199-ping.ts'
import { Jid } from '../xmpp/jid.ts'

const BIND = 'urn:ietf:params:xml:ns:xmpp-bind'

const stage = await theatre({ features: [ping], limits: { sessionsPerAccount: 3 } })
let people = 0

function person(): Promise<Jid> {
  return stage.account(`juliet${++people}`)
}

/** Somebody who has logged in, but not bound a resource. */
async function unbound(jid: Jid): Promise<Stranger> {
  const client = stage.stranger()
  await client.proves(jid)
  return client
}

function bind(resource?: string, id = 'b'): string {
  const wanted = resource === undefined ? '' : `<resource>${resource}</resource>`
  return `<iq type='set' id='${id}'><bind xmlns='${BIND}'>${wanted}</bind></iq>`
}

/** Binds, and gives the JID that the server says it is. */
async function bound(client: Stranger, resource?: string): Promise<Jid> {
  client.sends(bind(resource))
  const result = await client.receives(`<iq type='result' id='b'><bind xmlns='${BIND}'><jid/></bind></iq>`)
  return Jid.parse(result.child('bind', BIND)?.childText('jid'))
}

function sessionsOf(jid: Jid): number {
  return [...stage.server.sessions()].filter((session) => session.account.jid.equals(jid)).length
}

test('bind is on offer after login (§7.4)', async () => {
  assert.ok((await stage.stranger().proves(await person())).child('bind', BIND))
})

test("a resource of the client's own is taken as it is (§7.7.1)", async () => {
  const juliet = await person()
  assert.equal((await bound(await unbound(juliet), 'balcony')).toString(), `${juliet}/balcony`)
})

test('without a resource the server makes one that nobody can guess (§7.6)', async () => {
  const juliet = await person()
  const [first, second] = [await bound(await unbound(juliet)), await bound(await unbound(juliet), '')]
  assert.ok(first.bare.equals(juliet) && second.bare.equals(juliet))
  assert.ok((first.resource?.length ?? 0) >= 10)
  assert.notEqual(first.resource, second.resource)
})

test('a resource that cannot be one gets bad-request, and another may be tried (§7.7.2.1)', async () => {
  const client = await unbound(await person())
  client.sends(bind('x'.repeat(1024)))
  await client.receives(`<iq type='error' id='b'>${error('modify', 'bad-request')}</iq>`)
  assert.equal((await bound(client, 'balcony')).resource, 'balcony')
})

test('after six bad resources the stream ends (§7.7.3)', async () => {
  const client = await unbound(await person())
  for (let attempt = 1; attempt <= 6; attempt++) {
    client.sends(bind('x'.repeat(1024)))
    await client.receives(`<iq type='error' id='b'>${error('modify', 'bad-request')}</iq>`)
  }
  await client.isClosed('policy-violation')
})

test('a request without an id is answered, and the next one may be better', async () => {
  const client = await unbound(await person())
  client.sends(`<iq type='set'><bind xmlns='${BIND}'/></iq>`)
  await client.receives(`<iq type='error'>${error('modify', 'bad-request')}</iq>`)
  await bound(client)
})

test('one binds once: a second request is refused, and the client stays who it is', async () => {
  const juliet = await person()
  const client = await stage.enter(juliet.toString(), 'balcony')
  const answer = await client.sets(`<bind xmlns='${BIND}'><resource>chamber</resource></bind>`)
  assert.equal(answer.attrs.type, 'error')
  assert.equal(sessionsOf(juliet), 1)
  await client.receivesNothing()
})

for (const xml of [
  `<message to='romeo@localhost'><body>hi</body></message>`,
  `<presence/>`,
  `<iq type='get' id='1' to='romeo@localhost'><ping xmlns='urn:xmpp:ping'/></iq>`,
  `<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`,
  `<iq type='get' id='1'><bind xmlns='${BIND}'/></iq>`,
]) {
  test(`who has not bound cannot send ${xml.slice(0, 40)}… (§7.1)`, async () => {
    const client = await unbound(await person())
    client.sends(xml)
    await client.isClosed('not-authorized')
  })
}

test('a resource in use goes to the newcomer; the older stream ends with conflict (§7.7.2.2)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<presence to='${juliet.bare}'/>`)
  await juliet.receives(`<presence from='${romeo.full}'/>`)
  const newcomer = stage.stranger()
  await newcomer.proves(romeo.jid)
  assert.ok((await bound(newcomer, romeo.jid.resource)).equals(romeo.jid))
  await romeo.isClosed('conflict')
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  juliet.sends(`<message to='${romeo.full}'><body>Still there?</body></message>`)
  await newcomer.receives(`<message from='${juliet.full}'><body>Still there?</body></message>`)
})

test('two ways to write one resource are one resource (RFC 7622 §3.4)', async () => {
  const juliet = await person()
  const old = await stage.enter(juliet.toString(), 'caf\u00e9', false)
  assert.equal((await bound(await unbound(juliet), 'cafe\u0301')).resource, 'caf\u00e9')
  await old.isClosed('conflict')
  assert.equal(sessionsOf(juliet), 1)
})

test('an account has so many clients and no more; who leaves makes room (§7.6.2.1)', async () => {
  const juliet = await person()
  const [first] = [await stage.enter(juliet.toString(), '1'), await stage.enter(juliet.toString(), '2')]
  await stage.enter(juliet.toString(), '3')
  const client = await unbound(juliet)
  client.sends(bind('4'))
  await client.receives(`<iq type='error' id='b'>${error('wait', 'resource-constraint')}</iq>`)
  first.link.clientCloses()
  await first.isClosed(undefined)
  assert.equal((await bound(client, '4')).resource, '4')
})

test('a full account lets a client take its own old place', async () => {
  const juliet = await person()
  const old = await stage.enter(juliet.toString(), '1')
  await stage.enter(juliet.toString(), '2')
  await stage.enter(juliet.toString(), '3')
  await old.settles()
  assert.equal((await bound(await unbound(juliet), '1')).resource, '1')
  await old.isClosed('conflict')
  assert.equal(sessionsOf(juliet), 3)
})

test('who leaves while the account is looked up leaves no ghost behind', async () => {
  const juliet = await person()
  const [leaves, stays] = [await unbound(juliet), await unbound(juliet)]
  leaves.sends(bind('ghost'))
  await Promise.resolve() // the request is taken, and the account is not there yet
  leaves.link.clientVanishes()
  await bound(stays, 'balcony')
  assert.deepEqual(
    [...stage.server.sessions()]
      .map((session) => session.jid)
      .filter((jid) => jid.bare.equals(juliet))
      .map(String),
    [`${juliet}/balcony`],
  )
})

test('an old client opens its session, which means nothing any more (RFC 3921 §3)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  const session = `<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>`
  assert.equal((await romeo.sets(session)).attrs.type, 'result')
  assert.equal((await romeo.sets(session, 'localhost')).attrs.type, 'result')
  assert.equal((await romeo.sets(session, juliet.bare)).attrs.type, 'error')
  romeo.sends(`<iq type='result' id='r'>${session}</iq>`)
  await romeo.receivesNothing()
})
