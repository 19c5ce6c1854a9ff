// SPDX-License-Identifier: Apache-2.0
// The stream of a client that has logged in (RFC 6120 §4, §8): what ends it, what does not, and how silence is treated.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { error } from '../../test/support/match.ts'
import { ping } from '../xep/0199-ping.ts'

const LOGIN = 30_000
const IDLE = 600_000
/** Silent streams are looked for this often. */
const SWEEP = 15_000
/** A client has this long to answer. */
const PATIENCE = 60_000

const clock = new FakeClock()
const stage = await theatre({ features: [ping], clock, limits: { loginTimeout: LOGIN, idleTimeout: IDLE } })

test('a stanza without `from` is stamped with the full JID of its sender, and so is one with the bare one', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  for (const from of ['', ` from='${romeo.bare}'`, ` from='${romeo.full}'`]) {
    romeo.sends(`<message to='${juliet.full}'${from}><body>Neither, fair saint</body></message>`)
    await juliet.receives(`<message from='${romeo.full}'><body>Neither, fair saint</body></message>`)
  }
})

test('who speaks for somebody else is cut off with invalid-from (§8.1.2.1), and nothing is delivered', async () => {
  const { romeo, juliet, laptop } = await stage.scene('romeo', 'juliet', { laptop: 'romeo' })
  romeo.sends(`<message from='${juliet.bare}' to='${juliet.full}'><body>I am you</body></message>`)
  await romeo.isClosed('invalid-from')
  await laptop.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  laptop.sends(`<message from='${laptop.bare}/romeo' to='${juliet.full}'><body>I am my phone</body></message>`)
  await laptop.isClosed('invalid-from')
  await juliet.receivesNothing()
})

for (const xml of [
  `<pubsub xmlns='jabber:client'><publish node='princely_musings'/></pubsub>`,
  `<iq xmlns='jabber:server' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>`,
  `<unheard xmlns='urn:example:of'/>`,
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>`,
  `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`,
]) {
  test(`what is no stanza ends the stream with unsupported-stanza-type: ${xml.slice(0, 40)}…`, async () => {
    const { romeo } = await stage.scene('romeo')
    romeo.sends(xml)
    await romeo.isClosed('unsupported-stanza-type')
  })
}

/** Stanzas that are not as they should be, with the error that they get; the stream lives on (§8.3). */
const MALFORMED: readonly (readonly [what: string, sent: string, answer: string])[] = [
  [
    'a message to no address',
    `<message to='@' id='m'><body>hi</body></message>`,
    `<message type='error' id='m'><body>hi</body>${error('modify', 'jid-malformed')}</message>`,
  ],
  [
    'presence to no address',
    `<presence to='a@b@c' id='p'/>`,
    `<presence type='error' id='p'>${error('modify', 'jid-malformed')}</presence>`,
  ],
  [
    'an unknown type of presence (RFC 6121 §4.7.1)',
    `<presence type='here' id='p'/>`,
    `<presence type='error' id='p'>${error('modify', 'bad-request')}</presence>`,
  ],
  [
    'an iq without an id (§8.2.3)',
    `<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>`,
    `<iq type='error'>${error('modify', 'bad-request')}</iq>`,
  ],
  [
    'an iq without a type',
    `<iq id='i'><ping xmlns='urn:xmpp:ping'/></iq>`,
    `<iq type='error' id='i'>${error('modify', 'bad-request')}</iq>`,
  ],
  [
    'an iq of an unknown type',
    `<iq type='subscribe' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`,
    `<iq type='error' id='i'>${error('modify', 'bad-request')}</iq>`,
  ],
  [
    'an iq without content',
    `<iq type='get' id='i'/>`,
    `<iq type='error' id='i'>${error('modify', 'bad-request')}</iq>`,
  ],
  [
    'an iq with two contents',
    `<iq type='get' id='i'><a xmlns='a'/><b xmlns='b'/></iq>`,
    `<iq type='error' id='i'>${error('modify', 'bad-request')}</iq>`,
  ],
  [
    'an iq from no address',
    `<iq type='get' id='i' from='@'><ping xmlns='urn:xmpp:ping'/></iq>`,
    `<iq type='error' id='i'>${error('modify', 'jid-malformed')}</iq>`,
  ],
]

for (const [what, sent, answer] of MALFORMED) {
  test(`${what} is answered, and the stream lives on`, async () => {
    const { romeo } = await stage.scene('romeo')
    romeo.sends(sent)
    await romeo.receives(answer)
    await romeo.receivesNothing()
  })
}

for (const sent of [
  `<message type='error' to='@'/>`,
  `<iq type='result' id='i' to='@'/>`,
  `<iq type='error' id='i' to='@'/>`,
  `<presence type='error' to='@'/>`,
]) {
  test(`no error for an error or an answer: ${sent}`, async () => {
    const { romeo } = await stage.scene('romeo')
    romeo.sends(sent)
    await romeo.receivesNothing()
  })
}

test('a message of an unknown type is a normal one (RFC 6121 §5.2.2), with its type as it was', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<message type='sonnet' to='${juliet.bare}'><body>Two households</body></message>`)
  await juliet.receives(`<message from='${romeo.full}'><body>Two households</body></message>`)
})

test('stanzas without a language get that of the stream, others keep theirs (§4.7.4, §8.1.5)', async () => {
  const { juliet } = await stage.scene('juliet')
  const romeo = await stage.stranger().logsIn(await stage.account('linguist'), 'secret', 'phone', { 'xml:lang': 'it' })
  romeo.sends(`<message to='${juliet.full}'><body>Ciao</body></message>`)
  await juliet.receives(`<message xml:lang='it'><body>Ciao</body></message>`)
  romeo.sends(`<message to='${juliet.full}' xml:lang='fr'><body>Salut</body></message>`)
  await juliet.receives(`<message xml:lang='fr'><body>Salut</body></message>`)
  romeo.sends(`<presence to='${juliet.full}'><status>Presto</status></presence>`)
  await juliet.receives(`<presence xml:lang='it'><status>Presto</status></presence>`)
})

test('what is no language, or far too long, is not put into every stanza', async () => {
  const { juliet } = await stage.scene('juliet')
  for (const [place, lang] of ['x'.repeat(9000), 'it it', `de${'-x'.repeat(100)}`].entries()) {
    const jid = await stage.account(`babbler${place}`)
    const romeo = await stage.stranger().logsIn(jid, 'secret', 'phone', { 'xml:lang': lang })
    romeo.sends(`<message to='${juliet.full}'><body>hi</body></message>`)
    const message = await juliet.receives(`<message><body>hi</body></message>`)
    assert.equal(message.attrs['xml:lang'], undefined)
  }
})

test('a stream without a language stamps none', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<message to='${juliet.full}'><body>hi</body></message>`)
  const message = await juliet.receives(`<message><body>hi</body></message>`)
  assert.equal(message.attrs['xml:lang'], undefined)
})

test('who does not log in in time is cut off, wherever it stands', async () => {
  const [silent, opened, proved] = [stage.stranger(), stage.stranger(), stage.stranger()]
  await opened.opens()
  await proved.proves(await stage.account('slow'))
  const { juliet } = await stage.scene('juliet')
  clock.advance(LOGIN - 1)
  clock.advance(1)
  await opened.isClosed('connection-timeout')
  await proved.isClosed('connection-timeout')
  await silent.isClosed('connection-timeout')
  await juliet.receivesNothing()
})

/** What a silent client is asked. */
async function isAsked(client: Actor): Promise<string> {
  const asked = await client.receives(
    `<iq type='get' from='localhost' to='${client.full}'><ping xmlns='urn:xmpp:ping'/></iq>`,
  )
  return asked.attrs.id ?? assert.fail('a question without an id')
}

test('a silent client is asked whether it is there, and cut when it does not answer (§4.6)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<presence to='${juliet.bare}'/>`)
  await juliet.receives(`<presence from='${romeo.full}'/>`)
  clock.advance(IDLE + SWEEP)
  await isAsked(romeo)
  const id = await isAsked(juliet)
  juliet.sends(`<iq type='result' id='${id}' to='localhost'/>`)
  await juliet.receivesNothing()
  clock.advance(PATIENCE + SWEEP)
  await romeo.isClosed('connection-timeout')
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  await juliet.receivesNothing()
})

test('a client that says anything is not asked', async () => {
  const { romeo } = await stage.scene('romeo')
  for (let time = 0; time < 3 * IDLE; time += IDLE - SWEEP) {
    clock.advance(IDLE - SWEEP)
    await romeo.receivesNothing()
  }
})

test('an answer that is an error is as good as any', async () => {
  const { romeo } = await stage.scene('romeo')
  clock.advance(IDLE + SWEEP)
  const id = await isAsked(romeo)
  romeo.sends(`<iq type='error' id='${id}' to='localhost'>${error('cancel', 'service-unavailable')}</iq>`)
  clock.advance(PATIENCE + SWEEP)
  await romeo.receivesNothing()
})

test('an end tag is answered by ours, and the client is gone (§4.4)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<presence to='${juliet.bare}'/>`)
  await juliet.receives(`<presence from='${romeo.full}'/>`)
  const connections = stage.server.connections
  romeo.link.clientCloses()
  await romeo.isClosed(undefined)
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  assert.equal(stage.server.connections, connections - 1)
})

test('what was sent before the end tag is done before the end', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<message to='${juliet.full}'><body>Farewell</body></message>`)
  romeo.link.clientCloses()
  await juliet.receives(`<message from='${romeo.full}'><body>Farewell</body></message>`)
})

test('a new password ends all clients of the account but the one that asked', async () => {
  const { phone, laptop, romeo } = await stage.scene({ phone: 'juliet', laptop: 'juliet' }, 'romeo')
  await stage.accounts.setPassword(phone.jid.bare, 'new', phone.link.id)
  await laptop.isClosed('not-authorized')
  await phone.settles()
  await phone.receivesNothing()
  await romeo.receivesNothing()
  await stage.stranger().logsIn(phone.jid.bare, 'new', 'laptop')
})

test('disabling or removing an account ends its clients', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  await stage.accounts.setDisabled(juliet.jid.bare, true)
  await juliet.isClosed('not-authorized')
  await stage.accounts.remove(romeo.jid.bare)
  await romeo.isClosed('not-authorized')
})

test('an account that is made again knows nothing of the old one', async () => {
  const { juliet } = await stage.scene('juliet')
  await juliet.sets(`<query xmlns='jabber:iq:roster'><item jid='romeo@localhost'/></query>`)
  await juliet.settles()
  await stage.accounts.remove(juliet.jid.bare)
  await juliet.isClosed('not-authorized')
  await stage.accounts.add(juliet.jid.bare, 'secret')
  const again = await stage.stranger().logsIn(juliet.jid.bare, 'secret', 'phone')
  const roster = await again.gets(`<query xmlns='jabber:iq:roster'/>`)
  assert.deepEqual(roster.child('query', 'jabber:iq:roster')?.elements, [])
})

test('an administrator ends one client', async () => {
  const { phone, laptop } = await stage.scene({ phone: 'juliet', laptop: 'juliet' })
  assert.equal(stage.server.endSession(phone.link.id), true)
  await phone.isClosed('reset')
  assert.equal(stage.server.endSession(phone.link.id), false)
  await laptop.receives(`<presence type='unavailable' from='${phone.full}'/>`)
})

test('who has not logged in does not get answers without end', async () => {
  const open = await theatre({ options: { registration: 'open' } })
  const client = open.stranger()
  await client.opens()
  for (let count = 1; count <= 30; count++) {
    client.sends(count % 2 ? `<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>` : `<iq/>`)
    await client.receives(`<iq type='${count % 2 ? 'result' : 'error'}'/>`)
  }
  client.sends(`<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>`)
  await client.isClosed('policy-violation')
})

test('a server that stops tells everybody to come back later (§4.9.3.20)', async () => {
  const small = await theatre({ features: [ping] })
  const { juliet } = await small.scene('juliet')
  const opened = small.stranger()
  await opened.opens()
  await small.server.stop()
  await juliet.isClosed('system-shutdown')
  await opened.isClosed('system-shutdown')
  assert.equal(small.server.connections, 0)
})

test('a connection that comes while the server stops is told so, and cannot log in any more', async () => {
  const late = await theatre()
  await late.server.stop()
  const client = late.stranger()
  await client.isClosed('system-shutdown')
  assert.equal(late.server.connections, 0)
})
