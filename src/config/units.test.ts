// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isServerName, parseAddress, parseDuration, parseSize } from './units.ts'

test('times, sizes and addresses', () => {
  assert.deepEqual(
    ['30s', '1.5h', ' 2 d ', 60, '250ms', '1w'].map(parseDuration),
    [30_000, 5_400_000, 172_800_000, 60_000, 250, 604_800_000],
  )
  assert.deepEqual(['256KiB', '4mb', 1000, '1GiB'].map(parseSize), [262_144, 4_000_000, 1000, 1_073_741_824])
  for (const bad of ['', '-1', '5x', 'many', null, undefined, {}, true, '1e3', '0.0001ms']) {
    assert.equal(parseDuration(bad), undefined, String(bad))
    assert.equal(parseSize(bad), undefined, String(bad))
  }
  assert.deepEqual(parseAddress('[::1]:1'), { host: '::1', port: 1 })
  assert.deepEqual(parseAddress('*:5222'), { host: '::', port: 5222 })
  assert.deepEqual(parseAddress('localhost:5222'), { host: 'localhost', port: 5222 })
  for (const bad of ['', '::1:5222', 'x', ':0', ':70000', '[::1]', null, 'a b:1']) {
    assert.equal(parseAddress(bad), undefined, String(bad))
  }
  for (const good of [
    'new.example.org',
    'new.example.org:5222',
    'münchen.example:1',
    '192.0.2.1',
    '[2001:db8::1]:5222',
    '[::1]',
  ]) {
    assert.ok(isServerName(good), good)
  }
  for (const bad of [
    '',
    ':5222',
    'a:0',
    'a:65536',
    '::1',
    '[::1',
    '[x]',
    '[1:2]:5222',
    'a b',
    'me@a',
    'https://a',
    'a/b',
  ]) {
    assert.ok(!isServerName(bad), bad)
  }
})
