// SPDX-License-Identifier: Apache-2.0
// What every store must do with clients and their tokens; called by contract.ts.
import assert from 'node:assert/strict'
import type { Jid } from '../xmpp/jid.ts'
import type { NewAccount, NewToken, Store, Token } from './store.ts'

/** Runs one test on an empty store, whose clock stands at `now()` until it is set. */
type ClientCheck = (name: string, body: (store: Store, clock: { time: number }) => Promise<void>) => void

interface Cast {
  readonly account: NewAccount
  readonly jid: Jid
  readonly proof: Buffer
}

/** The tests. @param account one to be made */
export function clientTests(check: ClientCheck, account: NewAccount): void {
  const proof = account.verifiers[0]?.storedKey ?? Buffer.alloc(0)
  const cast = { account, jid: account.jid, proof }
  tokenTests(check, cast)
  proofTests(check, cast)
  endTests(check, cast)
}

function token(byte: number, issued: number): Token {
  return { mechanism: 'HT-SHA-256-NONE', seed: Buffer.alloc(32, byte), issued, expires: issued + 1000 }
}

async function seeds(store: Store, owner: Jid, id = 'phone'): Promise<unknown[]> {
  return (await store.clients.tokens(owner, id)).map(({ seed }) => seed[0])
}

function requests(proof: Buffer) {
  return (given: Token, changes: Partial<NewToken> = {}, id = 'phone'): NewToken => ({
    client: { id, software: 'App', device: undefined },
    token: given,
    proof,
    most: 3,
    ...changes,
  })
}

function tokenTests(check: ClientCheck, { account, jid, proof }: Cast): void {
  const request = requests(proof)

  check('a token that was given out is kept with all its bytes, and its client is listed', async (store, clock) => {
    await store.accounts.create([account])
    const given = token(1, clock.time)
    assert.equal(await store.clients.give(jid, request(given)), true)
    assert.deepEqual(await store.clients.tokens(jid, 'phone'), [given])
    const names = { id: 'phone', software: 'App', device: undefined }
    const times = { created: clock.time, lastUsed: clock.time, expires: clock.time + 1000 }
    assert.deepEqual(await store.clients.list(jid), [{ ...names, ...times }])
  })

  check('the token before it is good until the new one is used (XEP-0484 §3.5)', async (store, clock) => {
    await store.accounts.create([account])
    const [first, second, third] = [token(1, clock.time), token(2, clock.time), token(3, clock.time)]
    await store.clients.give(jid, request(first))
    assert.equal(await store.clients.use(jid, 'phone', first, undefined), true)
    await store.clients.give(jid, request(second, { proof: first.seed }))
    assert.deepEqual(await seeds(store, jid), [2, 1])
    await store.clients.give(jid, request(third, { proof: first.seed }))
    assert.deepEqual(await seeds(store, jid), [3, 1])
    assert.equal(await store.clients.use(jid, 'phone', first, undefined), true)
    assert.equal(await store.clients.use(jid, 'phone', third, undefined), true)
    assert.deepEqual(await seeds(store, jid), [3])
    assert.equal(await store.clients.use(jid, 'phone', first, undefined), false)
  })

  check('a count is taken once, and only in ascending order', async (store, clock) => {
    await store.accounts.create([account])
    const given = token(1, clock.time)
    await store.clients.give(jid, request(given))
    const uses = [1, 1, 5, 4, 5, 6].map((count) => store.clients.use(jid, 'phone', given, count))
    assert.deepEqual(await Promise.all(uses), [true, false, true, false, false, true])
    assert.equal(await store.clients.use(jid, 'phone', given, undefined), true)
    assert.equal(await store.clients.use(jid, 'phone', given, 6), false)
  })

  check('an expired token is used no more, its client not listed, and both go with the next', async (store, clock) => {
    await store.accounts.create([account])
    const given = token(1, clock.time)
    await store.clients.give(jid, request(given))
    clock.time += 1000
    assert.equal(await store.clients.use(jid, 'phone', given, undefined), false)
    assert.deepEqual(await store.clients.list(jid), [])
    await store.clients.give(jid, request(token(2, clock.time), {}, 'laptop'))
    assert.deepEqual(await seeds(store, jid), [])
  })
}

function proofTests(check: ClientCheck, { account, jid, proof }: Cast): void {
  const request = requests(proof)

  check('no token is given for a proof that is worth nothing', async (store, clock) => {
    await store.accounts.create([account])
    const given = token(1, clock.time)
    assert.equal(await store.clients.give(jid, request(given, { proof: Buffer.alloc(32, 9) })), false)
    await store.clients.give(jid, request(given, {}, 'laptop'))
    assert.equal(await store.clients.give(jid, request(token(2, clock.time), { proof: given.seed })), false)
    await store.accounts.setDisabled(jid, true)
    assert.equal(await store.clients.give(jid, request(given)), false)
    assert.deepEqual(await seeds(store, jid), [])
  })

  check('a new password, disabling and removal take all tokens away', async (store, clock) => {
    const given = token(1, clock.time)
    const ends = [
      () => store.accounts.setVerifiers(jid, account.verifiers),
      () => store.accounts.setDisabled(jid, true),
      () => store.accounts.remove(jid),
    ]
    for (const end of ends) {
      await store.accounts.create([account])
      assert.equal(await store.clients.give(jid, request(given)), true)
      await end()
      assert.deepEqual(await seeds(store, jid), [])
      assert.equal(await store.clients.use(jid, 'phone', given, undefined), false)
      assert.deepEqual(await store.clients.list(jid), [])
      await store.accounts.remove(jid)
    }
  })
}

function endTests(check: ClientCheck, { account, jid, proof }: Cast): void {
  const request = requests(proof)

  check('a client that is revoked has no tokens; the others keep theirs', async (store, clock) => {
    await store.accounts.create([account])
    await store.clients.give(jid, request(token(1, clock.time)))
    await store.clients.give(jid, request(token(2, clock.time), {}, 'laptop'))
    assert.equal(await store.clients.revoke(jid, 'phone'), true)
    assert.equal(await store.clients.revoke(jid, 'phone'), false)
    assert.deepEqual(await seeds(store, jid), [])
    assert.deepEqual(await seeds(store, jid, 'laptop'), [2])
  })

  check('a token that is dropped takes its client along if that has no other', async (store, clock) => {
    await store.accounts.create([account])
    const [first, second] = [token(1, clock.time), token(2, clock.time)]
    await store.clients.give(jid, request(first))
    await store.clients.use(jid, 'phone', first, undefined)
    await store.clients.give(jid, request(second))
    await store.clients.drop(jid, 'phone', first)
    assert.deepEqual(await seeds(store, jid), [2])
    await store.clients.drop(jid, 'phone', second)
    assert.equal(await store.clients.revoke(jid, 'phone'), false)
  })

  check('the longest unused clients go when there are too many, never the new one', async (store, clock) => {
    await store.accounts.create([account])
    for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) {
      clock.time += 1
      await store.clients.give(jid, request(token(index, clock.time), {}, id))
    }
    assert.deepEqual(
      (await store.clients.list(jid)).map(({ id }) => id),
      ['d', 'c', 'b'],
    )
    assert.deepEqual(await seeds(store, jid, 'a'), [])
  })

  check('a verifier is added for who proved another one, and tokens stay', async (store, clock) => {
    await store.accounts.create([account])
    await store.clients.give(jid, request(token(1, clock.time)))
    const extra = {
      mechanism: 'SCRAM-SHA-1',
      salt: proof,
      iterations: 4096,
      storedKey: proof,
      serverKey: proof,
    } as const
    assert.equal(await store.accounts.addVerifier(jid, extra, Buffer.alloc(32, 9)), false)
    assert.equal(await store.accounts.addVerifier(jid, extra, proof), true)
    const found = await store.accounts.find(jid)
    assert.equal(found?.verifiers.length, account.verifiers.length + 1)
    assert.deepEqual(await seeds(store, jid), [1])
  })
}
