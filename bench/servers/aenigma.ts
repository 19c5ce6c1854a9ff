// SPDX-License-Identifier: Apache-2.0
// Our own server, from this checkout.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { systemClock } from '../../src/clock.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { DOMAIN, PASSWORD, userName } from '../accounts.ts'
import { clusterUrl, postgresProgram, startCluster, stopCluster } from './postgres.ts'
import {
  type Contestant,
  freePort,
  installed,
  runProcess,
  type Server,
  type ServerOptions,
  startProcess,
} from './process.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const PROGRAM = join(ROOT, 'bin', 'aenigma')
/** As `bin/aenigma` starts the runtime that comes with it. */
const { ENGINE_OPTIONS } = createRequire(import.meta.url)('../../bin/runtime.js') as {
  ENGINE_OPTIONS: readonly string[]
}

/** Where it keeps everything. */
type Store = 'sqlite' | 'postgres'

/** The configuration; everything that limits is out of the way. */
async function configure(
  dir: string,
  options: ServerOptions,
  store: Store,
): Promise<{ file: string; tls: number; https: number; shared: number; metrics: number }> {
  const [starttls, tls, https, metrics] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const [http, shared] = [await freePort(), await freePort()]
  const config = {
    hosts: [options.domain],
    data: join(dir, 'data'),
    log: { level: 'error' },
    listen: {
      starttls: [`127.0.0.1:${starttls}`],
      tls: [`127.0.0.1:${tls}`],
      https: [`127.0.0.1:${https}`],
      http: [`127.0.0.1:${http}`],
      shared: [`127.0.0.1:${shared}`],
      proxy: [],
      metrics: [`127.0.0.1:${metrics}`],
      servers: options.federation ? [`127.0.0.1:${options.federation.port}`] : [],
      serversTls: [],
    },
    federation: federationOf(options),
    http: { url: `http://127.0.0.1:${http}` },
    uploads: { maxBytes: '4GiB', bytesPerAccount: '1000GiB', bytesPerDay: '1000GiB' },
    certificates: { [options.domain]: options.certificate },
    archive: options.archive ? 'on' : 'off',
    roomMessageRate: 1_000_000,
    store: store === 'sqlite' ? store : { postgres: clusterUrl(dir) },
    limits: {
      connectionsPerAddress: 100_000,
      connectionsPerMinutePerAddress: 1_000_000,
      strangerMessagesPerHour: 1_000_000_000,
      strangerRequestsPerHour: 1_000_000_000,
      offlineMessages: 100_000,
      bytesPerSecond: '1GiB',
    },
  }
  mkdirSync(dir, { recursive: true })
  const file = join(dir, 'aenigma.yaml')
  writeFileSync(file, stringify(config))
  return { file, tls, https, shared, metrics }
}

function federationOf({ federation, certificate }: ServerOptions) {
  if (federation === undefined) return { enabled: false }
  return {
    authorities: certificate.cert,
    resolvers: [`127.0.0.1:${federation.resolver}`],
    bytesPerSecond: '1GiB',
    stanzasPerSecond: 1_000_000,
    queueStanzas: 1_000_000,
    queueBytes: '1GiB',
  }
}

async function createUsers(dir: string, options: ServerOptions, store: Store): Promise<void> {
  const { file } = await configure(dir, options, store)
  const list = join(dir, 'users.csv')
  const lines = Array.from(
    { length: options.users },
    (_, index) => `${userName(index)}@${options.domain},${PASSWORD}\n`,
  )
  writeFileSync(list, lines.join(''))
  await runProcess(dir, { program: process.execPath, args: [PROGRAM, 'user', 'import', list, '--config', file] })
  // One start fills the compile cache, as an installation does.
  const server = await start(dir, options, store)
  await server.stop()
}

async function fillArchive(dir: string, messages: number): Promise<void> {
  const store = await openSqlite({ file: join(dir, 'data', 'aenigma.db'), clock: systemClock })
  const [from, to] = [Jid.parse(`${userName(0)}@${DOMAIN}`), Jid.parse(`${userName(1)}@${DOMAIN}`)]
  for (let i = 0; i < messages; i++) {
    const body = `${i} lorem ipsum dolor sit amet`.padEnd(60, '.')
    const xml = `<message from='${from}/a' to='${to}' type='chat' id='m${i}'><body>${body}</body></message>`
    store.messages.append({ xml, from, to, archiveFor: [from, to], offlineFor: undefined })
    if (i % 5000 === 4999) await store.durable()
  }
  await store.close()
}

async function start(dir: string, options: ServerOptions, store: Store): Promise<Server> {
  const { file, tls, https, shared, metrics } = await configure(dir, options, store)
  const target = {
    protocol: 'xmpp',
    port: tls,
    web: https,
    shared,
    domain: options.domain,
    ca: options.certificate.cert,
  } as const
  const command = { program: process.execPath, args: [...ENGINE_OPTIONS, PROGRAM, 'up', '--config', file] }
  const server = await startProcess(dir, options, target, command)
  return { ...server, metrics: `http://127.0.0.1:${metrics}/metrics` }
}

function missing(): string | undefined {
  return existsSync(join(ROOT, 'src', 'cli', 'main.ts')) ? undefined : 'src/cli/main.ts does not exist yet'
}

/** Our own server. */
export const aenigma: Contestant = {
  name: 'us',
  ours: true,
  fast: true,
  federates: true,
  missing,
  createUsers: (dir, options) => createUsers(dir, options, 'sqlite'),
  fillArchive,
  start: (dir, options) => start(dir, options, 'sqlite'),
}

/** Our own server on PostgreSQL, which is started for it and is not killed with it. */
export const aenigmaOnPostgres: Contestant = {
  name: 'us-postgres',
  ours: true,
  fast: false,
  missing: () => missing() ?? installed(postgresProgram('initdb'), 'postgresql'),
  async createUsers(dir, options) {
    await startCluster(dir, options)
    await createUsers(dir, options, 'postgres')
  },
  start: (dir, options) => start(dir, options, 'postgres'),
  close: stopCluster,
}
