// SPDX-License-Identifier: Apache-2.0
// Logging in by SASL2 (XEP-0388): in one round trip, with a resource (XEP-0386) and stronger verifiers (XEP-0480), and every
// way to get it wrong. Tokens are in fast.test.ts.
import assert from 'node:assert/strict'
import { createHash, pbkdf2Sync, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Actor, type Stranger, theatre } from '../../test/support/cast.ts'
import { MemoryLink } from '../../test/support/memory-link.ts'
import { fieldsOf, ScramClient } from '../accounts/scram-client.ts'
import type { Directory } from '../core/directory.ts'
import type { Feature, FeatureContext, Hooks } from '../core/feature.ts'
import { ping } from '../xep/0199-ping.ts'
import { el } from '../xml/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'

const SASL2 = 'urn:xmpp:sasl:2'
const BIND2 = 'urn:xmpp:bind:0'
const AGENT = 'd4565fa7-4d72-4749-b3d3-740edbf87770'

/** A resumption that takes its time. */
const waits = { begun: Promise.withResolvers<void>(), over: Promise.withResolvers<void>() }
/** Something asked for with binding that does. */
const slow = { begun: Promise.withResolvers<void>(), over: Promise.withResolvers<void>() }
/** Set at the start: what is in memory. */
let directory: Directory

/** A feature that takes part in binding, and one that resumes what is not there. */
const inline: Feature = {
  name: 'inline',
  implements: [],
  setup: (ctx) => {
    directory = ctx.directory
    return hooksOf(ctx)
  },
}

function hooksOf(ctx: FeatureContext): Hooks {
  return {
    inline: {
      login: [el('sm', 'urn:test:sm')],
      bind: ['urn:test:copies'],
      onBind: {
        'urn:test:copies enable': (_, client) => el('enabled', 'urn:test:copies', { for: client.jid.toString() }),
        'urn:test:copies fail': () => {
          throw new StreamError('policy-violation')
        },
        'urn:test:copies slow': () => {
          slow.begun.resolve()
          return slow.over.promise.then(() => el('slow', 'urn:test:copies'))
        },
        'urn:test:copies later': () => Promise.resolve(el('done', 'urn:test:copies')),
      },
    },
    resume({ element, jid, link }) {
      if (element.is('wait', 'urn:test:sm')) {
        waits.begun.resolve()
        return waits.over.promise.then(() => ({
          answer: el('failed', 'urn:test:sm'),
          session: undefined,
          replay: () => undefined,
        }))
      }
      if (!element.is('resume', 'urn:test:sm')) return undefined
      const session = ctx.directory.loaded(jid.toString())?.sessions.get(element.attrs.previd ?? '')
      return {
        answer: el(session ? 'resumed' : 'failed', 'urn:test:sm'),
        session,
        replay: () => link.send(el('again', 'urn:test:sm')),
      }
    },
  }
}

const stage = await theatre({
  features: [ping, inline],
  limits: { sessionsPerAccount: 2 },
  sasl: { hashes: ['SCRAM-SHA-512', 'SCRAM-SHA-256'] },
})
let people = 0
let networks = 0

function person(): Promise<Jid> {
  return stage.account(`juliet${++people}`)
}

async function stranger(attrs: Readonly<Record<string, string>> = {}): Promise<Stranger> {
  const client = stage.stranger(new MemoryLink({ address: `192.0.2.${++networks}` }))
  await client.opens('localhost', attrs)
  return client
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** An `<authenticate/>` by PLAIN. @param more elements to go with it */
function authenticate(jid: Jid, more = '', password = 'secret'): string {
  const data = base64(`\0${jid.local}\0${password}`)
  return `<authenticate xmlns='${SASL2}' mechanism='PLAIN'><initial-response>${data}</initial-response>${more}</authenticate>`
}

function bind(more = ''): string {
  return `<bind xmlns='${BIND2}'>${more}</bind>`
}

function agent(id = AGENT): string {
  return `<user-agent id='${id}'><software>App</software><device>Phone</device></user-agent>`
}

function failure(condition: string): string {
  return `<failure xmlns='${SASL2}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>`
}

/** Logs in and binds, and gives the client. */
async function enters(jid: Jid, more: string, client?: Stranger): Promise<Actor> {
  const one = client ?? (await stranger())
  one.sends(authenticate(jid, more))
  const success = await one.receives(`<success xmlns='${SASL2}'><bound xmlns='${BIND2}'/></success>`)
  await one.receives('<features/>')
  return new Actor(one.link, Jid.parse(success.childText('authorization-identifier')))
}

test('what can be done in one round trip is on offer (XEP-0388 §2.1)', async () => {
  const client = stage.stranger(new MemoryLink({ bindings: { 'tls-exporter': Buffer.alloc(32) } }))
  const features = await client.opens()
  const offer = features.child('authentication', SASL2)
  assert.deepEqual(
    offer?.childrenNamed('mechanism').map(({ text }) => text),
    ['SCRAM-SHA-512-PLUS', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'],
  )
  assert.equal(
    offer?.child('inline')?.xml(SASL2),
    `<inline><bind xmlns='${BIND2}'><inline><feature var='urn:test:copies'/></inline></bind>` +
      `<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast>` +
      `<sm xmlns='urn:test:sm'/></inline>`,
  )
  assert.deepEqual(
    offer?.childrenNamed('upgrade', 'urn:xmpp:sasl:upgrade:0').map(({ text }) => text),
    ['UPGR-SCRAM-SHA-512', 'UPGR-SCRAM-SHA-256'],
  )
})

test('nothing is on offer before TLS', async () => {
  const features = await stage.stranger(new MemoryLink({ encrypted: false })).opens()
  assert.equal(features.child('authentication', SASL2), undefined)
})

test('success is followed by features at once, and one binds as ever (XEP-0388 §2.6.1)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(authenticate(juliet))
  const success = await client.receives(
    `<success xmlns='${SASL2}'><authorization-identifier>${juliet}</authorization-identifier></success>`,
  )
  assert.equal(success.child('additional-data'), undefined)
  const features = await client.receives('<features/>')
  assert.ok(features.child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'))
  assert.equal(features.child('authentication', SASL2), undefined)
  assert.equal(client.link.allowed, 262_144)
  client.sends(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
  await client.receives(`<iq type='result' id='b'/>`)
})

test('SCRAM proves both to each other, and covers what SASL2 offered (XEP-0474)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: juliet.local ?? '', password: 'secret' })
  client.sends(
    `<authenticate xmlns='${SASL2}' mechanism='SCRAM-SHA-256'><initial-response>${scram.first}</initial-response></authenticate>`,
  )
  const challenge = await client.receives(`<challenge xmlns='${SASL2}'/>`)
  const offered = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'].join('\x1e')
  const hash = createHash('sha256').update(offered).digest('base64')
  assert.equal(fieldsOf(Buffer.from(challenge.text, 'base64').toString()).get('h'), hash)
  client.sends(`<response xmlns='${SASL2}'>${scram.final(challenge.text)}</response>`)
  const success = await client.receives(`<success xmlns='${SASL2}'/>`)
  assert.ok(scram.trusts(success.childText('additional-data') ?? ''))
})

test('a wrong password and an unknown name fail alike, and one may try again', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(authenticate(juliet, bind(), 'wrong'))
  const wrong = await client.receives(failure('not-authorized'))
  client.sends(authenticate(Jid.parse('nobody@localhost'), bind()))
  assert.equal((await client.receives(failure('not-authorized'))).xml(''), wrong.xml(''))
  await enters(juliet, bind(), client)
})

test('six failures end the stream, whichever profile they were in (RFC 6120 §6.4.5)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  for (let tries = 0; tries < 3; tries++) {
    client.sends(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>`)
    await client.receives(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    client.sends(`<authenticate xmlns='${SASL2}' mechanism='NONE'/>`)
    await client.receives(failure('invalid-mechanism'))
  }
  client.sends(authenticate(juliet))
  await client.isClosed('policy-violation')
})

const MISTAKES: readonly (readonly [what: string, sent: string, condition: string])[] = [
  ['no mechanism', `<authenticate xmlns='${SASL2}'/>`, 'invalid-mechanism'],
  ['a mechanism that is not on offer', `<authenticate xmlns='${SASL2}' mechanism='EXTERNAL'/>`, 'invalid-mechanism'],
  [
    'something that is not Base64',
    `<authenticate xmlns='${SASL2}' mechanism='PLAIN'><initial-response>=</initial-response></authenticate>`,
    'incorrect-encoding',
  ],
  ['a response to nothing', `<response xmlns='${SASL2}'/>`, 'malformed-request'],
  ['a task that nobody set', `<next xmlns='${SASL2}' task='UPGR-SCRAM-SHA-512'/>`, 'malformed-request'],
  ['abort, with nothing to abort', `<abort xmlns='${SASL2}'/>`, 'aborted'],
  [
    'a token without saying that it is one',
    `<authenticate xmlns='${SASL2}' mechanism='HT-SHA-256-NONE'/>`,
    'invalid-mechanism',
  ],
]

for (const [what, sent, condition] of MISTAKES) {
  test(`${what}: ${condition}, and one may try again`, async () => {
    const [juliet, client] = [await person(), await stranger()]
    client.sends(sent)
    await client.receives(failure(condition))
    await enters(juliet, bind(), client)
  })
}

const INTERRUPTIONS: readonly (readonly [what: string, sent: string])[] = [
  ['another login', `<authenticate xmlns='${SASL2}' mechanism='PLAIN'/>`],
  ['a login of the other profile', `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>`],
  ['a stanza', `<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>`],
  ['a task', `<next xmlns='${SASL2}' task='UPGR-SCRAM-SHA-512'/>`],
]

for (const [what, sent] of INTERRUPTIONS) {
  test(`${what} amid a login ends the stream (XEP-0388 §2.4)`, async () => {
    const client = await stranger()
    client.sends(`<authenticate xmlns='${SASL2}' mechanism='PLAIN'/>`)
    await client.receives(`<challenge xmlns='${SASL2}'/>`)
    client.sends(sent)
    await client.isClosed('policy-violation')
  })
}

test('a login can be aborted, and begun again', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(`<authenticate xmlns='${SASL2}' mechanism='PLAIN'/>`)
  await client.receives(`<challenge xmlns='${SASL2}'/>`)
  client.sends(`<abort xmlns='${SASL2}'/>`)
  await client.receives(failure('aborted'))
  await enters(juliet, bind(), client)
})

test('nobody logs in twice', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(authenticate(juliet))
  client.sends(authenticate(juliet))
  await client.receives(`<success xmlns='${SASL2}'/>`)
  await client.receives('<features/>')
  await client.isClosed('not-authorized')
})

test('who has a session neither logs in nor binds again', async () => {
  const [first, second] = [await enters(await person(), bind()), await enters(await person(), bind())]
  first.sends(authenticate(first.jid))
  await first.isClosed('unsupported-stanza-type')
  const again = await second.sets(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`)
  assert.equal(again.attrs.type, 'error')
})

test('who says from the beginning who it is must be that (XEP-0388 §2.3)', async () => {
  const juliet = await person()
  const liar = await stranger({ from: 'romeo@localhost' })
  liar.sends(authenticate(juliet))
  await liar.receives(failure('invalid-authzid'))
  await enters(juliet, bind(), await stranger({ from: juliet.toString() }))
})

test('a resource is made of the tag and a text that is always the same for a client (XEP-0386 §3.2.1)', async () => {
  const juliet = await person()
  const one = await enters(juliet, bind('<tag>App</tag>') + agent())
  assert.match(one.jid.resource ?? '', /^App\/[\w-]{12}$/)
  await one.settles()
  const again = await enters(juliet, bind('<tag>App</tag>') + agent())
  await one.isClosed('conflict')
  assert.ok(again.jid.equals(one.jid))
  const retagged = await enters(juliet, bind('<tag>Other</tag>') + agent())
  await again.isClosed('conflict') // it is the same client
  const other = await enters(await person(), bind('<tag>App</tag>') + agent())
  assert.notEqual(other.jid.resource, one.jid.resource)
  assert.doesNotMatch(`${one.jid}${retagged.jid}${other.jid}`, new RegExp(AGENT.slice(0, 8)))
})

test('without a user agent, or with one that is none, the resource is new each time', async () => {
  const juliet = await person()
  const [one, other] = [await enters(juliet, bind()), await enters(juliet, bind() + agent('x'.repeat(9000)))]
  assert.notEqual(one.jid.resource, other.jid.resource)
  await one.settles()
})

for (const tag of ['', 'x'.repeat(5000), '&#x2028;', 'a\u0007'.slice(0, 1).repeat(101)]) {
  test(`a tag that cannot be part of a resource is left out (${tag.slice(0, 9)})`, async () => {
    assert.match((await enters(await person(), bind(`<tag>${tag}</tag>`))).jid.resource ?? '', /^[\w-]{12}$/)
  })
}

test('what a client calls itself and its device is known, in one short line', async () => {
  const juliet = await person()
  const long = `<user-agent id='${AGENT}'><software>A&#10;&#x9b;B</software><device>${'d'.repeat(3000)}</device></user-agent>`
  const actor = await enters(juliet, bind() + long)
  const session = [...stage.server.sessions()].find(({ jid }) => jid.equals(actor.jid))
  assert.equal(session?.login.client?.software, 'A B')
  assert.equal(session?.login.client?.device?.length, 100)
})

test('features take part in binding, each element once (XEP-0386 §3.2)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const wishes = [
    `<enable xmlns='urn:test:copies'/>`,
    `<later xmlns='urn:test:copies'/>`,
    `<what xmlns='urn:test:no'/>`,
  ]
  client.sends(authenticate(juliet, bind([...wishes, ...wishes].join(''))))
  const success = await client.receives(`<success xmlns='${SASL2}'/>`)
  const full = success.childText('authorization-identifier')
  assert.equal(
    success.child('bound', BIND2)?.xml(SASL2),
    `<bound xmlns='${BIND2}'><enabled xmlns='urn:test:copies' for='${full}'/><done xmlns='urn:test:copies'/></bound>`,
  )
  const features = await client.receives('<features/>')
  assert.equal(features.child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'), undefined)
})

test('what a feature refuses ends the stream, and leaves no session behind', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(authenticate(juliet, bind(`<fail xmlns='urn:test:copies'/>`)))
  await client.isClosed('policy-violation')
  assert.ok([...stage.server.sessions()].every(({ account }) => !account.jid.equals(juliet)))
})

test('a session that cannot be resumed is told so, and a new one begins (XEP-0386 §3.2)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(authenticate(juliet, `<resume xmlns='urn:test:sm' previd='x'/>${bind()}`))
  await client.receives(`<success xmlns='${SASL2}'><failed xmlns='urn:test:sm'/><bound xmlns='${BIND2}'/></success>`)
})

test('a session that is resumed is not bound again, and what it missed comes after the features', async () => {
  const juliet = await person()
  const before = await enters(juliet, bind())
  const client = await stranger()
  client.sends(authenticate(juliet, `<resume xmlns='urn:test:sm' previd='${before.jid.resource}'/>${bind()}`))
  const success = await client.receives(`<success xmlns='${SASL2}'><resumed xmlns='urn:test:sm'/></success>`)
  assert.equal(success.child('bound', BIND2), undefined)
  assert.equal(success.childText('authorization-identifier'), before.jid.toString())
  assert.equal((await client.receives('<features/>')).child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'), undefined)
  await client.receives(`<again xmlns='urn:test:sm'/>`)
})

test("somebody else's session is not there to be resumed", async () => {
  const [juliet, romeo, client] = [await person(), await person(), await stranger()]
  const before = await enters(juliet, bind())
  client.sends(authenticate(romeo, `<resume xmlns='urn:test:sm' previd='${before.jid.resource}'/>`))
  await client.receives(`<success xmlns='${SASL2}'><failed xmlns='urn:test:sm'/></success>`)
  assert.ok((await client.receives('<features/>')).child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'))
})

test('inline wishes of a login that failed are not carried out (XEP-0388 §2.6.2)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(authenticate(juliet, bind(), 'wrong'))
  await client.receives(failure('not-authorized'))
  assert.ok([...stage.server.sessions()].every(({ account }) => !account.jid.equals(juliet)))
})

test('there are not too many clients of one account', async () => {
  const juliet = await person()
  const [one, other, client] = [await enters(juliet, bind()), await enters(juliet, bind()), await stranger()]
  client.sends(authenticate(juliet, bind()))
  await client.isClosed('resource-constraint')
  await one.settles()
  await other.settles()
})

const UPGRADE = `<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>`

/** Goes through a login until the server says with what to salt the password. */
async function upgrades(jid: Jid): Promise<{ client: Stranger; salt: Buffer; iterations: number }> {
  const client = await stranger()
  client.sends(authenticate(jid, UPGRADE + bind()))
  await client.receives(`<continue xmlns='${SASL2}'><tasks><task>UPGR-SCRAM-SHA-512</task></tasks></continue>`)
  client.sends(`<next xmlns='${SASL2}' task='UPGR-SCRAM-SHA-512'/>`)
  const data = await client.receives(`<task-data xmlns='${SASL2}'><salt xmlns='urn:xmpp:scram-upgrade:0'/></task-data>`)
  const salt = data.child('salt', 'urn:xmpp:scram-upgrade:0')
  return { client, salt: Buffer.from(salt?.text ?? '', 'base64'), iterations: Number(salt?.attrs.iterations) }
}

function hashed(data: Buffer): string {
  return `<task-data xmlns='${SASL2}'><hash xmlns='urn:xmpp:scram-upgrade:0'>${data.toString('base64')}</hash></task-data>`
}

test('an account gets the stronger verifier that it lacks, and logs in with it (XEP-0480)', async () => {
  const juliet = await person()
  const { client, salt, iterations } = await upgrades(juliet)
  client.sends(hashed(pbkdf2Sync('secret', salt, iterations, 64, 'sha512')))
  await client.receives(`<success xmlns='${SASL2}'><bound xmlns='${BIND2}'/></success>`)
  const scram = new ScramClient({ hash: 'SCRAM-SHA-512', username: juliet.local ?? '', password: 'secret' })
  const next = await stranger()
  next.sends(scram.auth)
  next.sends(scram.response((await next.hears()).text))
  assert.equal((await next.hears()).name, 'success')
  await enters(juliet, UPGRADE + bind()) // it is not asked for again
})

test('a hash that is none is refused, and the account is as it was', async () => {
  for (const bad of [Buffer.alloc(0), Buffer.alloc(63), Buffer.alloc(65)]) {
    const juliet = await person()
    const { client } = await upgrades(juliet)
    client.sends(hashed(bad))
    await client.receives(failure('malformed-request'))
    client.sends(authenticate(juliet))
    await client.isClosed('policy-violation')
    assert.equal((await stage.store.accounts.find(juliet))?.verifiers.length, 1)
  }
})

test('a password that changes amid an upgrade ends it', async () => {
  const juliet = await person()
  const { client } = await upgrades(juliet)
  await stage.accounts.setPassword(juliet, randomUUID())
  await client.isClosed('not-authorized')
})

test('an account that is removed while a resumption is waited for does not come back', async () => {
  const jid = await person()
  const romeo = await enters(await person(), bind())
  const client = await stranger()
  client.sends(authenticate(jid, `<wait xmlns='urn:test:sm'/>${bind()}`))
  await waits.begun.promise
  await stage.accounts.remove(jid)
  waits.over.resolve()
  await client.isClosed('not-authorized')
  await romeo.settles()
  romeo.sends(`<message type='headline' to='${jid}'/>`)
  romeo.sends(`<iq type='get' id='q' to='${jid}'><query xmlns='urn:test:copies'/></iq>`)
  await romeo.receives(`<iq type='error' id='q'/>`)
  assert.equal(directory.loaded(jid.toString()), undefined)
})

test('what comes for a client that does not know yet that it is bound comes after it was told', async () => {
  const jid = await person()
  const romeo = await enters(await person(), bind())
  const client = await stranger()
  client.sends(authenticate(jid, `${agent()}${bind(`<tag>x</tag><slow xmlns='urn:test:copies'/>`)}`))
  await slow.begun.promise
  const full = [...stage.server.sessions()].find((session) => session.jid.bare.equals(jid))?.jid.toString() ?? ''
  romeo.sends(`<message to='${full}' id='1'><body>early</body></message>`)
  romeo.sends(`<message to='${full}' id='2'><body>early, too</body></message>`)
  await romeo.settles()
  slow.over.resolve()
  await client.receives(
    `<success xmlns='${SASL2}'><bound xmlns='${BIND2}'><slow xmlns='urn:test:copies'/></bound></success>`,
  )
  await client.receives('<features/>')
  await client.receives(`<message id='1'/>`)
  await client.receives(`<message id='2'/>`)
  romeo.sends(`<message to='${full}' id='3'><body>now</body></message>`)
  await client.receives(`<message id='3'/>`)
})
