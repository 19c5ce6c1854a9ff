// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog, logFile } from './log.ts'

test('a log on a full disk stops nothing', () => {
  const log = createLog('info', logFile('/dev/full'))
  for (let line = 0; line < 3; line++) assert.doesNotThrow(() => log.error('store failed', { line }))
})
