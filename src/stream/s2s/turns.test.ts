// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from './turns.ts'

test('so many begin at once; the others when a place gets free, first come first served', () => {
  const turns = new Turns(2)
  const begun: string[] = []
  const ends = ['a', 'b', 'c', 'd'].map((name) => turns.take('romeo', () => begun.push(name)))
  assert.deepEqual(begun, ['a', 'b'])
  ends[0]?.()
  ends[0]?.()
  assert.deepEqual(begun, ['a', 'b', 'c'])
  ends[3]?.() // does not want it any more
  ends[1]?.()
  ends[2]?.()
  assert.deepEqual(begun, ['a', 'b', 'c'])
  turns.take('romeo', () => begun.push('e'))
  assert.deepEqual(begun, ['a', 'b', 'c', 'e'])
})

test('who wants many waits behind who wants one', () => {
  const turns = new Turns(3)
  const begun: string[] = []
  const ends = Array.from({ length: 10 }, (_, index) => turns.take('tybalt', () => begun.push(`t${index}`)))
  turns.take('romeo', () => begun.push('romeo'))
  assert.deepEqual(begun, ['t0', 't1', 't2'])
  ends[0]?.()
  ends[1]?.()
  assert.deepEqual(begun, ['t0', 't1', 't2', 'romeo', 't3'])
})
