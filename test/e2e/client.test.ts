// SPDX-License-Identifier: Apache-2.0
// Somebody else's client (xmpp.js) against the whole server, over STARTTLS, over direct TLS and over WebSocket.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { client, type XmlElement, type XmppClient, xml } from '@xmpp/client'
import { Jid } from '../../src/xmpp/jid.ts'
import { type Loopback, loopback } from '../support/loopback.ts'

const ROSTER = 'jabber:iq:roster'

// All that xmpp.js can do beside PLAIN, and it takes the first that it can.
async function verona(): Promise<Loopback> {
  const at = await loopback({ hashes: ['SCRAM-SHA-1', 'SCRAM-SHA-256'] })
  for (const name of ['romeo', 'juliet']) await at.accounts.add(Jid.of(name, 'localhost'), 'secret')
  return at
}

const place = await verona()

/** One client with all that it has heard. */
class Person {
  readonly xmpp: XmppClient
  readonly disconnected: Promise<void>
  /** Its full JID, once it is logged in. */
  full = ''
  readonly #heard: XmlElement[] = []
  readonly #errors: string[] = []
  #changed: () => void = () => undefined

  constructor(xmpp: XmppClient) {
    this.xmpp = xmpp
    xmpp.reconnect.stop()
    xmpp.on('stanza', (stanza) => {
      this.#heard.push(stanza)
      this.#changed()
    })
    xmpp.on('error', (error) => {
      this.#errors.push(error.condition ?? error.message)
    })
    this.disconnected = new Promise((resolve) => xmpp.on('disconnect', resolve))
  }

  /** The conditions of the stream errors that it got. */
  get errors(): readonly string[] {
    return this.#errors
  }

  /** The first stanza like this, now or later. */
  async hears(what: (stanza: XmlElement) => boolean): Promise<XmlElement> {
    for (;;) {
      const index = this.#heard.findIndex(what)
      const [found] = index < 0 ? [] : this.#heard.splice(index, 1)
      if (found) return found
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  says(to: string, text: string): Promise<void> {
    return this.xmpp.send(xml('message', { type: 'chat', to }, xml('body', {}, text)))
  }

  presence(attrs: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.xmpp.send(xml('presence', attrs))
  }
}

/** The same for the same client each time. */
function userAgent(username: string, resource: string): XmlElement {
  const hash = createHash('sha256').update(`${username}/${resource}`).digest('hex')
  const id = hash.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5')
  return xml('user-agent', { id }, xml('software', {}, 'xmpp.js'))
}

const WAYS = ['starttls', 'direct', 'wss', 'ws'] as const
type Way = (typeof WAYS)[number]

function serviceOf(way: Way, { plain, direct, https, http }: Loopback): string {
  if (way === 'starttls') return `xmpp://localhost:${plain}`
  if (way === 'direct') return `xmpps://localhost:${direct}`
  return `${way}://localhost:${way === 'wss' ? https : http}/xmpp-websocket`
}

/** Logs somebody in: by SASL2, whose Bind 2 makes a resource of the wanted one and a text of its own. */
async function person(username: string, resource: string, way: Way, at: Loopback = place): Promise<Person> {
  const service = serviceOf(way, at)
  const who = { username, password: 'secret', userAgent: userAgent(username, resource) }
  const one = new Person(client({ service, domain: 'localhost', resource, ...who }))
  one.full = `${await one.xmpp.start()}`
  assert.ok(one.full.startsWith(`${username}@localhost/${resource}/`), one.full)
  return one
}

function isFrom(name: string, from: string, type?: string): (stanza: XmlElement) => boolean {
  return (stanza) => stanza.is(name) && stanza.attrs.from === from && stanza.attrs.type === type
}

for (const way of WAYS) {
  test(`xmpp.js logs in by SCRAM and leaves (${way})`, async () => {
    const romeo = await person('romeo', 'phone', way)
    const session = [...place.server.sessions()].find(({ jid }) => `${jid}` === romeo.full)
    assert.equal(session?.login.mechanism, 'SCRAM-SHA-1')
    assert.equal(session?.login.encrypted, true)
    await romeo.xmpp.stop()
    assert.equal(romeo.xmpp.status, 'offline')
    assert.deepEqual(romeo.errors, [])
  })
}

test('xmpp.js comes again by the token that it got, as the same client', async () => {
  const romeo = await person('romeo', 'laptop', 'direct')
  await romeo.xmpp.stop()
  assert.equal(`${await romeo.xmpp.start()}`, romeo.full)
  const session = [...place.server.sessions()].find(({ jid }) => `${jid}` === romeo.full)
  assert.equal(session?.login.mechanism, 'HT-SHA-256-NONE')
  assert.equal(session?.login.client?.software, 'xmpp.js')
  await romeo.xmpp.stop()
  assert.deepEqual(romeo.errors, [])
})

test('a wrong password is told', async () => {
  const service = `xmpps://localhost:${place.direct}`
  const nobody = new Person(client({ service, domain: 'localhost', username: 'romeo', password: 'wrong' }))
  await assert.rejects(nobody.xmpp.start(), { condition: 'not-authorized' })
  await nobody.xmpp.stop()
})

for (const [first, second] of [
  ['starttls', 'direct'],
  ['wss', 'ws'],
] as const) {
  test(`two people meet, follow each other and chat (${first}, ${second})`, async () => {
    const at = await verona()
    const [romeo, juliet] = [await person('romeo', 'phone', first, at), await person('juliet', 'balcony', second, at)]
    const [r, j] = ['romeo@localhost', 'juliet@localhost']
    for (const one of [romeo, juliet]) {
      const roster = await one.xmpp.iqCaller.get(xml('query', { xmlns: ROSTER }))
      assert.equal(roster?.getChildren('item').length, 0)
      await one.presence()
    }
    await romeo.hears(isFrom('presence', romeo.full))
    await juliet.hears(isFrom('presence', juliet.full))
    await romeo.presence({ type: 'subscribe', to: j })
    await juliet.hears(isFrom('presence', r, 'subscribe'))
    await juliet.presence({ type: 'subscribed', to: r })
    await juliet.presence({ type: 'subscribe', to: r })
    await romeo.hears(isFrom('presence', j, 'subscribed'))
    await romeo.hears(isFrom('presence', juliet.full))
    await romeo.hears(isFrom('presence', j, 'subscribe'))
    await romeo.presence({ type: 'subscribed', to: j })
    await juliet.hears(isFrom('presence', romeo.full))
    const roster = await romeo.xmpp.iqCaller.get(xml('query', { xmlns: ROSTER }))
    assert.deepEqual(
      roster?.getChildren('item').map(({ attrs }) => `${attrs.jid} ${attrs.subscription}`),
      [`${j} both`],
    )

    for (let line = 1; line <= 20; line++) {
      await romeo.says(j, `line ${line} \u{1F339} <&>`)
      const heard = await juliet.hears(isFrom('message', romeo.full, 'chat'))
      assert.equal(heard.getChildText('body'), `line ${line} \u{1F339} <&>`)
    }
    await juliet.says(romeo.full, 'Good night')
    assert.equal((await romeo.hears(isFrom('message', juliet.full, 'chat'))).getChildText('body'), 'Good night')

    await juliet.xmpp.stop()
    await romeo.hears(isFrom('presence', juliet.full, 'unavailable'))
    await romeo.says(j, 'Parting is such sweet sorrow')
    const bounced = await romeo.hears(isFrom('message', j, 'error'))
    assert.ok(bounced.getChild('error')?.getChild('service-unavailable'))
    await romeo.xmpp.stop()
    assert.deepEqual([...romeo.errors, ...juliet.errors], [])
  })
}

for (const way of ['direct', 'wss'] as const) {
  test(`a second client with the same resource ends the first (${way})`, async () => {
    const first = await person('romeo', 'phone', way)
    const second = await person('romeo', 'phone', 'starttls')
    await first.disconnected
    assert.deepEqual(first.errors, ['conflict'])
    await second.says(second.full, 'It is I')
    await second.hears(isFrom('message', second.full, 'chat'))
    await second.xmpp.stop()
  })

  test(`a server that stops sends its clients away (${way})`, async () => {
    const small = await loopback({ hashes: ['SCRAM-SHA-1'] })
    await small.accounts.add(Jid.of('romeo', 'localhost'), 'secret')
    const romeo = await person('romeo', 'phone', way, small)
    await small.server.stop()
    await romeo.disconnected
    assert.deepEqual(romeo.errors, ['system-shutdown'])
  })
}
