// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkText } from './dns-text.ts'
import { bytesText, leftText, spanText, table, timeText } from './output.ts'

test('values as people read them', () => {
  assert.equal(spanText(900), '0 s')
  assert.equal(spanText(61_000), '1 min 1 s')
  assert.equal(spanText(90_061_000), '1 d 1 h')
  assert.equal(bytesText(1500), '2 KiB')
  assert.equal(bytesText(5 * 1024 ** 2), '5.0 MiB')
  assert.equal(leftText(1000, 5000, 4000), ', about 16 s left')
  assert.equal(leftText(0, 5000, 4000) + leftText(100, 5000, 400) + leftText(4999, 5000, 20_000), '')
  assert.equal(timeText(0), '1970-01-01 00:00')
  assert.equal(
    table(
      ['A', 'LONG'],
      [
        ['long', 'b'],
        ['c', ''],
      ],
    ),
    'A     LONG\nlong  b\nc',
  )
})

test('what a name server says does not steer the terminal', () => {
  const verdict = { name: 'example.org', type: 'CAA', ttl: 1, why: 'x', optional: false } as const
  const found = ['0 issue "\u001b]0;owned\u0007\u009b2J\r✓"']
  const verdicts = [{ ...verdict, state: 'wrong' as const, wanted: ['0 issue "a"'], found }]
  const notes = ['ns1 (192.0.2.1) says \u001b[2J']
  const text = checkText({ host: 'example.org', zone: 'example.org', signed: false, answered: true, verdicts, notes })
  assert.doesNotMatch(text, /[^\P{Cc}\n]/u)
})
