// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPublic } from './public-addresses.ts'

test('addresses that the whole internet can use are told from others, in both families', () => {
  for (const address of ['8.8.8.8', '93.184.216.34', '203.0.113.60', '2606:4700::1111', '2a01:4f8::1'])
    assert.equal(isPublic(address), true, address)
  for (const address of [
    ...['10.1.2.3', '172.31.0.1', '192.168.1.1', '127.0.0.1', '100.64.0.1', '169.254.1.1', '224.0.0.1'],
    ...['::1', 'fd00::1', 'fe80::1', 'ff02::1', '::ffff:8.8.8.8'],
  ])
    assert.equal(isPublic(address), false, address)
})
