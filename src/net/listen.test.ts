// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { Metrics } from '../metrics.ts'
import { trialCertificate } from '../ops/trial-certificate.ts'
import { ClientListener } from './listen.ts'
import { Certificates } from './tls.ts'

test('who is in the middle of a TLS handshake does not keep a stopping server waiting', {
  timeout: 8_000,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-listen-'))
  const metrics = new Metrics()
  t.after(() => {
    metrics.stop()
    rmSync(dir, { recursive: true })
  })
  const certificates = new Certificates()
  await certificates.load(new Map([['localhost', await trialCertificate(dir, Date.now())]]))
  const begun = Promise.withResolvers<void>()
  const listener = new ClientListener({
    certificates,
    limits: {
      connectionsPerAddress: 10,
      connectionsPerMinute: 10,
      bytesPerSecond: Number.POSITIVE_INFINITY,
      sendQueueBytes: 1,
      reader: {},
    },
    clock: systemClock,
    log: silentLog,
    metrics,
    networkOf(address) {
      setImmediate(begun.resolve)
      return address
    },
    accept: () => assert.fail('nobody shook hands'),
  })
  const [listening] = await listener.listen([{ host: '127.0.0.1', port: 0 }], true)
  assert.ok(listening)
  const silent = connect(listening.address.port, '127.0.0.1')
  const gone = new Promise<string>((resolve) => silent.resume().once('close', () => resolve('gone')))
  await begun.promise
  const stopped = listening.stop().then(() => 'stopped')
  assert.equal(await gone, 'gone')
  assert.equal(await stopped, 'stopped')
})
