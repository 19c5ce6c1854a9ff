// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

test('typing errors are recognised, other words are not', () => {
  const known = ['limits', 'listen', 'log', 'domain']
  assert.equal(nearest('limit', known), 'limits')
  assert.equal(nearest('lsiten', known), 'listen')
  assert.equal(nearest('LOG', known), 'log')
  assert.equal(nearest('donain', known), 'domain')
  assert.equal(nearest('certificates', known), undefined)
  assert.equal(nearest('', known), undefined)
})
