// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { Pace, Paces } from './pace.ts'

function setUp() {
  const clock = new FakeClock()
  return { clock, paces: new Paces({ bytesPerSecond: 1000, stanzasPerSecond: 10 }, clock) }
}

test('ten seconds of bytes may come at once; then reading pauses for as long as it was too much', async () => {
  const { clock, paces } = setUp()
  const pace = paces.enter('a.example')
  for (let sent = 0; sent < 10; sent++) assert.equal(pace.spend(1000), undefined)
  let read = false
  const pause = pace.spend(500)?.then(() => {
    read = true
  })
  assert.ok(pause)
  clock.advance(499)
  await Promise.resolve()
  assert.equal(read, false)
  clock.advance(1)
  await pause
  assert.ok(pace.spend(1000)) // the bucket is just empty again
})

test('what has no limit never waits, and does not get in the way of what has one', () => {
  const clock = new FakeClock()
  const pace = new Pace({ bytesPerSecond: 100, stanzasPerSecond: Number.POSITIVE_INFINITY }, clock)
  assert.equal(pace.spend(1000), undefined)
  assert.ok(pace.spend(1))
  clock.advance(20_000)
  assert.equal(pace.spend(999), undefined)
  const free = new Pace({ bytesPerSecond: Number.POSITIVE_INFINITY, stanzasPerSecond: Number.POSITIVE_INFINITY }, clock)
  for (let sent = 0; sent < 1000; sent++) assert.equal(free.spend(1e9), undefined)
})

test('small stanzas are counted, too', () => {
  const { clock, paces } = setUp()
  const pace = paces.enter('a.example')
  for (let sent = 0; sent < 100; sent++) assert.equal(pace.spend(1), undefined)
  assert.ok(pace.spend(1))
  clock.advance(10_000)
  for (let sent = 0; sent < 90; sent++) assert.equal(pace.spend(1), undefined)
})

test('all streams of a domain share one pace, and those of others do not wait', () => {
  const { paces } = setUp()
  const [one, two, other] = [paces.enter('a.example'), paces.enter('a.example'), paces.enter('b.example')]
  assert.equal(one.spend(10_000), undefined)
  assert.ok(two.spend(1))
  assert.equal(other.spend(10_000), undefined)
})

test('connecting anew gains nothing, and who is gone for long is forgotten', () => {
  const { clock, paces } = setUp()
  const pace = paces.enter('a.example')
  assert.equal(pace.spend(10_000), undefined)
  paces.leave('a.example')
  assert.equal(paces.enter('a.example'), pace)
  clock.advance(60_000)
  assert.equal(paces.size, 1)
  paces.leave('a.example')
  clock.advance(60_000)
  assert.equal(paces.size, 0)
})
