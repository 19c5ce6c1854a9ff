// SPDX-License-Identifier: Apache-2.0
// What is received is counted rightly however it is cut, and every fault has its name.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quantile } from './chat.ts'
import { parseLoopDelay } from './metrics.ts'
import { mark, Scanner, Sequence } from './sequence.ts'

const GOOD = { lost: 0, doubled: 0, disordered: 0, strayed: 0 }

function faultsOf(numbers: readonly number[], sent: number): object {
  const sequence = new Sequence(3)
  for (const number of numbers) sequence.note(3, number)
  return sequence.faults(sent)
}

test('faults', () => {
  assert.deepEqual(faultsOf([0, 1, 2], 3), GOOD)
  assert.deepEqual(faultsOf([0, 2], 4), { ...GOOD, lost: 2 })
  assert.deepEqual(faultsOf([0, 1, 1, 2], 3), { ...GOOD, doubled: 1 })
  assert.deepEqual(faultsOf([0, 2, 1, 3], 4), { ...GOOD, disordered: 1 })
  const sequence = new Sequence(3)
  sequence.note(4, 0)
  assert.deepEqual(sequence.faults(0), { ...GOOD, strayed: 1 })
})

test('a stream cut anywhere', () => {
  const stanza = (number: number): string =>
    `<message id='1'><body>${mark(12, number)} text</body></message><r xmlns='urn:xmpp:sm:3'/>`
  const stream = `${stanza(7)}<presence/><request/>${stanza(12345678)}`
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second += 7) {
      const scanner = new Scanner()
      const noted: number[][] = []
      let requests = 0
      for (const piece of [stream.slice(0, first), stream.slice(first, second), stream.slice(second)]) {
        requests += scanner.scan(piece, (...seen) => noted.push(seen)).requests
      }
      assert.deepEqual(
        [noted, requests],
        [
          [
            [12, 7],
            [12, 12345678],
          ],
          2,
        ],
      )
    }
  }
})

test('quantiles', () => {
  const sorted = Float64Array.from({ length: 100 }, (_, index) => index)
  assert.deepEqual([quantile(sorted, 0.5), quantile(sorted, 0.99), quantile(sorted, 1)], [50, 99, 99])
  assert.equal(quantile(new Float64Array(), 0.5), 0)
})

test('the event loop delay among other metrics', () => {
  const page =
    'aenigma_event_loop_delay_seconds{quantile="0.5"} 0.01\naenigma_event_loop_delay_seconds{quantile="0.99"} 0.0213\n'
  assert.equal(parseLoopDelay(page), 0.0213)
  assert.equal(parseLoopDelay('other 1\n'), undefined)
})
