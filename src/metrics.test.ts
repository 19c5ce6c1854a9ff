// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from './metrics.ts'

test('what was counted stands in the text, also the second time', async () => {
  const metrics = new Metrics()
  metrics.received.message = 3
  metrics.sessions = () => 2
  metrics.toServers.iq = 4
  metrics.serverFailed('tls')
  metrics.serverFailed('tls')
  metrics.federation = () => ({
    streams: [{ direction: 'out', state: 'open', count: 5 }],
    queued: 6,
    queuedBytes: 700,
  })
  metrics.committed(7, 4)
  metrics.committed(600, 40)
  await metrics.text()
  const text = await metrics.text()
  metrics.stop()
  for (const line of [
    'aenigma_stanzas_total{kind="message",direction="in"} 3',
    'aenigma_sessions 2',
    'aenigma_federation_stanzas_total{kind="iq",direction="out"} 4',
    'aenigma_federation_failures_total{why="tls"} 2',
    'aenigma_federation_streams{direction="out",state="open"} 5',
    'aenigma_federation_queue 6',
    'aenigma_federation_queue_chars 700',
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
