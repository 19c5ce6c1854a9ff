// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from './shape.ts'

/** What is wrong with a value. */
function wrong(shape: z.Shape<unknown>, value: unknown): readonly string[] {
  const answer = shape.safeParse(value)
  return answer.success ? [] : answer.error.message.split('\n')
}

test('a value of the right kind is let through, any other is told apart in words', () => {
  assert.equal(z.string().parse('a'), 'a')
  assert.equal(z.number().parse(1.5), 1.5)
  assert.deepEqual(wrong(z.string(), 5), ['must be text, not 5'])
  assert.deepEqual(wrong(z.string(), undefined), ['is missing'])
  assert.deepEqual(wrong(z.number(), Number.NaN), ['must be a number, not null'])
  assert.deepEqual(wrong(z.int(), 1.5), ['must be a whole number, not 1.5'])
  assert.deepEqual(wrong(z.boolean(), 'yes'), ['must be true or false, not "yes"'])
  assert.deepEqual(wrong(z.array(z.int()), { a: 1 }), ['must be a list, not a group of options'])
  assert.deepEqual(wrong(z.object({}), [1]), ['must be a group of options, not a list'])
  assert.deepEqual(wrong(z.object({}), null), ['must be a group of options, not nothing'])
  assert.deepEqual(wrong(z.oneOf(['a', 'b']), 'c'), ['must be one of a, b'])
  assert.deepEqual(wrong(z.either(z.int(), z.string(), 'must be this or that'), true), ['must be this or that'])
})

test('bounds hold, and a value that is wrong already is not looked at further', () => {
  assert.deepEqual(wrong(z.string().min(1), ''), ['must not be empty'])
  assert.deepEqual(wrong(z.int().min(2).max(4), 1), ['must be at least 2'])
  assert.deepEqual(wrong(z.int().min(2).max(4), 5), ['must be at most 4'])
  assert.deepEqual(wrong(z.array(z.int()).max(1), [1, 2]), ['must have at most 1 entries'])
  const even = z
    .int()
    .refine((value) => value % 2 === 0, 'must be even')
    .transform((value) => value / 2)
  assert.equal(even.parse(4), 2)
  assert.deepEqual(wrong(even, 3), ['must be even'])
  assert.deepEqual(wrong(even, 'x'), ['must be a whole number, not "x"'])
  const pair = z.object({ a: z.int(), b: z.int() }).refine(({ a, b }) => a < b, 'a must be less than b')
  assert.deepEqual(wrong(pair, { a: 2, b: 1 }), ['a must be less than b'])
  assert.deepEqual(wrong(pair, { a: 2, b: 'x' }), ['b: must be a whole number, not "x"'])
})

test('everything that is wrong is told, with where it is', () => {
  const shape = z.strictObject({ list: z.array(z.object({ n: z.int() })), names: z.record(z.string()) })
  assert.deepEqual(wrong(shape, { list: [{ n: 1 }, { n: 'x' }, {}], names: { a: 1 }, more: 1 }), [
    'list.1.n: must be a whole number, not "x"',
    'list.2.n: is missing',
    'names.a: must be text, not 1',
    'there is no more here',
  ])
})

test('what is missing may have something instead, what is not known is left out', () => {
  const shape = z.object({ a: z.int().default(1), b: z.string().optional(), c: z.int().nullable().default(null) })
  assert.deepEqual(shape.parse({ d: 1 }), { a: 1, c: null })
  assert.deepEqual(shape.parse({ a: 2, b: 'x', c: 3 }), { a: 2, b: 'x', c: 3 })
  assert.deepEqual(shape.extend({ d: z.int() }).parse({ d: 1 }), { a: 1, c: null, d: 1 })
  assert.equal(z.oneOf(['a', 'b']).catch('a').parse(7), 'a')
})

test('names that objects have by themselves are names like any other', () => {
  const read = z.record(z.int()).parse(JSON.parse('{"__proto__": 1, "toString": 2}'))
  assert.deepEqual(Object.entries(read), [
    ['__proto__', 1],
    ['toString', 2],
  ])
  assert.deepEqual(wrong(z.object({ toString: z.int() }), {}), ['toString: is missing'])
  assert.deepEqual(wrong(z.strictObject({}), JSON.parse('{"__proto__": 1}')), ['there is no __proto__ here'])
})

test('a default is read as if it were written', () => {
  const time = z.string().transform(Number).default('5').meta({ description: 'A time.' })
  assert.equal(time.parse(undefined), 5)
  assert.deepEqual([time.about.default, time.about.description], ['5', 'A time.'])
  assert.deepEqual(z.strictObject({ time }).about.properties?.time, time.about)
})
