// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from './metrics.ts'

test('what was counted stands in the text, also the second time', async () => {
  const metrics = new Metrics()
  metrics.received.message = 3
  metrics.sessions = () => 2
  metrics.committed(7, 4)
  metrics.committed(600, 40)
  await metrics.text()
  const text = await metrics.text()
  metrics.stop()
  for (const line of [
    'aenigma_stanzas_total{kind="message",direction="in"} 3',
    'aenigma_sessions 2',
    'aenigma_commit_deeds_bucket{le="5"} 0',
    'aenigma_commit_deeds_bucket{le="10"} 1',
    'aenigma_commit_deeds_bucket{le="1000"} 2',
    'aenigma_commit_deeds_count 2',
    'aenigma_commit_seconds_bucket{le="0.005"} 1',
    'aenigma_commit_seconds_sum 0.044',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line} is missing in\n${text}`)
  }
  assert.match(text, /^aenigma_event_loop_delay_seconds\{quantile="0\.99"\} \S+$/m)
})
