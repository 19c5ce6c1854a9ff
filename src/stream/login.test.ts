// SPDX-License-Identifier: Apache-2.0
// Logging in (RFC 6120 §6): what succeeds, every way to fail, and that nobody learns from it who has an account.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, type Stranger, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { MemoryLink } from '../../test/support/memory-link.ts'
import { fieldsOf, ScramClient } from '../accounts/scram-client.ts'
import { ping } from '../xep/0199-ping.ts'
import type { Jid } from '../xmpp/jid.ts'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'

const clock = new FakeClock()
const stage = await theatre({ features: [ping], clock, limits: { loginTimeout: 3_600_000 } })
let people = 0
let networks = 0

/** Somebody with an account, whom nobody has tried to log in as before. */
function person(): Promise<Jid> {
  return stage.account(`juliet${++people}`)
}

/** An open, encrypted stream, from a network that has done nothing wrong yet. */
async function stranger(address = `192.0.2.${++networks}`): Promise<Stranger> {
  const client = stage.stranger(new MemoryLink({ address }))
  await client.opens()
  return client
}

function begin(mechanism: string, data = ''): string {
  return `<auth xmlns='${SASL}' mechanism='${mechanism}'>${data}</auth>`
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** The whole `<failure/>`. */
function failure(condition: string): string {
  return `<failure xmlns='${SASL}'><${condition}/></failure>`
}

test('PLAIN with the right password succeeds, and the stream begins again with bind on offer', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(auth(juliet.local ?? '', 'secret'))
  await client.receives(`<success xmlns='${SASL}'/>`)
  const features = await client.opens()
  assert.ok(features.child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'))
  assert.equal(features.child('mechanisms', SASL), undefined)
})

test('larger stanzas are allowed only to who has logged in', async () => {
  const [juliet, client] = [await person(), await stranger()]
  assert.equal(client.link.allowed, 0)
  client.sends(auth(juliet.local ?? '', 'secret'))
  await client.receives(`<success xmlns='${SASL}'/>`)
  assert.equal(client.link.allowed, 262_144)
})

test('PLAIN without an initial response is asked for one (§6.4.2)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(begin('PLAIN'))
  assert.equal((await client.receives(`<challenge xmlns='${SASL}'/>`)).text, '=')
  client.sends(`<response xmlns='${SASL}'>${base64(`\0${juliet.local}\0secret`)}</response>`)
  await client.receives(`<success xmlns='${SASL}'/>`)
})

test('SCRAM proves both to each other', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: juliet.local ?? '', password: 'secret' })
  client.sends(scram.auth)
  const challenge = await client.receives(`<challenge xmlns='${SASL}'/>`)
  client.sends(scram.response(challenge.text))
  const success = await client.receives(`<success xmlns='${SASL}'/>`)
  assert.ok(scram.trusts(success.text))
})

test('SCRAM bound to the channel succeeds on that channel only', async () => {
  const juliet = await person()
  const data = Buffer.alloc(32, 1)
  const tries = async (mine: Buffer): Promise<string> => {
    const client = stage.stranger(new MemoryLink({ bindings: { 'tls-exporter': data }, address: '198.51.100.1' }))
    await client.opens()
    const binding = { type: 'tls-exporter', data: mine }
    const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: juliet.local ?? '', password: 'secret', binding })
    client.sends(scram.auth)
    client.sends(scram.response((await client.receives(`<challenge xmlns='${SASL}'/>`)).text))
    return (await client.hears()).name
  }
  assert.equal(await tries(data), 'success')
  assert.equal(await tries(Buffer.alloc(32, 2)), 'failure')
})

test('one acts as oneself, and as nobody else (§6.3.8)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(begin('PLAIN', base64(`romeo@localhost\0${juliet.local}\0secret`)))
  await client.receives(failure('invalid-authzid'))
  client.sends(begin('PLAIN', base64(`${juliet}\0${juliet.local}\0secret`)))
  await client.receives(`<success xmlns='${SASL}'/>`)
})

const MISTAKES: readonly (readonly [what: string, sent: string, condition: string])[] = [
  ['a mechanism that is not on offer', begin('CRAM-MD5'), 'invalid-mechanism'],
  ['a mechanism that this connection cannot do', begin('SCRAM-SHA-256-PLUS', '='), 'invalid-mechanism'],
  ['no mechanism at all', `<auth xmlns='${SASL}'>=</auth>`, 'invalid-mechanism'],
  ['something that is not Base64', begin('PLAIN', '!'), 'incorrect-encoding'],
  ['Base64 with white space', begin('PLAIN', 'AAAA AAAA'), 'incorrect-encoding'],
  ['Base64 without its padding', begin('PLAIN', 'AA'), 'incorrect-encoding'],
  ['nothing where something must be', begin('PLAIN', '='), 'malformed-request'],
  ['PLAIN without a password', begin('PLAIN', base64('\0juliet\0')), 'malformed-request'],
  ['PLAIN that is not UTF-8', begin('PLAIN', Buffer.from([0, 0xff, 0, 0x61]).toString('base64')), 'malformed-request'],
  ['SCRAM that is none', begin('SCRAM-SHA-256', base64('hello')), 'malformed-request'],
  ['an answer to no question', `<response xmlns='${SASL}'>=</response>`, 'malformed-request'],
  ['an element that SASL does not have', `<challenge xmlns='${SASL}'/>`, 'malformed-request'],
  ['abort, with nothing to abort', `<abort xmlns='${SASL}'/>`, 'aborted'],
]

for (const [what, sent, condition] of MISTAKES) {
  test(`${what}: ${condition}, and one may try again`, async () => {
    const [juliet, client] = [await person(), await stranger()]
    client.sends(sent)
    await client.receives(failure(condition))
    client.sends(auth(juliet.local ?? '', 'secret'))
    await client.receives(`<success xmlns='${SASL}'/>`)
  })
}

test('an exchange can be aborted, and its rest is not understood any more (§6.4.4)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: juliet.local ?? '', password: 'secret' })
  client.sends(scram.auth)
  const challenge = await client.receives(`<challenge xmlns='${SASL}'/>`)
  client.sends(`<abort xmlns='${SASL}'/>`)
  await client.receives(failure('aborted'))
  client.sends(scram.response(challenge.text))
  await client.receives(failure('malformed-request'))
})

test('a new <auth/> takes the place of the one under way (§6.4.2)', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const [first, second] = ['wrong', 'secret'].map(
    (password) => new ScramClient({ hash: 'SCRAM-SHA-256', username: juliet.local ?? '', password }),
  )
  assert.ok(first && second)
  client.sends(first.auth)
  await client.receives(`<challenge xmlns='${SASL}'/>`)
  client.sends(second.auth)
  client.sends(second.response((await client.receives(`<challenge xmlns='${SASL}'/>`)).text))
  await client.receives(`<success xmlns='${SASL}'/>`)
})

test('six attempts may fail on one stream, then it ends (§6.4.5)', async () => {
  const client = await stranger()
  for (let attempt = 1; attempt <= 6; attempt++) {
    client.sends(begin('UNKNOWN'))
    await client.receives(failure('invalid-mechanism'))
  }
  await client.isClosed('policy-violation')
})

const STANZAS = [
  `<message to='juliet@localhost'><body>hi</body></message>`,
  `<presence/>`,
  `<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
  `<iq type='get' id='1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`,
  `<iq type='get' id='1'><query xmlns='jabber:iq:auth'><username>juliet</username></query></iq>`,
]

for (const xml of STANZAS) {
  test(`who has not logged in cannot send ${xml.slice(0, 40)}…`, async () => {
    const client = await stranger()
    client.sends(xml)
    await client.isClosed('not-authorized')
  })
}

test('exchanges that are begun and never ended are failed attempts too (§6.4.5)', async () => {
  const client = await stranger()
  for (let attempt = 1; attempt <= 6; attempt++) {
    client.sends(begin('SCRAM-SHA-256', base64(`n,,n=romeo${attempt},r=nonce`)))
    await client.receives(`<challenge xmlns='${SASL}'/>`)
  }
  client.sends(begin('SCRAM-SHA-256', base64('n,,n=romeo7,r=nonce')))
  await client.isClosed('policy-violation')
})

test('one logs in once: after that <auth/> ends the stream', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(auth(juliet.local ?? '', 'secret'))
  await client.receives(`<success xmlns='${SASL}'/>`)
  await client.opens()
  client.sends(auth(juliet.local ?? '', 'secret'))
  await client.isClosed('not-authorized')
})

/** Everything that two failed attempts on one stream get to hear, without what must be random. */
async function transcript(username: string, password: string): Promise<readonly string[]> {
  const client = await stranger()
  client.sends(auth(username, password))
  const plain = await client.hears()
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username, password })
  client.sends(scram.auth)
  const challenge = await client.receives(`<challenge xmlns='${SASL}'/>`)
  const fields = fieldsOf(Buffer.from(challenge.text, 'base64').toString())
  client.sends(scram.response(challenge.text))
  await clock.awaited(250)
  clock.advance(250)
  const end = await client.hears()
  const sizes = [...fields].map(
    ([name, value]) => `${name}:${name === 'r' ? value.length - scram.nonceLength : value.length}`,
  )
  return [plain.xml(''), `i=${fields.get('i')} ${sizes.join(' ')}`, end.xml('')]
}

test('wrong password, unknown name, disabled account, impossible name: all get the same answers (§6.5.10)', async () => {
  const [juliet, disabled] = [await person(), await person()]
  await stage.accounts.setDisabled(disabled, true)
  const wrong = await transcript(juliet.local ?? '', 'wrong')
  assert.match(wrong[0] ?? '', /<not-authorized\/>/)
  assert.deepEqual(await transcript('nobody', 'wrong'), wrong)
  assert.deepEqual(await transcript(disabled.local ?? '', 'secret'), wrong)
  assert.deepEqual(await transcript('a@b', 'secret'), wrong)
})

test('an unknown name has the same salt each time, like a known one', async () => {
  const saltOf = async (): Promise<string | undefined> => {
    const client = await stranger()
    client.sends(new ScramClient({ hash: 'SCRAM-SHA-256', username: 'nemo', password: 'x' }).auth)
    const challenge = await client.receives(`<challenge xmlns='${SASL}'/>`)
    return fieldsOf(Buffer.from(challenge.text, 'base64').toString()).get('s')
  }
  assert.equal(await saltOf(), await saltOf())
})

test('a disabled account cannot log in until it is enabled again', async () => {
  const [juliet, client] = [await person(), await stranger()]
  await stage.accounts.setDisabled(juliet, true)
  client.sends(auth(juliet.local ?? '', 'secret'))
  await client.receives(failure('not-authorized'))
  await stage.accounts.setDisabled(juliet, false)
  client.sends(auth(juliet.local ?? '', 'secret'))
  await clock.awaited(250)
  clock.advance(250)
  await client.receives(`<success xmlns='${SASL}'/>`)
})

/** How long the answer to each attempt after the first takes, in ms. */
const WAITS = [250, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000]

test('each wrong password makes the next answer slower, then none counts; the owner elsewhere is not troubled', async () => {
  const juliet = await person()
  const name = juliet.local ?? ''
  const guesser = '203.0.113.66'
  let client = await stranger(guesser)
  client.sends(auth(name, 'guess'))
  await client.receives(failure('not-authorized'))
  for (const [index, wait] of WAITS.entries()) {
    if (index === 5) {
      await client.isClosed('policy-violation')
      client = await stranger(guesser)
    }
    client.sends(auth(name, 'guess'))
    await clock.awaited(wait)
    clock.advance(wait)
    await client.receives(failure('not-authorized'))
  }
  // Ten have failed: not even the right password is looked at.
  client.sends(auth(name, 'secret'))
  await clock.awaited(8000)
  clock.advance(8000)
  await client.receives(failure('temporary-auth-failure'))
  // From anywhere else the owner logs in, without a wait.
  const owner = await stranger()
  owner.sends(auth(name, 'secret'))
  await owner.receives(`<success xmlns='${SASL}'/>`)
  // And after a while the guesser may guess again.
  clock.advance(600_000)
  client.sends(auth(name, 'guess'))
  await client.receives(failure('not-authorized'))
})

test('what is sent during the wait is read afterwards', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const name = juliet.local ?? ''
  client.sends(auth(name, 'wrong'))
  client.sends(auth(name, 'wrong again'))
  client.sends(auth(name, 'secret'))
  await client.receives(failure('not-authorized'))
  await clock.awaited(250)
  clock.advance(250)
  await client.receives(failure('not-authorized'))
  await clock.awaited(500)
  clock.advance(500)
  await client.receives(`<success xmlns='${SASL}'/>`)
})

test('who leaves during the wait is not logged in afterwards', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const name = juliet.local ?? ''
  client.sends(auth(name, 'wrong'))
  await client.receives(failure('not-authorized'))
  client.sends(auth(name, 'secret'))
  await clock.awaited(250)
  client.link.clientVanishes()
  clock.advance(250)
  const other = await stranger()
  other.sends(auth(name, 'secret'))
  await other.receives(`<success xmlns='${SASL}'/>`)
  assert.equal([...stage.server.sessions()].filter((session) => session.account.jid.equals(juliet)).length, 0)
})

test('a new password ends logins that are under way with the old one', async () => {
  const juliet = await person()
  const name = juliet.local ?? ''
  const [halfway, unbound] = [await stranger(), await stranger()]
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: name, password: 'secret' })
  halfway.sends(scram.auth)
  await halfway.receives(`<challenge xmlns='${SASL}'/>`)
  unbound.sends(auth(name, 'secret'))
  await unbound.receives(`<success xmlns='${SASL}'/>`)
  await unbound.opens()
  await stage.accounts.setPassword(juliet, 'new secret')
  await halfway.isClosed('not-authorized')
  await unbound.isClosed('not-authorized')
  const client = await stranger()
  client.sends(auth(name, 'new secret'))
  await client.receives(`<success xmlns='${SASL}'/>`)
})
