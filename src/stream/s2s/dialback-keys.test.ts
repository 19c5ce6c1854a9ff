// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DialbackKeys } from './dialback-keys.ts'

const keys = new DialbackKeys(Buffer.from('s3cr3tf0rd14lb4ck'))

test('the keys of the examples in XEP-0185 §3 and XEP-0220 §2.1.1', () => {
  const what = { receiving: 'xmpp.example.com', originating: 'example.org', streamId: 'D60000229F' }
  assert.equal(keys.make(what), '37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643')
  assert.equal(
    keys.make({ receiving: 'montague.example', originating: 'capulet.example', streamId: 'D60000229F' }),
    'b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3',
  )
})

test('a key is known again, for its stream and its two domains only', () => {
  const what = { receiving: 'a.example', originating: 'b.example', streamId: 's1' }
  const key = keys.make(what)
  assert.ok(keys.verify(`\n  ${key.toUpperCase()} `, what))
  assert.ok(!keys.verify(key, { ...what, streamId: 's2' }))
  assert.ok(!keys.verify(key, { ...what, receiving: 'c.example' }))
  assert.ok(!keys.verify(key, { ...what, originating: 'c.example' }))
  assert.ok(!keys.verify(key, { ...what, receiving: what.originating, originating: what.receiving }))
  assert.ok(!keys.verify('', what))
  assert.ok(!keys.verify(key.slice(1), what))
  assert.ok(!new DialbackKeys(Buffer.from('another')).verify(key, what))
})
