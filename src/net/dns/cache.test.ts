// SPDX-License-Identifier: Apache-2.0
// That answers do not fill the memory, whoever makes us ask for them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { AnswerCache } from './cache.ts'
import type { DnsRecord } from './message.ts'

const record = (bytes: number): DnsRecord => ({
  ...{ name: 'a.example', type: 'TLSA', ttl: 60 },
  data: { usage: 3, certificate: Buffer.alloc(bytes) },
})

test('the oldest answers are forgotten', () => {
  const cache = new AnswerCache(new FakeClock())
  for (let step = 0; step < 5_000; step++) cache.set(`question ${step}`, { records: [record(5_000)] }, 60)
  const kept = Array.from({ length: 5_000 }, (_, step) => cache.get(`question ${step}`) !== undefined)
  assert.ok(kept.at(-1) && !kept[0])
  const count = kept.filter(Boolean).length
  assert.ok(count > 1_000 && count < 8_000_000 / 5_000, `${count} kept`)
  assert.equal(kept.indexOf(true), 5_000 - count, 'only the oldest')
})

test('answers without records cost something too; one that is very large is not kept', () => {
  const cache = new AnswerCache(new FakeClock())
  for (let step = 0; step < 50_000; step++) cache.set(`question ${step}`, { records: [] }, 60)
  assert.equal(cache.get('question 0'), undefined)
  cache.set('large', { records: Array.from({ length: 100 }, () => record(8_000)) }, 60)
  assert.equal(cache.get('large'), undefined)
})

test('an answer that is replaced costs nothing any more', () => {
  const cache = new AnswerCache(new FakeClock())
  cache.set('first', { records: [record(10)] }, 600)
  for (let step = 0; step < 10_000; step++) cache.set('again', { records: [record(5_000)] }, 60)
  assert.ok(cache.get('first'))
  cache.clear()
  assert.equal(cache.get('first'), undefined)
})

test('nothing is believed for longer than a day', () => {
  const clock = new FakeClock()
  const cache = new AnswerCache(clock)
  cache.set('long', { records: [record(1)] }, 10_000_000)
  clock.advance(86_399_000)
  assert.ok(cache.get('long'))
  clock.advance(1_000)
  assert.equal(cache.get('long'), undefined)
})
