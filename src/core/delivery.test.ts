// SPDX-License-Identifier: Apache-2.0
// Who gets what (RFC 6120 §10, RFC 6121 §8.5): every type to every kind of address, in every state of the account.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../test/support/cast.ts'
import { assertLike, error } from '../../test/support/match.ts'
import { ping } from '../xep/0199-ping.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { type Feature, PASS, type Verdict } from './feature.ts'

const REFUSED = error('cancel', 'service-unavailable')

/** Lets go of the messages that `slow` holds. */
let release: () => void = () => undefined

/** A feature that makes some stanzas wait, and fails at others. */
const slow: Feature = {
  name: 'slow',
  implements: [],
  setup: () => ({
    iq: [
      {
        at: ['server'],
        type: 'get',
        ns: 'urn:example:fails',
        answer() {
          throw new Error('a secret of the database')
        },
      },
      {
        at: ['server'],
        type: 'get',
        ns: 'urn:example:refuses',
        answer: () => Promise.reject(new StanzaError('modify', 'not-acceptable')),
      },
    ],
    onSend(stanza): Verdict | Promise<Verdict> {
      if (stanza.element.childText('body') !== 'slow') return PASS
      return new Promise((resolve) => {
        release = () => resolve(PASS)
      })
    },
    onDeliver(stanza): Verdict | Promise<Verdict> {
      return stanza.element.childText('status') === 'poison' ? Promise.reject(new Error('poisoned')) : PASS
    },
  }),
}

const stage = await theatre({ features: [ping, slow], hosts: ['localhost', 'capulet.example'] })

/** What becomes of a message: an error to its sender, silence, or these clients get it. */
type Fate = 'E' | 'S' | readonly string[]
type Row = readonly [to: string, fates: Readonly<Record<'normal' | 'chat' | 'groupchat' | 'headline' | 'error', Fate>>]

/** An account in some state, and the rows of table 1 (§8.5.4) for it; where it leaves a choice, the one we made. */
interface State {
  readonly what: string
  /** The priorities of the clients; undefined for one that is connected only. */
  readonly clients: Readonly<Record<string, string | undefined>>
  readonly exists: boolean
  readonly rows: readonly Row[]
}

const LOST: Row[1] = { normal: 'E', chat: 'E', groupchat: 'E', headline: 'S', error: 'S' }

function only(client: string): Row[1] {
  return { normal: [client], chat: [client], groupchat: [client], headline: [client], error: [client] }
}

const STATES: readonly State[] = [
  {
    what: 'no account',
    clients: {},
    exists: false,
    rows: [
      ['bare', LOST],
      ['nowhere', LOST],
    ],
  },
  {
    what: 'nobody there',
    clients: {},
    exists: true,
    rows: [
      ['bare', LOST],
      ['nowhere', LOST],
    ],
  },
  {
    what: 'connected, not available',
    clients: { a: undefined },
    exists: true,
    rows: [
      ['bare', LOST],
      ['a', only('a')],
      ['nowhere', LOST],
    ],
  },
  {
    what: 'negative only',
    clients: { a: '-1', b: '-128' },
    exists: true,
    rows: [
      ['bare', LOST],
      ['a', only('a')],
      ['nowhere', LOST],
    ],
  },
  {
    what: 'one non-negative',
    clients: { a: '0', b: '-1' },
    exists: true,
    rows: [
      ['bare', { normal: ['a'], chat: ['a'], groupchat: 'E', headline: ['a'], error: 'S' }],
      ['a', only('a')],
      ['b', only('b')],
      // A normal message to a client that is gone would be lost (§8.5.3.2.1); it goes the way of a chat message.
      ['nowhere', { normal: ['a'], chat: ['a'], groupchat: 'E', headline: 'S', error: 'S' }],
    ],
  },
  {
    what: 'many',
    clients: { a: '0', b: '10', c: '-1', d: undefined },
    exists: true,
    rows: [
      ['bare', { normal: ['a', 'b'], chat: ['a', 'b'], groupchat: 'E', headline: ['a', 'b'], error: 'S' }],
      ['a', only('a')],
      ['d', only('d')],
      ['nowhere', { normal: ['a', 'b'], chat: ['a', 'b'], groupchat: 'E', headline: 'S', error: 'S' }],
    ],
  },
]

let accounts = 0

for (const { what, clients, exists, rows } of STATES) {
  test(`messages: ${what} (§8.5.4)`, async () => {
    const { romeo } = await stage.scene('romeo')
    const name = `juliet-${++accounts}`
    const juliet = exists ? `${await stage.account(name)}` : `${name}@localhost`
    const actors = new Map<string, Actor>()
    for (const [resource, priority] of Object.entries(clients)) {
      const actor = await stage.enter(name, resource, false)
      if (priority !== undefined) actor.sends(`<presence><priority>${priority}</priority></presence>`)
      actors.set(resource, actor)
    }
    for (const actor of actors.values()) await actor.settles()
    for (const [where, fates] of rows) {
      const to = where === 'bare' ? juliet : `${juliet}/${where}`
      for (const [type, fate] of Object.entries(fates)) {
        const id = `${where} ${type}`
        romeo.sends(`<message type='${type}' to='${to}' id='${id}'><body>hi</body></message>`)
        if (fate === 'E') {
          await romeo.receives(`<message type='error' id='${id}' from='${to}' to='${romeo.full}'>${REFUSED}</message>`)
        }
        await romeo.receivesNothing()
        for (const client of fate === 'E' || fate === 'S' ? [] : fate) {
          const expected = `<message type='${type}' id='${id}' from='${romeo.full}' to='${to}'><body>hi</body></message>`
          await actors.get(client)?.receives(expected)
        }
        await nothingFor(...actors.values())
      }
    }
  })
}

test("a message without an address is for one's own account (RFC 6120 §10.3.1)", async () => {
  const { phone, laptop } = await stage.scene({ phone: 'romeo' }, { laptop: 'romeo' })
  await phone.settles()
  phone.sends(`<message><body>Note to self</body></message>`)
  for (const client of [phone, laptop]) {
    await client.receives(`<message from='${phone.full}' to='${phone.bare}'><body>Note to self</body></message>`)
  }
})

test("a message to one's own account reaches all one's clients", async () => {
  const { phone, laptop } = await stage.scene({ phone: 'romeo' }, { laptop: 'romeo' })
  await phone.settles()
  phone.sends(`<message type='chat' to='${phone.bare}'><body>Note to self</body></message>`)
  for (const client of [phone, laptop])
    await client.receives(`<message from='${phone.full}'><body>Note to self</body></message>`)
})

test('content arrives as it was sent, whatever its namespaces and prefixes', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  const content = `<x:a xmlns:x='urn:x' x:b='1'>&lt;&amp;<c xmlns=''> <d xmlns='urn:d'/></c></x:a><body>\u{1F339}&#10;</body>`
  romeo.sends(`<message to='${juliet.full}' xmlns:y='urn:y' y:z='2'>${content}</message>`)
  const message = await juliet.hears()
  assertLike(message, `<message xmlns='jabber:client'>${content}</message>`)
  assert.equal(message.attrs['{urn:y}z'], '2')
})

test('an iq to a client is its business; the answer finds its way back (§8.5.3.1)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<iq type='get' id='q' to='${juliet.full}'><query xmlns='urn:example:q'/></iq>`)
  await juliet.receives(
    `<iq type='get' id='q' from='${romeo.full}' to='${juliet.full}'><query xmlns='urn:example:q'/></iq>`,
  )
  juliet.sends(`<iq type='result' id='q' to='${romeo.full}'><query xmlns='urn:example:q'>42</query></iq>`)
  await romeo.receives(`<iq type='result' id='q' from='${juliet.full}'><query xmlns='urn:example:q'>42</query></iq>`)
  romeo.sends(`<iq type='set' id='q' to='${juliet.full}'><query xmlns='urn:example:q'/></iq>`)
  await juliet.hears()
  juliet.sends(`<iq type='error' id='q' to='${romeo.full}'>${error('auth', 'forbidden')}</iq>`)
  await romeo.receives(`<iq type='error' id='q' from='${juliet.full}'>${error('auth', 'forbidden')}</iq>`)
  await nothingFor(romeo, juliet)
})

test('an iq to an account is answered by the server, and never delivered (§8.5.2.1.3)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  for (const type of ['get', 'set'] as const) {
    const answer = await romeo.asks(type, `<query xmlns='urn:example:q'/>`, juliet.bare)
    assertLike(answer, `<iq type='error' from='${juliet.bare}' to='${romeo.full}'>${REFUSED}</iq>`)
  }
  await juliet.receivesNothing()
})

test('what nobody answers gets service-unavailable, wherever it is asked (RFC 6120 §10.3.3, RFC 6121 §8.5)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  const away = await stage.account(`away-${romeo.jid.local}`)
  const places = [
    'localhost',
    'localhost/x',
    romeo.bare,
    `${juliet.bare}/x`,
    `${away}`,
    `${away}/x`,
    'nobody@localhost',
    'nobody@localhost/x',
  ]
  for (const to of [undefined, ...places]) {
    const answer = await romeo.gets(`<query xmlns='urn:example:nobody'/>`, to)
    assertLike(answer, `<iq type='error'><query xmlns='urn:example:nobody'/>${REFUSED}</iq>`)
    if (to !== undefined) assert.equal(answer.attrs.from, to)
  }
  await nothingFor(romeo, juliet)
})

test('an answer is never answered (RFC 6120 §8.2.3)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  const places = [
    'localhost',
    juliet.bare,
    `${juliet.bare}/x`,
    'nobody@localhost',
    'nobody@localhost/x',
    'remote.example',
  ]
  for (const type of ['result', 'error']) {
    romeo.sends(`<iq type='${type}' id='q'/>`)
    for (const to of places) romeo.sends(`<iq type='${type}' id='q' to='${to}'/>`)
  }
  await nothingFor(romeo, juliet)
})

test('no error is sent for an error (RFC 6120 §8.3.1)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  for (const to of ['localhost', juliet.bare, `${juliet.bare}/x`, 'nobody@localhost', 'juliet@remote.example']) {
    romeo.sends(`<message type='error' to='${to}'>${REFUSED}</message>`)
    romeo.sends(`<presence type='error' to='${to}'>${REFUSED}</presence>`)
  }
  await nothingFor(romeo, juliet)
})

test('another server cannot be reached yet, and that is said (RFC 6120 §10.4.3)', async () => {
  const { romeo } = await stage.scene('romeo')
  const missing = error('cancel', 'remote-server-not-found')
  romeo.sends(`<message to='juliet@remote.example' id='m'><body>hi</body></message>`)
  await romeo.receives(
    `<message type='error' id='m' from='juliet@remote.example' to='${romeo.full}'>${missing}</message>`,
  )
  romeo.sends(`<iq type='get' id='q' to='remote.example'><ping xmlns='urn:xmpp:ping'/></iq>`)
  await romeo.receives(`<iq type='error' id='q' from='remote.example'>${missing}</iq>`)
})

test('a message to the server itself is refused', async () => {
  const { romeo } = await stage.scene('romeo')
  for (const to of ['localhost', 'localhost/admin', 'capulet.example']) {
    romeo.sends(`<message to='${to}'><body>hi</body></message>`)
    await romeo.receives(`<message type='error' from='${to}'>${REFUSED}</message>`)
  }
})

test('one name on two domains is two people', async () => {
  const { romeo } = await stage.scene('romeo')
  const here = await stage.enter('rosaline@localhost')
  const there = await stage.enter('rosaline@capulet.example')
  romeo.sends(`<message to='${there.bare}'><body>there</body></message>`)
  await there.receives(`<message from='${romeo.full}'><body>there</body></message>`)
  romeo.sends(`<message to='${here.bare}'><body>here</body></message>`)
  await here.receives(`<message from='${romeo.full}'><body>here</body></message>`)
  there.sends(`<message to='${here.full}'><body>namesake</body></message>`)
  await here.receives(`<message from='${there.full}'><body>namesake</body></message>`)
  assertLike(await there.gets(`<query xmlns='jabber:iq:roster'/>`, here.bare), `<iq type='error'>${REFUSED}</iq>`)
  await nothingFor(here, there)
})

test('addresses are compared in their prepared form (RFC 7622)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<message to='${juliet.bare.toUpperCase()}'><body>hi</body></message>`)
  await juliet.receives(`<message from='${romeo.full}'><body>hi</body></message>`)
})

test('stanzas of one client stay in order, also when one of them has to wait (RFC 6120 §10.1)', async () => {
  const { romeo, juliet, tybalt } = await stage.scene('romeo', 'juliet', 'tybalt')
  romeo.sends(`<message to='${juliet.full}'><body>first</body></message>`)
  romeo.sends(`<message to='${juliet.full}'><body>slow</body></message>`)
  romeo.sends(`<message to='${juliet.bare}'><body>third</body></message>`)
  romeo.sends(`<presence to='${juliet.bare}'/>`)
  await juliet.receives(`<message><body>first</body></message>`)
  tybalt.sends(`<message to='${juliet.full}'><body>I need not wait</body></message>`)
  await juliet.receives(`<message from='${tybalt.full}'/>`)
  await juliet.receivesNothing()
  release()
  await juliet.receives(`<message><body>slow</body></message>`)
  await juliet.receives(`<message><body>third</body></message>`)
  await juliet.receives(`<presence from='${romeo.full}'/>`)
})

test('a handler that fails says no more than that, and one that refuses says why', async () => {
  const { romeo } = await stage.scene('romeo')
  const failed = await romeo.gets(`<q xmlns='urn:example:fails'/>`, 'localhost')
  assertLike(failed, `<iq type='error'>${error('wait', 'internal-server-error')}</iq>`)
  assert.doesNotMatch(failed.xml(''), /secret/)
  const refused = await romeo.gets(`<q xmlns='urn:example:refuses'/>`, 'localhost')
  assertLike(refused, `<iq type='error'>${error('modify', 'not-acceptable')}</iq>`)
})

test('a hook that fails on the way to one client stops nothing else', async () => {
  const { romeo, juliet, balcony } = await stage.scene('romeo', 'juliet', { balcony: 'juliet' })
  await juliet.settles()
  romeo.sends(`<presence to='${juliet.bare}' id='p'><status>poison</status></presence>`)
  const answers = await romeo.hearsOut()
  assert.ok(answers.every((answer) => answer.attrs.type === 'error' && answer.attrs.id === 'p'))
  juliet.sends(`<presence><status>poison</status></presence>`)
  await juliet.hearsOut()
  romeo.sends(`<message to='${juliet.bare}'><body>still there?</body></message>`)
  for (const client of [juliet, balcony]) await client.receives(`<message><body>still there?</body></message>`)
})
