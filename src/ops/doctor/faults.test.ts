// SPDX-License-Identifier: Apache-2.0
// A server that is well is made ill in one way at a time: everything is looked at, and the doctor names exactly that. The list is
// in docs/doctor.md, too.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { after, test } from 'node:test'
import type { TlsOptions } from 'node:tls'
import { type Issued, issue, type Wish } from '../../../test/support/certificates.ts'
import {
  authority,
  configOf,
  HOST,
  type Illness,
  illsOf,
  listeningAt,
  machine,
  POSTGRES,
  patient,
  served,
  zone,
} from '../../../test/support/patient.ts'
import { GOOD_SUITES, VERSIONS } from '../../net/probes/tls-hello.ts'
import type { PostgresState } from '../../store/inspect-postgres.ts'

const GIB = 1024 ** 3
/** What the documentation says: fault, check, level. */
const told: string[] = []

/** One way to be ill, and how it is named. */
function fault(name: string, expected: RegExp, make: () => Illness | Promise<Illness>): void {
  const [, level = '', id = ''] = /^\^(\w+) ([\w-]+)/.exec(expected.source) ?? []
  told.push(`| ${name} | \`${id}\` | ${level} |`)
  test(`${name}: ${level} ${id}`, async () => {
    const found = await illsOf(patient(await make()))
    assert.equal(found.length, 1, `exactly one finding: ${found.join('\n')}`)
    assert.match(found[0] ?? '', expected)
  })
}

const withTls = async (wish: Wish, options?: TlsOptions): Promise<Illness> => ({
  listening: listeningAt(await served(wish, options)),
})

/** Somebody who listens in the clear. */
async function plain(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  after(() => server.close())
  return (server.address() as { port: number }).port
}

async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await plain(server)
  server.close()
  await once(server, 'close')
  return port
}

/** Something before a server that is well, which answers some first words itself, with these bytes instead of its server's. */
async function before(takes: (hello: Buffer) => Buffer | undefined): Promise<Illness> {
  const behind = await served()
  const front = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (hello: Buffer) => {
      const answer = takes(hello)
      if (answer) return void socket.end(answer)
      const through = connect(behind, '127.0.0.1').on('error', () => socket.destroy())
      through.write(hello)
      socket.pipe(through).pipe(socket)
    })
  })
  return { listening: listeningAt(await plain(front)) }
}

/** The first words of a server. */
function serverHello(version: number, suite: number, compression: number): Buffer {
  const body = Buffer.alloc(38)
  body.writeUInt16BE(version, 0)
  body.writeUInt16BE(suite, 35)
  body.writeUInt8(compression, 37)
  const extensions = Buffer.from('0005ff01000100', 'hex')
  const message = Buffer.concat([Buffer.of(2, 0, 0, body.length + extensions.length), body, extensions])
  return Buffer.concat([Buffer.of(22, 3, 1, 0, message.length), message])
}

// Ports

fault('a port where nobody listens', /^error listener\.tls\.0\.0\.0\.0\.PORT: .*refuses connections/, async () => ({
  listening: listeningAt(await closedPort()),
}))
fault(
  'a port that another program had taken',
  /^warn port-taken\.tls: It listens at PORT: 5223 was taken/,
  async () => ({
    listening: listeningAt(await served(), 'tls', 5223),
  }),
)
fault('nobody behind the shared port', /^error behind\.ssh: 127\.0\.0\.1 port \d+: refuses connections/, async () => ({
  config: configOf(`behind: { ssh: "127.0.0.1:${await closedPort()}" }\n`),
}))
fault('a port that is closed to others', /^error reach\.v4\.127\.0\.0\.9\.PORT: .*refuses connections/, () =>
  elsewhere('127.0.0.9'),
)
fault(
  'a port where others reach something else',
  /^error reach\.v4\.127\.0\.0\.8\.PORT: .*something else/,
  async () => {
    const port = await served()
    await served({ commonName: 'a router' }, {}, '127.0.0.8', port)
    return { listening: listeningAt(port), ...(await elsewhere('127.0.0.8')) }
  },
)

/** Others reach it at another address. */
async function elsewhere(address: string): Promise<Illness> {
  const dns = await zone(address)
  return { dns, request: { addresses: [address], servers: [dns.server] } }
}

// Certificates

fault('an expired certificate', /^error certificate\.example\.org\.PORT: It expired on DAY/, () =>
  withTls({ days: [-90, -1] }),
)
fault('a certificate of tomorrow', /^error certificate.*: It is valid only from DAY on/, () =>
  withTls({ days: [1, 80] }),
)
fault('a certificate that was not renewed', /^warn certificate.*; 1[45] days left/, () => withTls({ days: [-75, 15] }))
fault('a certificate that ends this week', /^error certificate.*; [45] days left/, () => withTls({ days: [-85, 5] }))
fault('a certificate for another domain', /^error certificate.*: It is for example\.net/, () =>
  withTls({ dns: ['example.net'] }),
)
fault('a certificate without the services', /^warn names\.example\.org: .*not for rooms\.example\.org/, () =>
  withTls({ dns: [HOST] }),
)
fault('a self-signed certificate', /^error certificate.*: It is self-signed/, selfSigned)
fault(
  'an authority that nobody knows',
  /^error certificate.*: (It is by a stranger, whom nobody here knows)/,
  async () => withTls({ by: await issue({ authority: true, commonName: 'a stranger' }) }),
)
fault(
  'a chain with a hole',
  /^error certificate.*: It is by between, whom nobody here knows: the chain is not whole/,
  async () => withTls({ by: await issue({ authority: true, commonName: 'between', by: authority }) }),
)
fault('a key that is too short', /^error certificate.*: It is weak: its key has 1024 bits/, () =>
  withTls({ rsa: 1024 }, { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0' }),
)

async function selfSigned(): Promise<Illness> {
  const { cert, key }: Issued = await issue({ dns: [HOST, `*.${HOST}`], days: [-1, 80] })
  return withTls({}, { cert, key })
}

// TLS

fault('weak cipher suites', /^error tls-weak\.PORT: It agrees to TLSv1\.2 with the suite 0x\w+ \(CBC\)/, () =>
  withTls({}, { ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA' }),
)
fault('TLS of old', /^error tls-old\.PORT: It agrees to TLSv1\.1/, () =>
  before((hello) =>
    hello.readUInt16BE(9) === VERSIONS['TLSv1.1'] ? serverHello(VERSIONS['TLSv1.1'], 0x002f, 0) : undefined,
  ),
)
fault('no TLS 1.3', /^warn tls\.PORT: It agrees to TLSv1\.2 at best/, () => withTls({}, { maxVersion: 'TLSv1.2' }))
fault('compression', /^error tls-compression\.PORT: It compresses/, () =>
  before((hello) =>
    compresses(hello) && !offers13(hello) ? serverHello(VERSIONS['TLSv1.2'], GOOD_SUITES[0], 1) : undefined,
  ),
)
fault('renegotiation by clients', /^warn tls-renegotiation\.PORT: A client may begin anew/, () =>
  withTls({}, { secureOptions: 0 }),
)
fault('being talked down', /^warn tls-fallback\.PORT: It is talked down to TLSv1\.2/, () =>
  before((hello) =>
    isTalkedDown(hello) && !offers13(hello) ? serverHello(VERSIONS['TLSv1.2'], GOOD_SUITES[0], 0) : undefined,
  ),
)

/** The cipher suites of a ClientHello, and what comes behind them (RFC 5246 §7.4.1.2). */
function suitesOf(hello: Buffer): { readonly suites: readonly number[]; readonly end: number } {
  const at = 44 + hello.readUInt8(43)
  const count = hello.readUInt16BE(at) / 2
  const suites = Array.from({ length: count }, (_, index) => hello.readUInt16BE(at + 2 + 2 * index))
  return { suites, end: at + 2 + 2 * count }
}

function compresses(hello: Buffer): boolean {
  return hello.readUInt8(suitesOf(hello).end) > 1
}

function isTalkedDown(hello: Buffer): boolean {
  return suitesOf(hello).suites.includes(0x5600) // RFC 7507
}

function offers13(hello: Buffer): boolean {
  return suitesOf(hello).suites.some((suite) => suite >= 0x1301 && suite <= 0x1305) // RFC 8446 §B.4
}

// DNS

fault(
  'an address that is wrong',
  /^error dns\.example\.org: A example\.org is 192\.0\.2\.66, should be 127\.0\.0\.1/,
  async () => ({
    dns: (await zone()).host(HOST, '192.0.2.66'),
  }),
)
fault('a record that is missing', /^error dns.*: SRV _xmpps-client\._tcp\.example\.org is missing/, async () => ({
  dns: (await zone()).put('SRV', `_xmpps-client._tcp.${HOST}`, { answers: [], code: 3 }),
}))
fault(
  'a record for another port',
  /^error dns.*: SRV _xmpp-client\._tcp\.example\.org is 0 5 5333 example\.org\./,
  async () => ({
    dns: (await zone()).srv(`_xmpp-client._tcp.${HOST}`, [0, 5, 5333, HOST]),
  }),
)
fault('a record of old', /^warn dns.*: SRV _jabber\._tcp\.example\.org should not be there/, async () => ({
  dns: (await zone()).srv(`_jabber._tcp.${HOST}`, [0, 5, 5269, HOST]),
}))
fault('a domain without a zone', /^error dns.*: The DNS knows of no zone/, async () => ({
  dns: (await zone()).put('SOA', HOST, { answers: [], code: 3 }),
}))
fault('a DNS that does not answer', /^warn dns.*: It could not be found out: the DNS /, () => {
  const config = configOf()
  const federation = { ...config.federation, resolvers: [{ host: '127.0.0.1', port: 9 }] }
  return { config: { ...config, federation }, request: { addresses: ['127.0.0.1'] } }
})

// Other servers

const walk = (id: string, title: string, detail: string): Illness => ({
  ask: async (command) =>
    command === 'federation'
      ? { routes: [] }
      : { steps: [{ id, title, result: 'failed', detail, advice: 'Ask them.' }] },
})
fault(
  'a certificate that proves nothing to others',
  /^error federation\.example\.org: Who they are: It proves nothing/,
  () => walk('proof', 'Who they are', 'It proves nothing.'),
)
fault('others that do not let us in', /^error federation.*: Who we are: They do not ask/, () =>
  walk('external', 'Who we are', 'They do not ask.'),
)
fault('no way to other servers', /^error federation-others: None of 3 can be reached: connecting took too long/, () => {
  const lastError = { why: 'connecting took too long', at: 0 }
  const routes = ['a', 'b', 'c'].map((to) => ({
    from: HOST,
    to,
    state: 'waiting',
    queued: 1,
    queuedBytes: 1,
    lastError,
  }))
  return { ask: async (command) => (command === 'federation' ? { routes } : { steps: [] }) }
})

// Machine

fault('a full disk', /^error disk: 0 MiB free of 1024 MiB/, () => ({ space: async () => ({ free: 0, whole: GIB }) }))
fault('a disk that fills', /^warn disk: /, () => ({ space: async () => ({ free: 5 * GIB, whole: 100 * GIB }) }))
fault('a disk that cannot be seen', /^error disk: .*gone/, () => ({ space: () => Promise.reject(new Error('gone')) }))
fault('a clock that stands still', /^error clock: The clock stands still/, () => {
  const now = Date.now()
  return { now: () => now }
})
fault('a clock that runs away', /^warn clock: The clock jumps: 200 ms/, () => ({ ticks: () => 0 }))
fault('a clock that nobody sets', /^warn clock: Nobody sets/, () => ({ machine: machine({ timedatectl: 'no' }) }))
fault('no memory', /^error memory: 1 MiB available/, () => ({ memory: () => ({ free: 1e6, whole: GIB }) }))
fault('a server that is too busy', /^error busy: Answers wait 2000 ms/, () => ({ status: { eventLoopDelay: 2000 } }))

// Database

fault('a damaged database', /^error database: The file is damaged: Page 2/, () => ({
  integrity: async () => 'Page 2: never used',
}))
fault('a database that is gone', /^error database: The file is gone/, () => ({ integrity: async () => undefined }))

const postgres = (change: Partial<PostgresState>, more: Illness = {}): Illness => ({
  config: configOf('store: { postgres: "postgres://aenigma@db/aenigma" }\n'),
  postgres: async () => ({ ...POSTGRES, ...change }),
  ...more,
})
fault('PostgreSQL that cannot be reached', /^error database: It cannot be reached: refused/, () =>
  postgres({}, { postgres: () => Promise.reject(new Error('refused')) }),
)
fault('a damaged table', /^error database: It is damaged: messages: invalid page/, () =>
  postgres({ damaged: ['messages: invalid page'] }),
)
fault('pages with wrong checksums', /^error database: 3 pages/, () => postgres({ badPages: 3 }))
fault('a database that follows another', /^error database: It follows another one/, () => postgres({ readOnly: true }))
fault('an encoding that loses letters', /^error database: Its encoding is SQL_ASCII/, () =>
  postgres({ encoding: 'SQL_ASCII' }),
)
fault('a database that does not wait for the disk', /^error database: fsync is switched off/, () =>
  postgres({ unsafe: ['fsync'] }),
)
fault('an index that is not used', /^warn database: These indexes are not used: a/, () => postgres({ invalid: ['a'] }))
fault('transaction numbers that run out', /^warn database: 90 %/, () => postgres({ age: 0.9 }))
fault('PostgreSQL of old', /^warn database: PostgreSQL 11\.2 gets no/, () =>
  postgres({ version: '11.2', versionNumber: 110_002 }),
)
fault('a full disk of the database', /^error database-disk: 1 MiB free/, () =>
  postgres(
    {},
    { space: async (path) => ({ free: path.includes('postgres') ? 1024 ** 2 : 50 * GIB, whole: 100 * GIB }) },
  ),
)

// What was installed

const state = (text: string): Illness => ({ machine: machine({ systemctl: text }) })
fault('a service that does not start with the machine', /^error service: It does not start/, () =>
  state('ActiveState=active\nUnitFileState=disabled\nNRestarts=0'),
)
fault('a service that keeps ending', /^warn service: It ended by itself 7 times/, () =>
  state('ActiveState=active\nUnitFileState=enabled\nNRestarts=7'),
)
fault('a server beside the service', /^warn service: The server that answers is not/, () =>
  state('ActiveState=failed\nUnitFileState=enabled\nNRestarts=0'),
)
fault('a firewall that is not up', /^error firewall: It is not up/, () => ({
  machine: machine({ 'nft list table inet aenigma': 1 }),
}))
fault('a firewall that keeps our ports closed', /^error firewall: Our ports 5443, 5269 are not open/, () => {
  const rules = 'policy drop\n tcp dport { 5222, 5223, 5270 } accept\n udp dport 5443 accept\n tcp dport 5269 drop'
  return { machine: machine({ 'nft list table inet aenigma': rules }) }
})
fault('a firewall that keeps nobody out', /^warn firewall: It keeps nobody out/, () => ({
  machine: machine({ 'nft list table inet aenigma': 'policy accept' }),
}))
const process = (text: string): Illness => ({ machine: machine({}, { '/proc/1/status': text }) })
fault('a server that is root', /^error sandbox: The server runs as root/, () =>
  process('Uid:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n'),
)
fault('a server without its sandbox', /^error sandbox: The server runs without it/, () =>
  process('Uid:\t9\nNoNewPrivs:\t0\nSeccomp:\t0\n'),
)
fault('a sandbox that was loosened', /^warn sandbox: .*exposure 4\.1/, () => ({
  machine: machine({ 'systemd-analyze': '→ Overall exposure level for aenigma.service: 4.1 OK' }),
}))
fault('updates that wait', /^warn updates: 1 security update waits/, () => ({
  machine: machine({ 'apt-get': 'Inst openssl [3.0.11] (3.0.13 Debian-Security:12/stable-security [amd64])\n' }),
}))
fault('updates that nobody asks for', /^warn updates: Nobody asked for updates for 40 days/, () => ({
  machine: machine({ stat: String(Math.floor(Date.now() / 1000) - 40.5 * 86_400) }),
}))
fault('a machine that must be rebooted', /^warn updates: The machine must be rebooted/, () => ({
  machine: machine({}, { '/run/reboot-required': '' }),
}))

// All of it

test('a server that is well has nothing', async () => {
  assert.deepEqual(await illsOf(patient()), [])
  assert.deepEqual(await illsOf(patient(postgres({}))), [])
})

test('the documentation has the same list', () => {
  const text = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| .+ \| `[\w-]+` \| (?:warn|error) \|$/.test(line))
  assert.deepEqual(rows, told, `docs/doctor.md should have\n${told.join('\n')}`)
  assert.ok(told.length >= 20)
})
