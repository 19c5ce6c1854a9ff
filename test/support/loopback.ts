// SPDX-License-Identifier: Apache-2.0
// A whole server with real sockets on the loopback interface, with a certificate that clients in this process trust.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import type { Feature } from '../../src/core/feature.ts'
import { silentLog } from '../../src/log.ts'
import { Metrics } from '../../src/metrics.ts'
import { Challenges } from '../../src/net/challenges.ts'
import { ClientListener, type ConnectionLimits } from '../../src/net/listen.ts'
import { OnePort } from '../../src/net/one-port.ts'
import { addressesIn } from '../../src/net/proxies.ts'
import { type CertificateFiles, Certificates } from '../../src/net/tls.ts'
import { trialCertificate } from '../../src/ops/trial-certificate.ts'
import { type Server, startXmpp } from '../../src/server.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { ScramHash } from '../../src/store/store.ts'
import { createWeb, type WebSites } from '../../src/web/web.ts'
import { ping } from '../../src/xep/0199-ping.ts'
import { LIMITS } from './cast.ts'

/** What a server answers where somebody is already. */
export const NO_FIRST_ACCOUNT: WebSites['firstAccount'] = {
  host: 'localhost',
  open: () => Promise.resolve(false),
  usable: () => Promise.resolve(false),
  create: () => Promise.resolve('link'),
}

/** What a server answers where nobody was invited. */
export const NO_INVITATIONS: WebSites['invited'] = {
  look: () => Promise.resolve(undefined),
  create: () => Promise.resolve('link'),
}

/** What a test may change. */
export interface Setting {
  readonly hosts?: readonly string[]
  readonly features?: readonly Feature[]
  readonly hashes?: readonly ScramHash[]
  /** SCRAM's; far fewer than anybody should have if not told. */
  readonly iterations?: number
  readonly clock?: Clock
  readonly limits?: Partial<ConnectionLimits>
  /** Whether what comes without TLS from this machine is believed as a proxy's word; it is if not told. */
  readonly proxies?: boolean
  /** `http.url`. */
  readonly url?: string
}

/** A server, its ports, and its certificates. */
export interface Loopback {
  readonly server: Server
  readonly accounts: Accounts
  readonly metrics: Metrics
  readonly certificates: Certificates
  /** Where everything that uses TLS may come. */
  readonly shared: number
  /** Where TLS is asked for in the stream. */
  readonly plain: number
  /** Where TLS begins at once. */
  readonly direct: number
  /** Where the web server is, with TLS. */
  readonly https: number
  /** Where it is without. */
  readonly http: number
  /** A new certificate for `localhost`, signed by an authority that clients in this process trust from now on. */
  issue(): Promise<CertificateFiles>
}

/** Fewer than anybody should have: xmpp.js takes its time for each. */
const ITERATIONS = 256

const CONNECTIONS: ConnectionLimits = {
  connectionsPerAddress: 100,
  connectionsPerMinute: 1000,
  sendQueueBytes: 1_000_000,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  reader: { stanzaBytes: 16_384 },
}

/** Starts a server; it is stopped when the tests of the file are over. */
export async function loopback(setting: Setting = {}): Promise<Loopback> {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-loopback-'))
  const clock = setting.clock ?? systemClock
  const hosts = new Set(setting.hosts ?? ['localhost'])
  const iterations = setting.iterations ?? ITERATIONS
  const hashes = setting.hashes ?? ['SCRAM-SHA-256']
  const metrics = new Metrics()
  let issued = 0
  const issue = async (): Promise<CertificateFiles> => {
    const files = await trialCertificate(join(dir, `${++issued}`), Date.now())
    setDefaultCACertificates([...getCACertificates('default'), readFileSync(files.ca, 'utf8')])
    return files
  }
  const certificates = new Certificates()
  await certificates.load(new Map([['localhost', await issue()]]))
  const store = await openSqlite({ file: join(dir, 'store.db'), clock, commitInterval: 1 })
  const accounts = createAccounts({ store, hosts, iterations, mechanisms: hashes, clock })
  const server = await startXmpp({
    hosts,
    moved: new Map(),
    store,
    accounts,
    features: setting.features ?? [ping],
    admins: new Set(),
    options: {},
    limits: LIMITS,
    sasl: {
      hashes,
      plain: true,
      iterations,
      tokenLifetime: 2_592_000_000,
      fakeSecret: Buffer.alloc(32, 7),
    },
    software: { name: 'aenigma', version: '0.0.0-test' },
    clock,
    log: silentLog,
    metrics,
  })
  const listener = new ClientListener({
    certificates,
    limits: { ...CONNECTIONS, ...setting.limits },
    clock,
    log: silentLog,
    metrics,
    networkOf: (address) => address,
    accept: (link) => server.accept(link),
  })
  const [plain] = await listener.listen([{ host: '127.0.0.1', port: 0 }], false)
  const [direct] = await listener.listen([{ host: '127.0.0.1', port: 0 }], true)
  const local = addressesIn(['127.0.0.0/8'])
  const trust = { isProxy: setting.proxies === false ? () => false : local, isLocal: local }
  const { site, front } = createWeb({
    firstAccount: NO_FIRST_ACCOUNT,
    invited: NO_INVITATIONS,
    trust,
    hosts,
    url: setting.url,
    publicUrl: () => setting.url,
    challenge: () => undefined,
    limits: { stanzaBytes: LIMITS.stanzaBytes, ...CONNECTIONS, ...setting.limits },
    admission: listener.admission,
    networkOf: (address) => address,
    accept: (link) => server.accept(link),
    clock,
    metrics,
    log: silentLog,
    page: () => metrics.text(),
    health: () => Promise.resolve({}),
  })
  const forWeb = { take: (socket: Parameters<typeof site.take>[0]) => site.take(socket), isProxy: trust.isProxy }
  const [https] = await listener.listenWeb([{ host: '127.0.0.1', port: 0 }], true, forWeb)
  const [http] = await listener.listenWeb([{ host: '127.0.0.1', port: 0 }], false, forWeb)
  const onePort = new OnePort({
    client: (socket, direct) => listener.begin(socket, direct),
    server: (socket) => socket.destroy(),
    web: (socket) => listener.beginWeb(socket, forWeb),
    plainWeb: (socket) => front.take(socket),
    secure: (socket) => certificates.secure(socket, []),
    secured: { client: (socket) => listener.beginSecured(socket), web: (socket) => site.take(socket) },
    challenges: new Challenges(),
    ssh: undefined,
    turn: undefined,
    clock,
    log: silentLog,
  })
  const forAll = { ...forWeb, take: (socket: Parameters<typeof onePort.take>[0]) => onePort.take(socket) }
  const [shared] = await listener.listenWeb([{ host: '127.0.0.1', port: 0 }], false, forAll)
  if (!plain || !direct || !https || !http || !shared) throw new Error('nothing listens')
  after(async () => {
    await server.stop()
    site.stop()
    front.stop()
    onePort.stop()
    await Promise.all([plain, direct, https, http, shared].map((one) => one.stop()))
    await store.close()
    metrics.stop()
    rmSync(dir, { recursive: true })
  })
  return {
    server,
    accounts,
    metrics,
    certificates,
    plain: plain.address.port,
    direct: direct.address.port,
    https: https.address.port,
    http: http.address.port,
    shared: shared.address.port,
    issue,
  }
}
