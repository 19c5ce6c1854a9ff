// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net, { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { Metrics } from '../metrics.ts'
import { trialCertificate } from '../ops/trial-certificate.ts'
import { ClientListener } from './listen.ts'
import { SocksProxy } from './socks-proxy.ts'
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

test('a connection that the system cannot take is no end of the others', async (t) => {
  const made: net.Server[] = []
  const original = net.createServer
  net.createServer = ((...args: Parameters<typeof original>) => {
    const server = original(...args)
    made.push(server)
    return server
  }) as typeof original
  syncBuiltinESMExports()
  t.after(() => {
    net.createServer = original
    syncBuiltinESMExports()
  })
  const metrics = new Metrics()
  t.after(() => metrics.stop())
  const limits = {
    connectionsPerAddress: 10,
    connectionsPerMinute: 10,
    bytesPerSecond: 0,
    sendQueueBytes: 1,
    reader: {},
  }
  const common = { limits, clock: systemClock, log: silentLog, networkOf: (address: string) => address }
  const clients = new ClientListener({ ...common, certificates: new Certificates(), metrics, accept: () => undefined })
  const place = [{ host: '127.0.0.1', port: 0 }]
  const listening = [...(await clients.listen(place, false)), ...(await new SocksProxy(common).listen(place))]
  assert.equal(made.length, 2)
  for (const server of made) server.emit('error', new Error('accept ENOBUFS'))
  for (const one of listening) await one.stop()
})
