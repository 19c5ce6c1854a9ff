// SPDX-License-Identifier: Apache-2.0
// Authorities that are ill or hostile. Good ones are in `test/interop/pebble.test.ts`.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { FakeAuthority, type Mood } from '../../../test/support/fake-authority.ts'
import { newKey } from './library.ts'
import { type Answerer, orderCertificate } from './order.ts'

async function order(t: TestContext, instead: Mood['instead'], signal?: AbortSignal): Promise<string> {
  const authority = await FakeAuthority.start(t, () => Date.now())
  authority.mood.instead = instead
  const whom = { directory: authority.directory, accountKey: await newKey(), email: undefined }
  const wanted = { names: ['example.org'], key: await newKey(), answerers: [], ...(signal ? { signal } : {}) }
  return (await orderCertificate(whom, wanted)).cert
}

test('a good one gives a certificate', async (t) => {
  assert.match(await order(t, undefined), /^-----BEGIN CERTIFICATE-----/)
})

test('one that says more than anybody would keep is not listened to', async (t) => {
  const flood: Mood['instead'] = (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', more)
    more()
    return true
  }
  await assert.rejects(order(t, flood), /did not answer/)
})

test('one that sends us from place to place is left', async (t) => {
  const round: Mood['instead'] = (_, response) => {
    response.writeHead(302, { location: '/again' }).end()
    return true
  }
  await assert.rejects(order(t, round), /did not answer/)
})

test('one that wants to be left alone for a day is left alone, and nobody waits for it', async (t) => {
  const busy: Mood['instead'] = (_, response) => {
    response.writeHead(503, { 'retry-after': '86400' }).end()
    return true
  }
  await assert.rejects(order(t, busy), /86400 s/)
})

test('nothing is proved for names that nobody ordered', async (t) => {
  const authority = await FakeAuthority.start(t, () => Date.now())
  const at = (path: string): string => authority.directory.replace('directory', path)
  authority.mood.instead = (path, to) => {
    const said: Readonly<Record<string, object>> = {
      order: { status: 'pending', authorizations: [at('authz')], finalize: at('finalize') },
      authz: {
        status: 'pending',
        identifier: { type: 'dns', value: 'secret.example.org' },
        challenges: [{ type: 'dns-01', url: at('challenge'), token: 'abc', status: 'pending' }],
      },
    }
    if (!said[path]) return false
    to.writeHead(path === 'order' ? 201 : 200, {
      ...{ 'content-type': 'application/json', 'replay-nonce': 'abc', location: at('order/1') },
    })
    to.end(JSON.stringify(said[path]))
    return true
  }
  const answered: string[] = []
  const answerer: Answerer = {
    type: 'dns-01',
    async answer({ name }) {
      answered.push(name)
      return () => undefined
    },
  }
  const whom = { directory: authority.directory, accountKey: await newKey(), email: undefined }
  const wanted = { names: ['example.org', '*.example.org'], key: await newKey(), answerers: [answerer] }
  await assert.rejects(orderCertificate(whom, wanted), /secret\.example\.org/)
  assert.deepEqual(answered, [])
})

test('an order that never ends is given up when the server stops', async (t) => {
  const stop = new AbortController()
  const silent: Mood['instead'] = (path) => {
    if (path !== 'order') return false
    stop.abort()
    return true
  }
  await assert.rejects(order(t, silent, stop.signal), /took too long/)
})
