// SPDX-License-Identifier: Apache-2.0
// XEP-0198 between servers: what one side has the other may forget, and nothing else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { type Host, OURS, THEIRS, type Visitor, type World, world } from '../../../test/support/other-servers.ts'

const SM = 'urn:xmpp:sm:3'
const OFFER = `<sm xmlns='${SM}'/>`
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const PING = `<ping xmlns='urn:xmpp:ping'/>`
const BIDI = `<bidi xmlns='urn:xmpp:features:bidi'/>`
const ROMEO = `romeo@${THEIRS}`

const chat = (text: string): string => `<message type='chat' to='${ROMEO}'><body>${text}</body></message>`
const says = (text: string): string => `<message type='chat'><body>${text}</body></message>`

async function begin(rules: Parameters<typeof world>[0] = {}) {
  const clock = new FakeClock()
  const place = await world({ clock, ...rules })
  return { clock, place, juliet: await place.stage.enter('juliet') }
}

/** They are dialled, and count. */
async function counting(place: World, early = ''): Promise<Host> {
  const host = await (await place.dialer.next()).connects().letsIn(OFFER, early)
  await host.receives(`<enable xmlns='${SM}'/>`)
  host.sends(`<enabled xmlns='${SM}'/>`)
  return host
}

async function outbox(place: World): Promise<number> {
  await place.stage.store.durable()
  return (await place.stage.store.outbox.page(0, 100)).length
}

/** Until the server has dealt with everything that came on this stream. */
async function settles(host: Host | Visitor): Promise<void> {
  host.sends(`<r xmlns='${SM}'/>`)
  while ((await host.hears()).name !== 'a');
}

test('what the other server acknowledged is forgotten; the rest goes over the next stream, in order, but for old news', async () => {
  const { clock, place, juliet } = await begin()
  juliet.sends(chat('one'))
  juliet.sends(`<presence to='${ROMEO}'/>`)
  juliet.sends(chat('two'))
  juliet.sends(`<iq type='get' to='${THEIRS}' id='q'>${PING}</iq>`)
  juliet.sends(`<presence type='subscribe' to='${ROMEO}'/>`)
  await juliet.settles()
  const host = await counting(place)
  for (const kind of ['message', 'presence', 'message', 'iq', 'presence']) assert.equal((await host.hears()).name, kind)
  clock.advance(250)
  await host.receives(`<r xmlns='${SM}'/>`)
  host.sends(`<a xmlns='${SM}' h='1'/>`)
  await settles(host)
  assert.equal(await outbox(place), 1)
  host.link.clientVanishes()
  juliet.sends(chat('three'))
  await juliet.settles()
  clock.advance(1_500)
  const next = await counting(place)
  await next.receives(says('two'))
  await next.receives(`<iq type='get' id='q'/>`)
  await next.receives(`<presence type='subscribe'/>`)
  await next.receives(says('three'))
  next.sends(`<a xmlns='${SM}' h='4'/>`)
  await settles(next)
  assert.equal(await outbox(place), 0)
})

test('they are asked what they have after a hundred stanzas, or soon', async () => {
  const { clock, place, juliet } = await begin()
  for (let count = 0; count < 90; count++) juliet.sends(chat('x'))
  await juliet.settles()
  const host = await counting(place)
  for (let count = 0; count < 90; count++) await host.receives(says('x'))
  for (let count = 0; count < 10; count++) juliet.sends(chat('x'))
  for (let count = 0; count < 10; count++) await host.receives(says('x'))
  await host.receives(`<r xmlns='${SM}'/>`)
  clock.advance(1_000)
  host.sends(`<a xmlns='${SM}' h='100'/>`)
  await settles(host)
  clock.advance(1_000)
  juliet.sends(chat('y'))
  await host.receives(says('y')) // nobody was asked again in between
})

test('no more is on its way than can be sent again', async () => {
  const { place, juliet } = await begin({ rules: { queueStanzas: 10_000, queueBytes: 10_000_000 } })
  for (let count = 0; count < 5_100; count++) juliet.sends(chat('x'))
  await juliet.settles()
  const host = await counting(place)
  let got = 0
  const take = async (upTo: number): Promise<void> => {
    while (got < upTo) if ((await host.hears()).name === 'message') got++
  }
  await take(5_000)
  await settles(host)
  assert.equal(place.streams.list().routes[0]?.queued, 100)
  host.sends(`<a xmlns='${SM}' h='5000'/>`)
  await take(5_100)
})

test('one that does not read is sent no more, and others are', async () => {
  const { place, juliet } = await begin({ rules: { queueStanzas: 10 } })
  juliet.sends(chat('one'))
  const host = await counting(place)
  await host.receives(says('one'))
  host.link.unsent = 200_000
  for (let count = 0; count < 50; count++) juliet.sends(chat('x'))
  juliet.sends(`<message to='x@capulet.example'><body>hi</body></message>`)
  await juliet.receivesNothing()
  assert.equal((await place.dialer.next()).to, 'capulet.example')
  assert.equal(place.streams.list().routes[0]?.queued, 50)
  host.link.unsent = 0
  host.sends(`<a xmlns='${SM}' h='1'/>`)
  for (let count = 0; count < 50; count++) await host.receives(says('x'))
})

test('what breaks every stream goes back in the end', async () => {
  const { clock, place, juliet } = await begin()
  juliet.sends(chat('poison'))
  await juliet.settles()
  for (let attempt = 1; attempt <= 3; attempt++) {
    const host = await counting(place)
    await host.receives(says('poison'))
    host.sends(
      `<error xmlns='http://etherx.jabber.org/streams'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>`,
    )
    await host.isClosed(undefined)
    if (attempt < 3) clock.advance(10_000)
  }
  await juliet.receives(
    `<message type='error'><body>poison</body><error type='wait'><remote-server-timeout xmlns='${STANZAS}'/></error></message>`,
  )
  assert.equal(await outbox(place), 0)
})

test('a server that restarts loses nothing', async () => {
  const { clock, place, juliet } = await begin()
  juliet.sends(chat('one'))
  const host = await counting(place)
  await host.receives(says('one'))
  host.sends(
    `<error xmlns='http://etherx.jabber.org/streams'><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>`,
  )
  await host.isClosed(undefined)
  juliet.sends(chat('two'))
  juliet.sends(`<iq type='get' to='${THEIRS}' id='q'>${PING}</iq>`)
  await juliet.receivesNothing()
  clock.advance(1_500)
  const next = await counting(place)
  for (const text of ['one', 'two']) await next.receives(says(text))
  await next.receives(`<iq id='q'/>`)
})

for (const [what, h, condition] of [
  ['more than was sent', '2', 'undefined-condition'],
  ['what is no count', 'many', 'bad-format'],
  ['what is too large', String(2 ** 32), 'bad-format'],
] as const) {
  test(`who acknowledges ${what} is cut off as ${condition}`, async () => {
    const { place, juliet } = await begin()
    juliet.sends(chat('one'))
    const host = await counting(place)
    await host.receives(says('one'))
    host.sends(`<a xmlns='${SM}' h='${h}'/>`)
    await host.isClosed(condition)
  })
}

test('one that does not acknowledge any more is cut off, and gets it again', async () => {
  const { clock, place, juliet } = await begin()
  juliet.sends(chat('one'))
  const host = await counting(place)
  await host.receives(says('one'))
  clock.advance(250)
  await host.receives(`<r xmlns='${SM}'/>`)
  clock.advance(75_000)
  await host.isClosed('connection-timeout')
  clock.advance(1_500)
  const next = await counting(place)
  await next.receives(says('one'))
})

test('one that cannot count is pinged, and what it got before it answered is forgotten', async () => {
  const { clock, place, juliet } = await begin()
  juliet.sends(chat('one'))
  const host = await (await place.dialer.next()).connects().letsIn('', BIDI)
  await host.receives(says('one'))
  clock.advance(1_000)
  const ping = await host.receives(`<iq type='get' from='${OURS}' to='${THEIRS}'>${PING}</iq>`)
  juliet.sends(chat('two'))
  await host.receives(says('two'))
  assert.equal(await outbox(place), 2)
  host.sends(`<iq type='result' from='${THEIRS}' to='${OURS}' id='${ping.attrs.id}'/>`)
  host.sends(`<message type='chat' from='${ROMEO}' to='${juliet.bare}'><body>Hail</body></message>`)
  await juliet.receives(says('Hail'))
  assert.equal(await outbox(place), 1)
  clock.advance(1_000)
  await host.receives(`<iq type='get'>${PING}</iq>`)
  clock.advance(30_000) // it answered before, and does not now
  await host.isClosed('connection-timeout')
  clock.advance(1_500)
  const next = await (await place.dialer.next()).connects().letsIn('', BIDI)
  await next.receives(says('two'))
})

test('one that never answers has what it could be sent', async () => {
  const { clock, place, juliet } = await begin()
  juliet.sends(chat('one'))
  const host = await (await place.dialer.next()).connects().letsIn(OFFER)
  await host.receives(`<enable xmlns='${SM}'/>`)
  await host.receives(says('one'))
  host.sends(`<failed xmlns='${SM}'><unexpected-request xmlns='${STANZAS}'/></failed>`)
  await juliet.settles()
  clock.advance(1_000)
  await host.receives(`<iq type='get'>${PING}</iq>`)
  clock.advance(30_000)
  await juliet.settles()
  assert.equal(await outbox(place), 0)
  juliet.sends(chat('two'))
  await host.receives(says('two'))
})

test('we acknowledge what is on disk', async () => {
  const { place } = await begin()
  const nurse = await place.stage.account('nurse')
  const montague = await place.visitor().enters()
  montague.sends(`<enable xmlns='${SM}'/>`)
  await montague.receives(`<enabled xmlns='${SM}'/>`)
  montague.sends(`<r xmlns='${SM}'/>`)
  await montague.receives(`<a xmlns='${SM}' h='0'/>`)
  for (let count = 0; count < 20; count++) {
    montague.sends(`<message type='chat' from='${ROMEO}' to='nurse@${OURS}'><body>number ${count}</body></message>`)
  }
  montague.sends(`<r xmlns='${SM}'/>`)
  await montague.receives(`<a xmlns='${SM}' h='20'/>`)
  assert.equal(place.stage.store.uncommitted, 0)
  assert.equal(await place.stage.store.messages.offlineCount(nurse), 20)
})

test('a disk that fails acknowledges nothing', async () => {
  const { place } = await begin()
  await place.stage.account('nurse')
  const montague = await place.visitor().enters()
  montague.sends(`<enable xmlns='${SM}'/>`)
  await montague.receives(`<enabled xmlns='${SM}'/>`)
  montague.sends(`<message from='${ROMEO}' to='nurse@${OURS}'><body>kept?</body></message>`)
  await settles(montague)
  montague.sends(`<message from='${ROMEO}' to='nurse@${OURS}'><body>and this?</body></message>`)
  place.stage.store.outbox.put({ way: 'a b', since: 1, xml: null as unknown as string })
  montague.sends(`<r xmlns='${SM}'/>`)
  await montague.isClosed('internal-server-error')
})

test('counting is begun once, streams are not resumed, and who does not count asks nothing', async () => {
  const { place } = await begin()
  const montague = await place.visitor().enters()
  montague.sends(`<resume xmlns='${SM}' previd='x' h='0'/>`)
  await montague.receives(`<failed xmlns='${SM}'><feature-not-implemented xmlns='${STANZAS}'/></failed>`)
  montague.sends(`<enable xmlns='${SM}'/>`)
  await montague.receives(`<enabled xmlns='${SM}'/>`)
  montague.sends(`<enable xmlns='${SM}'/>`)
  await montague.receives(`<failed xmlns='${SM}'><unexpected-request xmlns='${STANZAS}'/></failed>`)
  const other = await place.visitor().enters()
  other.sends(`<r xmlns='${SM}'/>`)
  await other.isClosed('policy-violation')
})

test('silent streams get a sign of life, and end when nothing was said for long', async () => {
  const { clock, place, juliet } = await begin({ rules: { idleTimeout: 600_000 }, limits: { idleTimeout: 10_000_000 } })
  const montague = await place.visitor().enters()
  juliet.sends(chat('one'))
  const host = await counting(place)
  await host.receives(says('one'))
  host.sends(`<a xmlns='${SM}' h='1'/>`)
  await settles(host)
  clock.advance(90_000)
  assert.equal(host.link.spaces, 1)
  assert.equal(montague.link.spaces, 1)
  clock.advance(525_000)
  await host.isClosed(undefined)
  clock.advance(90_000)
  await montague.isClosed(undefined)
  await juliet.settles()
  juliet.sends(chat('two'))
  const next = await counting(place)
  await next.receives(says('two'))
})
