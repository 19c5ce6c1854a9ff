// SPDX-License-Identifier: Apache-2.0
// The pure parts of the runner: the table, the command line, what is read from /proc.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOptions } from './args.ts'
import { parseCores } from './cores.ts'
import { parseStat, treeOf } from './cpu.ts'
import { SCENARIOS } from './plan.ts'
import { ratio, renderTable } from './table.ts'

test('the ratio compares with the better peer', () => {
  assert.equal(ratio(25, [1124, 1040], false), '42x')
  assert.equal(ratio(2000, [865, 1000], true), '2.0x')
  assert.equal(ratio(undefined, [1, 2], false), '–')
  assert.equal(ratio(3, [], false), '–')
})

test('the table has a row for what was measured only', () => {
  const results = new Map([
    ['prosody', { 'login.cpu': 8.7 }],
    ['us', { 'login.cpu': 1.5, 'login.rate': 1234 }],
  ])
  const lines = renderTable(results).split('\n')
  assert.deepEqual(
    lines.map((line) => line.trim().split(/\s{2,}/)),
    [
      ['us', 'Prosody', 'ejabberd', 'ratio', 'floor'],
      ['login: CPU ms each', '1.50', '8.70', '–', '5.8x', '–'],
      ['logins/s', '1,234', '–', '–', '–', '–'],
    ],
  )
})

test('/proc/PID/stat is read past a hostile name', () => {
  const line = '42 (a) b) c) S 7 42 42 0 -1 4194304 100 200 0 0 11 22 3 4 20 0 8 0 100 1000 50'
  assert.deepEqual(parseStat(line), { parent: 7, ticks: 40 })
})

test('the tree has grandchildren and no strangers', () => {
  const parents = new Map([
    [5, 1],
    [10, 1],
    [11, 10],
    [12, 11],
  ])
  assert.deepEqual(treeOf(10, parents), [10, 11, 12])
})

test('lists of cores', () => {
  assert.deepEqual(parseCores('0-2,5'), [0, 1, 2, 5])
  assert.deepEqual(parseCores('3\n'), [3])
})

test('the command line', () => {
  const known = ['us', 'floor']
  assert.deepEqual(parseOptions(['chat', '--server', 'us', '--quick'], known), {
    scenarios: ['chat'],
    servers: ['us'],
    quick: true,
    delayed: false,
    help: false,
    json: undefined,
  })
  const all = parseOptions([], known)
  assert.ok(typeof all !== 'string')
  assert.deepEqual([all.scenarios, all.servers], [SCENARIOS, known])
  for (const wrong of [['chart'], ['--server', 'them'], ['--fast']]) {
    assert.equal(typeof parseOptions(wrong, known), 'string')
  }
})
