// SPDX-License-Identifier: Apache-2.0
// A server that is well is made ill in one way at a time, and the doctor names exactly that.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createServer, type TlsOptions } from 'node:tls'
import { type Issued, issue, type Wish } from '../../../test/support/certificates.ts'
import { FakeDns } from '../../../test/support/fake-dns.ts'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load.ts'
import { inspectSqlite } from '../../store/inspect.ts'
import type { ListenInfo, Status } from '../running-server.ts'
import { tlsWard } from './certificates.ts'
import { machineWard } from './machine.ts'
import { networkWard } from './network.ts'
import { portWard } from './ports.ts'
import { examine } from './run.ts'
import type { Subject, Ward } from './subject.ts'

const GIB = 1024 ** 3
const HOST = 'example.org'
const NAMES = [HOST, '*.example.org']
const directory = mkdtempSync(join(tmpdir(), 'aenigma-doctor-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const authority = await issue({ authority: true, commonName: 'the authority' })
const authorities = join(directory, 'ca.pem')
writeFileSync(authorities, authority.cert)

function configOf(text = ''): Config {
  const base = `domain: ${HOST}\ncertificate: { cert: a.crt, key: a.key }\n`
  const trust = text.includes('federation') ? '' : `federation: { authorities: ${authorities}, enabled: false }\n`
  return loadConfig(base + trust + text, { file: join(directory, 'aenigma.yaml'), features: [] })
}

/** A server that is well. */
function subject(changed: Partial<Subject> = {}, listening: readonly ListenInfo[] = []): Subject {
  const status: Partial<Status> = {
    hosts: [HOST],
    listening,
    eventLoopDelay: 2,
    uncommitted: 0,
    memory: 80e6,
    pid: 1,
    certificates: [],
  }
  const began = Date.now()
  let time = 0
  return {
    config: configOf(),
    status: status as Status,
    ask: async (command) => assert.fail(`nobody asks for ${command}`),
    request: { addresses: ['127.0.0.1'] },
    now: () => began + time,
    ticks: () => time,
    async wait(ms) {
      time += ms
    },
    space: async () => ({ free: 50 * GIB, whole: 100 * GIB }),
    machine: undefined,
    memory: () => ({ free: 2 * GIB, whole: 4 * GIB }),
    integrity: async () => '',
    ...changed,
  }
}

/** What is bad, as `level id: found`. */
async function ills(ward: Ward): Promise<readonly string[]> {
  const { findings } = await examine([ward])
  const bad = findings.filter(({ level }) => level === 'warn' || level === 'error')
  for (const { id, fix } of bad) assert.ok(fix, `${id} says what to do`)
  return bad.map(({ level, id, found }) => `${level} ${id}: ${found}`)
}

/** A TLS port with a certificate. */
async function served(wish: Wish, options: TlsOptions = {}): Promise<{ port: number; issued: Issued }> {
  const issued = await issue(wish)
  const server = createServer({ cert: issued.cert, key: issued.key, ALPNProtocols: ['xmpp-client'], ...options })
  server.on('tlsClientError', () => undefined).on('secureConnection', (socket) => socket.on('error', () => undefined))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => server.close())
  return { port: (server.address() as { port: number }).port, issued }
}

function listening(kind: ListenInfo['kind'], port: number): readonly ListenInfo[] {
  return [{ kind, host: '127.0.0.1', port, wanted: port }]
}

async function illsOfTls(
  wish: Wish,
  options: TlsOptions = {},
  changed: Partial<Subject> = {},
): Promise<readonly string[]> {
  const { port } = await served({ by: authority, dns: NAMES, days: [-1, 80], ...wish }, options)
  const found = await ills(tlsWard(subject(changed, listening('tls', port))))
  return found.map((one) => one.replaceAll(String(port), 'PORT').replace(/\d{4}-\d\d-\d\d/g, 'DAY'))
}

test('a server that is well has nothing', async () => {
  const { port } = await served({ by: authority, dns: NAMES, days: [-1, 80] })
  const well = subject({}, listening('tls', port))
  const { level, findings } = await examine([portWard(well), tlsWard(well), machineWard(well)])
  assert.deepEqual([level, findings.filter(({ level: one }) => one !== 'ok' && one !== 'na')], ['ok', []])
})

test('an expired certificate', async () => {
  assert.deepEqual(await illsOfTls({ days: [-90, -1] }), ['error certificate.example.org.PORT: It expired on DAY.'])
})

test('a certificate of our own making, since the authority gave none', async () => {
  const { port } = await served({ dns: NAMES, days: [-1, 80] })
  const well = subject({}, listening('tls', port))
  const state = { host: HOST, names: [], missing: [], provisional: true, until: 0, next: 0 }
  const failure = { why: 'Port 443 is closed.', at: 0, times: 1 }
  const found = await ills(tlsWard({ ...well, status: { ...well.status, certificates: [{ ...state, failure }] } }))
  assert.match(found.join(), /It is self-signed: nobody trusts it\. Getting another one failed: Port 443 is closed\./)
})

test('a certificate of tomorrow, or a clock of yesterday', async () => {
  const found = ['error certificate.example.org.PORT: It is valid only from DAY on.']
  assert.deepEqual(await illsOfTls({ days: [1, 80] }), found)
  assert.deepEqual(await illsOfTls({}, {}, { now: () => Date.now() - 30 * 86_400_000 }), found)
})

test('a certificate that is not renewed', async () => {
  assert.match((await illsOfTls({ days: [-75, 15] })).join(), /^warn certificate.*; 1[45] days left\.$/)
  assert.match((await illsOfTls({ days: [-85, 5] })).join(), /^error certificate.*; [45] days left\.$/)
  assert.deepEqual(await illsOfTls({ days: [-4, 3] }), [], 'one of a week is renewed later')
})

test('a certificate for another name', async () => {
  const found = await illsOfTls({ dns: ['example.net'] })
  assert.equal(found[0], 'error certificate.example.org.PORT: It is for example.net.')
})

test('a certificate without the services', async () => {
  const missing = ['rooms', 'pubsub', 'upload', 'proxy'].map((one) => `${one}.example.org`).join(', ')
  assert.deepEqual(await illsOfTls({ dns: [HOST] }), [`warn names.example.org: The certificate is not for ${missing}.`])
})

test('a self-signed certificate, and one by nobody that is known', async () => {
  const { port } = await served({ dns: NAMES, days: [-1, 80] })
  const found = await ills(tlsWard(subject({}, listening('tls', port))))
  assert.deepEqual(found, [`error certificate.example.org.${port}: It is self-signed: nobody trusts it.`])
  const stranger = await issue({ authority: true, commonName: 'a stranger' })
  const [unknown] = await illsOfTls({ by: stranger })
  assert.match(unknown ?? '', /^error certificate\.example\.org\.PORT: (It is by an authority|The chain)/)
})

test('TLS of old, and cipher suites of old', async () => {
  const old = await illsOfTls({ rsa: 2048 }, { minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' })
  assert.match(old.join('\n'), /^error tls-old\.PORT: It agrees to TLSv1\.1/m)
  assert.match(old.join('\n'), /^error tls-weak\.PORT: It agrees to TLSv1\.2/m)
  const capped = await illsOfTls({}, { maxVersion: 'TLSv1.2' })
  assert.deepEqual(capped, ['warn tls.PORT: It agrees to TLSv1.2 at best.'])
})

test('a closed port, from inside and from outside, and one that was taken', async () => {
  const server = createPlain().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  const closed = await ills(portWard(subject({}, listening('starttls', port))))
  assert.deepEqual(closed, [`error listener.starttls.127.0.0.1.${port}: 127.0.0.1 port ${port}: refuses connections.`])
  const everywhere = [{ kind: 'tls', host: '0.0.0.0', port, wanted: port }] as const
  const ids = (await ills(portWard(subject({}, everywhere)))).map((one) => one.split(': ')[0])
  assert.deepEqual(ids, [`error listener.tls.0.0.0.0.${port}`, `error reach.v4.127.0.0.1.${port}`])
  const open = await served({ dns: NAMES })
  const moved = [{ kind: 'https', host: '127.0.0.1', port: open.port, wanted: 443 }] as const
  assert.deepEqual(await ills(portWard(subject({}, moved))), [
    `warn port-taken.https: It listens at ${open.port}: 443 was taken.`,
  ])
})

test('records that are wrong, missing, or of no zone', async () => {
  const look = async (dns: FakeDns): Promise<readonly string[]> =>
    ills(networkWard(subject({ request: { addresses: ['192.0.2.1'], servers: [dns.server] } })))
  const dns = await FakeDns.start()
  assert.deepEqual(await look(dns), ['error dns.example.org: The DNS knows of no zone that example.org is in.'])
  const soa = {
    mname: 'ns.example.org',
    rname: 'nobody.example.org',
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 1,
  }
  dns.put('SOA', HOST, { answers: [{ type: 'SOA', name: HOST, ttl: 1, data: soa }] }).host(HOST, '192.0.2.66')
  for (const label of ['rooms', 'pubsub', 'upload', 'proxy']) dns.host(`${label}.${HOST}`, '192.0.2.1')
  dns.srv(`_xmpp-client._tcp.${HOST}`, [0, 5, 5222, HOST])
  assert.deepEqual(await look(dns), [
    'error dns.example.org: A example.org is 192.0.2.66, should be 192.0.2.1; SRV _xmpps-client._tcp.example.org is missing.',
  ])
  dns.host(HOST, '192.0.2.1').srv(`_xmpps-client._tcp.${HOST}`, [0, 5, 5223, HOST])
  assert.deepEqual(await look(dns), [])
  dns.srv(`_jabber._tcp.${HOST}`, [0, 5, 5269, HOST])
  assert.match((await look(dns)).join(), /^warn dns.example.org: SRV _jabber._tcp.example.org should not be there/)
})

test('a DNS that does not answer is no missing zone', async () => {
  const closed = { host: '127.0.0.1', port: 9 }
  const config = { ...configOf(), federation: { ...configOf().federation, resolvers: [closed] } }
  const found = await ills(networkWard(subject({ config, request: { addresses: ['192.0.2.1'] } })))
  assert.match(found.join(), /^warn dns\.example\.org: It could not be found out: the DNS /)
})

test('other servers that do not get in', async () => {
  const steps = [
    { id: 'records', title: 'DNS records', result: 'passed', detail: '' },
    { id: 'proof', title: 'Their certificate', result: 'failed', detail: 'It proves nothing.', advice: 'Get another.' },
    { id: 'external', title: 'Our certificate', result: 'failed', detail: '' },
  ]
  const config = configOf(`federation: { authorities: ${authorities} }\n`)
  const ask = async (): Promise<unknown> => ({ domain: HOST, from: HOST, passed: false, steps })
  const dns = await FakeDns.start()
  const request = { addresses: ['192.0.2.1'], servers: [dns.server] }
  const [, found] = await ills(networkWard(subject({ config, ask, request })))
  assert.equal(found, 'error federation.example.org: Their certificate: It proves nothing.')
})

const MACHINES: readonly (readonly [string, Partial<Subject>, RegExp])[] = [
  ['a full disk', { space: async () => ({ free: 0, whole: GIB }) }, /^error disk: 0 MiB free of 1024 MiB/],
  ['a disk that fills', { space: async () => ({ free: 5 * GIB, whole: 100 * GIB }) }, /^warn disk: /],
  ['a disk that cannot be seen', { space: () => Promise.reject(new Error('gone')) }, /^error disk: .*gone/],
  ['a clock that stands still', { now: () => 1e12 }, /^error clock: The clock stands still/],
  ['a clock that runs away', { ticks: () => 0 }, /^warn clock: The clock jumps: 200 ms/],
  ['no memory', { memory: () => ({ free: 1e6, whole: GIB }) }, /^error memory: 1 MiB available/],
  [
    'a damaged database',
    { integrity: async () => 'Page 2: never used' },
    /^error database: The file is damaged: Page 2/,
  ],
]
for (const [name, changed, expected] of MACHINES) {
  test(name, async () => {
    const found = await illsEvenUnseen(machineWard(subject(changed)))
    assert.equal(found.length, 1, found.join())
    assert.match(found[0] ?? '', expected)
  })
}

/** As `ills`, also of what could not be looked at, for which there is no remedy. */
async function illsEvenUnseen(ward: Ward): Promise<readonly string[]> {
  const { findings } = await examine([ward])
  const bad = findings.filter(({ level }) => level !== 'ok' && level !== 'na')
  return bad.map(({ level, id, found }) => `${level} ${id}: ${found}`)
}

test('a server that is too busy', async () => {
  const well = subject()
  const found = await ills(machineWard({ ...well, status: { ...well.status, eventLoopDelay: 2000 } }))
  assert.match(found.join(), /^error busy: Answers wait 2000 ms/)
})

test('what takes too long is said to', async () => {
  const never = { id: 'x', about: 'x', run: () => new Promise<never>(() => undefined) }
  const { findings } = await examine([{ title: 'x', checks: [never] }], undefined, 1)
  assert.deepEqual(
    findings.map(({ level, found }) => [level, found]),
    [['error', 'It took too long to find out.']],
  )
})

test('a database file is looked at in earnest', async () => {
  const { DatabaseSync } = await import('node:sqlite')
  const file = join(directory, 'a.db')
  const db = new DatabaseSync(file)
  db.exec('create table a (b text); create index c on a (b)')
  for (let i = 0; i < 2000; i++) db.prepare('insert into a values (?)').run(`row ${i}`)
  db.close()
  const signal = AbortSignal.timeout(20_000)
  assert.equal(await inspectSqlite(file, signal), '')
  assert.equal(await inspectSqlite(join(directory, 'none.db'), signal), undefined)
  const { readFileSync } = await import('node:fs')
  writeFileSync(file, readFileSync(file).fill(0xff, 8192, 16_384))
  assert.notEqual(await inspectSqlite(file, signal), '')
})
