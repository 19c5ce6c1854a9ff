// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FederationInfo, FederationReport, FederationStream } from '../ops/federation.ts'
import { listText, reportEnd, stepText } from './federation-text.ts'

const AT = Date.UTC(2026, 0, 2, 3, 4)
const stream: FederationStream = {
  direction: 'in',
  from: 'montague.example',
  to: 'capulet.example',
  proved: [
    { domain: 'montague.example', by: 'dane' },
    { domain: 'rooms.montague.example', by: 'dialback' },
  ],
  tls: 'TLSv1.3',
  bidi: false,
  acknowledged: false,
  unacknowledged: 0,
  since: AT,
  lastStanza: AT,
  place: undefined,
}
const NOBODY: FederationInfo = { enabled: true, streams: [], routes: [] }

test('who is connected, how that was proved, and what waits', () => {
  const route = {
    from: 'capulet.example',
    to: 'padua.example',
    state: 'waiting',
    queued: 3,
    queuedBytes: 2000,
  } as const
  const text = listText({
    enabled: true,
    streams: [stream, { ...stream, direction: 'out', bidi: true, proved: [], acknowledged: true, unacknowledged: 2 }],
    routes: [
      { ...route, lastError: { why: 'it refuses connections', at: AT } },
      { ...route, to: 'quiet.example', queued: 0, lastError: undefined, state: 'open' },
    ],
  })
  assert.deepEqual(
    text.split('\n').map((line) => line.replaceAll(/ {2,}/g, '|')),
    [
      '|THEIR DOMAIN|OUR DOMAIN|PROVED BY|TLS|UNACKNOWLEDGED|SINCE (UTC)',
      '←|montague.example|capulet.example|DANE, rooms.montague.example by dialback|TLSv1.3|–|2026-01-02 03:04',
      '→↔|capulet.example|montague.example|not yet|TLSv1.3|2|2026-01-02 03:04',
      '',
      'WAITING FOR|FROM|STATE|STANZAS|SIZE|LAST ERROR (UTC)',
      'padua.example|capulet.example|waiting|3|2 KiB|2026-01-02 03:04: it refuses connections',
    ],
  )
})

test('nobody there, and federation switched off', () => {
  assert.equal(listText(NOBODY), 'There are no streams to other servers.')
  assert.match(listText({ ...NOBODY, enabled: false }), /^Federation is off/)
})

test('what others wrote steers no terminal', () => {
  const step = {
    id: 'tls',
    title: 'Encryption',
    result: 'failed',
    detail: 'a\x1b[31m\nb',
    advice: 'x\r\u202ey',
  } as const
  assert.equal(stepText(step), `✗ ${'Encryption'.padEnd(30)}  a [31m b\n  ${' '.repeat(30)}  → x y`)
  assert.ok(!listText({ ...NOBODY, streams: [{ ...stream, from: 'a\x1b]0;x\x07' }] }).includes('\x1b'))
})

test('the end of a test says no more than was seen', () => {
  const report: FederationReport = { domain: 'a.example', from: 'b.example', steps: [], passed: true }
  const ping = { id: 'ping', title: '', result: 'passed', detail: '' } as const
  assert.match(reportEnd({ ...report, steps: [ping] }), /a\.example can talk to each other/)
  assert.match(reportEnd(report), /as far as it could be tried/)
  assert.match(reportEnd({ ...report, passed: false }), /cannot talk to each other/)
})
