// SPDX-License-Identifier: Apache-2.0
// What would be changed in a zone: only what is ours, and only what is wrong.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DnsProvider, RecordType, Rrset } from '../appliance/dns/record.ts'
import { loadConfig } from '../config/load.ts'
import { wantedRecords } from './dns.ts'
import { apply, changesFor, providerOf } from './dns-provider.ts'

const ZONE = 'example.org'

/** A zone in memory. */
function zoneOf(
  ...sets: readonly (readonly [string, RecordType, ...string[]])[]
): DnsProvider & { all(): readonly string[] } {
  const zone = new Map<string, Rrset>()
  for (const [name, type, ...values] of sets) zone.set(`${name} ${type}`, { name, type, ttl: 60, values })
  return {
    name: 'memory',
    list: async (_, names) => [...zone.values()].filter(({ name }) => names.includes(name)),
    async set(_, rrset) {
      const others = [...zone.values()].filter(({ name }) => name === rrset.name)
      if (rrset.type === 'CNAME')
        assert.ok(
          others.every(({ type }) => type === 'CNAME'),
          'an alias is alone',
        )
      zone.set(`${rrset.name} ${rrset.type}`, rrset)
    },
    async remove(_, { name, type }) {
      zone.delete(`${name} ${type}`)
    },
    all: () => [...zone.values()].flatMap(({ name, type, values }) => values.map((one) => `${name} ${type} ${one}`)),
  }
}

async function records() {
  const config = loadConfig('domain: example.org', { file: '/etc/aenigma/aenigma.yaml', features: [] })
  const [found] = await wantedRecords(config, { addresses: ['192.0.2.1'] })
  assert.ok(found)
  return found
}

test('an empty zone gets everything, and a second time nothing', async () => {
  const zone = zoneOf()
  const changes = await changesFor(zone, ZONE, await records())
  assert.equal(changes.length, (await records()).wanted.length)
  for (const change of changes) await apply(zone, ZONE, change)
  assert.deepEqual(await changesFor(zone, ZONE, await records()), [])
})

test('what is wrong is replaced, what is left over goes, and what is of others stays', async () => {
  const good = zoneOf()
  for (const change of await changesFor(good, ZONE, await records())) await apply(good, ZONE, change)
  await good.set(ZONE, { name: ZONE, type: 'A', ttl: 60, values: ['192.0.2.66'] })
  await good.set(ZONE, { name: ZONE, type: 'TXT', ttl: 60, values: ['of others'] })
  await good.set(ZONE, { name: ZONE, type: 'CAA', ttl: 60, values: ['0 issue "other.example"'] })
  await good.set(ZONE, { name: `_jabber._tcp.${ZONE}`, type: 'SRV', ttl: 60, values: ['0 5 5269 example.org.'] })
  await good.remove(ZONE, { name: `rooms.${ZONE}`, type: 'CNAME' })
  await good.set(ZONE, { name: `rooms.${ZONE}`, type: 'A', ttl: 60, values: ['192.0.2.66'] })
  const changes = await changesFor(good, ZONE, await records())
  assert.deepEqual(
    changes.map(({ name, type, from, to }) => `${name} ${type}: ${from.join(' ')} → ${to.join(' ')}`),
    [
      'example.org A: 192.0.2.66 → 192.0.2.1',
      'rooms.example.org A: 192.0.2.66 → ',
      'rooms.example.org CNAME:  → example.org.',
      'example.org CAA: 0 issue "other.example" → 0 issue "other.example" 0 issue "letsencrypt.org"',
      '_jabber._tcp.example.org SRV: 0 5 5269 example.org. → ',
    ],
  )
  for (const change of changes) await apply(good, ZONE, change)
  assert.deepEqual(await changesFor(good, ZONE, await records()), [])
  assert.ok(good.all().includes('example.org TXT of others'))
})

test('what the configuration lacks is named, and secrets are in files', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-dns-'))
  try {
    const fetch = async (): Promise<Response> => assert.fail('nobody is asked')
    const common = { addresses: [] }
    await assert.rejects(providerOf(common, fetch), /no provider/)
    await assert.rejects(providerOf({ ...common, provider: 'desec' }, fetch), /dns\.tokenFile/)
    const server = { host: '192.0.2.53', port: 53 }
    const keyFile = join(directory, 'key')
    const rules = { ...common, provider: 'rfc2136', server, keyName: 'aenigma', keyFile } as const
    await assert.rejects(providerOf(rules, fetch), /cannot be read/)
    writeFileSync(keyFile, '\n')
    await assert.rejects(providerOf(rules, fetch), /is empty/)
    writeFileSync(keyFile, 'c2hvcnQ=')
    await assert.rejects(providerOf(rules, fetch), /at least 16 bytes/)
    writeFileSync(keyFile, Buffer.alloc(32, 1).toString('base64'))
    assert.match((await providerOf(rules, fetch)).name, /RFC 2136/)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
