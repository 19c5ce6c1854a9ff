// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as v from 'valibot'
import { explain, IN_WORDS, problemsOf } from './explain.ts'
import { group, groupOf } from './kinds.ts'
import { described } from './load.ts'
import { parseSource } from './source.ts'

/** What is said of a request. */
function wrong(schema: v.GenericSchema, value: unknown): string {
  const answer = v.safeParse(schema, value, IN_WORDS)
  return answer.success ? '' : problemsOf(answer.issues)
}

/** What is said of a file. */
function mistakes(schema: v.GenericSchema, text: string): readonly string[] {
  const source = parseSource(text)
  const answer = v.safeParse(schema, source.value, IN_WORDS)
  return answer.success
    ? []
    : explain(answer.issues, schema, source).map((one) => `${one.line}:${one.column}: ${described(one)}`)
}

test('a value of the wrong kind is told in words', () => {
  const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(2), v.maxValue(4))
  assert.equal(wrong(v.string(), 5), 'must be text, not 5')
  assert.equal(wrong(v.string(), undefined), 'is missing')
  assert.equal(wrong(v.number(), Number.NaN), 'must be a number, not null')
  assert.equal(wrong(v.boolean(), 'yes'), 'must be true or false, not "yes"')
  assert.equal(wrong(v.array(v.string()), { a: 1 }), 'must be a list, not a group of options')
  assert.equal(wrong(v.object({}), null), 'must be a group of options, not nothing')
  assert.equal(wrong(v.picklist(['near', 'far']), 'fra'), 'must be one of near, far; did you mean far?')
  assert.equal(wrong(v.pipe(v.string(), v.nonEmpty()), ''), 'must not be empty')
  assert.equal(wrong(v.pipe(v.array(v.string()), v.maxLength(1)), ['a', 'b']), 'must have at most 1 entries')
  assert.deepEqual(
    [1.5, 1, 5].map((value) => wrong(whole, value)),
    ['must be a whole number, not 1.5', 'must be at least 2', 'must be at most 4'],
  )
})

test('everything that is wrong with a request is told, with where it is', () => {
  const request = v.object({ list: v.array(v.object({ n: v.number() })), name: v.string() })
  const said = 'list.1.n: must be a number, not "x"\nlist.2.n: is missing\nname: must be text, not 7'
  assert.equal(wrong(request, { list: [{ n: 1 }, { n: 'x' }, {}], name: 7, more: 1 }), said)
})

test('each name that nobody knows is told, also inside of lists and of groups with any names', () => {
  const one = group({ depth: v.number() })
  const all = group({ list: v.optional(v.array(one), []), each: v.optional(groupOf(one), {}), last: v.optional(one) })
  const known = 'there is no such option; known are depth'
  assert.deepEqual(mistakes(all, 'list: [{depth: 1, constructor: 1}]\neach: {a: {depht: 1, __proto__: 1}}'), [
    `1:19: list[0].constructor: ${known}`,
    '2:8: each.a.depth: is missing',
    '2:12: each.a.depht: there is no such option; did you mean depth?',
    `2:22: each.a.__proto__: ${known}`,
  ])
})

test('a list is no group', () => {
  const all = group({ one: v.optional(group({}), {}), each: v.optional(groupOf(v.number()), {}) })
  assert.deepEqual(mistakes(all, 'one: []\neach: [1]'), [
    '1:1: one: must be a group of options, not a list',
    '2:1: each: must be a group of options, not a list',
  ])
})
