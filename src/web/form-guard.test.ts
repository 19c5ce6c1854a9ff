// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestCounter } from './form-guard.ts'

test('whoever has ever so many networks keeps nobody else from making an account', () => {
  const requests = new RequestCounter()
  for (let i = 0; i < 5000; i++) requests.add(`2001:db8:${i.toString(16)}::1`)
  assert.equal(requests.add('192.0.2.1'), false)
})

test('one network asks so often, and then waits, whatever others do', () => {
  const requests = new RequestCounter()
  const tries = Array.from({ length: 61 }, () => requests.add('2001:db8::1'))
  assert.deepEqual([tries.slice(0, 60).some(Boolean), tries[60]], [false, true])
  assert.equal(requests.full('2001:db8::ffff'), true)
  assert.equal(requests.full('2001:db8:1::1'), false)
})
