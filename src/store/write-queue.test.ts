// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Deed } from './db.ts'
import { type Outcome, type Parcel, WriteQueue } from './write-queue.ts'

const DONE: Outcome = { failures: new Map(), rows: new Map() }

function deed(done: () => void = () => undefined): Deed {
  return { statements: [], done, failed: undefined, wantsRows: false }
}

class Count implements Parcel {
  deeds = 0
  text = 0

  add({ statements }: Pick<Deed, 'statements'>): void {
    this.deeds++
    for (const { values } of statements) this.text += String(values[0]).length
  }
}

/** A queue whose batches end when the test says so. */
function held() {
  const batches: { readonly size: number; readonly end: (outcome?: Outcome) => void }[] = []
  const queue = new WriteQueue(
    {
      parcel: () => new Count(),
      run: ({ deeds }) =>
        new Promise((resolve) => batches.push({ size: deeds, end: (outcome = DONE) => resolve(outcome) })),
    },
    { interval: 0, observer: undefined },
  )
  const next = async (place: number) => {
    while (batches.length <= place) await new Promise(setImmediate)
    return batches[place]
  }
  return { queue, batches, next }
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

test('who fails is told, and nobody else, whether they are told of one deed or of many', async () => {
  const { queue, next } = held()
  const told: string[] = []
  const many = (error: Error) => told.push(`many: ${error.message}`)
  const one = (name: string): Deed => ({
    ...deed(() => told.push(`${name} done`)),
    failed: (error) => told.push(`${name}: ${error.message}`),
  })
  for (let count = 0; count < 3; count++) queue.post({ ...deed(), done: undefined, failed: many })
  queue.post(one('a'))
  queue.post(one('b'))
  queue.post({ ...deed(), done: undefined, failed: many })
  queue.post({ ...deed(), done: undefined })
  const batch = await next(0)
  const failures = new Map([1, 4, 6].map((place) => [place, new Error(String(place))]))
  batch?.end({ failures, rows: new Map() })
  await queue.settled()
  assert.deepEqual(told, ['many: 1', 'a done', 'b: 4'])
  assert.equal(queue.failures, 3)
})

test('a batch has its bounds, and what comes last comes after all that was posted before', async () => {
  const { queue, next } = held()
  const text = 'x'.repeat(3 * 1024 * 1024)
  const large: Deed = { ...deed(), statements: [{ text: [''] as unknown as TemplateStringsArray, values: [text] }] }
  assert.equal(queue.crowded, false)
  for (let count = 0; count < 4; count++) queue.post(large)
  assert.equal(queue.crowded, true)
  queue.postLast(() => deed())
  const first = await next(0)
  assert.equal(first?.size, 3)
  first?.end()
  const second = await next(1)
  assert.equal(second?.size, 2)
  second?.end()
  await queue.drained()
  assert.equal(queue.crowded, false)
})
