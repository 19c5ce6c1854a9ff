// SPDX-License-Identifier: Apache-2.0
// Logging in: the exchanges printed in the RFCs, a client of our own for every mechanism, and everything that must fail.
import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ScramHash, Verifier } from '../store/store.ts'
import { DIGESTS, fakeVerifier, makeVerifier } from './credentials.ts'
import type { BindingType, SaslContext, SaslExchange, SaslStep } from './exchange.ts'
import { mechanismsFor, startSasl } from './sasl.ts'
import { bindingTypes } from './scram.ts'

const HASHES: readonly ScramHash[] = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1']
const BINDINGS = { 'tls-exporter': Buffer.alloc(32, 1), 'tls-server-end-point': Buffer.alloc(32, 2) }
const SECRET = Buffer.alloc(32, 3)
const ITERATIONS = 4096
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')

const pencil: readonly Verifier[] = await Promise.all(
  HASHES.map((hash) => makeVerifier('pencil', hash, SALT, ITERATIONS)),
)

const ALL_BINDINGS: Readonly<Record<BindingType, Buffer>> = { ...BINDINGS, 'tls-unique': Buffer.alloc(48, 3) }

function context(changes: Partial<SaslContext> = {}): SaslContext {
  return {
    domain: 'example.com',
    encrypted: true,
    bindings: BINDINGS,
    verifierOf: (name, hash) => (name === 'user' ? pencil.find((one) => one.mechanism === hash) : undefined),
    fakeVerifier: (name, hash) => fakeVerifier(SECRET, hash, name, ITERATIONS),
    ...changes,
  }
}

function start(mechanism: string, changes: Partial<SaslContext> = {}): SaslExchange {
  const exchange = startSasl(mechanism, context(changes))
  assert.ok(exchange, mechanism)
  return exchange
}

async function say(exchange: SaslExchange, text: string): Promise<string> {
  return describe(await exchange.next(Buffer.from(text)))
}

function describe(step: SaslStep): string {
  if (step.kind === 'challenge') return step.data.toString()
  if (step.kind === 'success') return `success ${step.username} ${step.data?.toString() ?? ''}`
  return `failure ${step.condition}`
}

interface ClientOptions {
  readonly user?: string
  readonly password?: string
  readonly binding?: BindingType
  readonly data?: Buffer
  /** Sent in the first message. */
  readonly gs2?: string
  /** Sent back in the second, instead of the first one's. */
  readonly gs2Later?: string
  readonly tamper?: (final: string) => string
}

/** A SCRAM client as RFC 5802 §5 describes it; checks the server's signature when it succeeds. */
async function client(
  mechanism: string,
  exchange: SaslExchange,
  options: ClientOptions = {},
): Promise<readonly string[]> {
  const hash = HASHES.find((one) => mechanism.replace('-PLUS', '') === one) ?? 'SCRAM-SHA-1'
  const digest = DIGESTS[hash]
  const hmac = (key: Buffer, text: string) => createHmac(digest, key).update(text).digest()
  const gs2 = options.gs2 ?? (options.binding ? `p=${options.binding},,` : 'n,,')
  const bare = `n=${options.user ?? 'user'},r=fyko+d2lbbFgONRv9qkxdawL`
  const serverFirst = await say(exchange, gs2 + bare)
  const [, nonce = '', salt = '', i = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)/.exec(serverFirst) ?? []
  if (nonce === '') return [serverFirst]
  const data = options.data ?? (options.binding ? ALL_BINDINGS[options.binding] : Buffer.alloc(0))
  const c = Buffer.concat([Buffer.from(options.gs2Later ?? gs2), data]).toString('base64')
  const withoutProof = `c=${c},r=${nonce}`
  const length = createHash(digest).digest().length
  const salted = pbkdf2Sync(options.password ?? 'pencil', Buffer.from(salt, 'base64'), Number(i), length, digest)
  const clientKey = hmac(salted, 'Client Key')
  const message = `${bare},${serverFirst},${withoutProof}`
  const signature = hmac(createHash(digest).update(clientKey).digest(), message)
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0))).toString('base64')
  const final = `${withoutProof},p=${proof}`
  const last = await say(exchange, options.tamper?.(final) ?? final)
  if (last.startsWith('success')) {
    assert.equal(last, `success user v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`)
  }
  return [serverFirst, last]
}

test('the exchange of RFC 5802 §5', async () => {
  const verifier = await makeVerifier('pencil', 'SCRAM-SHA-1', Buffer.from('QSXCR+Q6sek8bf92', 'base64'), 4096)
  const exchange = start('SCRAM-SHA-1', { bindings: {}, verifierOf: () => verifier, nonce: () => '3rfcNHYJY1ZVvWVs7j' })
  assert.equal(
    await say(exchange, 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL'),
    'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
  )
  assert.equal(exchange.username, 'user')
  assert.equal(
    await say(exchange, 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts='),
    'success user v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  )
})

test('the exchange of RFC 7677 §3', async () => {
  const exchange = start('SCRAM-SHA-256', { nonce: () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0' })
  assert.equal(
    await say(exchange, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO'),
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  )
  const answer = 'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
  assert.equal(
    await say(exchange, `c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,${answer}`),
    'success user v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  )
})

test('the hash of the full example of XEP-0474', async () => {
  const offered = {
    mechanisms: ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'],
    bindings: ['tls-server-end-point', 'tls-exporter'],
  }
  const [first, last] = await client('SCRAM-SHA-1', start('SCRAM-SHA-1', { offered }))
  assert.match(first ?? '', /,i=4096,h=G6k\/rBLDqgOhRRaCuuatSDFkJ08=$/)
  assert.match(last ?? '', /^success/)
})

test('what is offered: strongest first, -PLUS only with bindings, nothing without TLS, PLAIN only if told', () => {
  const plus = ['SCRAM-SHA-512-PLUS', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS']
  assert.deepEqual(mechanismsFor(context()), [...plus, ...HASHES])
  assert.deepEqual(mechanismsFor(context({ bindings: {} })), HASHES)
  assert.deepEqual(mechanismsFor(context({ bindings: { 'tls-exporter': undefined } })), HASHES)
  assert.deepEqual(mechanismsFor(context({ encrypted: false, plain: true })), [])
  assert.deepEqual(mechanismsFor(context({ bindings: {}, plain: true, hashes: ['SCRAM-SHA-256'] })), [
    'SCRAM-SHA-256',
    'PLAIN',
  ])
})

test('what was not offered cannot be started', () => {
  for (const mechanism of ['PLAIN', 'EXTERNAL', 'toString', '', 'SCRAM-SHA-224', 'scram-sha-1']) {
    assert.equal(startSasl(mechanism, context()), undefined)
  }
  assert.equal(startSasl('SCRAM-SHA-1-PLUS', context({ bindings: {} })), undefined)
  assert.equal(startSasl('SCRAM-SHA-1', context({ hashes: ['SCRAM-SHA-256'] })), undefined)
  assert.equal(startSasl('SCRAM-SHA-1', context({ encrypted: false })), undefined)
})

for (const hash of HASHES) {
  test(`${hash}: right and wrong passwords`, async () => {
    assert.match((await client(hash, start(hash))).at(-1) ?? '', /^success user v=/)
    assert.match((await client(hash, start(hash, { bindings: {} }), { gs2: 'y,,' })).at(-1) ?? '', /^success/)
    assert.equal((await client(hash, start(hash), { password: 'Pencil' })).at(-1), 'failure not-authorized')
  })

  for (const binding of ['tls-exporter', 'tls-server-end-point'] as const) {
    test(`${hash}-PLUS with ${binding}: right and wrong passwords and bindings`, async () => {
      const plus = `${hash}-PLUS`
      const attempt = async (options: ClientOptions) =>
        (await client(plus, start(plus), { binding, ...options })).at(-1)
      assert.match((await attempt({})) ?? '', /^success user v=/)
      assert.equal(await attempt({ password: 'Pencil' }), 'failure not-authorized')
      assert.equal(await attempt({ data: Buffer.alloc(32, 9) }), 'failure not-authorized')
      assert.equal(await attempt({ data: Buffer.alloc(0) }), 'failure not-authorized')
      assert.equal(await attempt({ gs2: 'p=tls-unique,,' }), 'failure malformed-request')
      assert.equal(await attempt({ gs2: 'n,,' }), 'failure malformed-request')
      assert.equal(await attempt({ gs2: 'y,,' }), 'failure malformed-request')
      const other = binding === 'tls-exporter' ? 'tls-server-end-point' : 'tls-exporter'
      assert.equal(await attempt({ gs2Later: `p=${other},,` }), 'failure not-authorized')
      const missing = start(plus, { bindings: { [other]: BINDINGS[other] } })
      assert.equal((await client(plus, missing, { binding })).at(-1), 'failure malformed-request')
    })
  }
}

test('a client that believes we have no channel binding, although we do, was lied to (RFC 5802 §6)', async () => {
  assert.deepEqual(await client('SCRAM-SHA-256', start('SCRAM-SHA-256'), { gs2: 'y,,' }), ['failure not-authorized'])
})

test('a gs2-header that changed on the way fails', async () => {
  const attempt = async (gs2: string, gs2Later: string) =>
    (await client('SCRAM-SHA-1', start('SCRAM-SHA-1', { bindings: {} }), { gs2, gs2Later })).at(-1)
  assert.equal(await attempt('n,,', 'y,,'), 'failure not-authorized')
  assert.equal(await attempt('n,a=user@example.com,', 'n,,'), 'failure not-authorized')
})

test('a client may act as itself only (RFC 6120 §6.3.8)', async () => {
  const attempt = async (authzid: string, user = 'user') =>
    (await client('SCRAM-SHA-1', start('SCRAM-SHA-1'), { gs2: `n,a=${authzid},`, user })).at(-1)?.split(' v=')[0]
  assert.equal(await attempt('user@example.com'), 'success user')
  assert.equal(await attempt('User@EXAMPLE.com', 'USER'), 'success user')
  for (const other of ['romeo@example.com', 'user@example.net', 'user@example.com/x', 'example.com', '=2C', 'user']) {
    assert.equal(await attempt(other), 'failure invalid-authzid', other)
  }
})

test('names are unescaped, then prepared', async () => {
  const seen: string[] = []
  const verifierOf = (name: string) => void seen.push(name)
  for (const name of ['USER', 'a=2Cb=3Dc', '\u03a3'])
    await client('SCRAM-SHA-1', start('SCRAM-SHA-1', { verifierOf }), { user: name })
  assert.deepEqual(seen, ['user', 'a,b=c', '\u03c3'])
  assert.equal((await client('SCRAM-SHA-1', start('SCRAM-SHA-1'), { user: 'a=b' })).at(-1), 'failure malformed-request')
})

test('nobody looks like somebody: same steps, same shapes, the same salt every time', async () => {
  const shape = (answers: readonly string[]) =>
    answers.map((answer) =>
      answer.replace(/r=[^,]+/, (nonce) => `r${nonce.length}`).replace(/s=[^,]+/, (salt) => `s${salt.length}`),
    )
  const real = await client('SCRAM-SHA-256', start('SCRAM-SHA-256'), { password: 'wrong' })
  for (const user of ['nobody', 'not valid', '\u265a']) {
    const fake = await client('SCRAM-SHA-256', start('SCRAM-SHA-256'), { user })
    assert.deepEqual(shape(fake), shape(real))
    const again = await client('SCRAM-SHA-256', start('SCRAM-SHA-256'), { user })
    const salt = (answers: readonly string[]) => /s=[^,]+/.exec(answers[0] ?? '')?.[0]
    assert.equal(salt(fake), salt(again))
    assert.notEqual(salt(fake), salt(real))
    assert.notEqual(fake[0], again[0], 'the nonce must be new')
  }
})

test('a proof for the stored key of nobody does not help either', async () => {
  const fake = await makeVerifier('guessed', 'SCRAM-SHA-1', SALT, ITERATIONS)
  const exchange = start('SCRAM-SHA-1', { verifierOf: () => undefined, fakeVerifier: () => fake })
  assert.equal((await client('SCRAM-SHA-1', exchange, { password: 'guessed' })).at(-1), 'failure not-authorized')
})

test('final messages that were tampered with', async () => {
  const attempt = async (tamper: (final: string) => string) =>
    (await client('SCRAM-SHA-1', start('SCRAM-SHA-1'), { tamper })).at(-1)
  assert.equal(await attempt((text) => text.replace(',r=f', ',r=g')), 'failure not-authorized')
  assert.equal(await attempt((text) => text.replace(/p=.*/, 'p=AAAA')), 'failure not-authorized')
  assert.equal(await attempt((text) => `${text.slice(0, -1)}AAAA`), 'failure not-authorized')
  assert.equal(await attempt((text) => text.replace(',p=', ',x=y,p=')), 'failure not-authorized')
  assert.equal(await attempt((text) => text.replace(',p=', ',m=y,p=')), 'failure malformed-request')
  assert.equal(await attempt((text) => text.replace(/,p=.*/, '')), 'failure malformed-request')
  assert.equal(await attempt(() => ''), 'failure malformed-request')
})

test('first messages that are none', async () => {
  const texts = [
    '',
    'n',
    'n,,',
    'n,,n=,r=a',
    'n,,n=user',
    'n,,r=a,n=user',
    'n,,m=x,n=user,r=a',
    'n,,n=user,r=a,m=x',
    'x,,n=user,r=a',
  ]
  texts.push(
    'n,a=,n=user,r=a',
    'n,b=user,n=user,r=a',
    'n,,n=us\0er,r=a',
    'n,,n=user,r=',
    'n,,n=user,r=a b',
    'p=,,n=user,r=a',
  )
  texts.push(`n,,n=user,r=${'a'.repeat(9000)}`)
  for (const text of texts) assert.equal(await say(start('SCRAM-SHA-1'), text), 'failure malformed-request', text)
  assert.equal(await say(start('SCRAM-SHA-1'), 'p=tls-exporter,,n=user,r=a'), 'failure malformed-request')
  const notUtf8 = Buffer.concat([Buffer.from('n,,n='), Buffer.from([0xff]), Buffer.from(',r=a')])
  assert.equal(describe(await start('SCRAM-SHA-1').next(notUtf8)), 'failure malformed-request')
  assert.match(await say(start('SCRAM-SHA-1'), 'n,,n=user,r=a,x=unknown'), /^r=a/)
})

test('without an initial response there is one empty challenge; after the end there is nothing', async () => {
  const exchange = start('SCRAM-SHA-256')
  assert.equal(describe(await exchange.next(undefined)), '')
  assert.match((await client('SCRAM-SHA-256', exchange)).at(-1) ?? '', /^success/)
  assert.equal(await say(exchange, 'n,,n=user,r=a'), 'failure malformed-request')
  const twice = start('SCRAM-SHA-256')
  await twice.next(undefined)
  assert.equal(describe(await twice.next(undefined)), 'failure malformed-request')
})

test('trouble on our side is told apart from a wrong password, and kept for the log', async () => {
  const cause = new Error('the disk is on fire')
  const verifierOf = () => Promise.reject(cause)
  for (const [mechanism, text] of [
    ['SCRAM-SHA-1', 'n,,n=user,r=a'],
    ['PLAIN', '\0user\0pencil'],
  ] as const) {
    const step = await start(mechanism, { verifierOf, plain: true }).next(Buffer.from(text))
    assert.deepEqual(step, { kind: 'failure', condition: 'temporary-auth-failure', cause })
  }
})

test('PLAIN', async () => {
  const attempt = (text: string, changes: Partial<SaslContext> = {}) =>
    say(start('PLAIN', { plain: true, ...changes }), text)
  assert.equal(await attempt('\0user\0pencil'), 'success user ')
  assert.equal(await attempt('user@example.com\0User\0pencil'), 'success user ')
  assert.equal(
    await attempt('\0user\0pencil', {
      verifierOf: (_, hash) => pencil.find((v) => v.mechanism === hash && hash === 'SCRAM-SHA-1'),
    }),
    'success user ',
  )
  assert.equal(await attempt('\0user\0Pencil'), 'failure not-authorized')
  assert.equal(await attempt('\0nobody\0pencil'), 'failure not-authorized')
  assert.equal(await attempt('\0not valid\0pencil'), 'failure not-authorized')
  assert.equal(await attempt('\0user\0pen\tcil'), 'failure not-authorized')
  assert.equal(await attempt('romeo@example.com\0user\0pencil'), 'failure invalid-authzid')
  for (const text of [
    '',
    'user',
    'user\0pencil',
    '\0\0pencil',
    '\0user\0',
    '\0user\0pencil\0',
    `\0user\0${'x'.repeat(9000)}`,
  ]) {
    assert.equal(await attempt(text), 'failure malformed-request', JSON.stringify(text))
  }
})

test('for any bytes: an answer, never an exception, and never success', async () => {
  const piece = fc.constantFrom(
    'n',
    'y',
    'p=',
    'tls-exporter',
    ',',
    ',,',
    'n=',
    'user',
    'r=',
    'abc',
    'c=biws',
    'p=AAAA',
    '=2C',
    '\0',
    'm=',
    'a=',
  )
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
    fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.from(pieces.join(''))),
  )
  const mechanism = fc.constantFrom('SCRAM-SHA-1', 'SCRAM-SHA-256-PLUS', 'PLAIN')
  await fc.assert(
    fc.asyncProperty(
      mechanism,
      fc.array(fc.option(bytes, { nil: undefined }), { maxLength: 4 }),
      async (name, messages) => {
        const exchange = start(name, { plain: true })
        for (const message of messages) assert.notEqual((await exchange.next(message)).kind, 'success')
      },
    ),
    { numRuns: 1500 },
  )
})

test('tls-unique is accepted where the connection has it, but never announced', async () => {
  const plus = 'SCRAM-SHA-256-PLUS'
  const attempt = async (options: ClientOptions) =>
    (await client(plus, start(plus, { bindings: ALL_BINDINGS }), { binding: 'tls-unique', ...options })).at(-1)
  assert.match((await attempt({})) ?? '', /^success user v=/)
  assert.equal(await attempt({ data: Buffer.alloc(48, 4) }), 'failure not-authorized')
  assert.deepEqual(bindingTypes({ encrypted: true, bindings: ALL_BINDINGS }), ['tls-exporter', 'tls-server-end-point'])
  assert.deepEqual(
    mechanismsFor({ encrypted: true, bindings: { 'tls-unique': Buffer.alloc(48) } }).filter((name) =>
      name.endsWith('-PLUS'),
    ),
    [],
  )
})

test('PLAIN asks for as much about somebody who has an account as about somebody who has none', async () => {
  const asked = async (name: string, password: string): Promise<readonly string[]> => {
    const hashes: string[] = []
    const verifierOf: SaslContext['verifierOf'] = (user, hash) => {
      hashes.push(hash)
      return user === 'user' ? pencil.find((one) => one.mechanism === hash) : undefined
    }
    await start('PLAIN', { verifierOf, plain: true }).next(Buffer.from(`\0${name}\0${password}`))
    return hashes
  }
  const known = await asked('user', 'pencil')
  assert.deepEqual(known, await asked('user', 'crayon'))
  assert.deepEqual(known, await asked('nobody', 'crayon'))
})
