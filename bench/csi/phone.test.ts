// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOUR, hour } from './hour.ts'
import { measure } from './phone.ts'

test('the hour is the same each time, and in order', () => {
  const one = hour('juliet@localhost')
  assert.deepEqual(one, hour('juliet@localhost'))
  assert.notDeepEqual(one, hour('juliet@localhost', 1))
  assert.deepEqual(
    one,
    one.toSorted((a, b) => a.at - b.at),
  )
  assert.ok(one.every(({ at }) => at >= 0 && at < HOUR))
})

test('a phone in a pocket gets a third of the bytes and two fifths of the wake-ups, and less than all when it is taken out', async () => {
  const [active, inactive] = [await measure(false), await measure(true)]
  assert.equal(active.bytesAfter, 0)
  assert.ok(inactive.bytes * 3 < active.bytes)
  assert.ok(inactive.radio * 5 < active.radio * 2)
  assert.ok((inactive.bytes + inactive.bytesAfter) * 1.5 < active.bytes)
})
