// SPDX-License-Identifier: Apache-2.0
// Throttling: guessers wait and are refused, owners are not, and the memory is bounded.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../clock.ts'
import { DEFAULT_LIMITS, networkOf, Throttle } from './throttle.ts'

function fixture(limits = DEFAULT_LIMITS) {
  const time = { now: 1_000_000 }
  const clock: Clock = { now: () => time.now, after: () => () => {}, every: () => () => {} }
  return { time, throttle: new Throttle(clock, limits) }
}

const JULIET = 'juliet@example.com'
const HOME = '192.0.2.1'

function fail(throttle: Throttle, times: number, account: string, address: string | ((i: number) => string)) {
  for (let i = 0; i < times; i++) throttle.failed(account, typeof address === 'string' ? address : address(i))
}

test('the wait doubles with each failure, up to a limit, and time forgives', () => {
  const { throttle, time } = fixture()
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    waits.push(throttle.delayBefore(JULIET, HOME))
    throttle.failed(JULIET, HOME)
    time.now += 5
  }
  assert.deepEqual(waits, [0, 250, 500, 1000, 2000, 4000, 8000, 8000])
  time.now += 8 * 60_000
  assert.equal(throttle.delayBefore(JULIET, HOME), 0)
})

test('a network is refused on one account after ten failures, then gets one attempt a minute', () => {
  const { throttle, time } = fixture()
  fail(throttle, 9, JULIET, HOME)
  assert.equal(throttle.refused(JULIET, HOME), false)
  throttle.failed(JULIET, HOME)
  assert.equal(throttle.refused(JULIET, HOME), true)
  assert.equal(throttle.refused('romeo@example.com', HOME), false)
  assert.equal(throttle.refused(JULIET, '192.0.2.2'), false)
  time.now += 60_000
  assert.equal(throttle.refused(JULIET, HOME), false)
})

test('a network that tries one password on many accounts is refused on all', () => {
  const { throttle } = fixture()
  for (let i = 0; i < 49; i++) throttle.failed(`user${i}@example.com`, HOME)
  assert.equal(throttle.refused('new@example.com', HOME), false)
  assert.ok(throttle.delayBefore('new@example.com', HOME) > 0)
  throttle.failed('user49@example.com', HOME)
  assert.equal(throttle.refused('new@example.com', HOME), true)
})

test('whatever strangers do, the owner gets in where she has been before, at once', () => {
  const { throttle } = fixture()
  throttle.succeeded(JULIET, HOME)
  fail(throttle, 5000, JULIET, (i) => `198.51.${i >> 8}.${i & 255}`)
  for (let i = 0; i < 100; i++) throttle.failed(`user${i}@example.com`, HOME)
  assert.equal(throttle.refused(JULIET, HOME), false)
  assert.equal(throttle.delayBefore(JULIET, HOME), 0)
})

test('from a new place the owner may have to wait, but is never refused for what others did', () => {
  const { throttle } = fixture()
  fail(throttle, 5000, JULIET, (i) => `198.51.${i >> 8}.${i & 255}`)
  assert.equal(throttle.refused(JULIET, '203.0.113.9'), false)
  assert.equal(throttle.delayBefore(JULIET, '203.0.113.9'), 8000)
})

test('a guesser on the same network as the owner is refused in the end, much later', () => {
  const { throttle } = fixture()
  throttle.succeeded(JULIET, HOME)
  fail(throttle, 99, JULIET, HOME)
  assert.equal(throttle.refused(JULIET, HOME), false)
  throttle.failed(JULIET, HOME)
  assert.equal(throttle.refused(JULIET, HOME), true)
})

test('a login forgives the failures of that network on that account', () => {
  const { throttle } = fixture()
  fail(throttle, 5, JULIET, HOME)
  throttle.succeeded(JULIET, HOME)
  assert.equal(throttle.delayBefore(JULIET, HOME), 0)
})

test('networks: IPv6 by /64, IPv4 as it is, Tor by circuit', () => {
  const table: readonly (readonly [string, string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
    ['fc00:dead:beef:4dad::0:1f', 'fc00:dead:beef:4dad:0:0:0:1f'],
    ['fc00:dead:beef:4dad::1:1f', 'fc00:dead:beef:4dad:0:0:1:1f'],
  ]
  for (const [address, network] of table) assert.equal(networkOf(address), network)
  const { throttle } = fixture()
  fail(throttle, 10, JULIET, (i) => `2001:db8::${i}`)
  assert.equal(throttle.refused(JULIET, '2001:db8::ffff'), true)
})

test('the memory is bounded', () => {
  const { throttle } = fixture({ ...DEFAULT_LIMITS, entries: 100 })
  for (let i = 0; i < 2000; i++) {
    throttle.failed(`user${i}@example.com`, `198.51.${i >> 8}.${i & 255}`)
    throttle.succeeded(`user${i}@example.com`, `203.0.${i >> 8}.${i & 255}`)
    throttle.refused(`other${i}@example.com`, HOME)
  }
  assert.ok(throttle.size <= 400, `${throttle.size} entries`)
})
