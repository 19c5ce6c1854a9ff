// SPDX-License-Identifier: Apache-2.0
// Where the server can be reached: every listener, made from the configuration and put on its port.
import { networkOf } from './accounts/throttle.ts'
import { systemClock } from './clock.ts'
import type { Address, Config } from './config/config.ts'
import { isOnion } from './config/domains.ts'
import { linkLimits, serverLinkLimits } from './link-limits.ts'
import { type LiveConfig, urlFrom } from './live-config.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Challenges } from './net/challenges.ts'
import { ClientListener, type Listening, withFreePort } from './net/listen.ts'
import { OnePort } from './net/one-port.ts'
import { OnionPort } from './net/onion-port.ts'
import { addressesIn } from './net/proxies.ts'
import type { ServerNetwork } from './net/servers/network.ts'
import { SocksProxy } from './net/socks-proxy.ts'
import type { Certificates } from './net/tls.ts'
import type { FirstAccount } from './ops/first-account.ts'
import type { Invited } from './ops/invited.ts'
import type { ListenInfo } from './ops/running-server.ts'
import type { Server } from './server.ts'
import type { Store } from './store/store.ts'
import type { UploadFiles } from './store/upload-files.ts'
import type { Trust } from './web/exchange.ts'
import type { WebServer } from './web/server.ts'
import { uploadListener } from './web/uploads.ts'
import { createWeb, type Webs } from './web/web.ts'
import type { BytestreamProxy } from './xep/0065-proxy.ts'

/** This machine. */
const LOOPBACK = ['127.0.0.0/8', '::1']
/** Circuits of Tor to our onion service, as Tor writes them. */
const CIRCUITS = 'fc00:dead:beef:4dad::/96'
/** Connections to the onion service, whichever circuit they come by. */
const ONION_CONNECTIONS = 2_000
/** Connections without TLS, of which reverse proxies have many. */
const PROXY_CONNECTIONS = 10_000
/** Connections of those who watch. */
const MONITOR_CONNECTIONS = 100

type Socket = Parameters<ClientListener['begin']>[0]
type Connection = Parameters<WebServer['take']>[0]

/** What stands behind the listeners. */
interface Behind {
  readonly config: Config
  readonly live: LiveConfig
  readonly log: Log
  readonly metrics: Metrics
  readonly store: Store
  readonly certificates: Certificates
  readonly challenges: Challenges
  readonly network: ServerNetwork
  readonly xmpp: Server
  readonly firstAccount: FirstAccount
  readonly invited: Invited
}

/** Every listener, not on its port yet. */
export interface Listeners {
  readonly clients: ClientListener
  readonly components: ClientListener
  readonly servers: ClientListener
  readonly webs: Webs
  readonly proxy: SocksProxy
  readonly onePort: OnePort
  readonly onionPort: OnionPort
}

/** Makes all listeners. @param files where uploads are */
export function makeListeners(behind: Behind, files: UploadFiles): Listeners {
  const streams = streamListeners(behind)
  const webs = websOf(behind, streams.clients, files)
  const onePort = onePortOf(behind, streams, webs)
  const onionPort = onionPortOf(behind, streams, webs, onePort)
  return { ...streams, webs, proxy: bytestreamProxy(behind), onePort, onionPort }
}

/** Who gets what comes to which port of the onion service. */
function onionPortOf(
  { config, log }: Behind,
  { clients, servers }: Pick<Listeners, 'clients' | 'servers'>,
  { site }: Webs,
  onePort: OnePort,
): OnionPort {
  const counted = (by: ClientListener, take: (socket: Socket) => void) => (socket: Socket) =>
    void (by.admits(socket) && take(socket))
  const shared = counted(clients, (socket) => onePort.take(socket))
  const others = (direct: boolean) => counted(servers, (socket) => servers.begin(socket, direct))
  return new OnionPort(
    new Map([
      [80, counted(clients, (socket) => site.take(socket))],
      [443, shared],
      [5222, counted(clients, (socket) => clients.begin(socket, false))],
      [5223, shared],
      ...(config.federation.enabled
        ? ([
            [5269, others(false)],
            [5270, others(true)],
          ] as const)
        : []),
    ]),
    systemClock,
    log,
  )
}

/** Who gets what comes to the one port. */
function onePortOf(
  { config, certificates, challenges, log }: Behind,
  { clients, servers }: Pick<Listeners, 'clients' | 'servers'>,
  { site, front }: Webs,
): OnePort {
  const { isProxy } = trustOf(config)
  const { ssh, turn } = config.behind
  return new OnePort({
    client: (socket, direct) => clients.begin(socket, direct),
    server: (socket) => (config.federation.enabled ? servers.begin(socket, true) : socket.destroy()),
    web: (socket) => clients.beginWeb(socket, { take: (secured) => site.take(secured), isProxy }),
    plainWeb: (socket) => front.take(socket),
    secure: (socket) => certificates.secure(socket, []),
    secured: { client: (socket) => clients.beginSecured(socket), web: (socket) => site.take(socket) },
    challenges,
    ssh,
    turn,
    clock: systemClock,
    log,
  })
}

/** Who takes the connections of clients, of components, and of other servers. */
function streamListeners({
  live: { limits, federation },
  certificates,
  network,
  log,
  metrics,
  xmpp,
}: Behind): Pick<Listeners, 'clients' | 'components' | 'servers'> {
  const common = {
    certificates,
    limits: linkLimits(limits),
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
    servers: new ClientListener({
      ...common,
      limits: serverLinkLimits(limits, federation),
      content: 'jabber:server',
      servers: network.incoming,
      accept: (link) => xmpp.acceptServer(link),
    }),
  }
}

/** The sockets of the proxy of XEP-0065. */
function bytestreamProxy({ config, live, log }: Behind): SocksProxy {
  const limits = {
    bytesPerSecond: config.proxy.bytesPerSecond,
    get connectionsPerAddress() {
      return live.limits.connectionsPerAddress
    },
  }
  return new SocksProxy({ limits, clock: systemClock, log, networkOf })
}

/** The proxy as its feature finds it among the options. @param listening where all listeners are */
export function bytestreamsBy({ proxy }: Listeners, config: Config, listening: readonly ListenInfo[]): BytestreamProxy {
  const port = listening.find(({ kind }) => kind === 'proxy')?.port
  return {
    placeOf: (host) => (port === undefined ? undefined : { host: config.proxy.host ?? host, port }),
    activate: (hash) => proxy.activate(hash),
  }
}

/** The web servers, without their sockets. */
function websOf(
  { config, live, log, metrics, store, xmpp, firstAccount, invited, challenges }: Behind,
  { admission }: ClientListener,
  files: UploadFiles,
): Webs {
  return createWeb({
    trust: trustOf(config),
    hosts: live.hosts,
    url: config.http.url,
    publicUrl: (host) => urlFrom(live, host),
    challenge: (token) => challenges.text(token),
    firstAccount,
    invited,
    limits: linkLimits(live.limits),
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
  return { isProxy: addressesIn([...LOOPBACK, ...http.proxies]), isLocal: addressesIn([...LOOPBACK, CIRCUITS]) }
}

/** Puts them on their ports. Rejects if one cannot be had. @param begun told of those that listen, as they begin to */
export async function listenAtAll(
  config: Config,
  { clients, components, servers, webs: { site, monitor, front }, proxy, onePort, onionPort }: Listeners,
  begun: (listening: readonly Listening[]) => void,
): Promise<readonly ListenInfo[]> {
  const { isProxy } = trustOf(config)
  const forSite = { take: (socket: Connection) => site.take(socket), isProxy }
  const forMonitor = { take: (socket: Connection) => monitor.take(socket), isProxy, most: MONITOR_CONNECTIONS }
  const ways: Readonly<Record<Kind, (addresses: readonly Address[]) => Promise<readonly Listening[]>>> = {
    starttls: (addresses) => clients.listen(addresses, false),
    tls: (addresses) => clients.listen(addresses, true),
    https: (addresses) => clients.listenWeb(addresses, true, forSite),
    http: (addresses) => clients.listenWeb(addresses, false, { ...forSite, most: PROXY_CONNECTIONS }),
    metrics: (addresses) => clients.listenWeb(addresses, false, forMonitor),
    shared: (addresses) => clients.listenWeb(addresses, false, { take: (socket) => onePort.take(socket), isProxy }),
    redirect: (addresses) => clients.listenWeb(addresses, false, { take: (socket) => front.take(socket), isProxy }),
    onion: (addresses) =>
      clients.listenWeb(addresses, false, {
        take: (socket) => onionPort.take(socket),
        isProxy: () => true, // counted when it is known which circuit it is
        most: ONION_CONNECTIONS,
      }),
    proxy: (addresses) => proxy.listen(addresses),
    components: (addresses) => components.listen(addresses, false),
    servers: (addresses) => servers.listen(addresses, false),
    serversTls: (addresses) => servers.listen(addresses, true),
  }
  const all: ListenInfo[] = []
  for (const kind of KINDS) {
    const wanted = isIdle(kind, config) ? [] : config.listen[kind]
    const listening = await freePorts(config, wanted, ways[kind])
    begun(listening)
    const got = listening.map(({ address }) => address)
    all.push(...infos(kind, wanted, got))
  }
  return all
}

/** `own-certificates.ts` answers the DNS, as long as that is wanted. */
type Kind = Exclude<ListenInfo['kind'], 'dns'>

/** In this order they begin to listen. */
const KINDS = [
  'starttls',
  'tls',
  'shared',
  'redirect',
  'servers',
  'serversTls',
  'https',
  'http',
  'metrics',
  'components',
  'proxy',
  'onion',
] as const

/** Whether nobody may come there. */
function isIdle(kind: Kind, { components, federation, hosts }: Config): boolean {
  if (kind === 'servers' || kind === 'serversTls') return !federation.enabled
  if (kind === 'onion') return !hosts.some(isOnion)
  return kind === 'components' && components.size === 0
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

async function answers(store: Store): Promise<boolean> {
  try {
    await store.accounts.count()
    return true
  } catch {
    return false // that is the answer: the reason is in the log already
  }
}
