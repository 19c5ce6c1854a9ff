// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog, logFile } from './log.ts'

test('an event is a line of JSON, and what is less important than wanted is none', () => {
  const lines: string[] = []
  const log = createLog('info', { write: (line) => void lines.push(line) })
  log.debug('seen')
  log.info('started', { version: '1' })
  log.warn('odd')
  const [one = '', two = ''] = lines
  assert.equal(lines.length, 2)
  assert.match(one, /^\{"level":30,"time":\d+,"version":"1","msg":"started"\}\n$/)
  assert.match(two, /^\{"level":40,"time":\d+,"msg":"odd"\}\n$/)
  createLog('silent', { write: (line) => void lines.push(line) }).error('heard by nobody')
  assert.equal(lines.length, 2)
})

test('an error is told with its code, its causes and where it happened, and without what hangs on it', () => {
  const lines: string[] = []
  const log = createLog('error', { write: (line) => void lines.push(line) })
  const cause = Object.assign(new TypeError('deep'), { code: 'EDEEP' })
  log.error('failed', { error: Object.assign(new Error('high', { cause }), { code: 'EHIGH', socket: { secret: 1 } }) })
  const { error } = JSON.parse(lines[0] ?? '')
  assert.deepEqual([error.type, error.message, error.code, error.socket], ['Error', 'high', 'EHIGH', undefined])
  assert.deepEqual([error.cause.type, error.cause.message, error.cause.code], ['TypeError', 'deep', 'EDEEP'])
  assert.match(error.stack, /log\.test\.ts/)
  log.error('failed', { error: 'a word' })
  assert.equal(JSON.parse(lines[1] ?? '').error, 'a word')
})

test('what JSON cannot say costs the fields, not the event', () => {
  const lines: string[] = []
  const round: Record<string, unknown> = {}
  round.itself = round
  createLog('info', { write: (line) => void lines.push(line) }).info('odd', { round })
  assert.equal(JSON.parse(lines[0] ?? '').msg, 'odd')
})

test('a log on a full disk stops nothing', () => {
  const log = createLog('info', logFile('/dev/full'))
  for (let line = 0; line < 3; line++) assert.doesNotThrow(() => log.error('store failed', { line }))
})
