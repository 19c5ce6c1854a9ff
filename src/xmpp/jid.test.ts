// SPDX-License-Identifier: Apache-2.0
// Addresses: the examples of RFC 7622, its limits, and what must hold for any text.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { StanzaError } from './errors.ts'
import { Jid } from './jid.ts'

type Parts = readonly [string | undefined, string, string | undefined]

test('RFC 7622 §3.5, table 1: addresses', () => {
  const table: readonly (readonly [string, Parts])[] = [
    ['juliet@example.com', ['juliet', 'example.com', undefined]],
    ['juliet@example.com/foo', ['juliet', 'example.com', 'foo']],
    ['juliet@example.com/foo bar', ['juliet', 'example.com', 'foo bar']],
    ['juliet@example.com/foo@bar', ['juliet', 'example.com', 'foo@bar']],
    ['foo\\20bar@example.com', ['foo\\20bar', 'example.com', undefined]],
    ['fussball@example.com', ['fussball', 'example.com', undefined]],
    ['fu\u00dfball@example.com', ['fu\u00dfball', 'example.com', undefined]],
    ['\u03c0@example.com', ['\u03c0', 'example.com', undefined]],
    ['\u03a3@example.com/foo', ['\u03c3', 'example.com', 'foo']],
    ['\u03c3@example.com/foo', ['\u03c3', 'example.com', 'foo']],
    ['\u03c2@example.com/foo', ['\u03c2', 'example.com', 'foo']],
    ['king@example.com/\u265a', ['king', 'example.com', '\u265a']],
    ['example.com', [undefined, 'example.com', undefined]],
    ['example.com/foobar', [undefined, 'example.com', 'foobar']],
    ['a.example.com/b@example.net', [undefined, 'a.example.com', 'b@example.net']],
  ]
  for (const [text, [local, domain, resource]] of table) {
    const jid = Jid.parse(text)
    assert.deepEqual([jid.local, jid.domain, jid.resource], [local, domain, resource])
  }
})

test('RFC 7622 §3.5, table 2: not addresses', () => {
  const table = ['"juliet"@example.com', 'foo bar@example.com', '@example.com/', 'henry\u2163@example.com']
  for (const text of [...table, '\u265a@example.com', 'juliet@', '/foobar']) {
    assert.throws(() => Jid.parse(text), { name: 'StanzaError', condition: 'jid-malformed', type: 'modify' }, text)
    assert.equal(Jid.tryParse(text), undefined)
  }
  // Its example 18 contradicts the OpaqueString profile, which has no rule against a space at the start (erratum 4560).
  assert.equal(Jid.parse('juliet@example.com/ foo').resource, ' foo')
})

test('characters that the profile allows and RFC 7622 §3.3.1 takes away, fullwidth ones too', () => {
  for (const char of '"&\'/:<>@\uff20\uff02\uff06\uff07\uff0f\uff1a\uff1c\uff1e') {
    assert.throws(() => Jid.of(`a${char}b`, 'example.com'), StanzaError)
  }
  assert.equal(Jid.tryParse('a@b@example.com'), undefined)
})

test('domainparts', () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ['EXAMPLE.com', 'example.com'],
    ['example.com.', 'example.com'],
    ['example\u3002com', 'example.com'],
    ['\uff45xample.com', 'example.com'],
    ['fu\u00dfball.example', 'fu\u00dfball.example'],
    ['xn--fuball-cta.example', 'fu\u00dfball.example'],
    ['XN--FUBALL-CTA.example.', 'fu\u00dfball.example'],
    ['B\u00dccher.example', 'b\u00fccher.example'],
    ['bu\u0308cher.example', 'b\u00fccher.example'],
    ['\u0645\u062b\u0627\u0644.example', '\u0645\u062b\u0627\u0644.example'],
    ['localhost', 'localhost'],
    ['3com.example', '3com.example'],
    ['r3--a.example', 'r3--a.example'],
    ['127.0.0.1', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[2001:DB8:0:0:0:0:0:1]', '[2001:db8::1]'],
    ['example.com..', undefined],
    ['a..b', undefined],
    ['.a', undefined],
    ['.', undefined],
    ['', undefined],
    ['-a.example', undefined],
    ['a-.example', undefined],
    ['a_b.example', undefined],
    ['a b.example', undefined],
    ['a%62.example', undefined],
    ['a:80', undefined],
    ['1.2.3', undefined],
    ['1.2.3.256', undefined],
    ['1.2.3.04', undefined],
    ['0x7f.1', undefined],
    ['[1:2]', undefined],
    ['[::1', undefined],
    ['[fe80::1%eth0]', undefined],
    ['[::1].example', undefined],
    ['\u2603.example', undefined],
    ['xn--n3h.example', undefined],
    ['xn--a', undefined],
    ['xn--xn--a-1', undefined],
    ['exam\u00adple.com', undefined],
    ['\u2163.example', undefined],
    ['\u0301a.example', undefined],
    ['a\u05d0.example', undefined],
    ['\u00e9.1', undefined],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
    [`${'a'.repeat(64)}.example`, undefined],
    [`${'\u00fc'.repeat(63)}.example`, undefined],
  ]
  for (const [text, domain] of table) assert.equal(Jid.tryParse(text)?.domain, domain, text)
})

test('no part has more than 1023 bytes (RFC 7622 §3.1)', () => {
  const [most, more] = ['a'.repeat(1023), 'a'.repeat(1024)]
  assert.equal(Jid.parse(`${most}@example.com/${most}`).toString().length, 2 * 1023 + 13)
  assert.equal(Jid.tryParse(`${more}@example.com`), undefined)
  assert.equal(Jid.tryParse(`example.com/${more}`), undefined)
  assert.equal(Jid.tryParse(`example.com/${'\u00e9'.repeat(512)}`), undefined)
  assert.equal(Jid.parse(`example.com/${'\u00e9'.repeat(511)}`).resource?.length, 511)
  assert.equal(Jid.tryParse(`${'a.'.repeat(511)}a`)?.domain.length, 1023)
  assert.equal(Jid.tryParse(`${'a.'.repeat(511)}ab`), undefined)
  assert.equal(Jid.tryParse('a'.repeat(100_000)), undefined)
  assert.throws(() => Jid.of(more, 'example.com'), StanzaError)
})

test('bare, full, equal', () => {
  const full = Jid.parse('Juliet@Example.com/Balcony')
  assert.equal(full.toString(), 'juliet@example.com/Balcony')
  assert.equal(full.key, full.toString())
  assert.equal(full.isBare, false)
  assert.equal(full.bare.toString(), 'juliet@example.com')
  assert.equal(full.bare, full.bare)
  assert.equal(full.bare.bare, full.bare)
  assert.equal(full.bare.isBare, true)
  assert.ok(full.bare.equals(Jid.parse('juliet@example.com')))
  assert.ok(!full.equals(full.bare))
  assert.equal(full.withResource('a\u00a0b').toString(), 'juliet@example.com/a b')
  assert.throws(() => full.withResource(''), StanzaError)
  assert.throws(() => Jid.parse(undefined), StanzaError)
  assert.equal(Jid.tryParse(undefined), undefined)
})

test('parts that were not prepared yet cannot smuggle separators', () => {
  assert.equal(Jid.of('Juliet', 'Example.COM', 'Balcony').toString(), 'juliet@example.com/Balcony')
  assert.throws(() => Jid.of('', 'example.com'), StanzaError)
  assert.throws(() => Jid.of('a', 'b/c'), StanzaError)
  assert.throws(() => Jid.of('a', 'b@c'), StanzaError)
  assert.throws(() => Jid.of('a/b', 'c'), StanzaError)
  assert.throws(() => Jid.of(undefined, 'c', ''), StanzaError)
})

test('the cache keeps answers right through many generations', () => {
  const first = Jid.parse('first@example.com')
  for (let i = 0; i < 30_000; i++) assert.equal(Jid.parse(`user${i}@example.com/x`).local, `user${i}`)
  assert.ok(Jid.parse('first@example.com').equals(first))
})

test('for any text: only StanzaErrors, and the text of an address is that address', () => {
  const odd = fc.constantFrom(
    ...'aZ0-._@/[]:%\\\u00df\u03a3\u05d0\u0628\u0661\u200c\u3002\uff20\u0301\ud800',
    'xn--',
    'xn--fuball-cta',
  )
  const part = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.array(odd, { maxLength: 8 }).map((a) => a.join('')),
  )
  const texts = fc.oneof(
    part,
    fc.tuple(part, part, part).map(([a, b, c]) => `${a}@${b}.example/${c}`),
  )
  fc.assert(
    fc.property(texts, (text) => {
      let jid: Jid
      try {
        jid = Jid.parse(text)
      } catch (error) {
        assert.ok(error instanceof StanzaError)
        return
      }
      const again = Jid.parse(jid.toString())
      assert.ok(again.equals(jid))
      assert.deepEqual([again.local, again.domain, again.resource], [jid.local, jid.domain, jid.resource])
      assert.ok(Jid.of(jid.local, jid.domain, jid.resource).equals(jid))
      assert.ok(jid.bare.equals(Jid.parse(jid.bare.toString())))
    }),
    { numRuns: 5000 },
  )
})
