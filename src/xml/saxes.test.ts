// SPDX-License-Identifier: Apache-2.0
// The reader against saxes: they accept the same documents and make the same trees of them, but for the differences that
// test/fuzz/judge.ts lists. `test/fuzz/run.ts` does the same with many more documents.

import { test } from 'node:test'
import fc from 'fast-check'
import { document, spoil } from '../../test/fuzz/generate.ts'
import { judge, type Pick } from '../../test/fuzz/judge.ts'

function pickFrom(gen: fc.GeneratorValue): Pick {
  return (count) => gen(fc.nat, { max: count - 1 })
}

test('well-formed streams are read as saxes reads them', () => {
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      const pick = pickFrom(gen)
      judge(Buffer.from(document(pick)), pick)
    }),
    { numRuns: 500 },
  )
})

test('spoilt streams are refused when saxes refuses them', () => {
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      const pick = pickFrom(gen)
      judge(spoil(Buffer.from(document(pick)), pick), pick)
    }),
    { numRuns: 1000 },
  )
})

test('no bytes make the reader fail in another way', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.gen(), (bytes, gen) => judge(bytes, pickFrom(gen))),
    { numRuns: 500 },
  )
})
