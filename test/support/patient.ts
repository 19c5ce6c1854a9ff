// SPDX-License-Identifier: Apache-2.0
// A server and its machine that are well, for a doctor to look at: a port with TLS, a zone, a database, and what an installation
// leaves behind. A test makes it ill in one way.
import assert from 'node:assert/strict'
import { constants } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { createServer, type TlsOptions } from 'node:tls'
import { type CheckReport, examine, type Ward } from '../../src/appliance/examine.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { tlsWard } from '../../src/ops/doctor/certificates.ts'
import { machineWard } from '../../src/ops/doctor/machine.ts'
import { networkWard } from '../../src/ops/doctor/network.ts'
import { portWard } from '../../src/ops/doctor/ports.ts'
import { Probes } from '../../src/ops/doctor/probes.ts'
import type { Subject } from '../../src/ops/doctor/subject.ts'
import type { ListenInfo, Status } from '../../src/ops/running-server.ts'
import type { PostgresState } from '../../src/store/inspect-postgres.ts'
import { issue, type Wish } from './certificates.ts'
import { FakeDns } from './fake-dns.ts'
import { type Answer, FakeMachine } from './fake-machine.ts'

const GIB = 1024 ** 3
/** The domain. */
export const HOST = 'example.org'
/** Where others reach it: every machine has this one. */
export const ADDRESS = '127.0.0.1'
const NAMES = [HOST, '*.example.org']
const directory = mkdtempSync(join(tmpdir(), 'aenigma-patient-'))
after(() => rmSync(directory, { recursive: true, force: true }))

/** Whom everybody trusts. */
export const authority = await issue({ authority: true, commonName: 'the authority' })
const authorities = join(directory, 'ca.pem')
writeFileSync(authorities, authority.cert)

/** What our server agrees to. */
const GOOD_TLS: TlsOptions = {
  ALPNProtocols: ['xmpp-client'],
  ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
}

/** A configuration of an installed server. */
export function configOf(text = ''): Config {
  const base = `domain: ${HOST}\ncertificate: { cert: a.crt, key: a.key }\n`
  const trust = `federation: { authorities: ${authorities} }\n`
  return loadConfig(base + trust + text, { file: join(directory, 'aenigma.yaml'), features: [] })
}

/** A TLS port with a certificate. @returns its number */
export async function served(wish: Wish = {}, options: TlsOptions = {}, address = ADDRESS, port = 0): Promise<number> {
  const issued = await issue({ by: authority, dns: NAMES, days: [-1, 80], ...wish })
  const server = createServer({ ...GOOD_TLS, cert: issued.cert, key: issued.key, ...options })
  server.on('tlsClientError', () => undefined).on('secureConnection', (socket) => socket.on('error', () => undefined))
  server.listen(port, address)
  await once(server, 'listening')
  after(() => server.close())
  return (server.address() as { port: number }).port
}

/** One listener for everybody. */
export function listeningAt(port: number, kind: ListenInfo['kind'] = 'tls', wanted = port): readonly ListenInfo[] {
  return [{ kind, host: '0.0.0.0', port, wanted }]
}

/** A zone in which everything is right. */
export async function zone(address = ADDRESS): Promise<FakeDns> {
  const dns = await FakeDns.start()
  const times = { serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 }
  const data = { mname: `ns.${HOST}`, rname: `nobody.${HOST}`, ...times }
  dns.put('SOA', HOST, { answers: [{ type: 'SOA', name: HOST, ttl: 1, data }] })
  for (const name of [HOST, ...['rooms', 'pubsub', 'upload', 'proxy'].map((label) => `${label}.${HOST}`)]) {
    dns.host(name, address)
  }
  for (const [service, port] of Object.entries(SERVICES)) dns.srv(`_${service}._tcp.${HOST}`, [0, 5, port, HOST])
  return dns
}

const SERVICES = { 'xmpp-client': 5222, 'xmpps-client': 5223, 'xmpp-server': 5269, 'xmpps-server': 5270 }

/** A database that is well. */
export const POSTGRES: PostgresState = {
  ...{ version: '15.4', versionNumber: 150_004, encoding: 'UTF8', unsafe: [], readOnly: false, invalid: [] },
  ...{ badPages: 0, damaged: [], size: 5e6, directory: '/var/lib/postgresql/15/main', age: 0.01 },
}

/** What the programs of a machine say on which all is well, by how they are called. */
const PROGRAMS: Readonly<Record<string, Answer>> = {
  'systemd-detect-virt': 1,
  timedatectl: 'yes',
  systemctl: 'ActiveState=active\nUnitFileState=enabled\nNRestarts=0',
  'nft list table inet aenigma':
    'table inet aenigma {\n chain input {\n  type filter hook input priority filter; policy drop;\n  tcp dport { 5222-5223, 5269, 5270, 5443 } accept comment "aenigma"\n  tcp dport 22 accept\n }\n}',
  'nft list ruleset': '',
  'systemd-analyze': '→ Overall exposure level for aenigma.service: 1.8 OK',
  'apt-get': 'Reading package lists...\nInst vim [1] (2 Debian:12.5/stable [amd64])',
  stat: String(Math.floor(Date.now() / 1000)),
  'apt-config': 'APT::Periodic::Unattended-Upgrade "1";',
  sshd: 'port 22\npasswordauthentication no',
}

/** A machine on which all is well but what is said. @param files beside what is there */
export function machine(programs: Readonly<Record<string, Answer>> = {}, files: Readonly<Record<string, string>> = {}) {
  const all = { ...PROGRAMS, ...programs }
  const names = Object.keys(all).sort((a, b) => b.length - a.length)
  const made = new FakeMachine((line) => all[names.find((name) => line.startsWith(name)) ?? ''])
  const process = 'Name:\tnode\nUid:\t999\t999\nNoNewPrivs:\t1\nSeccomp:\t2\n'
  const known = { '/etc/aenigma/firewall.nft': 'table inet aenigma', '/proc/1/status': process }
  for (const [path, text] of Object.entries({ ...known, ...files })) made.put(path, text)
  return made
}

/** What is changed of a patient that is well. */
export type Illness = Partial<Omit<Subject, 'status'>> & {
  readonly status?: Partial<Status>
  readonly listening?: readonly ListenInfo[]
  readonly dns?: FakeDns
}

const well = listeningAt(await served())
const wellZone = await zone()

/** A server that is well, but for what is said. */
export function patient({ status, listening = well, dns = wellZone, ...changed }: Illness = {}): Subject {
  const vitals: Partial<Status> = {
    ...{
      hosts: [HOST],
      listening,
      eventLoopDelay: 2,
      uncommitted: 0,
      memory: 80e6,
      uptime: 1e7,
      pid: 1,
      certificates: [],
    },
    ...status,
  }
  const began = Date.now()
  let time = 0
  return {
    config: configOf(),
    status: vitals as Status,
    ask: async (command) => {
      if (command === 'federation') return { enabled: true, streams: [], routes: [] }
      return command === 'federation.test' ? { steps: [] } : assert.fail(`nobody asks for ${command}`)
    },
    request: { addresses: [ADDRESS], servers: [dns.server] },
    now: () => began + time,
    ticks: () => time,
    async wait(ms) {
      time += ms
    },
    space: async () => ({ free: 50 * GIB, whole: 100 * GIB }),
    fresh: false,
    machine: machine(),
    memory: () => ({ free: 2 * GIB, whole: 4 * GIB }),
    integrity: async () => '',
    postgres: async () => POSTGRES,
    ...changed,
  }
}

/** All that can be looked at without clients. */
export function wards(subject: Subject): readonly Ward[] {
  const probes = new Probes(subject)
  return [portWard(subject, probes), tlsWard(subject, probes), networkWard(subject), machineWard(subject)]
}

/** A look that took so long that its own limits ran out, on a machine that stood still meanwhile, says nothing: again. */
async function undisturbed(subject: Subject): Promise<CheckReport> {
  const report = await examine(wards(subject))
  const late = report.findings.some(({ found }) => /took too long$/.test(found))
  return late ? examine(wards(subject)) : report
}

/** What is ill, as `level id: found`, without what differs from one run to the next. */
export async function illsOf(subject: Subject): Promise<readonly string[]> {
  const { findings } = await undisturbed(subject)
  const bad = findings.filter(({ level }) => level === 'warn' || level === 'error')
  for (const { id, fix } of bad) assert.ok(fix, `${id} says what to do`)
  const port = String(subject.status.listening[0]?.port)
  return bad.map(({ level, id, found }) =>
    `${level} ${id}: ${found}`.replaceAll(port, 'PORT').replace(/\d{4}-\d\d-\d\d/g, 'DAY'),
  )
}
