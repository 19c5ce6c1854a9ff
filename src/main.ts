// SPDX-License-Identifier: Apache-2.0
// Wiring: makes the parts from a configuration, hands them to each other, starts them in order and stops them in reverse.
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Accounts, createAccounts } from './accounts/accounts.ts'
import { networkOf } from './accounts/throttle.ts'
import { systemClock } from './clock.ts'
import type { Address, Config, Limits } from './config/config.ts'
import type { Software } from './core/feature.ts'
import { LiveConfig } from './live-config.ts'
import type { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { ClientListener, type Listening, withFreePort } from './net/listen.ts'
import { addressesIn } from './net/proxies.ts'
import { SocksProxy } from './net/socks-proxy.ts'
import { type CertificateFiles, Certificates } from './net/tls.ts'
import { FirstAccount } from './ops/first-account.ts'
import type { ListenInfo, RunningServer, SessionInfo } from './ops/running-server.ts'
import { type Server, startXmpp } from './server.ts'
import type { ScramHash, Store, StoreObserver } from './store/store.ts'
import { UploadFiles } from './store/upload-files.ts'
import { UploadSweeper } from './store/upload-sweeper.ts'
import type { Trust } from './web/exchange.ts'
import { publicUrl } from './web/public-url.ts'
import type { WebServer } from './web/server.ts'
import { uploadListener } from './web/uploads.ts'
import { createWeb } from './web/web.ts'
import type { BytestreamProxy } from './xep/0065-proxy.ts'
import { features } from './xep/index.ts'
import type { ReaderLimits } from './xml/reader.ts'

/** What the program calls itself (XEP-0092). */
export const software: Software = {
  name: 'aenigma',
  version: JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version,
}

/** How long a key that session tickets are encrypted with is used, in ms (RFC 9325 §3.4 asks for a week at most). */
const TICKET_KEY_TIME = 12 * 3_600_000

/** Opens the store that the configuration names. Rejects with a clear reason if it cannot be opened. */
export async function openStore(config: Config, observer?: StoreObserver): Promise<Store> {
  await mkdir(config.data, { recursive: true, mode: 0o700 })
  const common = { clock: systemClock, ...(observer ? { observer } : {}) }
  if (config.store.kind === 'postgres') {
    const { openPostgres } = await import('./store/postgres.ts')
    return openPostgres({ url: config.store.url, ...common })
  }
  const { openSqlite } = await import('./store/sqlite.ts')
  return openSqlite({ file: join(config.data, 'aenigma.db'), ...common })
}

/** Which verifiers new passwords get. */
export function hashesOf(config: Config): readonly ScramHash[] {
  return ['SCRAM-SHA-512', 'SCRAM-SHA-256', ...(config.accounts.sha1 ? (['SCRAM-SHA-1'] as const) : [])]
}

/** This machine. */
const LOOPBACK = ['127.0.0.0/8', '::1']
/** Connections without TLS, of which reverse proxies have many. */
const PROXY_CONNECTIONS = 10_000
/** Connections of those who watch. */
const MONITOR_CONNECTIONS = 100

/** The web servers. */
type Webs = ReturnType<typeof createWeb>
type Listeners = Readonly<Record<'clients' | 'components', ClientListener>>
type Connection = Parameters<WebServer['take']>[0]

/** Everything that was started, to be stopped in reverse. */
type Stops = (() => Promise<void> | void)[]

/** What the pieces below share. */
interface Parts {
  readonly config: Config
  readonly live: LiveConfig
  readonly log: Log
  readonly metrics: Metrics
  readonly store: Store
  readonly accounts: Accounts
  readonly certificates: Certificates
  readonly xmpp: Server
  readonly firstAccount: FirstAccount
  readonly started: number
}

/**
 * Starts a server. Rejects, with everything stopped again, if a part cannot start: the reason is in the error.
 * @param config checked; `reload` takes a newer one
 */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  const stops: Stops = []
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).reverse()) await step()
  }
  try {
    return await start(config, log, stops, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(config: Config, log: Log, stops: Stops, stop: () => Promise<void>): Promise<RunningServer> {
  const started = systemClock.now()
  const live = new LiveConfig(config)
  const metrics = new Metrics()
  stops.push(() => metrics.stop())
  const certificates = new Certificates()
  await certificates.load(await certificateFiles(config))
  stops.push(systemClock.every(TICKET_KEY_TIME, () => certificates.renewTicketKeys()))
  const store = await openStore(config, observe(metrics, log))
  stops.push(() => store.close())
  const closing: Promise<void>[] = []
  stops.push(() => Promise.all(closing).then(() => undefined)) // each client gets its last words first
  const { scramIterations: iterations, plain, tokenLifetime } = config.accounts
  const accounts = createAccounts({
    store,
    hosts: live.hosts,
    iterations,
    mechanisms: hashesOf(config),
    clock: systemClock,
  })
  const xmpp = await startXmpp({
    hosts: live.hosts,
    moved: live.moved,
    components: live.components,
    store,
    accounts,
    features,
    options: live.options,
    admins: live.admins,
    limits: live.limits,
    sasl: {
      hashes: hashesOf(config),
      plain,
      iterations,
      fakeSecret: await store.secret('fake-verifiers'),
      tokenLifetime,
    },
    software,
    clock: systemClock,
    log,
    metrics,
  })
  const firstAccount = firstAccountOf(config, store, accounts)
  const parts: Parts = { config, live, log, metrics, store, accounts, certificates, xmpp, firstAccount, started }
  const listeners = listenersOf(parts)
  const { files, sweeper } = await openUploads(parts, stops)
  const web = websOf(parts, listeners.clients, files)
  stops.push(() => {
    for (const one of Object.values(web)) one.stop() // as above: streams end before their connections
  })
  stops.push(() => xmpp.stop())
  const proxy = bytestreamProxy(parts)
  const listening = await listenAtAll(parts, listeners, web, proxy, (ended) => {
    stops.push(() => void closing.push(...ended.map((one) => one.stop())))
  })
  live.options.publicUrl = (host: string) => publicUrl(host, { url: config.http.url, trial: config.trial, listening })
  live.options.bytestreamProxy = proxyFor(parts, proxy, listening)
  log.info('started', { version: software.version, ms: systemClock.now() - started })
  const { hosts, data, trial } = config
  const authority = trial ? join(data, 'tls', 'ca.crt') : undefined
  return {
    info: { hosts, listening, data, trial, url: config.http.url, authority },
    accounts,
    firstAccount,
    status: async () => ({
      ...vitals(parts),
      accounts: await accounts.count(),
      listening,
    }),
    sessions: () => [...xmpp.sessions()].map(sessionInfo),
    pushes: store.pushes,
    reports: store.reports,
    uploads: uploadsFor(parts, sweeper),
    endSession: (id) => xmpp.endSession(id),
    async check(newer) {
      live.prepare(newer)
      await new Certificates().load(await certificateFiles(newer))
    },
    async reload(newer) {
      const apply = live.prepare(newer)
      await certificates.load(await certificateFiles(newer))
      const restart = apply()
      xmpp.hostsChanged()
      log.info('reloaded', { restart })
      return restart
    },
    stop,
  }
}

function firstAccountOf(
  { hosts, trial, accounts: { tokenLifetime } }: Config,
  store: Store,
  accounts: Accounts,
): FirstAccount {
  return new FirstAccount({ accounts, store, host: hosts[0] ?? 'localhost', clock: systemClock, tokenLifetime, trial })
}

/** Who takes the connections of clients, and of components. */
function listenersOf({ live: { limits }, certificates, log, metrics, xmpp }: Parts): Listeners {
  const common = {
    certificates,
    limits: {
      get connectionsPerAddress() {
        return limits.connectionsPerAddress
      },
      get connectionsPerMinute() {
        return limits.connectionsPerMinutePerAddress
      },
      get sendQueueBytes() {
        return limits.sendQueueBytes
      },
      get bytesPerSecond() {
        return limits.bytesPerSecond
      },
      get reader() {
        return readerLimits(limits)
      },
    },
    clock: systemClock,
    log,
    metrics,
    networkOf,
  }
  return {
    clients: new ClientListener({ ...common, accept: (link) => xmpp.accept(link) }),
    components: new ClientListener({
      ...common,
      content: 'jabber:component:accept',
      accept: (link) => xmpp.acceptComponent(link),
    }),
  }
}

/** The sockets of the proxy of XEP-0065. */
function bytestreamProxy({ config, live, log }: Parts): SocksProxy {
  const limits = {
    bytesPerSecond: config.proxy.bytesPerSecond,
    get connectionsPerAddress() {
      return live.limits.connectionsPerAddress
    },
  }
  return new SocksProxy({ limits, clock: systemClock, log, networkOf })
}

/** As its feature finds it among the options. */
function proxyFor({ config }: Parts, sockets: SocksProxy, listening: readonly ListenInfo[]): BytestreamProxy {
  const port = listening.find(({ kind }) => kind === 'proxy')?.port
  return {
    placeOf: (host) => (port === undefined ? undefined : { host: config.proxy.host ?? host, port }),
    activate: (hash) => sockets.activate(hash),
  }
}

/** What administrators do with uploads. */
function uploadsFor({ store: { uploads } }: Parts, sweeper: UploadSweeper): RunningServer['uploads'] {
  return {
    usage: uploads.usage,
    list: uploads.list,
    async remove(which) {
      const removed = await uploads.remove(which)
      await sweeper.sweep()
      return removed
    },
  }
}

/** Uploaded files, and what removes them in time. */
async function openUploads({ config, store, accounts, log }: Parts, stops: Stops) {
  const files = new UploadFiles(join(config.data, 'uploads'))
  await files.clean()
  const sweeper = new UploadSweeper({ uploads: store.uploads, files, clock: systemClock, log })
  stops.push(() => sweeper.stop())
  stops.push(
    accounts.onChange(({ kind }) => {
      if (kind === 'removed') void sweeper.sweep()
    }),
  )
  sweeper.start()
  return { files, sweeper }
}

function readerLimits({ unauthenticatedStanzaBytes: stanzaBytes, depth, attributes }: Limits): Partial<ReaderLimits> {
  return { stanzaBytes, depth, attributes }
}

/** The web servers, without their sockets. */
function websOf(
  { config, live, log, metrics, store, xmpp, firstAccount }: Parts,
  { admission }: ClientListener,
  files: UploadFiles,
): Webs {
  const { limits, hosts } = live
  return createWeb({
    trust: trustOf(config),
    hosts,
    url: config.http.url,
    firstAccount,
    limits: {
      get stanzaBytes() {
        return limits.stanzaBytes
      },
      get sendQueueBytes() {
        return limits.sendQueueBytes
      },
      get reader() {
        return readerLimits(limits)
      },
    },
    admission,
    networkOf,
    accept: (link) => xmpp.accept(link),
    uploads: uploadListener({ uploads: store.uploads, files, clock: systemClock, log }),
    clock: systemClock,
    metrics,
    log,
    page: () => metrics.text(),
    health: async () => ({ store: await answers(store) }),
  })
}

function trustOf({ http }: Config): Trust {
  return { isProxy: addressesIn([...LOOPBACK, ...http.proxies]), isLocal: addressesIn(LOOPBACK) }
}

async function listenAtAll(
  { config }: Parts,
  { clients, components }: Listeners,
  { site, monitor }: Webs,
  proxy: SocksProxy,
  begun: (listening: readonly Listening[]) => void,
): Promise<readonly ListenInfo[]> {
  const { isProxy } = trustOf(config)
  const forSite = { take: (socket: Connection) => site.take(socket), isProxy }
  const forMonitor = { take: (socket: Connection) => monitor.take(socket), isProxy, most: MONITOR_CONNECTIONS }
  const ways: Readonly<Record<ListenInfo['kind'], (addresses: readonly Address[]) => Promise<readonly Listening[]>>> = {
    starttls: (addresses) => clients.listen(addresses, false),
    tls: (addresses) => clients.listen(addresses, true),
    https: (addresses) => clients.listenWeb(addresses, true, forSite),
    http: (addresses) => clients.listenWeb(addresses, false, { ...forSite, most: PROXY_CONNECTIONS }),
    metrics: (addresses) => clients.listenWeb(addresses, false, forMonitor),
    proxy: (addresses) => proxy.listen(addresses),
    components: (addresses) => components.listen(addresses, false),
  }
  const all: ListenInfo[] = []
  for (const kind of ['starttls', 'tls', 'https', 'http', 'metrics', 'components', 'proxy'] as const) {
    const wanted = kind === 'components' && config.components.size === 0 ? [] : config.listen[kind]
    const listening = await freePorts(config, wanted, ways[kind])
    begun(listening)
    const got = listening.map(({ address }) => address)
    all.push(...infos(kind, wanted, got))
  }
  return all
}

/** The wanted ports; in the trial the next free ones, but never one that another of our listeners wants. */
function freePorts<T>(
  { listen: { nextFreePort, ...wanted } }: Config,
  addresses: readonly Address[],
  listen: (addresses: readonly Address[]) => Promise<T>,
): Promise<T> {
  const ports = Object.values(wanted).flatMap((list) => list.map(({ port }) => port))
  return withFreePort(addresses, nextFreePort, new Set(ports), listen)
}

function infos(kind: ListenInfo['kind'], wanted: readonly Address[], got: readonly Address[]): readonly ListenInfo[] {
  return got.map(({ host, port }, index) => ({ kind, host, port, wanted: wanted[index]?.port ?? port }))
}

/** The given ones; those of the trial are made if need be. */
async function certificateFiles(config: Config): Promise<ReadonlyMap<string, CertificateFiles>> {
  if (!config.trial) return config.certificates
  const { trialCertificate } = await import('./ops/trial-certificate.ts')
  await trialCertificate(config.data, systemClock.now())
  return config.certificates
}

function observe(metrics: Metrics, log: Log): StoreObserver {
  return {
    committed: (deeds, ms) => metrics.committed(deeds, ms),
    failed(error) {
      metrics.storeErrors++
      log.error('store failed', { error })
    },
  }
}

async function answers(store: Store): Promise<boolean> {
  try {
    await store.accounts.count()
    return true
  } catch {
    return false // that is the answer: the reason is in the log already
  }
}

function vitals({ config, metrics, store, xmpp, started, live }: Parts) {
  return {
    version: software.version,
    pid: process.pid,
    hosts: [...live.hosts],
    uptime: systemClock.now() - started,
    sessions: metrics.sessions(),
    connections: xmpp.connections,
    memory: process.memoryUsage.rss(),
    eventLoopDelay: metrics.eventLoopDelay,
    store: config.store.kind,
    uncommitted: store.uncommitted,
    data: config.data,
  }
}

function sessionInfo(session: ReturnType<Server['sessions']> extends Iterable<infer S> ? S : never): SessionInfo {
  const { id, jid, login, priority, presence, attached } = session
  const show = presence && (presence.element.childText('show') ?? '')
  return {
    id,
    jid: jid.toString(),
    since: login.since,
    encrypted: login.encrypted,
    mechanism: login.mechanism,
    client: login.client && { ...login.client },
    priority,
    show,
    attached,
  }
}
