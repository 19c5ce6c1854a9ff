// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { Allowance } from './allowance.ts'

test('ten seconds of the rate may come at once, then the rate alone', () => {
  const clock = new FakeClock()
  const allowance = new Allowance(1000, clock)
  assert.equal(allowance.spend(10_000), 0)
  assert.equal(allowance.spend(500), 500)
  clock.advance(500)
  assert.equal(allowance.spend(0), 0)
  assert.equal(allowance.spend(1), 1)
  clock.advance(3_600_000)
  assert.equal(allowance.spend(9_999), 0) // never more than the bucket holds
  assert.equal(allowance.spend(2), 2)
})

test('a stanza counts a kibibyte more than its bytes', () => {
  const allowance = new Allowance(1024, new FakeClock())
  for (let count = 0; count < 12; count++) allowance.spendStanza()
  assert.equal(allowance.spend(0), 2000)
})

test('who is trusted never waits', () => {
  const allowance = new Allowance(Number.POSITIVE_INFINITY, new FakeClock())
  allowance.spendStanza()
  assert.equal(allowance.spend(Number.MAX_SAFE_INTEGER), 0)
})
