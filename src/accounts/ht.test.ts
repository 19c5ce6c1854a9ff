// SPDX-License-Identifier: Apache-2.0
// Logins by token (XEP-0484, HT-SHA-256-*): vectors that are computed here from the draft, and every way to be refused.
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { Token } from '../store/store.ts'
import type { ChannelBindings, SaslStep } from './exchange.ts'
import { clientIdOf, type HtContext, newToken, startHt, tokenMechanisms, tokenText } from './ht.ts'

const NOW = Date.UTC(2026, 0, 1)
const AGENT = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
const EXPORTER = Buffer.alloc(32, 0x11)
const END_POINT = Buffer.alloc(32, 0x22)
const ALL: ChannelBindings = { 'tls-exporter': EXPORTER, 'tls-server-end-point': END_POINT }

/** HMAC (RFC 2104) written out, so that nothing is shared with what is tested. */
function hmac(key: Buffer, data: Buffer): Buffer {
  const sha256 = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
  const block = Buffer.concat([key.length > 64 ? sha256(key) : key, Buffer.alloc(64)]).subarray(0, 64)
  const xored = (byte: number): Buffer => Buffer.from(block.map((one) => one ^ byte))
  return sha256(xored(0x5c), sha256(xored(0x36), data))
}

function message(name: string, token: string, binding: Buffer = Buffer.alloc(0)): Buffer {
  const proof = hmac(Buffer.from(token), Buffer.concat([Buffer.from('Initiator'), binding]))
  return Buffer.concat([Buffer.from(`${name}\0`), proof])
}

function seeded(byte: number, mechanism = 'HT-SHA-256-NONE', changes: Partial<Token> = {}): Token {
  return { mechanism, seed: Buffer.alloc(32, byte), issued: NOW, expires: NOW + 1000, ...changes }
}

interface Setting extends Partial<HtContext> {
  readonly mechanism?: string
  readonly tokens?: readonly Token[]
}

function begin(setting: Setting, used: Token[] = []) {
  const { mechanism = 'HT-SHA-256-NONE', tokens = [seeded(1)], ...context } = setting
  const exchange = startHt(mechanism, {
    encrypted: true,
    bindings: ALL,
    agent: AGENT,
    now: () => NOW,
    tokensOf: async (username) => (username === 'juliet' ? tokens : []),
    use: async (_, token) => used.push(token) > 0,
    ...context,
  })
  assert.ok(exchange)
  return exchange
}

function tries(setting: Setting, data: Buffer): Promise<SaslStep> {
  return begin(setting).next(data)
}

const TOKEN = tokenText(Buffer.alloc(32, 1), AGENT)

test('the token is the HMAC of the user agent under the seed, in 43 characters', () => {
  const expected = createHmac('sha256', Buffer.alloc(32, 1)).update(`fast token\0${AGENT}`).digest('base64url')
  assert.equal(TOKEN, expected)
  assert.equal(TOKEN.length, 43)
  assert.notEqual(tokenText(Buffer.alloc(32, 1), AGENT.replace('d', 'e')), TOKEN)
})

const MECHANISMS: readonly (readonly [mechanism: string, binding: Buffer])[] = [
  ['HT-SHA-256-EXPR', EXPORTER],
  ['HT-SHA-256-ENDP', END_POINT],
  ['HT-SHA-256-NONE', Buffer.alloc(0)],
]

for (const [mechanism, binding] of MECHANISMS) {
  test(`${mechanism} proves both to each other`, async () => {
    const step = await tries({ mechanism, tokens: [seeded(1, mechanism)] }, message('juliet', TOKEN, binding))
    const data = hmac(Buffer.from(TOKEN), Buffer.concat([Buffer.from('Responder'), binding]))
    assert.deepEqual(step, { kind: 'success', username: 'juliet', data })
  })

  test(`${mechanism} of another channel is refused`, async () => {
    const step = await tries(
      { mechanism, tokens: [seeded(1, mechanism)] },
      message('juliet', TOKEN, Buffer.alloc(32, 0x33)),
    )
    assert.deepEqual(step, { kind: 'failure', condition: 'not-authorized' })
  })
}

test('a token is good for the mechanism it was made for, and for no other (XEP-0484 §3.4)', async () => {
  const bound = [seeded(1, 'HT-SHA-256-EXPR')]
  assert.equal((await tries({ tokens: bound }, message('juliet', TOKEN))).kind, 'failure')
})

test('the new token is taken as well as the one before it, and no third', async () => {
  const tokens = [seeded(1), seeded(2), seeded(3)]
  const used: Token[] = []
  for (const byte of [1, 2, 3])
    await begin({ tokens }, used).next(message('juliet', tokenText(Buffer.alloc(32, byte), AGENT)))
  assert.deepEqual(
    used.map(({ seed }) => seed[0]),
    [1, 2],
  )
})

test('an unknown name and a wrong token get the same answer', async () => {
  const wrong = await tries({}, message('juliet', 'wrong'))
  assert.deepEqual(wrong, { kind: 'failure', condition: 'not-authorized' })
  assert.deepEqual(await tries({}, message('nobody', TOKEN)), wrong)
  assert.deepEqual(await tries({ agent: undefined }, message('juliet', TOKEN)), wrong)
  assert.deepEqual(await tries({ agent: AGENT.replace('d', 'e') }, message('juliet', TOKEN)), wrong)
  assert.deepEqual(await tries({}, message('\u202e', TOKEN)), wrong)
  assert.deepEqual(await tries({ tokens: [] }, message('juliet', tokenText(Buffer.alloc(32), AGENT))), wrong)
})

test('who has an expired token is told so; who has not learns nothing', async () => {
  const tokens = [seeded(1, 'HT-SHA-256-NONE', { expires: NOW })]
  const step = await tries({ tokens }, message('juliet', TOKEN))
  assert.equal(step.kind === 'failure' && step.condition, 'credentials-expired')
  assert.deepEqual(await tries({ tokens }, message('juliet', 'wrong')), {
    kind: 'failure',
    condition: 'not-authorized',
  })
})

test('a token that the store does not let pass is refused', async () => {
  assert.deepEqual(await tries({ use: async () => false }, message('juliet', TOKEN)), {
    kind: 'failure',
    condition: 'not-authorized',
  })
})

test('a store that fails is our fault, not a wrong token', async () => {
  const step = await tries({ tokensOf: () => Promise.reject(new Error('disk')) }, message('juliet', TOKEN))
  assert.equal(step.kind === 'failure' && step.condition, 'temporary-auth-failure')
})

const MALFORMED: readonly (readonly [what: string, data: Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['no name', message('', TOKEN)],
  ['no proof', Buffer.from('juliet')],
  ['a short proof', message('juliet', TOKEN).subarray(0, -1)],
  ['a long proof', Buffer.concat([message('juliet', TOKEN), Buffer.from([0])])],
  ['a name that is not UTF-8', Buffer.concat([Buffer.from([0xff, 0]), Buffer.alloc(32)])],
  ['a name without end', Buffer.concat([Buffer.alloc(5000, 0x61), Buffer.alloc(33)])],
]

for (const [what, data] of MALFORMED) {
  test(`${what} is malformed`, async () => {
    const step = await tries({}, data)
    assert.equal(step.kind === 'failure' && step.condition, 'malformed-request')
  })
}

test('without an initial response it is asked for, once', async () => {
  const exchange = begin({})
  assert.deepEqual(await exchange.next(undefined), { kind: 'challenge', data: Buffer.alloc(0) })
  assert.equal((await exchange.next(message('juliet', TOKEN))).kind, 'success')
  assert.equal((await exchange.next(message('juliet', TOKEN))).kind, 'failure')
})

test('mechanisms are those that the connection can do', () => {
  const names = MECHANISMS.map(([name]) => name)
  assert.deepEqual(tokenMechanisms({ encrypted: true, bindings: ALL }), names)
  assert.deepEqual(tokenMechanisms({ encrypted: true, bindings: {} }), ['HT-SHA-256-NONE'])
  assert.deepEqual(tokenMechanisms({ encrypted: false, bindings: ALL }), [])
})

test('seeds are random, and names of clients tell nothing of their ids', () => {
  assert.notDeepEqual(newToken('x', NOW, 1).seed, newToken('x', NOW, 1).seed)
  assert.match(clientIdOf('juliet@localhost', AGENT), /^[0-9a-f]{16}$/)
  assert.notEqual(clientIdOf('juliet@localhost', AGENT), clientIdOf('romeo@localhost', AGENT))
})
