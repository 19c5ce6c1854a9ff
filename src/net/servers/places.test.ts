// SPDX-License-Identifier: Apache-2.0
// In which order the places of a domain are tried, and when there are none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { FakeDns } from '../../../test/support/fake-dns.ts'
import { DnsError, DnsResolver } from '../dns/resolver.ts'
import { placesOf } from './places.ts'

const dns = await FakeDns.start()
const options = { resolvers: [dns.server], dnssec: 'auto' } as const
const resolver = new DnsResolver({ options, clock: new FakeClock(), patience: 30 })

const PLAIN = '_xmpp-server._tcp.'
const DIRECT = '_xmpps-server._tcp.'

/** `host:port`, with `+` where TLS begins at once. */
async function told(domain: string, random = () => 0): Promise<readonly string[] | 'refused'> {
  const found = await placesOf(domain, resolver, random)
  if (found.refused) return 'refused'
  return found.places.map(({ host, port, direct }) => `${host}:${port}${direct ? '+' : ''}`)
}

test('both kinds of records are one list, by priority (XEP-0368 §3)', async () => {
  dns.srv(`${PLAIN}both.example`, [20, 0, 5269, 'c.example'], [5, 0, 5269, 'a.example'])
  dns.srv(`${DIRECT}both.example`, [30, 0, 443, 'd.example'], [10, 0, 5270, 'b.example'])
  assert.deepEqual(await told('both.example'), [
    'a.example:5269',
    'b.example:5270+',
    'c.example:5269',
    'd.example:443+',
  ])
})

test('inside one priority chance decides, in proportion to the weights (RFC 2782)', async () => {
  dns.srv(`${PLAIN}w.example`, [1, 10, 1, 'ten'], [1, 0, 2, 'zero'], [1, 30, 3, 'thirty'], [0, 0, 4, 'first'])
  const firsts = new Map<string, number>()
  const steps = 410
  for (let step = 0; step < steps; step++) {
    const list = await told('w.example', () => step / steps)
    assert.equal(list[0], 'first:4')
    assert.equal(new Set(list).size, 4)
    firsts.set(list[1] ?? '', (firsts.get(list[1] ?? '') ?? 0) + 1)
  }
  assert.deepEqual(Object.fromEntries(firsts), { 'zero:2': 10, 'ten:1': 100, 'thirty:3': 300 })
})

test('a dot refuses, but not what the other kind of records offers', async () => {
  dns.srv(`${PLAIN}no.example`, [0, 0, 0, '.'])
  assert.equal(await told('no.example'), 'refused')
  dns.srv(`${PLAIN}only-tls.example`, [0, 0, 0, '.']).srv(`${DIRECT}only-tls.example`, [0, 0, 5270, 'x.example'])
  assert.deepEqual(await told('only-tls.example'), ['x.example:5270+'])
  dns.srv(`${DIRECT}no-tls.example`, [0, 0, 0, '.']).srv(`${PLAIN}no-tls.example`, [0, 0, 5269, 'x.example'])
  assert.deepEqual(await told('no-tls.example'), ['x.example:5269'])
})

test('a domain without records is its own place; one with records is not (RFC 6120 §3.2.2)', async () => {
  assert.deepEqual(await told('bare.example'), ['bare.example:5269'])
  dns.srv(`${DIRECT}odd.example`, [0, 0, 5270, '192.0.2.1'], [0, 0, 0, 'port.example'], [0, 0, 1, 'a b.example'])
  assert.deepEqual(await told('odd.example'), [])
})

test('addresses are places', async () => {
  assert.deepEqual(await told('192.0.2.7'), ['192.0.2.7:5269'])
  assert.deepEqual(await told('[2001:db8::7]'), ['2001:db8::7:5269'])
})

test('an internationalised domain is asked for by A-labels', async () => {
  dns.srv(`${PLAIN}xn--mnchen-3ya.example`, [0, 0, 5269, 'x.example'])
  assert.deepEqual(await told('münchen.example'), ['x.example:5269'])
})

test('if one question fails, the answer to the other will do, unless it is empty', async () => {
  dns
    .put('SRV', `${DIRECT}half.example`, { answers: [], code: 2 })
    .srv(`${PLAIN}half.example`, [0, 0, 5269, 'x.example'])
  assert.deepEqual(await told('half.example'), ['x.example:5269'])
  dns.put('SRV', `${PLAIN}lost.example`, { answers: [], drops: 1000 })
  await assert.rejects(told('lost.example'), (error) => error instanceof DnsError && error.kind === 'timeout')
})

test('DNSSEC vouches for a place if it does for the records that name it', async () => {
  const signed = await FakeDns.start()
  signed.srv(`${PLAIN}signed.example`, [0, 0, 5269, 'x.example']).sign()
  signed.srv(`${DIRECT}signed.example`, [1, 0, 5270, 'y.example'])
  const itsResolver = new DnsResolver({ options: { ...options, resolvers: [signed.server] }, clock: new FakeClock() })
  const found = await placesOf('signed.example', itsResolver)
  assert.ok(!found.refused)
  assert.deepEqual(
    found.places.map(({ host, secure }) => [host, secure]),
    [
      ['x.example', true],
      ['y.example', false],
    ],
  )
})

test('of thousands of places, a few of the best are tried', async () => {
  const name = `${PLAIN}many.example`
  const answers = Array.from({ length: 900 }, (_, port) => ({
    ...{ type: 'SRV' as const, name, ttl: 60 },
    data: { priority: 9 - (port % 10), weight: 65_535, port: port + 1, target: 'x.example' },
  }))
  dns.put('SRV', name, { answers, truncated: true })
  const found = await placesOf('many.example', resolver)
  assert.ok(!found.refused)
  assert.equal(found.places.length, 16)
  assert.ok(found.places.every(({ port }) => (port - 1) % 10 === 9))
})
