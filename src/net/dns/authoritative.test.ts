// SPDX-License-Identifier: Apache-2.0
// The servers of a zone are found by way of a resolver, and asked themselves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer } from 'dns-packet'
import { FakeDns } from '../../../test/support/fake-dns.ts'
import { Authoritative, type AuthoritativeParts } from './authoritative.ts'
import type { DnsRecord } from './message.ts'

const ZONE = 'example.org'
const KEY: Answer = { type: 'DNSKEY', name: ZONE, ttl: 1, data: { flags: 257, algorithm: 13, key: Buffer.from('key') } }

/** A resolver that knows whose zone it is, and nothing else. @param linked whether the zone above knows of keys */
function resolver(linked: boolean): AuthoritativeParts['resolver'] {
  const record = (type: string, data: unknown): DnsRecord => ({ name: ZONE, type, ttl: 1, data })
  return {
    async records(name, type) {
      const records =
        name !== ZONE ? [] : type === 'NS' ? [record('NS', 'ns.example.net')] : linked ? [record('DS', {})] : []
      return { records, secure: false }
    },
    addresses: async () => ({ records: ['127.0.0.1', '::1'], secure: false }),
  }
}

test('each address of each server is asked itself, and says what it knows or nothing', async () => {
  const dns = (await FakeDns.start()).host(`www.${ZONE}`, '192.0.2.1')
  const zone = new Authoritative({ resolver: resolver(false), port: dns.server.port, patience: 300 })
  const sayings = await zone.ask(`www.${ZONE}`, 'A')
  const told = sayings.map(({ server, values, failed }) => [server.name, server.host, ...values, failed !== undefined])
  assert.deepEqual(told, [
    ['ns.example.net', '127.0.0.1', '192.0.2.1', false],
    ['ns.example.net', '::1', true],
  ])
})

test('keys count if the zone above knows of them', async () => {
  const dns = (await FakeDns.start()).put('DNSKEY', ZONE, { answers: [KEY] })
  const common = { port: dns.server.port, patience: 300 }
  const signedBy = async (linked: boolean) => {
    const zone = await new Authoritative({ ...common, resolver: resolver(linked) }).zoneOf(ZONE)
    return [zone?.signed, zone?.unlinked]
  }
  assert.deepEqual(await signedBy(true), [true, false])
  assert.deepEqual(await signedBy(false), [false, true])
})
