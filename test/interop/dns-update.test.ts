// SPDX-License-Identifier: Apache-2.0
// A zone of BIND is changed, and seen to be changed, on the loopback interface.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DnsProvider, ProviderError, type Rrset } from '../../src/appliance/dns/record.ts'
import { type Rfc2136Parts, rfc2136 } from '../../src/appliance/dns/rfc2136.ts'
import { exchangeBytes } from '../../src/net/dns/exchange.ts'
import { needs } from '../support/process.ts'

const ZONE = 'example.org'
const KEY = randomBytes(32)
let port = 0
let directory = ''
let stop = async (): Promise<void> => undefined

before(async () => {
  needs('/usr/sbin/named', 'bind9')
  directory = mkdtempSync(join(tmpdir(), 'aenigma-bind-'))
  const held = createServer().listen(0, '127.0.0.1')
  await once(held, 'listening')
  port = (held.address() as { port: number }).port
  held.close()
  await once(held, 'close')
  const named = join(directory, 'named') // where AppArmor ties the one of the system to its own files, a copy is free
  copyFileSync('/usr/sbin/named', named)
  const file = join(directory, 'zone')
  writeFileSync(
    file,
    `$TTL 60\n@ IN SOA ns.${ZONE}. nobody.${ZONE}. 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n`,
  )
  writeFileSync(
    join(directory, 'conf'),
    `key "aenigma" { algorithm hmac-sha256; secret "${KEY.toString('base64')}"; };
     options { directory "${directory}"; pid-file none; session-keyfile none; listen-on port ${port} { 127.0.0.1; };
       listen-on-v6 { none; }; recursion no; dnssec-validation no; };
     controls { };
     zone "${ZONE}" { type primary; file "${file}"; update-policy { grant aenigma zonesub ANY; }; };`,
  )
  const child = spawn(named, ['-g', '-n', '1', '-c', join(directory, 'conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  stop = async () => {
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.includes(' running\n')) resolve()
  })
  child.once('exit', () => reject(new Error(`named ended: ${said}`)))
  await promise
})
after(async () => {
  await stop()
  if (directory) rmSync(directory, { recursive: true, force: true })
})

function provider(changed: Partial<Rfc2136Parts> = {}): DnsProvider {
  return rfc2136({
    exchange: (message) => exchangeBytes({ host: '127.0.0.1', port }, message, 5_000),
    ...{ keyName: 'aenigma', key: KEY, now: () => Date.now(), ...changed },
  })
}

const RRSETS: readonly Rrset[] = [
  { name: 'example.org', type: 'A', ttl: 300, values: ['192.0.2.1', '192.0.2.2'] },
  { name: 'example.org', type: 'AAAA', ttl: 300, values: ['2001:db8::1'] },
  {
    name: 'example.org',
    type: 'CAA',
    ttl: 300,
    values: ['0 issue "letsencrypt.org; accounturi=https://ca.example/1"'],
  },
  { name: '_xmpps-client._tcp.example.org', type: 'SRV', ttl: 300, values: ['0 5 443 example.org.'] },
  { name: 'rooms.example.org', type: 'CNAME', ttl: 300, values: ['example.org.'] },
  { name: '_5269._tcp.example.org', type: 'TLSA', ttl: 300, values: [`3 1 1 ${'ab'.repeat(32)}`] },
  { name: 'acme.example.org', type: 'NS', ttl: 300, values: ['example.org.'] },
  { name: '_acme-challenge.example.org', type: 'TXT', ttl: 60, values: [`two words, ${'x'.repeat(300)}`, 'one'] },
]

test('records of every type are written, read again, replaced and removed', async () => {
  const dns = provider()
  for (const rrset of RRSETS) await dns.set(ZONE, rrset)
  const names = [...new Set(RRSETS.map(({ name }) => name))]
  const sorted = (all: readonly Rrset[]) =>
    all
      .map((one) => ({ ...one, values: [...one.values].sort() }))
      .sort((a, b) => (a.name + a.type < b.name + b.type ? -1 : 1))
  const itsOwn = ({ name, type }: Rrset): boolean => name === ZONE && type === 'NS'
  assert.deepEqual(sorted((await dns.list(ZONE, names)).filter((one) => !itsOwn(one))), sorted(RRSETS))
  await dns.set(ZONE, { name: 'example.org', type: 'A', ttl: 60, values: ['192.0.2.9'] })
  await dns.remove(ZONE, { name: 'example.org', type: 'CAA' })
  const left = await dns.list(ZONE, ['example.org'])
  assert.deepEqual(
    left.filter(({ type }) => type !== 'AAAA' && type !== 'NS'),
    [{ name: 'example.org', type: 'A', ttl: 60, values: ['192.0.2.9'] }],
  )
})

test('a wrong key, a wrong clock and a zone of others are named', async () => {
  const rrset: Rrset = { name: 'example.org', type: 'A', ttl: 60, values: ['192.0.2.66'] }
  const refused = (message: RegExp) => (error: Error) => error instanceof ProviderError && message.test(error.message)
  await assert.rejects(provider({ key: randomBytes(32) }).set(ZONE, rrset), refused(/another one there/))
  await assert.rejects(provider({ keyName: 'other' }).set(ZONE, rrset), refused(/does not know the key/))
  await assert.rejects(provider({ now: () => Date.now() - 3_600_000 }).set(ZONE, rrset), refused(/clocks/))
  await assert.rejects(
    provider().set('example.net', { ...rrset, name: 'example.net' }),
    refused(/not.*the server of this zone|refuses/),
  )
  await assert.rejects(provider().set(ZONE, { ...rrset, name: 'example.net' }), refused(/not in the zone/))
})

test('an answer that is not signed is not believed', async () => {
  const forged = provider({
    async exchange(message) {
      const answer = Buffer.from(message.subarray(0, 12))
      answer.writeUInt16BE(0xa800, 2)
      answer.fill(0, 4)
      return answer
    },
  })
  const rrset: Rrset = { name: 'example.org', type: 'A', ttl: 60, values: ['192.0.2.66'] }
  await assert.rejects(forged.set(ZONE, rrset), /not signed/)
})
