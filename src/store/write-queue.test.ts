// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Deed } from './db.ts'
import { type Outcome, WriteQueue } from './write-queue.ts'

const DONE: Outcome = { failures: new Map(), rows: new Map() }

function deed(done: () => void = () => undefined): Deed {
  return { statements: [], done, failed: undefined, wantsRows: false }
}

/** A queue whose batches end when the test says so. */
function held() {
  const batches: { readonly size: number; readonly end: () => void }[] = []
  const queue = new WriteQueue(
    (batch) => new Promise((resolve) => batches.push({ size: batch.length, end: () => resolve(DONE) })),
    { interval: 0, observer: undefined },
  )
  return { queue, batches }
}

test('who reads waits for what was written, and not for what only tells where things stand', async () => {
  const { queue, batches } = held()
  queue.postLast(() => deed())
  assert.equal(queue.settled(), undefined)
  assert.equal(queue.size, 1)
  queue.post(deed())
  const settled = queue.settled()
  assert.ok(settled)
  while (batches.length === 0) await new Promise(setImmediate)
  assert.equal(batches[0]?.size, 2, 'both went together')
  batches[0]?.end()
  await settled
  assert.equal(queue.size, 0)
  assert.equal(queue.settled(), undefined)
})

test('who waits for the disk waits for what comes last too, and that hurries', async () => {
  const { queue, batches } = held()
  const told: string[] = []
  queue.postLast(() => deed(() => told.push('last')))
  const durable = queue.durable()
  while (batches.length === 0) await new Promise(setImmediate)
  batches[0]?.end()
  await durable
  assert.deepEqual(told, ['last'])
})
