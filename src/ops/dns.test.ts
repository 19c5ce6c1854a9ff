// SPDX-License-Identifier: Apache-2.0
// Which records a server needs, and what is said of those that are there: a name server on the loopback interface answers.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Answer } from 'dns-packet'
import { FakeDns } from '../../test/support/fake-dns.ts'
import { zoneText } from '../appliance/dns/text.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { CertificateStore, certificateFolder } from './certificate-files.ts'
import { checkedRecords, wantedRecords } from './dns.ts'
import { isSound } from './dns-check.ts'
import { recordsFor } from './dns-records.ts'

const ADDRESSES = ['192.0.2.1', '2001:db8::1']
const CERTIFICATE = 'certificate: { cert: /nowhere.crt, key: /nowhere.key }'

function configOf(text = '') {
  return loadConfig(`domain: example.org\n${CERTIFICATE}\n${text}`, { file: '/etc/aenigma/aenigma.yaml', features: [] })
}

function answer(type: string, name: string, data: unknown): Answer {
  return { type, name, ttl: 300, data } as Answer
}

/** The zone as it should be. */
async function goodZone(): Promise<FakeDns> {
  const dns = await FakeDns.start()
  dns.put('SOA', 'example.org', {
    answers: [
      answer('SOA', 'example.org', {
        ...{ mname: 'ns.example.org', rname: 'nobody.example.org' },
        ...{ serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 },
      }),
    ],
  })
  dns.host('example.org', ...ADDRESSES)
  for (const label of ['rooms', 'pubsub', 'upload', 'proxy']) {
    const name = `${label}.example.org`
    dns.put('CNAME', name, { answers: [answer('CNAME', name, 'example.org')] })
  }
  dns.srv('_xmpp-client._tcp.example.org', [0, 5, 5222, 'example.org'])
  dns.srv('_xmpps-client._tcp.example.org', [0, 5, 5223, 'example.org'])
  dns.srv('_xmpp-server._tcp.example.org', [0, 5, 5269, 'example.org'])
  dns.srv('_xmpps-server._tcp.example.org', [0, 5, 5270, 'example.org'])
  return dns
}

async function bad(dns: FakeDns, text = ''): Promise<readonly string[]> {
  const [checked] = await checkedRecords(configOf(text), { addresses: ADDRESSES, servers: [dns.server] })
  assert.ok(checked)
  const verdicts = checked.dns.verdicts.filter(({ state }) => state !== 'right')
  assert.equal(isSound(checked.dns), verdicts.length === 0)
  return verdicts.map(({ state, type, name, found }) => [state, type, name, ...found].join(' '))
}

test('a plain server needs addresses, aliases and SRV records', async () => {
  const [records] = await wantedRecords(configOf(), { addresses: ADDRESSES })
  assert.equal(
    zoneText(records?.wanted ?? []),
    `example.org. 3600 IN A 192.0.2.1
example.org. 3600 IN AAAA 2001:db8::1
rooms.example.org. 3600 IN CNAME example.org.
pubsub.example.org. 3600 IN CNAME example.org.
upload.example.org. 3600 IN CNAME example.org.
proxy.example.org. 3600 IN CNAME example.org.
_xmpp-client._tcp.example.org. 3600 IN SRV 0 5 5222 example.org.
_xmpps-client._tcp.example.org. 3600 IN SRV 0 5 5223 example.org.
_xmpp-server._tcp.example.org. 3600 IN SRV 0 5 5269 example.org.
_xmpps-server._tcp.example.org. 3600 IN SRV 0 5 5270 example.org.
`,
  )
})

test('the shared port, a machine of another name, no other servers, and a certificate authority are told of', () => {
  const text = "listen: { shared: '[::]:443' }\ndns: { target: machine.example.net }\nfederation: { enabled: false }"
  const issuers = [{ name: 'letsencrypt.org', account: 'https://ca.example/acct/1' }]
  const config = configOf(text)
  const wish = { config, addresses: ['192.0.2.1'], target: config.dns.target, issuers, keysOf: () => ['ab', 'cd'] }
  const [records] = recordsFor(wish)
  assert.deepEqual(
    records?.wanted.map(({ name, type, values }) => `${name} ${type} ${values}`).filter((one) => !/CNAME/.test(one)),
    [
      'machine.example.net A 192.0.2.1',
      '_xmpp-client._tcp.example.org SRV 0 5 5222 machine.example.net.',
      '_xmpps-client._tcp.example.org SRV 0 5 443 machine.example.net.',
      'example.org CAA 0 issue "letsencrypt.org; accounturi=https://ca.example/acct/1"',
      '_5222._tcp.machine.example.net TLSA 3 1 1 ab,3 1 1 cd',
      '_443._tcp.machine.example.net TLSA 3 1 1 ab,3 1 1 cd',
    ],
  )
  assert.deepEqual(
    records?.unwanted.map(({ name }) => name),
    [
      '_xmpp-server._tcp.example.org',
      '_xmpps-server._tcp.example.org',
      'machine.example.net',
      '_jabber._tcp.example.org',
    ],
  )
})

test('a zone as it should be is right', async () => {
  assert.deepEqual(await bad(await goodZone()), [])
})

test('addresses do instead of an alias', async () => {
  const dns = await goodZone()
  dns.put('CNAME', 'rooms.example.org', { answers: [] }).host('rooms.example.org', ...ADDRESSES)
  assert.deepEqual(await bad(dns), [])
})

test('wrong, missing and left-over records are named as what they are', async () => {
  const dns = await goodZone()
  dns.host('example.org', '192.0.2.66', '2001:db8::1')
  dns.put('CNAME', 'upload.example.org', { answers: [] })
  dns.srv('_xmpp-server._tcp.example.org', [0, 0, 0, '.'])
  dns.srv('_jabber._tcp.example.org', [0, 5, 5269, 'example.org'])
  assert.deepEqual(await bad(dns), [
    'wrong A example.org 192.0.2.66',
    'missing CNAME upload.example.org',
    'wrong SRV _xmpp-server._tcp.example.org 0 0 0 .',
    'leftover SRV _jabber._tcp.example.org 0 5 5269 example.org.',
  ])
})

test('an IPv6 address that is not ours is left over', async () => {
  const dns = await goodZone()
  const [checked] = await checkedRecords(configOf(), { addresses: ['192.0.2.1'], servers: [dns.server] })
  const wrong = checked?.dns.verdicts.filter(({ state }) => state !== 'right')
  assert.deepEqual(
    wrong?.map(({ state, type, name }) => [state, type, name].join(' ')),
    ['leftover AAAA example.org'],
  )
})

test('servers of the zone that do not agree, or do not answer, are named', async () => {
  const [one, other] = [await goodZone(), await goodZone()]
  other.srv('_xmpp-client._tcp.example.org', [0, 5, 1234, 'example.org'])
  const servers = [one.server, other.server]
  const [checked] = await checkedRecords(configOf(), { addresses: ADDRESSES, servers })
  const wrong = checked?.dns.verdicts.filter(({ state }) => state === 'wrong').map(({ name }) => name)
  assert.deepEqual(wrong, ['_xmpp-client._tcp.example.org'])
  assert.match(checked?.dns.notes.join() ?? '', /do not agree on SRV _xmpp-client._tcp.example.org/)
})

test('a zone that nobody knows is no zone', async () => {
  const dns = await FakeDns.start()
  const [checked] = await checkedRecords(configOf(), { addresses: ADDRESSES, servers: [dns.server] })
  assert.ok(checked && !isSound(checked.dns))
})

test('who gives the certificates may give them', async () => {
  const text = 'domain: example.org\nacme: { fallback: https://acme.zerossl.com/v2/DV90 }'
  const config = loadConfig(text, { file: '/etc/aenigma/aenigma.yaml', features: [] })
  const [records] = await wantedRecords(config, { addresses: ADDRESSES })
  const caa = records?.wanted.find(({ type }) => type === 'CAA')
  assert.deepEqual([caa?.values, caa?.optional], [['0 issue "letsencrypt.org"', '0 issue "sectigo.com"'], true])
})

test('our account at the authority is named once it is known; a record without it does as well', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'aenigma-dns-'))
  t.after(() => rmSync(data, { recursive: true }))
  const config = loadConfig(`domain: example.org\ndata: ${data}`, { file: '/etc/aenigma/aenigma.yaml', features: [] })
  mkdirSync(certificateFolder(data))
  await new CertificateStore(certificateFolder(data)).setAccount(config.acme?.directory ?? '', 'https://ca.example/7')
  const dns = await goodZone()
  const check = async (...values: string[]): Promise<string | undefined> => {
    const answers = values.map((value) => answer('CAA', 'example.org', { flags: 0, tag: 'issue', value }))
    dns.put('CAA', 'example.org', { answers })
    const [checked] = await checkedRecords(config, { addresses: ADDRESSES, servers: [dns.server] })
    const verdict = checked?.dns.verdicts.find(({ type }) => type === 'CAA')
    return `${verdict?.state} ${verdict?.wanted}`
  }
  const wanted = '0 issue "letsencrypt.org; accounturi=https://ca.example/7"'
  assert.equal(await check(), `missing ${wanted}`)
  assert.equal(await check('letsencrypt.org'), `missing ${wanted}`)
  assert.equal(await check('letsencrypt.org; accounturi=https://ca.example/7'), `right ${wanted}`)
  assert.equal(await check('letsencrypt.org; accounturi=https://ca.example/8'), `wrong ${wanted}`)
})

test('delegated proofs take one alias and one delegation', async () => {
  const text = 'dns: { target: chat.example.org }\nacme: { challenge: delegated }'
  const config = loadConfig(`domain: example.org\n${text}`, { file: '/etc/aenigma/aenigma.yaml', features: [] })
  const proofs = async (of: Config): Promise<readonly string[]> => {
    const [records] = await wantedRecords(of, { addresses: ADDRESSES })
    const lines = zoneText(records?.wanted ?? []).split('\n')
    return lines.filter((line) => /acme/.test(line)).map((line) => line.replace(/ [0-9a-f]{16}\./, ' LABEL.'))
  }
  assert.deepEqual(await proofs(config), [
    'acme.chat.example.org. 3600 IN NS chat.example.org.',
    '_acme-challenge.example.org. 3600 IN CNAME LABEL.acme.chat.example.org.',
  ])
  const both = { ...config, hosts: ['example.org', 'example.net'] }
  const [, other] = await wantedRecords(both, { addresses: ADDRESSES })
  assert.deepEqual(
    other?.wanted.filter(({ name }) => /acme/.test(name)).map(({ type }) => type),
    ['CNAME'],
  )
  const each = { ...config, acme: config.acme && { ...config.acme, wildcard: false } }
  assert.equal((await proofs(each)).length, 6)
})
