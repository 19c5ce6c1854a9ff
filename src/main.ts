// SPDX-License-Identifier: Apache-2.0
// Wiring: makes the parts from a configuration, hands them to each other, starts them in order and stops them in reverse.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Accounts, createAccounts } from './accounts/accounts.ts'
import { networkOf } from './accounts/throttle.ts'
import { systemClock } from './clock.ts'
import type { Config } from './config/config.ts'
import type { Software } from './core/feature.ts'
import { serverLinkLimits } from './link-limits.ts'
import { LiveConfig, urlFrom } from './live-config.ts'
import type { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { Authorities } from './net/certificates/authorities.ts'
import { Challenges } from './net/challenges.ts'
import { ServerNetwork } from './net/servers/network.ts'
import { Certificates } from './net/tls.ts'
import { FirstAccount } from './ops/first-account.ts'
import { Invited } from './ops/invited.ts'
import type { ListenInfo, RunningServer, SessionInfo } from './ops/running-server.ts'
import { OtherServers } from './other-servers.ts'
import { OwnCertificates } from './own-certificates.ts'
import type { Server, ServerParts } from './server.ts'
import { openSqlite } from './store/sqlite.ts'
import type { ScramHash, Store, StoreObserver } from './store/store.ts'
import { UploadFiles } from './store/upload-files.ts'
import { UploadSweeper } from './store/upload-sweeper.ts'
import { publicUrl } from './web/public-url.ts'
import { removeRoom } from './xep/0045-rooms/oversight.ts'
import { features } from './xep/index.ts'

/** What the program calls itself (XEP-0092). */
export const software: Software = {
  name: 'aenigma',
  version: JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version,
}

/** How long a key that session tickets are encrypted with is used, in ms (RFC 9325 §3.4 asks for a week at most). */
const TICKET_KEY_TIME = 12 * 3_600_000

export { testWithoutServer } from './other-servers.ts'

/** Opens the store that the configuration names. Rejects with a clear reason if it cannot be opened. */
export async function openStore(config: Config, observer?: StoreObserver): Promise<Store> {
  mkdirSync(config.data, { recursive: true, mode: 0o700 })
  const common = { clock: systemClock, ...(observer ? { observer } : {}) }
  if (config.store.kind === 'postgres') {
    const { openPostgres } = await import('./store/postgres.ts')
    return openPostgres({ url: config.store.url, ...common })
  }
  return openSqlite({ file: join(config.data, 'aenigma.db'), ...common })
}

/** Which verifiers new passwords get. */
export function hashesOf(config: Config): readonly ScramHash[] {
  return ['SCRAM-SHA-512', 'SCRAM-SHA-256', ...(config.accounts.sha1 ? (['SCRAM-SHA-1'] as const) : [])]
}

/** Where the pages of a domain will be when a server runs with this configuration. */
export function publicUrlOf({
  http: { url },
  trial,
  listen,
  certificates: given,
}: Config): (host: string) => string | undefined {
  const listening = (['shared', 'https', 'http', 'onion'] as const).flatMap((kind) =>
    listen[kind].map(({ port }) => ({ kind, port })),
  )
  return (host) => publicUrl(host, { url, trial, listening, given })
}

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
  readonly challenges: Challenges
  readonly network: ServerNetwork
  readonly xmpp: Server
  readonly firstAccount: FirstAccount
  readonly invited: Invited
  readonly started: number
}

type XmppParts = Pick<Parts, 'config' | 'live' | 'log' | 'metrics' | 'store' | 'accounts'> & {
  readonly others: OtherServers
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
  const challenges = new Challenges()
  const own = await OwnCertificates.open({
    config,
    certificates,
    challenges,
    log,
    hosts: () => [...live.hosts, ...live.moved.keys()],
    networkOf,
  })
  await certificates.load(await own.files(config))
  stops.push(systemClock.every(TICKET_KEY_TIME, () => certificates.renewTicketKeys()))
  const network = await ServerNetwork.open({
    options: config.federation,
    limits: serverLinkLimits(live.limits, live.federation),
    ...{ certificates, clock: systemClock, log, metrics },
  })
  const opening = openStore(config, observe(metrics, log))
  stops.push(async () => (await opening.catch(() => undefined))?.close())
  opening.catch(() => undefined) // it is waited for below
  const { startXmpp, bytestreamsBy, listenAtAll, makeListeners } = await theRest()
  const store = await opening
  const closing: Promise<void>[] = []
  stops.push(() => Promise.all(closing).then(() => undefined)) // each client gets its last words first
  const { scramIterations: iterations } = config.accounts
  const accounts = createAccounts({
    store,
    hosts: live.hosts,
    iterations,
    mechanisms: hashesOf(config),
    clock: systemClock,
    admins: live.admins,
    limits: live.limits,
  })
  const others = await OtherServers.open({ live, network, store, log, metrics })
  const xmpp = await startXmpp(await xmppPartsOf({ config, live, log, metrics, store, accounts, others }))
  const firstAccount = firstAccountOf(config, store, accounts)
  const invited = invitedOf(config, live, store, accounts)
  const common = { config, live, log, metrics, store, accounts, certificates, challenges, network }
  const parts: Parts = { ...common, xmpp, firstAccount, invited, started }
  const { files, sweeper } = await openUploads(parts, stops)
  const listeners = makeListeners(parts, files)
  stops.push(() => {
    listeners.onePort.stop()
    listeners.onionPort.stop()
    for (const one of Object.values(listeners.webs)) one.stop() // as above: streams end before their connections
  })
  stops.push(() => xmpp.stop())
  const listening = await listenAtAll(config, listeners, (ended) => {
    stops.push(() => void closing.push(...ended.map((one) => one.stop())))
  })
  const reach = { url: config.http.url, trial: config.trial, listening, given: config.certificates }
  live.options.publicUrl = (host: string) => publicUrl(host, reach)
  live.options.bytestreamProxy = bytestreamsBy(listeners, config, listening)
  stops.push(
    await own.start({
      listening,
      servicesOf: (host) => xmpp.servicesOf(host),
      resolves: (name) => network.resolves(name),
    }),
  )
  log.info('started', { version: software.version, ms: systemClock.now() - started })
  const server = controlOf(parts, { own, others, sweeper, listening, stop })
  if (!config.trial) {
    const { nightlyDoctor } = await import('./nightly-doctor.ts')
    stops.push(await nightlyDoctor(parts, server))
  }
  return server
}

/** What is behind the server that administrators speak to. */
interface Behind {
  readonly own: OwnCertificates
  readonly others: OtherServers
  readonly sweeper: UploadSweeper
  readonly listening: readonly ListenInfo[]
  readonly stop: () => Promise<void>
}

/** The server as administrators see it. */
function controlOf(parts: Parts, { own, others, sweeper, listening, stop }: Behind): RunningServer {
  const { config, live, store, accounts, firstAccount, xmpp } = parts
  const { hosts, data, trial } = config
  const authority = trial ? join(data, 'tls', 'ca.crt') : undefined
  return {
    info: { hosts, listening, data, trial, url: config.http.url, authority },
    accounts,
    firstAccount,
    publicUrl: (host) => urlFrom(live, host),
    status: async () => ({
      ...vitals(parts),
      accounts: await accounts.count(),
      listening: [...listening, ...own.listening()],
      certificates: own.states(),
    }),
    sessions: () => [...xmpp.sessions()].map(sessionInfo),
    pushes: store.pushes,
    reports: store.reports,
    uploads: uploadsFor(parts, sweeper),
    rooms: { all: store.rooms.all, remove: (jid) => removeRoom(store, jid) },
    federation: others.control,
    endSession: (id) => xmpp.endSession(id),
    ...renewal(parts, own),
    stop,
  }
}

/** Puts a newer configuration in force. */
function renewal(
  { live, certificates, network, xmpp, log }: Parts,
  own: OwnCertificates,
): Pick<RunningServer, 'check' | 'reload'> {
  return {
    async check(newer) {
      live.prepare(newer)
      await new Certificates().load(await own.files(newer))
      await new Authorities().load(newer.federation.authorities)
    },
    async reload(newer) {
      const apply = live.prepare(newer)
      await certificates.load(await own.files(newer))
      await network.use(newer.federation)
      const restart = apply()
      xmpp.hostsChanged()
      await own.use(newer)
      log.info('reloaded', { restart })
      return restart
    },
  }
}

function firstAccountOf(
  { hosts, trial, accounts: { tokenLifetime } }: Config,
  store: Store,
  accounts: Accounts,
): FirstAccount {
  return new FirstAccount({ accounts, store, host: hosts[0] ?? 'localhost', clock: systemClock, tokenLifetime, trial })
}

function invitedOf(
  { accounts: { tokenLifetime } }: Config,
  live: LiveConfig,
  store: Store,
  accounts: Accounts,
): Invited {
  return new Invited({ accounts, store, clock: systemClock, tokenLifetime, publicUrl: (host) => urlFrom(live, host) })
}

/** What takes longest to load: meanwhile the thread of the database starts. */
async function theRest() {
  return { ...(await import('./server.ts')), ...(await import('./listeners.ts')) }
}

/** What the server without its sockets is made of. */
async function xmppPartsOf(parts: XmppParts): Promise<ServerParts> {
  const { config, live, log, metrics, store, accounts, others } = parts
  const { scramIterations, plain, tokenLifetime } = config.accounts
  return {
    hosts: live.hosts,
    moved: live.moved,
    components: live.components,
    federation: (router, { clock }) => others.streams(router, clock),
    store,
    accounts,
    features,
    options: live.options,
    admins: live.admins,
    limits: live.limits,
    sasl: {
      hashes: hashesOf(config),
      plain,
      iterations: scramIterations,
      fakeSecret: await store.secret('fake-verifiers'),
      tokenLifetime,
    },
    software,
    clock: systemClock,
    log,
    metrics,
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

function observe(metrics: Metrics, log: Log): StoreObserver {
  return {
    committed: (deeds, ms) => metrics.committed(deeds, ms),
    failed(error) {
      metrics.storeErrors++
      log.error('store failed', { error })
    },
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
