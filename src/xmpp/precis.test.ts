// SPDX-License-Identifier: Apache-2.0
// PRECIS: the examples of the RFCs, the rules about context and direction, and what must hold for any text.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bidiRule, identifierClass, opaqueString, usernameCaseMapped } from './precis.ts'

test('names: the examples of RFC 8265 §3.5', () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ['juliet@example.com', 'juliet@example.com'],
    ['fussball', 'fussball'],
    ['fu\u00dfball', 'fu\u00dfball'],
    ['\u03c0', '\u03c0'],
    ['\u03a3', '\u03c3'],
    ['\u03c3', '\u03c3'],
    ['\u03c2', '\u03c2'],
    ['foo bar', undefined],
    ['', undefined],
    ['henry\u2163', undefined],
    ['\u221e', undefined],
  ]
  for (const [input, output] of table) assert.equal(usernameCaseMapped(input), output, input)
})

test('passwords and other free text: the examples of RFC 8265 §4.3', () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ['correct horse battery staple', 'correct horse battery staple'],
    ['Correct Horse Battery Staple', 'Correct Horse Battery Staple'],
    ['\u03c0\u00df\u00e5', '\u03c0\u00df\u00e5'],
    ['Jack of \u2666s', 'Jack of \u2666s'],
    ['foo\u1680bar', 'foo bar'],
    ['', undefined],
    ['my cat is a \tby', undefined],
  ]
  for (const [input, output] of table) assert.equal(opaqueString(input), output, input)
})

test('names: width, case and composition are mapped', () => {
  assert.equal(usernameCaseMapped('\uff2a\uff35\uff2c\uff29\uff25\uff34'), 'juliet')
  assert.equal(usernameCaseMapped('\uff8a\uff9e'), '\u30d0')
  assert.equal(usernameCaseMapped('E\u0301va'), '\u00e9va')
  assert.equal(usernameCaseMapped('\u1112\u1161\u11ab'), '\ud55c', 'conjoining jamo compose before they are looked at')
  assert.equal(usernameCaseMapped('\uffa1\uffc2'), undefined, 'halfwidth jamo are compatibility characters')
})

test('names: what no class allows is refused', () => {
  const refused = [
    'a\u00adb',
    'a\ufe0fb',
    '\u{1f600}',
    'a\u2028b',
    'a\ue000b',
    'a\ud800b',
    'a\u0000b',
    '\ufb01',
    'a\u0378b',
  ]
  for (const input of [...refused, '\u3164', '\u0640a', 'a\u00a0b', '\u01c5'])
    assert.equal(usernameCaseMapped(input), undefined)
  for (const input of refused.filter((text) => !/\ufb01|\u{1f600}/u.test(text)))
    assert.equal(opaqueString(input), undefined)
  assert.equal(opaqueString('\u{1f600} \ufb01'), '\u{1f600} \ufb01')
})

test('characters that need context (RFC 5892 appendix A)', () => {
  const good = [
    'l\u00b7l',
    '\u0375\u03b1',
    '\u05d0\u05f3',
    '\u05d0\u05f4\u05d1',
    '\u30a2\u30fb',
    '\u0915\u094d\u200d\u0937',
  ]
  good.push('\u0915\u094d\u200c\u0937', '\u0646\u0627\u0645\u0647\u200c\u0627\u06cc', '\u0628\u064b\u200c\u064b\u0628')
  good.push('\u0628\u0660\u0661', '\u0628\u06f0\u06f1')
  const bad = ['a\u00b7l', 'l\u00b7', '\u0375a', 'a\u05f3', '\u05f4\u05d0', 'a\u30fbb', 'a\u200db', 'a\u200cb']
  bad.push('\u0627\u200c\u0628', '\u0628\u200c', '\u200c\u0628', '\u0628\u0660\u06f0')
  for (const text of good) assert.equal(identifierClass(text), true, JSON.stringify(text))
  for (const text of bad) assert.equal(identifierClass(text), false, JSON.stringify(text))
})

test('direction: the Bidi Rule (RFC 5893 §2)', () => {
  const good = [
    'abc',
    '1abc',
    '\u05d0',
    '\u05d0\u05d1-\u05d2',
    '\u05d01',
    '\u0628\u0661',
    '\u05d0\u05b0',
    '\u0627\u06f1\u064b',
  ]
  const bad = [
    'a\u05d0',
    '\u05d0a',
    '1\u05d0',
    '\u0661\u0628',
    '\u05d0-',
    '\u0628\u06611',
    '\u05b0\u05d0',
    '-\u05d0',
    'a\u0661',
  ]
  for (const text of good) assert.equal(bidiRule(text), true, JSON.stringify(text))
  for (const text of bad) assert.equal(bidiRule(text), false, JSON.stringify(text))
})

test('for any text: no exception, and what is prepared is its own preparation', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string())
  fc.assert(
    fc.property(texts, (text) => {
      for (const prepare of [usernameCaseMapped, opaqueString]) {
        const once = prepare(text)
        if (once !== undefined) assert.equal(prepare(once), once)
      }
    }),
    { numRuns: 2000 },
  )
})

test('every single character is either refused or settles, under both profiles', () => {
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0x20000 && code < 0xe0000) continue
    const char = String.fromCodePoint(code)
    const name = usernameCaseMapped(char)
    if (name !== undefined && usernameCaseMapped(name) !== name) assert.fail(code.toString(16))
    if (name !== undefined && opaqueString(name) !== name)
      assert.fail(`allowed in names but not in free text: ${code.toString(16)}`)
  }
})
