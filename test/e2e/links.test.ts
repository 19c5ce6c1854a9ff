// SPDX-License-Identifier: Apache-2.0
// The same conversations over every way in: nobody above the link may notice which one it is.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ClientPipe, ClientSocket } from '../../src/net/probes/client-socket.ts'
import { BoshPipe, WebSocketPipe } from '../../src/net/probes/web-pipe.ts'
import { Client, NS_CLIENT } from '../../src/ops/compliance/client.ts'
import { authenticate, authenticateByToken, authenticateQuickly, bind } from '../../src/ops/compliance/login.ts'
import { streamManagement } from '../../src/xep/0198-stream-management/feature.ts'
import { ping } from '../../src/xep/0199-ping.ts'
import { carbons } from '../../src/xep/0280-carbons.ts'
import { type Element, el } from '../../src/xml/element.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { loopback } from '../support/loopback.ts'

const SM = 'urn:xmpp:sm:3'
const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'

const place = await loopback({ features: [streamManagement, carbons, ping] })
for (const name of ['romeo', 'juliet']) await place.accounts.add(Jid.of(name, 'localhost'), 'secret')
const romeo = { username: 'romeo', password: 'secret' }
const juliet = { username: 'juliet', password: 'secret' }

const signal = AbortSignal.timeout(60_000)
const tls = { host: '127.0.0.1', port: place.direct, domain: 'localhost' }
const open = { host: '127.0.0.1', port: place.plain, domain: 'localhost' }
const secure = { origin: `https://localhost:${place.https}`, signal }
const plain = { origin: `http://127.0.0.1:${place.http}`, signal }

const WAYS: Readonly<Record<string, () => Promise<ClientPipe>>> = {
  STARTTLS: () => ClientSocket.plain(open),
  TLS: () => ClientSocket.direct(tls),
  'STARTTLS on the port for everything': () => ClientSocket.plain({ ...open, port: place.shared }),
  'TLS on the port for everything': () => ClientSocket.direct({ ...tls, port: place.shared }),
  'WebSocket on the port for everything': () =>
    WebSocketPipe.dial({ ...secure, origin: `https://localhost:${place.shared}` }, 'wss://localhost/xmpp-websocket'),
  'WebSocket over TLS': () => WebSocketPipe.dial(secure, 'wss://localhost/xmpp-websocket'),
  'WebSocket on this machine': () => WebSocketPipe.dial(plain, 'ws://localhost/xmpp-websocket'),
  'BOSH over TLS': async () => new BoshPipe(secure, 'https://localhost/http-bind'),
  'BOSH on this machine': async () => new BoshPipe(plain, 'http://localhost/http-bind'),
}

/** A stream before the login. */
async function door(t: TestContext, dial: () => Promise<ClientPipe>): Promise<Client> {
  const pipe = await dial()
  const client = new Client(pipe, 'localhost', signal)
  t.after(() => client.leaves())
  await client.opens()
  if (!(pipe instanceof ClientSocket) || pipe.tls) return client
  client.sends(el('starttls', TLS))
  await client.hears('permission', (one) => one.is('proceed', TLS))
  await pipe.startTls()
  await client.opens()
  return client
}

async function enter(t: TestContext, dial: () => Promise<ClientPipe>, who: typeof romeo, resource: string) {
  const client = await door(t, dial)
  await authenticate(client, who)
  await bind(client, resource)
  return client
}

function chat(to: string, text: string): Element {
  return el('message', NS_CLIENT, { to, type: 'chat' }, el('body', NS_CLIENT, null, text))
}

function says(text: string): (stanza: Element) => boolean {
  return (stanza) => stanza.childText('body') === text
}

for (const [way, dial] of Object.entries(WAYS)) {
  test(`${way}: logs in, chats both ways in order, leaves`, async (t) => {
    const [one, other] = [await enter(t, dial, romeo, 'phone'), await enter(t, WAYS.TLS ?? dial, juliet, 'balcony')]
    for (const client of [one, other]) {
      client.sends(el('presence', NS_CLIENT))
      await client.settles()
    }
    for (let line = 1; line <= 30; line++) {
      one.sends(chat(other.jid, `there ${line} \u{1F339} <&>`))
      other.sends(chat(one.jid, `back ${line} \u{1F339} <&>`))
    }
    for (let line = 1; line <= 30; line++) {
      const there = await other.hears('a line', (stanza) => stanza.is('message', NS_CLIENT))
      assert.equal(there.childText('body'), `there ${line} \u{1F339} <&>`)
      assert.equal(there.attrs.from, one.jid)
      const back = await one.hears('a line', (stanza) => stanza.is('message', NS_CLIENT))
      assert.equal(back.childText('body'), `back ${line} \u{1F339} <&>`)
    }
    one.leaves()
    await other.settles()
  })

  test(`${way}: a long message arrives whole, one that is too long ends the stream`, async (t) => {
    const client = await enter(t, dial, romeo, 'phone')
    const long = 'x'.repeat(200_000)
    client.sends(chat(client.jid, long))
    await client.hears('the long one', says(long))
    client.sends(chat(client.jid, 'y'.repeat(300_000)))
    await assert.rejects(client.settles(), /did not come/)
  })

  test(`${way}: who does not log in may not say much`, async (t) => {
    const client = await door(t, dial)
    client.sends(el('iq', NS_CLIENT, { type: 'get', id: 'x' }, el('query', 'a', null, 'x'.repeat(100_000))))
    await assert.rejects(
      client.hears('an answer', () => true),
      /did not come/,
    )
  })

  test(`${way}: a wrong password is told, and may be tried again`, async (t) => {
    const client = await door(t, dial)
    await assert.rejects(authenticate(client, { ...romeo, password: 'wrong' }), /not-authorized/)
    await authenticate(client, romeo)
    await bind(client, 'phone')
    await client.settles()
  })

  test(`${way}: logs in in one round trip, and again by token`, async (t) => {
    const first = await door(t, dial)
    const { token } = await authenticateQuickly(first, romeo)
    assert.ok(token)
    const second = await door(t, dial)
    await authenticateByToken(second, 'romeo', token)
    await second.hears('features', (one) => one.name === 'features')
  })

  test(`${way}: a session goes on after the connection broke`, async (t) => {
    const first = await enter(t, dial, romeo, 'phone')
    first.sends(el('presence', NS_CLIENT))
    first.sends(el('enable', SM, { resume: 'true' }))
    const { id } = (await first.hears('it is enabled', (one) => one.is('enabled', SM))).attrs
    first.countsAnew()
    first.sends(chat(first.jid, 'one'))
    await first.hears('one', says('one'))
    first.pipe.cut()
    const other = await enter(t, WAYS.TLS ?? dial, juliet, 'balcony')
    other.sends(chat(first.jid, 'two'))
    await other.settles()
    const second = await door(t, dial)
    await authenticate(second, romeo)
    second.sends(el('resume', SM, { previd: id, h: String(first.handled) }))
    assert.equal((await second.hears('it goes on', (one) => one.is('resumed', SM))).attrs.h, '1')
    await second.hears('two', says('two'))
  })

  test(`${way}: a stanza in somebody else's name ends the stream`, async (t) => {
    const client = await enter(t, dial, romeo, 'phone')
    client.sends(el('message', NS_CLIENT, { from: 'juliet@localhost', to: 'juliet@localhost' }))
    await assert.rejects(client.settles(), /invalid-from/)
  })

  test(`${way}: an administrator ends it`, async (t) => {
    const client = await enter(t, dial, romeo, 'phone')
    const session = [...place.server.sessions()].find(({ jid }) => `${jid}` === client.jid)
    place.server.endSession(session?.id ?? '')
    await assert.rejects(client.settles(), /reset/)
  })

  test(`${way}: many at once`, async (t) => {
    const clients = await Promise.all(Array.from({ length: 8 }, (_, i) => enter(t, dial, juliet, `many-${i}`)))
    await Promise.all(clients.map((client) => client.settles()))
  })
}
