// SPDX-License-Identifier: Apache-2.0
// XEP-0220 on whole streams: domains that prove themselves by a key, and several of them on one stream.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stage } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { MemoryLink } from '../../../test/support/memory-link.ts'
import { type Host, KEYS, OURS, THEIRS, type Visitor, type World, world } from '../../../test/support/other-servers.ts'
import { parseElement } from '../../xml/reader.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'

const DB = 'jabber:server:dialback'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const DIALBACK = `<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>`
const ROOMS = `rooms.${OURS}`

const ask = (key = 'k3y', from = THEIRS, to = OURS): string =>
  `<result xmlns='${DB}' from='${from}' to='${to}'>${key}</result>`
const told = (type: string, from = OURS, to = THEIRS): string =>
  `<result xmlns='${DB}' from='${from}' to='${to}' type='${type}'/>`
const error = (condition: string, from = OURS, to = THEIRS): string =>
  `<result xmlns='${DB}' from='${from}' to='${to}' type='error'><error xmlns='jabber:client'><${condition} xmlns='${STANZAS}'/></error></result>`
const keyFor = (ours = OURS): string => KEYS.make({ receiving: THEIRS, originating: ours, streamId: 'stream-1' })

/** Somebody without a certificate that proves anything. */
function stranger(place: World): Visitor {
  return place.visitor('nobody.example')
}

/** The authoritative server says so. */
async function vouches(place: World, verdict: string): Promise<void> {
  const call = await place.dialer.next()
  assert.deepEqual([call.from, call.to], [OURS, THEIRS])
  const host = call.connects(new MemoryLink())
  await host.answers(DIALBACK)
  const verify = await host.hears()
  assert.equal(verify.text, 'k3y')
  host.sends(`<verify xmlns='${DB}' from='${THEIRS}' to='${OURS}' id='${verify.attrs.id}' type='${verdict}'/>`)
}

test('a domain is let in when its server knows the key, if we said that this is enough', async () => {
  const place = await world({ rules: { trustDialback: [THEIRS] } })
  const juliet = await place.stage.enter('juliet')
  const visitor = stranger(place)
  await visitor.visits()
  visitor.sends(ask())
  await vouches(place, 'valid')
  await visitor.receives(told('valid'))
  visitor.sends(`<message from='romeo@${THEIRS}' to='${juliet.bare}'><body>Hail</body></message>`)
  await juliet.receives(`<message from='romeo@${THEIRS}'><body>Hail</body></message>`)
  assert.deepEqual(place.streams.list().streams[0]?.proved, [{ domain: THEIRS, by: 'dialback' }])
})

test('it is not when its server does not know the key, and it never is without a certificate if we did not say so', async () => {
  const place = await world({ rules: { trustDialback: [THEIRS] } })
  const visitor = stranger(place)
  await visitor.visits()
  visitor.sends(ask())
  await vouches(place, 'invalid')
  await visitor.receives(told('invalid'))
  assert.deepEqual(await visitor.link.next(), { kind: 'closed', error: undefined })
  place.rules.trustDialback = []
  const other = stranger(place)
  await other.visits()
  other.sends(ask())
  await other.receives(error('not-authorized'))
  other.sends(`<message from='romeo@${THEIRS}' to='juliet@${OURS}'><body>Hail</body></message>`)
  await other.isClosed('not-authorized')
  assert.equal(place.dialer.calls, 1)
})

test('a certificate is enough, and no server is asked', async () => {
  const place = await world()
  const visitor = place.visitor()
  await visitor.visits()
  visitor.sends(ask())
  await visitor.receives(told('valid'))
  assert.equal(place.dialer.calls, 0)
  assert.deepEqual(place.streams.list().streams[0]?.proved, [{ domain: THEIRS, by: 'pkix' }])
})

test('who proved one domain speaks for no other until it has proved that one, too', async () => {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  const link = new MemoryLink()
  link.proof = (domain) => (domain.endsWith(THEIRS) ? { by: 'pkix' } : { by: undefined, why: 'no' })
  const visitor = await place.visitor(THEIRS, link).enters()
  visitor.sends(ask('k', `rooms.${THEIRS}`))
  await visitor.receives(told('valid', OURS, `rooms.${THEIRS}`))
  visitor.sends(`<message from='coven@rooms.${THEIRS}' to='${juliet.bare}'><body>Double</body></message>`)
  await juliet.receives(`<message from='coven@rooms.${THEIRS}'/>`)
  visitor.sends(`<message from='verona@verona.example' to='${juliet.bare}'><body>Forged</body></message>`)
  await visitor.isClosed('invalid-from')
})

test('answers that nobody asked for end the stream (XEP-0220 §3.1)', async () => {
  const place = await world()
  const visitor = await place.visitor().enters()
  visitor.sends(told('valid', 'verona.example', OURS))
  await visitor.isClosed('policy-violation')
  const other = stranger(place)
  await other.visits()
  other.sends(`<verify xmlns='${DB}' from='verona.example' to='${OURS}' id='1' type='valid'/>`)
  await other.isClosed('policy-violation')
})

test('everybody may ask about our keys, also who proved nothing', async () => {
  const place = await world()
  const visitor = stranger(place)
  await visitor.visits()
  const verify = (key: string): string =>
    `<verify xmlns='${DB}' from='${THEIRS}' to='${OURS}' id='stream-1'>${key}</verify>`
  visitor.sends(verify(keyFor()))
  await visitor.receives(`<verify xmlns='${DB}' from='${OURS}' to='${THEIRS}' id='stream-1' type='valid'/>`)
  visitor.sends(verify('forged'))
  await visitor.receives(`<verify xmlns='${DB}' from='${OURS}' to='${THEIRS}' id='stream-1' type='invalid'/>`)
})

const chat = (text: string): string => `<message type='chat' to='romeo@${THEIRS}' id='1'><body>${text}</body></message>`

/** Somebody writes; the other server wants dialback instead of our certificate. */
async function writesToOld(features = DIALBACK, stage: Stage = {}) {
  const place = await world(stage)
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat('Hail'))
  const call = await place.dialer.next()
  const host = call.connects(new MemoryLink())
  await host.answers(features)
  return { place, juliet, host }
}

test('where our certificate is not asked for, we prove ourselves by dialback', async () => {
  const { host } = await writesToOld()
  await host.receives(ask(keyFor(), OURS, THEIRS))
  host.sends(told('valid', THEIRS, OURS))
  await host.receives(`<message><body>Hail</body></message>`)
})

test('where our certificate is refused, dialback is tried', async () => {
  const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
  const { host } = await writesToOld(
    `<mechanisms xmlns='${SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>${DIALBACK}`,
  )
  await host.receives(`<auth xmlns='${SASL}' mechanism='EXTERNAL'/>`)
  host.sends(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
  await host.receives(ask(keyFor(), OURS, THEIRS))
  host.sends(told('valid', THEIRS, OURS))
  await host.receives(`<message><body>Hail</body></message>`)
})

const refusals: Readonly<Record<string, readonly [string, string]>> = {
  'does not believe us': [told('invalid', THEIRS, OURS), 'internal-server-error'],
  'does not serve the domain': [error('item-not-found', THEIRS, OURS), 'remote-server-not-found'],
  'wants a certificate': [error('not-authorized', THEIRS, OURS), 'remote-server-timeout'],
  'has an error by the name of something that all objects have': [
    error('constructor', THEIRS, OURS),
    'remote-server-timeout',
  ],
}

for (const [what, [answer, condition]] of Object.entries(refusals)) {
  test(`a server that ${what}: the message comes back`, async () => {
    const { place, juliet, host } = await writesToOld()
    await host.hears()
    host.sends(answer)
    await juliet.receives(`<message type='error' id='1'><error><${condition} xmlns='${STANZAS}'/></error></message>`)
    assert.ok(place.streams.list().routes[0]?.lastError)
  })
}

test('a server that could not reach ours is tried again, and the message waits', async () => {
  const clock = new FakeClock()
  const { place, host } = await writesToOld(DIALBACK, { clock })
  await host.hears()
  host.sends(error('remote-connection-failed', THEIRS, OURS))
  await host.isClosed(undefined)
  clock.advance(2_000)
  const again = (await place.dialer.next()).connects(new MemoryLink())
  await again.answers(DIALBACK)
  await again.hears()
  again.sends(told('valid', THEIRS, OURS))
  await again.receives(`<message><body>Hail</body></message>`)
})

test('an answer about others than we asked for ends the stream', async () => {
  const { host } = await writesToOld()
  await host.hears()
  host.sends(told('valid', 'verona.example', OURS))
  await host.isClosed('policy-violation')
})

/** Juliet writes, and her server's stream is up; then she is in a room, and it has something to say to somebody over there. */
async function withStream(stage: Stage = {}): Promise<{ place: World; host: Host; speak: (text: string) => void }> {
  const place = await world(stage)
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat('Hail'))
  const host = await (await place.dialer.next()).connects(new MemoryLink()).letsIn(DIALBACK)
  await host.receives(`<message><body>Hail</body></message>`)
  const speak = (text: string): void => {
    const xml = `<message from='coven@${ROOMS}' to='romeo@${THEIRS}'><body>${text}</body></message>`
    place.streams.carry(Stanza.parse(parseElement(xml, NS_CLIENT)))
  }
  return { place, host, speak }
}

test('a second domain of ours rides on the stream of the first, once it has been let in', async () => {
  const { place, host, speak } = await withStream()
  speak('one')
  speak('two')
  await host.receives(ask(keyFor(ROOMS), ROOMS, THEIRS))
  host.sends(told('valid', THEIRS, ROOMS))
  await host.receives(`<message from='coven@${ROOMS}'><body>one</body></message>`)
  await host.receives(`<message from='coven@${ROOMS}'><body>two</body></message>`)
  assert.equal(place.dialer.calls, 1)
  assert.deepEqual(
    place.streams.list().streams.map(({ also }) => also),
    [[ROOMS]],
  )
  assert.deepEqual(
    place.streams.list().routes.map(({ from, state }) => [from, state]),
    [
      [OURS, 'open'],
      [ROOMS, 'open'],
    ],
  )
})

test('on a stream of ours they may ask about our keys, and further domains of theirs hear that there is no room', async () => {
  const { host } = await withStream()
  host.sends(`<verify xmlns='${DB}' from='${THEIRS}' to='${OURS}' id='stream-1'>${keyFor()}</verify>`)
  await host.receives(`<verify xmlns='${DB}' from='${OURS}' to='${THEIRS}' id='stream-1' type='valid'/>`)
  host.sends(ask('k', `rooms.${THEIRS}`))
  await host.receives(error('resource-constraint', OURS, `rooms.${THEIRS}`))
  host.sends(told('valid', 'verona.example', OURS))
  await host.isClosed('policy-violation')
})

test('where it is not let in there it gets a stream of its own', async () => {
  const { place, host, speak } = await withStream()
  speak('one')
  await host.hears()
  host.sends(error('not-authorized', THEIRS, ROOMS))
  const call = await place.dialer.next()
  assert.deepEqual([call.from, call.to], [ROOMS, THEIRS])
})

test('when a stream breaks, each domain that rode on it goes on by itself, with what was not acknowledged', async () => {
  const clock = new FakeClock()
  const { place, host, speak } = await withStream({ clock })
  speak('one')
  await host.hears()
  host.sends(told('valid', THEIRS, ROOMS))
  await host.receives(`<message from='coven@${ROOMS}'><body>one</body></message>`)
  host.link.clientVanishes()
  clock.advance(10_000)
  const calls = [await place.dialer.next(), await place.dialer.next()]
  for (const call of calls) {
    const again = await call.connects(new MemoryLink()).letsIn('', '', call.from)
    await again.receives(`<message><body>${call.from === OURS ? 'Hail' : 'one'}</body></message>`)
  }
  assert.deepEqual(calls.map(({ from }) => from).sort(), [OURS, ROOMS])
})
