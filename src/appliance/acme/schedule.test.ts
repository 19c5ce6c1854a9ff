// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { momentIn, pauseAfter, renewalAt } from './schedule.ts'

const DAY = 86_400_000

test('a certificate is renewed when a third of its life is left, and not at the same moment as all others', () => {
  const life = { from: 0, until: 90 * DAY }
  assert.equal(renewalAt(life, 0), 60 * DAY)
  assert.equal(renewalAt(life, 0.5), 61.5 * DAY)
  assert.ok(renewalAt({ from: 0, until: 6 * DAY }, 0.99) < 4.3 * DAY)
})

test('what failed is tried again later and later, at least once a day and a half', () => {
  assert.equal(pauseAfter(1, 0.5), 5 * 60_000)
  assert.equal(pauseAfter(2, 0.5), 10 * 60_000)
  assert.equal(pauseAfter(100, 0.5), DAY)
  assert.ok(pauseAfter(100, 0.999) < 1.25 * DAY)
})

test('what an authority wishes holds, within the life of the certificate and not without end', () => {
  const life = { from: 0, until: 90 * DAY }
  assert.equal(momentIn({ from: 50 * DAY, until: 52 * DAY }, life, 0.5), 51 * DAY)
  assert.equal(momentIn({ from: 80 * DAY, until: 800 * DAY }, life, 0.5), 85.5 * DAY)
  assert.equal(momentIn({ from: -2 * DAY, until: -DAY }, life, 0.5), DAY / 2)
})
