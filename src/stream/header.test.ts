// SPDX-License-Identifier: Apache-2.0
// How a stream begins (RFC 6120 §4.2 to §4.9): headers good and bad, and TLS before everything else (§5).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, type Stranger, theatre } from '../../test/support/cast.ts'
import { MemoryLink } from '../../test/support/memory-link.ts'
import { ping } from '../xep/0199-ping.ts'
import type { OwnHeader } from './link.ts'

const stage = await theatre({ features: [ping], hosts: ['capulet.example', 'montague.example'] })

/** Where a domain is that moved; it has an IPv6 address, which keeps its brackets. */
const MOVED = '[2001:db8::1]:5222'

const changing = { hosts: new Set(['capulet.example', 'montague.example']), moved: new Map<string, string>() }

/** A client before whom the stream is not open yet. */
function stranger(encrypted = true): Stranger {
  return stage.stranger(new MemoryLink({ encrypted }))
}

/** What the server answers to a header: its own. */
async function header(client: Stranger): Promise<OwnHeader> {
  const heard = await client.link.next()
  assert.equal(heard.kind, 'opened')
  return heard.kind === 'opened' ? heard.header : assert.fail()
}

test('the answer to a header is a header with an id of its own (§4.7)', async () => {
  const [romeo, juliet] = [stranger(), stranger()]
  romeo.link.clientOpens({ to: 'montague.example', version: '1.0', id: 'mine' })
  juliet.link.clientOpens({ to: 'capulet.example', version: '1.0' })
  const [first, second] = [await header(romeo), await header(juliet)]
  assert.equal(first.from, 'montague.example')
  assert.equal(first.to, undefined)
  assert.equal(second.from, 'capulet.example')
  assert.notEqual(first.id, second.id)
  assert.notEqual(first.id, 'mine')
  assert.ok(first.id.length >= 16)
  assert.equal(first.lang, 'en')
})

test('the client that names itself is named by its bare JID (§4.7.2)', async () => {
  const client = stranger()
  client.link.clientOpens({ to: 'capulet.example', from: 'juliet@capulet.example/balcony', version: '1.0' })
  assert.equal((await header(client)).to, 'juliet@capulet.example')
})

test('a `from` that is no address is not repeated', async () => {
  const client = stranger()
  client.link.clientOpens({ to: 'capulet.example', from: '@', version: '1.0' })
  assert.equal((await header(client)).to, undefined)
})

test('a domain is found in whatever case it is written', async () => {
  await stranger().opens('Capulet.EXAMPLE')
})

test('a stream id is new after each restart (§6.4.6)', async () => {
  const client = stranger()
  await stage.account('juliet@capulet.example')
  client.link.clientOpens({ to: 'capulet.example', version: '1.0' })
  const first = await header(client)
  await client.hears()
  client.sends(auth('juliet', 'secret'))
  await client.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  client.link.clientOpens({ to: 'capulet.example', version: '1.0' })
  assert.notEqual((await header(client)).id, first.id)
})

/** Headers that end the stream, with the error that they end it with (§4.9.3); a header of ours always comes first. */
const REFUSED: readonly (readonly [
  what: string,
  condition: string,
  attrs: Readonly<Record<string, string>>,
  contentNamespace?: string,
  prefix?: string,
])[] = [
  ['an unknown domain', 'host-unknown', { to: 'verona.example', version: '1.0' }],
  ['an account as domain', 'host-unknown', { to: 'juliet@verona.example', version: '1.0' }],
  ['something that is no domain', 'host-unknown', { to: '@', version: '1.0' }],
  ['no domain, where there are two', 'host-unknown', { version: '1.0' }],
  ['no version', 'unsupported-version', { to: 'capulet.example' }],
  ['version 0.9', 'unsupported-version', { to: 'capulet.example', version: '0.9' }],
  ['a version that is none', 'unsupported-version', { to: 'capulet.example', version: 'new' }],
  ['the namespace of servers', 'invalid-namespace', { to: 'capulet.example', version: '1.0' }, 'jabber:server'],
  ['no default namespace', 'invalid-namespace', { to: 'capulet.example', version: '1.0' }, ''],
  ['another prefix', 'bad-namespace-prefix', { to: 'capulet.example', version: '1.0' }, 'jabber:client', 'foobar'],
  ['no prefix', 'bad-namespace-prefix', { to: 'capulet.example', version: '1.0' }, 'jabber:client', ''],
]

for (const [what, condition, attrs, contentNamespace, prefix] of REFUSED) {
  test(`a header with ${what} gets ${condition}`, async () => {
    const client = stranger()
    client.link.clientOpens(attrs, contentNamespace, prefix)
    assert.match((await header(client)).from, /^(capulet|montague)\.example$/)
    await client.isClosed(condition)
  })
}

test('a header in another stream namespace gets invalid-namespace', async () => {
  const client = stranger()
  client.link.clientOpens({ to: 'capulet.example', version: '1.0' }, 'jabber:client', 'stream', 'http://wrong.example/')
  await header(client)
  await client.isClosed('invalid-namespace')
})

for (const version of ['1.0', '1.1', '01.0', '2.13', '11.0']) {
  test(`version ${version} is answered with what we speak (§4.7.5)`, async () => {
    await stranger().opens('capulet.example', { version })
  })
}

test('the only domain of a server need not be named', async () => {
  const small = await theatre({ features: [ping] })
  const client = small.stranger()
  client.link.clientOpens({ version: '1.0' })
  assert.equal((await header(client)).from, 'localhost')
})

test('the domain must not change between login and bind', async () => {
  const client = stranger()
  await stage.account('juliet@capulet.example')
  await client.opens('capulet.example')
  client.sends(auth('juliet', 'secret'))
  await client.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  client.link.clientOpens({ to: 'montague.example', version: '1.0' })
  assert.equal((await header(client)).from, 'capulet.example')
  await client.isClosed('not-authorized')
})

test('the clients of a domain that moved are sent there, once nobody can listen any more (§4.9.3.19)', async () => {
  const moved = new Map([['verona.example', MOVED]])
  const verona = await theatre({ features: [ping], hosts: ['capulet.example'], moved })
  const client = verona.stranger(new MemoryLink({ encrypted: false }))
  const features = await client.opens('verona.example')
  assert.ok(features.child('starttls', 'urn:ietf:params:xml:ns:xmpp-tls'))
  client.sends(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await client.receives(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  client.link.clientOpens({ to: 'verona.example', version: '1.0' })
  assert.equal((await header(client)).from, 'verona.example')
  const heard = await client.link.next()
  assert.equal(
    heard.kind === 'closed' && heard.error?.xml(),
    `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${MOVED}</see-other-host></stream:error>`,
  )
})

test('who is logged in to a domain that goes or moves is told so; others stay (§4.9.3.5, §4.9.3.19)', async () => {
  const { hosts, moved } = changing
  const towns = await theatre({ features: [ping], hosts, moved })
  const [juliet, romeo] = [await towns.enter('juliet@capulet.example'), await towns.enter('romeo@montague.example')]
  const [entering, unsecured] = [towns.stranger(), towns.stranger(new MemoryLink({ encrypted: false }))]
  for (const one of [entering, unsecured]) await one.opens('montague.example')
  hosts.delete('montague.example')
  towns.server.hostsChanged()
  for (const one of [romeo, entering, unsecured]) await one.isClosed('host-gone')
  await juliet.receivesNothing()

  const plain = towns.stranger(new MemoryLink({ encrypted: false }))
  await plain.opens('capulet.example')
  hosts.delete('capulet.example')
  moved.set('capulet.example', 'new.example.org')
  towns.server.hostsChanged()
  await juliet.isClosed('see-other-host')
  plain.sends(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await plain.receives(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  assert.equal([...towns.server.sessions()].length, 0)
})

test('without TLS there is nothing but TLS on offer, and it is required (§5.3.1)', async () => {
  const features = await stranger(false).opens('capulet.example')
  assert.equal(features.contentXml(), `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>`)
})

const TOO_EARLY = [
  auth('juliet', 'secret'),
  `<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
  `<iq type='get' id='1'><query xmlns='jabber:iq:auth'/></iq>`,
  `<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>`,
  `<message to='juliet@capulet.example'><body>Wherefore art thou?</body></message>`,
  `<presence/>`,
  `<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`,
]

for (const xml of TOO_EARLY) {
  test(`without TLS this ends the stream unread: ${xml.slice(0, 60)}`, async () => {
    await stage.account('juliet@capulet.example')
    const client = stranger(false)
    await client.opens('capulet.example')
    client.sends(xml)
    await client.isClosed('policy-violation')
  })
}

test('after STARTTLS the stream begins again, now with mechanisms (§5.4.3.3)', async () => {
  const client = stranger(false)
  await client.opens('capulet.example')
  client.sends(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await client.receives(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  const features = await client.opens('capulet.example')
  assert.ok(features.child('mechanisms', 'urn:ietf:params:xml:ns:xmpp-sasl'))
  assert.equal(features.child('starttls', 'urn:ietf:params:xml:ns:xmpp-tls'), undefined)
})

test('what was said before TLS is forgotten, the domain too (§5.4.3.3)', async () => {
  await stage.account('romeo@montague.example')
  const client = stranger(false)
  await client.opens('capulet.example', { 'xml:lang': 'it' })
  client.sends(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await client.receives(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  client.link.clientOpens({ to: 'montague.example', version: '1.0' })
  assert.equal((await header(client)).from, 'montague.example')
  await client.hears()
  client.sends(auth('romeo', 'secret'))
  await client.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
})

test('who asks for TLS inside of TLS is told that this failed, and the stream ends (§5.4.2.2)', async () => {
  const client = stranger()
  await client.opens('capulet.example')
  client.sends(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await client.receives(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await client.isClosed(undefined)
})
