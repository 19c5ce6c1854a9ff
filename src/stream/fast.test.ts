// SPDX-License-Identifier: Apache-2.0
// Logging in by token (XEP-0484): how one gets a token, renews it and loses it, and what a token of somebody else, of another
// channel or of yesterday is worth.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { type Stranger, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { MemoryLink } from '../../test/support/memory-link.ts'
import { ping } from '../xep/0199-ping.ts'
import type { Element } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'

const SASL2 = 'urn:xmpp:sasl:2'
const FAST = 'urn:xmpp:fast:0'
const DAY = 86_400_000
const NONE = 'HT-SHA-256-NONE'
const EXPR = 'HT-SHA-256-EXPR'
const PHONE = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
const LAPTOP = '6a1f3bd2-54ff-4c1c-9d3e-1f0a3c9d2b11'

const clock = new FakeClock()
const stage = await theatre({ features: [ping], clock, limits: { loginTimeout: 1000 * DAY, idleTimeout: 1000 * DAY } })
let people = 0
let networks = 0

function person(): Promise<Jid> {
  return stage.account(`juliet${++people}`)
}

async function stranger(binding?: Buffer): Promise<Stranger> {
  const bindings = binding ? { 'tls-exporter': binding } : {}
  const client = stage.stranger(new MemoryLink({ address: `192.0.2.${++networks}`, bindings }))
  await client.opens()
  return client
}

/** What a client says beside proving who it is. */
interface Login {
  readonly agent?: string
  readonly mechanism?: string
  readonly binding?: Buffer
  /** Attributes of `<fast/>`. */
  readonly fast?: string
  readonly more?: string
}

function ask(mechanism = NONE): string {
  return `<request-token xmlns='${FAST}' mechanism='${mechanism}'/>`
}

function authenticate(mechanism: string, data: Buffer, agent: string, more: string): string {
  const response = `<initial-response>${data.toString('base64')}</initial-response>`
  return `<authenticate xmlns='${SASL2}' mechanism='${mechanism}'>${response}<user-agent id='${agent}'><software>App</software></user-agent>${more}</authenticate>`
}

/** Logs in with the password and gets a token. */
async function token(jid: Jid, { agent = PHONE, mechanism = NONE, binding }: Login = {}): Promise<string> {
  const client = await stranger(binding)
  client.sends(authenticate('PLAIN', Buffer.from(`\0${jid.local}\0secret`), agent, ask(mechanism)))
  const given = (await client.receives(`<success xmlns='${SASL2}'><token xmlns='${FAST}'/></success>`)).child(
    'token',
    FAST,
  )
  client.link.clientVanishes()
  return given?.attrs.token ?? ''
}

/** Logs in by a token and gives the answer. */
async function uses(jid: Jid, secret: string, login: Login = {}): Promise<Element> {
  const { agent = PHONE, mechanism = NONE, binding = Buffer.alloc(0), fast = '', more = '' } = login
  const client = await stranger(mechanism === EXPR ? Buffer.alloc(32, 7) : undefined)
  const proof = createHmac('sha256', secret).update('Initiator').update(binding).digest()
  const data = Buffer.concat([Buffer.from(`${jid.local}\0`), proof])
  client.sends(authenticate(mechanism, data, agent, `<fast xmlns='${FAST}' ${fast}/>${more}`))
  const answer = await client.hears()
  client.link.clientVanishes()
  return answer
}

function condition(answer: Element): string | undefined {
  return answer.name === 'success' ? 'success' : answer.elements[0]?.name
}

test('a token comes with the success of a password, with the day on which it expires', async () => {
  const [juliet, client] = [await person(), await stranger()]
  client.sends(authenticate('PLAIN', Buffer.from(`\0${juliet.local}\0secret`), PHONE, ask()))
  const given = (await client.receives(`<success xmlns='${SASL2}'/>`)).child('token', FAST)
  assert.match(given?.attrs.token ?? '', /^[\w-]{43}$/)
  assert.equal(Date.parse(given?.attrs.expiry ?? ''), clock.now() + 30 * DAY)
})

for (const [what, agent, mechanism] of [
  ['without a user agent', 'x', NONE],
  ['for a mechanism that is not on offer', PHONE, EXPR],
  ['for a mechanism that takes passwords', PHONE, 'PLAIN'],
] as const) {
  test(`no token is given ${what}; the login is as good`, async () => {
    const [juliet, client] = [await person(), await stranger()]
    client.sends(authenticate('PLAIN', Buffer.from(`\0${juliet.local}\0secret`), agent, ask(mechanism)))
    assert.equal((await client.receives(`<success xmlns='${SASL2}'/>`)).child('token', FAST), undefined)
  })
}

test('a token logs in, proves the server, and binds in the same round trip', async () => {
  const juliet = await person()
  const secret = await token(juliet)
  const answer = await uses(juliet, secret, { more: `<bind xmlns='urn:xmpp:bind:0'><tag>App</tag></bind>` })
  assert.equal(condition(answer), 'success')
  assert.match(answer.childText('authorization-identifier') ?? '', new RegExp(`^${juliet}/App/`))
  const expected = createHmac('sha256', secret).update('Responder').digest('base64')
  assert.equal(answer.childText('additional-data'), expected)
  assert.equal(answer.child('token', FAST), undefined)
})

test('a token bound to the channel is good on its channel only', async () => {
  const juliet = await person()
  const channel = Buffer.alloc(32, 7)
  const secret = await token(juliet, { mechanism: EXPR, binding: channel })
  assert.equal(condition(await uses(juliet, secret, { mechanism: EXPR, binding: channel })), 'success')
  assert.equal(
    condition(await uses(juliet, secret, { mechanism: EXPR, binding: Buffer.alloc(32, 8) })),
    'not-authorized',
  )
  assert.equal(condition(await uses(juliet, secret)), 'not-authorized') // nor without a binding (§3.4)
})

test("a token of another account, or of another of its clients, is worth nothing, as is one of nobody's", async () => {
  const [juliet, romeo] = [await person(), await person()]
  const secret = await token(juliet)
  await token(romeo)
  const wrong = await uses(romeo, secret)
  assert.equal(condition(wrong), 'not-authorized')
  for (const answer of [
    await uses(juliet, secret, { agent: LAPTOP }),
    await uses(juliet, secret, { agent: 'x' }),
    await uses(Jid.parse('nobody@localhost'), secret),
    await uses(juliet, 'guessed'),
  ]) {
    assert.equal(answer.xml(''), wrong.xml(''))
  }
})

test('a token is not good as a password, nor the password as a token', async () => {
  const juliet = await person()
  const [secret, client] = [await token(juliet), await stranger()]
  client.sends(authenticate('PLAIN', Buffer.from(`\0${juliet.local}\0${secret}`), PHONE, ''))
  await client.receives(`<failure xmlns='${SASL2}'/>`)
  assert.equal(condition(await uses(juliet, 'secret')), 'not-authorized')
})

test('guessing tokens is slowed down as guessing passwords is', async () => {
  const juliet = await person()
  const secret = await token(juliet)
  const client = await stranger()
  const guess = Buffer.concat([Buffer.from(`${juliet.local}\0`), Buffer.alloc(32, 1)])
  const proof = createHmac('sha256', secret).update('Initiator').digest()
  const right = Buffer.concat([Buffer.from(`${juliet.local}\0`), proof])
  client.sends(authenticate(NONE, guess, PHONE, `<fast xmlns='${FAST}'/>`))
  assert.equal(condition(await client.hears()), 'not-authorized')
  client.sends(authenticate(NONE, right, PHONE, `<fast xmlns='${FAST}'/>`))
  await clock.awaited(250)
  clock.advance(250)
  assert.equal(condition(await client.hears()), 'success')
})

test('who leaves before the answer gets neither a session nor a token', async () => {
  const [juliet, client] = [await person(), await stranger()]
  const more = `${ask()}<bind xmlns='urn:xmpp:bind:0'/>`
  client.sends(authenticate('PLAIN', Buffer.from(`\0${juliet.local}\0wrong`), PHONE, more))
  assert.equal(condition(await client.hears()), 'not-authorized')
  client.sends(authenticate('PLAIN', Buffer.from(`\0${juliet.local}\0secret`), PHONE, more))
  await clock.awaited(250)
  client.link.clientVanishes()
  clock.advance(250)
  await token(juliet, { agent: LAPTOP })
  assert.equal((await stage.accounts.clients(juliet)).length, 1)
  assert.ok([...stage.server.sessions()].every(({ account }) => !account.jid.equals(juliet)))
})

test('a count is taken once, and only in ascending order (§3.4)', async () => {
  const juliet = await person()
  const secret = await token(juliet)
  const results: (string | undefined)[] = []
  for (const count of ['1', '1', '7', '3', '8']) {
    results.push(condition(await uses(juliet, secret, { fast: `count='${count}'` })))
  }
  assert.deepEqual(results, ['success', 'not-authorized', 'success', 'not-authorized', 'success'])
  for (const count of ['', '-1', '1e3', 'x', '9'.repeat(30)])
    assert.equal(condition(await uses(juliet, secret, { fast: `count='${count}'` })), 'invalid-mechanism')
})

test('an expired token is said to be expired, to who has it (§4.2)', async () => {
  const juliet = await person()
  const secret = await token(juliet)
  clock.advance(30 * DAY)
  assert.equal(condition(await uses(juliet, secret)), 'credentials-expired')
  assert.equal(condition(await uses(juliet, 'guessed')), 'not-authorized')
})

test('an old token is replaced, and stays good until the new one is used (§3.5)', async () => {
  const juliet = await person()
  const first = await token(juliet)
  clock.advance(2 * DAY)
  const second = (await uses(juliet, first)).child('token', FAST)?.attrs.token ?? ''
  assert.notEqual(second, '')
  const third = (await uses(juliet, first)).child('token', FAST)?.attrs.token ?? ''
  assert.equal(condition(await uses(juliet, second)), 'not-authorized') // never used, and replaced
  const answer = await uses(juliet, third)
  assert.equal(condition(answer), 'success')
  assert.equal(answer.child('token', FAST), undefined)
  assert.equal(condition(await uses(juliet, first)), 'not-authorized')
})

test('a client that logs out has no token left (§3.6)', async () => {
  const juliet = await person()
  const [phone, laptop] = [await token(juliet), await token(juliet, { agent: LAPTOP })]
  clock.advance(2 * DAY)
  const answer = await uses(juliet, phone, { fast: `invalidate='true'` })
  assert.equal(condition(answer), 'success')
  assert.equal(answer.child('token', FAST), undefined)
  assert.equal(condition(await uses(juliet, phone)), 'not-authorized')
  assert.equal(condition(await uses(juliet, laptop, { agent: LAPTOP })), 'success')
})

test('a client may exchange its token for a new one', async () => {
  const juliet = await person()
  const first = await token(juliet)
  const answer = await uses(juliet, first, { fast: `invalidate='1'`, more: ask() })
  const second = answer.child('token', FAST)?.attrs.token ?? ''
  assert.equal(condition(await uses(juliet, first)), 'not-authorized')
  assert.equal(condition(await uses(juliet, second)), 'success')
})

test('a token asks for no more than itself: verifiers are not upgraded (§4.2)', async () => {
  const juliet = await person()
  const secret = await token(juliet)
  const more = `<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>`
  assert.equal(condition(await uses(juliet, secret, { more })), 'success')
})

const ENDS: readonly (readonly [what: string, end: (jid: Jid) => Promise<void>])[] = [
  ['a new password', (jid) => stage.accounts.setPassword(jid, 'other')],
  ['disabling the account', (jid) => stage.accounts.setDisabled(jid, true)],
  ['removing the account', (jid) => stage.accounts.remove(jid)],
]

for (const [what, end] of ENDS) {
  test(`${what} takes the tokens away, for good`, async () => {
    const juliet = await person()
    const secret = await token(juliet)
    await end(juliet)
    assert.equal(condition(await uses(juliet, secret)), 'not-authorized')
    await stage.account(juliet.toString())
    await stage.accounts.setDisabled(juliet, false)
    assert.equal(condition(await uses(juliet, secret)), 'not-authorized')
  })
}

test('clients with tokens are listed, and revoked one by one with their sessions', async () => {
  const juliet = await person()
  const [phone, laptop] = [await token(juliet), await token(juliet, { agent: LAPTOP })]
  const client = await stranger()
  const data = Buffer.from(`\0${juliet.local}\0secret`)
  client.sends(authenticate('PLAIN', data, PHONE, `<bind xmlns='urn:xmpp:bind:0'/>`))
  await client.receives(`<success xmlns='${SASL2}'/>`)
  await client.receives('<features/>')
  const clients = await stage.accounts.clients(juliet)
  assert.deepEqual(
    clients.map(({ software }) => software),
    ['App', 'App'],
  )
  const session = [...stage.server.sessions()].find(({ account }) => account.jid.equals(juliet))
  const id = session?.login.client?.id ?? ''
  await stage.accounts.revoke(juliet, id)
  await client.isClosed('not-authorized')
  assert.equal(condition(await uses(juliet, phone)), 'not-authorized')
  assert.equal(condition(await uses(juliet, laptop, { agent: LAPTOP })), 'success')
  await assert.rejects(stage.accounts.revoke(juliet, id), { problem: 'no-client' })
  await assert.rejects(stage.accounts.clients(Jid.parse('nobody@localhost')), { problem: 'not-found' })
})
