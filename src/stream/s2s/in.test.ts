// SPDX-License-Identifier: Apache-2.0
// Another server comes: it is looked at, proves who it is, and says nothing for anybody else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { MemoryLink } from '../../../test/support/memory-link.ts'
import { OURS, THEIRS, Visitor, world } from '../../../test/support/other-servers.ts'

const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'

const chat = (from: string, to: string, text: string): string =>
  `<message type='chat' from='${from}' to='${to}'><body>${text}</body></message>`

const place = await world()
const { stage } = place
const romeo = `romeo@${THEIRS}/garden`

test('TLS first, and nothing else; then a certificate, and then messages', async () => {
  const { juliet } = await stage.scene('juliet')
  const link = new MemoryLink({ encrypted: false })
  const montague = place.visitor(THEIRS, link)
  const offer = await montague.visits()
  assert.deepEqual(
    offer.elements.map(({ name }) => name),
    ['starttls'],
  )
  montague.sends(`<starttls xmlns='${TLS}'/>`)
  await montague.receives(`<proceed xmlns='${TLS}'/>`)
  const secure = await montague.visits()
  assert.ok(secure.child('mechanisms', SASL)?.childText('mechanism') === 'EXTERNAL')
  montague.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
  await montague.receives(`<success xmlns='${SASL}'/>`)
  const last = await montague.visits()
  assert.equal(last.child('mechanisms', SASL), undefined)
  assert.equal(link.allowed, place.rules.stanzaBytes)
  montague.sends(chat(romeo, juliet.bare, 'But soft'))
  await juliet.receives(chat(romeo, juliet.bare, 'But soft'))
})

test('the header that we answer with names both sides, and the stream', async () => {
  const montague = place.visitor()
  montague.link.clientOpens({ from: THEIRS, to: OURS, version: '1.0' }, 'jabber:server')
  const opened = await montague.link.next()
  assert.ok(opened.kind === 'opened')
  assert.deepEqual({ ...opened.header, id: '' }, { from: OURS, to: THEIRS, id: '', lang: 'en', version: '1.0' })
})

for (const [what, attrs, condition] of [
  ['a domain that is not here', { to: 'verona.example' }, 'host-unknown'],
  ['no domain', { to: '' }, 'host-unknown'],
  ['an account', { to: `juliet@${OURS}` }, 'host-unknown'],
  ['nobody to answer to', { from: '' }, 'improper-addressing'],
  ['an account as its own name', { from: romeo }, 'improper-addressing'],
  ['one of our domains as its own name', { from: OURS }, 'invalid-from'],
  ['no version', { version: '' }, 'unsupported-version'],
  ['an old version', { version: '0.9' }, 'unsupported-version'],
] as const) {
  test(`a header with ${what} ends as ${condition}`, async () => {
    const all = { from: THEIRS, to: OURS, version: '1.0', ...attrs }
    await place.visitor().isRefused(Object.fromEntries(Object.entries(all).filter(([, value]) => value)), condition)
  })
}

test('who is refused is told by whom, if it asked for one of us', async () => {
  for (const [to, from] of [
    [OURS, OURS],
    ['verona.example', ''],
  ]) {
    const visitor = place.visitor()
    visitor.link.clientOpens({ from: OURS, to: to ?? '', version: '1.0' }, 'jabber:server')
    const opened = await visitor.link.next()
    assert.ok(opened.kind === 'opened')
    assert.equal(opened.header.from, from)
  }
})

test('a stream of another kind ends', async () => {
  const attrs = { from: THEIRS, to: OURS, version: '1.0' }
  await place.visitor().isRefused(attrs, 'invalid-namespace', 'jabber:client')
  await place.visitor().isRefused(attrs, 'bad-namespace-prefix', 'jabber:server', 'flow')
})

test('in the clear there is nothing but TLS', async () => {
  const montague = place.visitor(THEIRS, new MemoryLink({ encrypted: false }))
  await montague.visits()
  montague.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
  await montague.isClosed('policy-violation')
})

test('a certificate of somebody else is offered nothing, and proves nothing', async () => {
  const tybalt = place.visitor('tybalt.example')
  const offer = await tybalt.visits()
  assert.equal(offer.child('mechanisms', SASL), undefined)
  tybalt.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
  await tybalt.receives(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
  tybalt.sends(chat(romeo, `juliet@${OURS}`, 'It is the east'))
  await tybalt.isClosed('not-authorized')
})

test('who names another identity than its own is not let in, nor who tries too often', async () => {
  const montague = place.visitor()
  await montague.visits()
  const other = Buffer.from('tybalt.example').toString('base64')
  montague.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>${other}</auth>`)
  await montague.receives(`<failure xmlns='${SASL}'><invalid-authzid/></failure>`)
  montague.sends(`<auth xmlns='${SASL}' mechanism='PLAIN'>AA==</auth>`)
  await montague.receives(`<failure xmlns='${SASL}'><invalid-mechanism/></failure>`)
  montague.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'/>`)
  await montague.receives(`<challenge xmlns='${SASL}'/>`)
  montague.sends(`<abort xmlns='${SASL}'/>`)
  await montague.receives(`<failure xmlns='${SASL}'><aborted/></failure>`)
  await montague.isClosed('policy-violation')
})

test('an identity may be asked for', async () => {
  const montague = place.visitor()
  await montague.visits()
  montague.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'/>`)
  await montague.receives(`<challenge xmlns='${SASL}'/>`)
  montague.sends(`<response xmlns='${SASL}'/>`)
  await montague.receives(`<success xmlns='${SASL}'/>`)
})

test('domains do not change after they were proved', async () => {
  const montague = place.visitor()
  await montague.visits()
  montague.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
  await montague.receives(`<success xmlns='${SASL}'/>`)
  await montague.isRefused({ from: 'capulet.example', to: OURS, version: '1.0' }, 'not-authorized')
})

for (const [what, stanza, condition] of [
  ['from a domain that was not proved', chat('tybalt@capulet.example', `juliet@${OURS}`, 'Ha'), 'invalid-from'],
  ['from one of our own users', chat(`nurse@${OURS}`, `juliet@${OURS}`, 'Ha'), 'invalid-from'],
  ['from a subdomain that was not proved', chat(`x@rooms.${THEIRS}/y`, `juliet@${OURS}`, 'Ha'), 'invalid-from'],
  ['for somebody elsewhere', chat(romeo, 'rosaline@capulet.example', 'Ha'), 'host-unknown'],
  ['from nobody', `<message to='juliet@${OURS}'/>`, 'improper-addressing'],
  ['for nobody', `<message from='${romeo}'/>`, 'improper-addressing'],
  ['from what is no address', `<message from='@@' to='juliet@${OURS}'/>`, 'improper-addressing'],
  ['that is no stanza', `<x xmlns='urn:x'/>`, 'unsupported-stanza-type'],
] as const) {
  test(`a stanza ${what} ends the stream as ${condition}`, async () => {
    const montague = await place.visitor().enters()
    montague.sends(stanza)
    await montague.isClosed(condition)
  })
}

test('a malformed stanza is answered, and the stream lives on', async () => {
  const { juliet } = await stage.scene('juliet')
  const montague = await place.visitor().enters()
  montague.sends(`<message from='${romeo}' to='@${OURS}' id='bad'><body>x</body></message>`)
  montague.sends(`<iq type='get' from='${romeo}' to='${juliet.bare}' id='none'/>`)
  montague.sends(`<presence type='odd' from='romeo@${THEIRS}/${'x'.repeat(1100)}' to='${juliet.bare}'/>`)
  montague.sends(chat(romeo, juliet.bare, 'Still there'))
  await juliet.receives(chat(romeo, juliet.bare, 'Still there'))
  const host = await (await place.dialer.next()).connects().letsIn()
  await host.receives(
    `<message type='error' from='${OURS}' to='${romeo}' id='bad'><error type='modify'><jid-malformed xmlns='${STANZAS}'/></error></message>`,
  )
  await host.receives(
    `<iq type='error' from='${juliet.bare}' to='${romeo}' id='none'><error type='modify'><bad-request xmlns='${STANZAS}'/></error></iq>`,
  )
})

test('what has no language gets that of its stream', async () => {
  const { juliet } = await stage.scene('juliet')
  const montague = place.visitor()
  await montague.visits()
  montague.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
  await montague.receives(`<success xmlns='${SASL}'/>`)
  await montague.visits({ 'xml:lang': 'it' })
  montague.sends(chat(romeo, juliet.bare, 'Ciao'))
  await juliet.receives(`<message xml:lang='it'><body>Ciao</body></message>`)
})

test('who is not talked to is told so', async () => {
  place.rules.block = ['tybalt.example']
  const attrs = { from: 'tybalt.example', to: OURS, version: '1.0' }
  await place.visitor('tybalt.example').isRefused(attrs, 'policy-violation')
  place.rules.block = []
})

test('streams end when the configuration says so', async () => {
  const montague = await place.visitor().enters()
  const capulet = place.visitor('capulet.example')
  await capulet.begins({ from: 'capulet.example', to: OURS, version: '1.0' })
  place.rules.block = ['capulet.example']
  stage.server.hostsChanged()
  await capulet.isClosed('policy-violation')
  montague.sends(`<r xmlns='urn:xmpp:sm:3'/>`)
  await montague.isClosed('policy-violation') // it lived on, and nobody counts
  place.rules.block = []
})

test('there may be only so many streams, in all and of one domain', async () => {
  const small = await world({ rules: { streams: 3, streamsPerDomain: 1 } })
  const montague = await small.visitor().enters()
  const second = small.visitor()
  await second.visits()
  second.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
  await second.isClosed('resource-constraint')
  montague.link.clientCloses()
  await montague.isClosed(undefined)
  await small.visitor().enters() // there is room again
  const [oldest, later] = [small.visitor(), small.visitor('capulet.example')]
  const newest = small.visitor('capulet.example')
  await oldest.isClosed('resource-constraint') // who has proved nothing makes room
  await later.begins({ from: 'capulet.example', to: OURS, version: '1.0' })
  await newest.begins({ from: 'capulet.example', to: OURS, version: '1.0' })
})

test('who proves nothing in time is cut off; who proved something stays', async () => {
  const clock = new FakeClock()
  const slow = await world({ clock })
  const [stranger, montague] = [slow.visitor('tybalt.example'), await slow.visitor().enters()]
  await stranger.begins({ from: 'tybalt.example', to: OURS, version: '1.0' })
  clock.advance(30_000)
  await stranger.isClosed('connection-timeout')
  montague.sends('<x/>')
  await montague.isClosed('unsupported-stanza-type')
})

test('when the server stops, others are told', async () => {
  const short = await world()
  const montague = await short.visitor().enters()
  await short.stage.restarts()
  await montague.isClosed('system-shutdown')
  assert.ok(montague instanceof Visitor)
})

test('while we look for ourselves a stream of ours is let in, and brings nothing', async () => {
  const { tested } = place.streams.parts
  const { juliet } = await stage.scene('juliet')
  const OWN = { from: OURS, to: OURS, version: '1.0' }
  const auth = `<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`
  tested.push(OURS)
  try {
    const stranger = place.visitor(THEIRS)
    assert.equal(
      (await stranger.visits(OWN)).child('mechanisms', SASL),
      undefined,
      'another certificate proves nothing',
    )
    const visitor = place.visitor(OURS)
    await visitor.visits(OWN)
    visitor.sends(`<bidi xmlns='urn:xmpp:bidi'/>`)
    visitor.sends(auth)
    await visitor.receives(`<success xmlns='${SASL}'/>`)
    await visitor.visits(OWN)
    assert.ok(!place.streams.list().routes.some(({ to }) => to === OURS), 'it is no way to anybody')
    visitor.sends(chat(`nurse@${OURS}`, juliet.bare, 'Ha'))
    await visitor.isClosed('not-authorized')
  } finally {
    tested.pop()
  }
  await place.visitor(OURS).isRefused(OWN, 'invalid-from')
  await juliet.receivesNothing()
})
