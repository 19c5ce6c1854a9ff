// SPDX-License-Identifier: Apache-2.0
// What waits for another server: in which order, how long, how much of it, and what becomes of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Actor } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { OURS, THEIRS, type World, world } from '../../../test/support/other-servers.ts'
import { parseElement } from '../../xml/reader.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const ROMEO = `romeo@${THEIRS}`
const PING = `<ping xmlns='urn:xmpp:ping'/>`

const chat = (text: string, to = ROMEO): string => `<message type='chat' to='${to}'><body>${text}</body></message>`
const says = (text: string): string => `<message type='chat'><body>${text}</body></message>`
const error = (type: string, condition: string): string =>
  `<error type='${type}'><${condition} xmlns='${STANZAS}'/></error>`
const back = (text: string, type: string, condition: string): string =>
  `<message type='error' from='${ROMEO}'><body>${text}</body>${error(type, condition)}</message>`

async function begin(rules: Parameters<typeof world>[0] = {}) {
  const clock = new FakeClock()
  const place = await world({ clock, ...rules })
  return { clock, place, juliet: await place.stage.enter('juliet') }
}

/** Sends, and waits until the server has dealt with it. */
async function sends(actor: Actor, ...all: readonly string[]): Promise<void> {
  for (const one of all) actor.sends(one)
  await actor.settles()
}

/** The other server is dialled and cannot be reached. */
async function fails(place: World, kind: Parameters<Awaited<ReturnType<World['dialer']['next']>>['fails']>[0]) {
  const call = await place.dialer.next()
  call.fails(kind)
}

test('who cannot be reached now: questions and presence come back, messages wait, and arrive in order', async () => {
  const { clock, place, juliet } = await begin()
  await sends(
    juliet,
    chat('one'),
    `<presence to='${ROMEO}/garden'/>`,
    `<presence to='${ROMEO}/garden' type='unavailable'/>`,
    chat('two'),
    `<iq type='get' to='${THEIRS}' id='q'>${PING}</iq>`,
    `<presence to='${ROMEO}' type='probe'/>`,
  )
  await fails(place, 'unreachable')
  await juliet.receives(
    `<iq type='error' id='q' from='${THEIRS}'>${PING}${error('wait', 'remote-server-timeout')}</iq>`,
  )
  juliet.sends(`<presence to='${ROMEO}/garden'/>`)
  await juliet.receives(
    `<presence type='error' from='${ROMEO}/garden'>${error('wait', 'remote-server-timeout')}</presence>`,
  )
  await sends(juliet, chat('three'))
  await juliet.receivesNothing()
  assert.equal(place.dialer.calls, 1)
  clock.advance(1_500)
  const host = await (await place.dialer.next()).connects().letsIn()
  for (const text of ['one', 'two', 'three']) await host.receives(says(text))
})

test('a goodbye waits as a message does: else who is gone would be shown there for good', async () => {
  const { clock, place, juliet } = await begin()
  const room = `room@${THEIRS}/juliet`
  await sends(juliet, `<presence type='unavailable' to='${ROMEO}'><status>one</status></presence>`)
  await fails(place, 'unreachable')
  await sends(
    juliet,
    `<presence type='unavailable' to='${room}'/>`,
    `<presence type='unavailable' to='${ROMEO}'><status>two</status></presence>`,
  )
  await juliet.receivesNothing()
  clock.advance(1_500)
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(`<presence type='unavailable' from='${juliet.full}' to='${room}'/>`)
  await host.receives(
    `<presence type='unavailable' from='${juliet.full}' to='${ROMEO}'><status>two</status></presence>`,
  )
  juliet.sends(chat('nothing else'))
  await host.receives(says('nothing else'))
})

test('who came back meanwhile has not gone; who is not let into a room again has', async () => {
  const { clock, place, juliet } = await begin()
  const room = `room@${THEIRS}/juliet`
  await sends(
    juliet,
    `<presence type='unavailable' to='${ROMEO}'/>`,
    `<presence type='unavailable' to='${room}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
  )
  await fails(place, 'unreachable')
  await juliet.settles()
  juliet.sends(`<presence to='${ROMEO}'/>`)
  await juliet.receives(`<presence type='error' from='${ROMEO}'/>`)
  juliet.sends(`<presence to='${room}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  await juliet.receives(`<presence type='error' from='${room}'/>`)
  clock.advance(1_500)
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(`<presence type='unavailable' to='${room}'/>`)
  juliet.sends(chat('nothing else'))
  await host.receives(says('nothing else'))
})

test('goodbyes take no message its place', async () => {
  const { clock, place, juliet } = await begin({ rules: { queueStanzas: 2 } })
  for (const name of ['a', 'b', 'c']) juliet.sends(`<presence type='unavailable' to='${name}@${THEIRS}'/>`)
  await sends(juliet, chat('one'), chat('two'))
  await fails(place, 'unreachable')
  await juliet.receivesNothing()
  clock.advance(1_500)
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(says('one'))
  await host.receives(says('two'))
})

for (const kind of ['no-such-domain', 'refused'] as const) {
  test(`${kind}: everything comes back at once, and nobody is dialled for a while`, async () => {
    const { clock, place, juliet } = await begin()
    juliet.sends(chat('one'))
    await fails(place, kind)
    await juliet.receives(back('one', 'cancel', 'remote-server-not-found'))
    juliet.sends(chat('two'))
    await juliet.receives(back('two', 'cancel', 'remote-server-not-found'))
    assert.equal(place.dialer.calls, 1)
    clock.advance(60_000)
    juliet.sends(chat('three'))
    await fails(place, kind)
    await juliet.receives(back('three', 'cancel', 'remote-server-not-found'))
  })
}

test('the pauses between attempts grow, and what waited too long comes back', async () => {
  const { clock, place, juliet } = await begin()
  await sends(juliet, chat('patience'))
  let attempts = 0
  for (let seconds = 0; seconds < 300; seconds++) {
    while (place.dialer.waiting > 0) {
      attempts++
      await fails(place, seconds % 2 ? 'dns' : 'unreachable')
      await juliet.settles()
    }
    clock.advance(1_000)
  }
  assert.ok(attempts >= 5 && attempts <= 12, `${attempts} attempts`)
  clock.advance(15_000)
  await juliet.receives(back('patience', 'wait', 'remote-server-timeout'))
  await place.stage.store.durable()
  assert.deepEqual(await place.stage.store.outbox.page(0, 10), [])
})

test('so much waits, and no more; of news the newest, and no errors', async () => {
  const { place, juliet } = await begin({ rules: { queueStanzas: 4 } })
  await sends(
    juliet,
    chat('one'),
    `<presence to='${ROMEO}'><status>old</status></presence>`,
    `<presence to='room@${THEIRS}/juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
    `<presence to='${ROMEO}'><status>new</status></presence>`,
    `<message type='error' to='${ROMEO}'><body>error</body></message>`,
    chat('two'),
  )
  juliet.sends(chat('three'))
  await juliet.receives(back('three', 'wait', 'resource-constraint'))
  juliet.sends(`<message type='error' to='${ROMEO}'><body>error</body></message>`)
  await juliet.receivesNothing()
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(says('one'))
  await host.receives(`<presence to='room@${THEIRS}/juliet'/>`)
  await host.receives(`<presence to='${ROMEO}'><status>new</status></presence>`)
  await host.receives(says('two'))
})

test('a server that does not answer holds up nobody else', async () => {
  const { place, juliet } = await begin()
  await sends(juliet, chat('lost'))
  const silent = await place.dialer.next()
  assert.equal(silent.to, THEIRS)
  juliet.sends(chat('hi', 'x@capulet.example'))
  const call = await place.dialer.next()
  assert.equal(call.to, 'capulet.example')
})

test('somebody who comes to us is there: what waits goes at once', async () => {
  const { place, juliet } = await begin()
  await sends(juliet, chat('one'))
  await fails(place, 'unreachable')
  await juliet.settles()
  await place.visitor().enters()
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(says('one'))
})

test('only so many are dialled at a time', async () => {
  const { place, juliet } = await begin()
  for (let count = 0; count <= 100; count++) juliet.sends(chat('hi', `x@d${count}.example`))
  await juliet.settles()
  assert.equal(place.dialer.calls, 100)
  await fails(place, 'no-such-domain')
  await juliet.receives(`<message type='error' from='x@d0.example'/>`)
  assert.equal(place.dialer.calls, 101)
})

test('who writes to more servers than anybody does takes the places of nobody else', async () => {
  const { clock, place, juliet } = await begin()
  const nurse = await place.stage.enter('nurse')
  const message = (to: string): Stanza => Stanza.of(parseElement(says('hi'), NS_CLIENT), juliet.jid, Jid.parse(to))
  for (let count = 0; count < 1000; count++) place.streams.carry(message(`x@d${count}.example`))
  juliet.sends(chat('one too many', 'x@more.example'))
  await juliet.receives(
    `<message type='error' from='x@more.example'><body>one too many</body>${error('wait', 'resource-constraint')}</message>`,
  )
  await sends(nurse, chat('help', 'x@more.example'))
  await nurse.receivesNothing()
  assert.equal(place.streams.list().routes.length, 1001)
  while (place.dialer.waiting > 0 || place.streams.list().routes.some(({ state }) => state === 'connecting')) {
    await fails(place, 'no-such-domain')
    await juliet.settles()
  }
  for (let count = 0; count < 6; count++) clock.advance(15_000)
  assert.deepEqual(place.streams.list().routes, [])
  await sends(juliet, chat('better', 'x@more.example'))
  assert.equal((await place.dialer.next()).to, 'more.example')
})

test('what goes back at once is not written to disk first', async () => {
  const { place, juliet } = await begin({ rules: { queueStanzas: 1 } })
  await sends(juliet, chat('waits'))
  for (const text of ['one', 'two', 'three']) {
    juliet.sends(chat(text))
    await juliet.receives(back(text, 'wait', 'resource-constraint'))
  }
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(says('waits'))
  juliet.sends(chat('last'))
  await host.receives(says('last'))
  await place.stage.store.durable()
  assert.deepEqual(
    (await place.stage.store.outbox.page(0, 10)).map(({ id }) => id),
    [1, 2],
  )
})

test('a message is on disk before its sender may forget it, and goes on after a restart; what nobody wants kept does not', async () => {
  const { place, juliet } = await begin()
  const { stage } = place
  juliet.sends(`<enable xmlns='urn:xmpp:sm:3'/>`)
  await juliet.receives(`<enabled xmlns='urn:xmpp:sm:3'/>`)
  juliet.sends(chat('keep this'))
  juliet.sends(chat('and this'))
  juliet.sends(`<message to='${ROMEO}'><body>burn this</body><no-store xmlns='urn:xmpp:hints'/></message>`)
  juliet.sends(`<r xmlns='urn:xmpp:sm:3'/>`)
  await juliet.receives(`<a xmlns='urn:xmpp:sm:3' h='3'/>`)
  assert.equal(stage.store.uncommitted, 0)
  assert.equal((await stage.store.outbox.page(0, 10)).length, 2)
  const before = await place.dialer.next()
  await stage.restarts()
  assert.ok(before.signal.aborted)
  const host = await (await place.dialer.next()).connects().letsIn(`<sm xmlns='urn:xmpp:sm:3'/>`)
  await host.receives(`<enable xmlns='urn:xmpp:sm:3'/>`)
  host.sends(`<enabled xmlns='urn:xmpp:sm:3'/>`)
  await host.receives(says('keep this'))
  await host.receives(says('and this'))
  assert.equal((await stage.store.outbox.page(0, 10)).length, 2)
  host.sends(`<a xmlns='urn:xmpp:sm:3' h='2'/>`)
  host.sends(`<a xmlns='urn:xmpp:sm:3' h='3'/>`) // dealt with after the other
  await host.isClosed('undefined-condition')
  await stage.store.durable()
  assert.deepEqual(await stage.store.outbox.page(0, 10), [])
})

test('what is sent while the messages of an earlier process are read goes after them, and once', async () => {
  const { place } = await begin({ rules: { queueStanzas: 1000 } })
  const [from, to] = [Jid.parse(`juliet@${OURS}`), Jid.parse(ROMEO)]
  const message = (text: string): Stanza => Stanza.of(parseElement(says(text), NS_CLIENT), from, to)
  const xml = message('old').xml(NS_CLIENT)
  for (let count = 0; count < 600; count++) place.stage.store.outbox.put({ way: `${OURS} ${THEIRS}`, since: 1, xml })
  const started = place.streams.start()
  place.streams.carry(message('new'))
  await started
  place.streams.carry(message('newer'))
  const host = await (await place.dialer.next()).connects().letsIn(`<sm xmlns='urn:xmpp:sm:3'/>`)
  await host.receives(`<enable xmlns='urn:xmpp:sm:3'/>`)
  const heard: (string | undefined)[] = []
  while (heard.length < 602) {
    const element = await host.hears()
    if (element.name === 'message') heard.push(element.childText('body'))
  }
  assert.deepEqual(heard, [...Array.from({ length: 600 }, () => 'old'), 'new', 'newer'])
  assert.equal((await place.stage.store.outbox.page(0, 1000)).length, 602)
})

test('a domain that is not talked to any more gets nothing of what waited', async () => {
  const { clock, place, juliet } = await begin()
  await sends(juliet, chat('one'))
  await fails(place, 'unreachable')
  await juliet.settles()
  place.rules.block = [THEIRS]
  clock.advance(1_500)
  await juliet.receives(back('one', 'cancel', 'not-allowed'))
  assert.equal(place.dialer.calls, 1)
})

test('what waits for a domain that is blocked by a reload goes back at once, and a connection on its way is none', async () => {
  const { place, juliet } = await begin()
  await sends(juliet, chat('one'))
  const call = await place.dialer.next()
  place.rules.block = [THEIRS]
  place.streams.endRefused()
  await juliet.receives(back('one', 'cancel', 'not-allowed'))
  assert.ok(call.signal.aborted)
  await call.connects().isClosed(undefined)
  assert.deepEqual(place.streams.list().streams, [])
})

test('administrators see what is going on', async () => {
  const { place, juliet } = await begin()
  await sends(juliet, chat('one'))
  const [route] = place.streams.list().routes
  assert.deepEqual([route?.from, route?.to, route?.state, route?.queued], [OURS, THEIRS, 'connecting', 1])
  await fails(place, 'unreachable')
  await juliet.settles()
  const [failed] = place.streams.list().routes
  assert.deepEqual([failed?.state, failed?.lastError?.why], ['waiting', 'It did not work.'])
})

test('a stream that broke may have taken news with it: when the other server is heard again, its people are asked for', async () => {
  const { clock, place, juliet } = await begin()
  const call = await Promise.all([place.dialer.next(), juliet.sends(`<presence type='subscribe' to='${ROMEO}'/>`)])
  const host = await call[0].connects().letsIn()
  await host.receives(`<presence type='subscribe' to='${ROMEO}'/>`)
  const visitor = await place.visitor().enters()
  visitor.sends(`<presence type='subscribed' from='${ROMEO}' to='${juliet.bare}'/>`)
  visitor.sends(`<presence from='${ROMEO}/garden' to='${juliet.bare}'/>`)
  while ((await juliet.hears()).attrs.from !== `${ROMEO}/garden`);
  host.link.clientVanishes()
  visitor.sends(`<presence from='${ROMEO}/orchard' to='${juliet.bare}'/>`)
  await juliet.receives(`<presence from='${ROMEO}/orchard'/>`)
  const again = place.dialer.next()
  for (let second = 0; second < 6; second++) {
    clock.advance(1000)
    await juliet.settles()
  }
  const back = await (await again).connects().letsIn()
  await back.receivesAll(
    `<presence type='subscribe' to='${ROMEO}'/>`, // nobody has said that it arrived
    `<presence type='probe' from='${juliet.bare}' to='${ROMEO}'/>`,
  )
})
