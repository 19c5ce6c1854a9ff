// SPDX-License-Identifier: Apache-2.0
// The form in which passwords are hashed: the examples of RFC 4013 §3 and what real passwords contain.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { preparePassword } from './password.ts'

test('SASLprep: the examples of RFC 4013 §3, except the one about direction', () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['\u0007', undefined],
  ]
  for (const [input, output] of table) assert.equal(preparePassword(input), output, JSON.stringify(input))
})

test('spaces become spaces, emoji stay, the empty and the endless are refused', () => {
  assert.equal(preparePassword('a\u00a0b\u3000c\u200bd'), 'a b c d')
  assert.equal(preparePassword('correct horse \u{1f40e}'), 'correct horse \u{1f40e}')
  assert.equal(preparePassword('pa\u0308sse'), 'p\u00e4sse')
  for (const bad of ['', '\u00ad', 'a\tb', 'a\ud800', 'a\ufffd', 'a\u202eb', 'a'.repeat(1025)]) {
    assert.equal(preparePassword(bad), undefined, JSON.stringify(bad))
  }
})

test('a prepared password is its own preparation', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = preparePassword(text)
      if (once !== undefined && once.length <= 1024) assert.equal(preparePassword(once), once)
    }),
  )
})
