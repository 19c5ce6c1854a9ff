// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressesIn } from '../net/proxies.ts'
import { peerOf } from './exchange.ts'

const trust = {
  isProxy: addressesIn(['127.0.0.0/8', '::1', '10.0.0.0/8']),
  isLocal: addressesIn(['127.0.0.0/8', '::1']),
}

function who(remoteAddress: string, headers: Readonly<Record<string, string>> = {}, encrypted = false) {
  const socket = { remoteAddress, encrypted, localPort: 5280 } as unknown as Parameters<typeof peerOf>[0]['socket']
  const { address, proxied, safe, scheme } = peerOf({ headers, socket }, trust)
  return { address, proxied, safe, scheme }
}

test('who comes directly is who it is, whatever it says', () => {
  const direct = { address: '192.0.2.1', proxied: false }
  assert.deepEqual(who('192.0.2.1', {}, true), { ...direct, safe: true, scheme: 'https' })
  assert.deepEqual(who('192.0.2.1'), { ...direct, safe: false, scheme: 'http' })
  const forged = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' }
  assert.deepEqual(who('192.0.2.1', forged), { ...direct, safe: false, scheme: 'http' })
})

test('what never left this machine is safe', () => {
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) assert.equal(who(address).safe, true, address)
  assert.equal(who('10.0.0.5').safe, false)
})

test('a proxy says who the client is, and must say that it used TLS', () => {
  const from = { 'x-forwarded-for': '192.0.2.1' }
  const client = { address: '192.0.2.1', proxied: true }
  for (const proxy of ['127.0.0.1', '10.0.0.5', '::ffff:10.0.0.5']) {
    assert.deepEqual(who(proxy, { ...from, 'x-forwarded-proto': 'https' }), { ...client, safe: true, scheme: 'https' })
    assert.deepEqual(who(proxy, { ...from, 'x-forwarded-proto': 'http' }), { ...client, safe: false, scheme: 'http' })
    assert.deepEqual(who(proxy, from), { ...client, safe: false, scheme: 'http' })
  }
})

test('what the client wrote before the proxy did counts for nothing', () => {
  const chain = (hops: string): string => who('127.0.0.1', { 'x-forwarded-for': hops }).address
  assert.equal(chain('203.0.113.9, 192.0.2.1'), '192.0.2.1')
  assert.equal(chain('203.0.113.9, 192.0.2.1, 10.0.0.7'), '192.0.2.1', 'through a second proxy of ours')
  assert.equal(chain('10.0.0.8'), '10.0.0.8', 'who is on the network of the proxies')
})

test('a port beside the address tells nothing about who it is', () => {
  for (const [said, meant] of [
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['192.0.2.1:4711, 10.0.0.7:80', '192.0.2.1'],
  ] as const) {
    assert.equal(who('127.0.0.1', { 'x-forwarded-for': said }).address, meant)
  }
})

test('a proxy on this machine that does not say who asks is believed that it came in the clear', () => {
  const proxied = { address: '127.0.0.1', proxied: true }
  assert.deepEqual(who('127.0.0.1', { 'x-forwarded-proto': 'http' }), { ...proxied, safe: false, scheme: 'http' })
  assert.deepEqual(who('127.0.0.1', { 'x-forwarded-proto': 'https' }), { ...proxied, safe: true, scheme: 'https' })
})
