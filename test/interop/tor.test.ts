// SPDX-License-Identifier: Apache-2.0
// Onion services, in a Tor network of this test's own: a client that knows nothing but the onion name logs in and opens the web
// pages, and two servers that know nothing else of each other exchange messages.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { onionText } from '../../src/appliance/steps/onion-service.ts'
import { ClientSocket } from '../../src/net/probes/client-socket.ts'
import { SocksClient } from '../../src/net/socks-client.ts'
import { Client } from '../../src/ops/compliance/client.ts'
import { authenticate, bind } from '../../src/ops/compliance/login.ts'
import { el } from '../../src/xml/element.ts'
import { chat, hears, OurServer } from '../support/federated.ts'
import { type Bench, bench, type Child } from '../support/process.ts'
import { portsFree, TorNetwork } from '../support/tor-network.ts'

const NS_CLIENT = 'jabber:client'
const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
/** A way to an onion service is built in some seconds; the first ones may lead nowhere, while all of it comes up. */
const PATIENCE = 120_000
/** How long a login may take, in ms, and how often it is tried again. */
const LOGIN_TIME = 20_000
const ATTEMPTS = 3

suite('an onion service', { timeout: 600_000 }, () => {
  const of = bench({ after })
  /** Where Tor is a proxy for users. */
  let proxy: number
  let verona: OurServer
  let elsinore: OurServer

  before(async () => {
    const network = await TorNetwork.begin(of)
    const [client = 0, server = 0, first = 0, second = 0] = await portsFree(4)
    const lines = [
      `SocksPort 127.0.0.1:${server}`,
      ...[first, second].map((port, index) =>
        onionText({ ...{ name: `no${index}`, ports: [80, 443, 5222, 5223, 5269, 5270] }, ...ends(of, index, port) }),
      ),
    ]
    const tor = network.run('servers', lines)
    const users = network.run('users', [`SocksPort 127.0.0.1:${client}`])
    proxy = client
    const names = await Promise.all([0, 1].map((index) => nameIn(of, tor, index)))
    verona = serverAt(of, names[0] ?? '', first, server)
    elsinore = serverAt(of, names[1] ?? '', second, server)
    for (const [one, name] of [
      [verona, 'romeo'],
      [elsinore, 'hamlet'],
    ] as const) {
      await one.start()
      await one.addUser(name)
    }
    await Promise.all([network.ready(tor), network.ready(users)])
  })

  test('lets a client log in that knows its name, with TLS, on the usual ports and on the one of web pages', async () => {
    for (const [port, direct] of [
      [5222, false],
      [5223, true],
      [443, true],
    ] as const) {
      const { facts } = await enters(of, verona.domain, 'romeo', { proxy, port, direct })
      assert.equal(facts?.distrust, 'DEPTH_ZERO_SELF_SIGNED_CERT')
    }
  })

  test('has web pages that no certificate stands before, since the way is encrypted to its name', async () => {
    const answer = await get(proxy, verona.domain, '/.well-known/host-meta.json')
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.match(answer, new RegExp(`"http://${verona.domain}/http-bind"`))
    assert.match(answer, new RegExp(`"ws://${verona.domain}/xmpp-websocket"`))
    assert.match(await get(proxy, verona.domain, '/chat/'), /^HTTP\/1\.1 200 /)
  })

  test('talks with another one: each proves its name by being there', async () => {
    const { client: romeo } = await enters(of, verona.domain, 'romeo', { proxy, port: 5222, direct: false })
    const { client: hamlet } = await enters(of, elsinore.domain, 'hamlet', { proxy, port: 5222, direct: false })
    for (const [one, other, from, to] of [
      [romeo, hamlet, `romeo@${verona.domain}`, `hamlet@${elsinore.domain}`],
      [hamlet, romeo, `hamlet@${elsinore.domain}`, `romeo@${verona.domain}`],
    ] as const) {
      one.sends(chat(to, `from ${from}`))
      await hears(other, `from ${from}`)
    }
  })
})

/** Where Tor keeps the keys of a service, and where it leads. */
function ends(of: Bench, index: number, port: number): { readonly directory: string; readonly to: string } {
  return { directory: join(of.directory, `service-${index}`), to: `127.0.0.1:${port}` }
}

function nameIn(of: Bench, tor: Child, index: number): Promise<string> {
  const file = join(ends(of, index, 0).directory, 'hostname')
  return tor.until('the onion name', () => {
    try {
      return readFileSync(file, 'utf8').trim() || undefined
    } catch {
      return undefined // it is not there yet
    }
  })
}

function serverAt(of: Bench, domain: string, onion: number, proxy: number): OurServer {
  const directory = join(of.directory, domain.slice(0, 8))
  mkdirSync(directory)
  const nowhere = [
    'starttls',
    'tls',
    'shared',
    'redirect',
    'servers',
    'serversTls',
    'https',
    'http',
    'metrics',
    'proxy',
  ]
  const config = {
    domain,
    data: join(directory, 'data'),
    listen: { ...Object.fromEntries(nowhere.map((kind) => [kind, []])), onion: [`127.0.0.1:${onion}`] },
    federation: { onionProxy: `127.0.0.1:${proxy}` },
    doctor: 'off',
  }
  const file = join(directory, 'aenigma.yaml')
  writeFileSync(file, JSON.stringify(config))
  return new OurServer(of, domain, file, { client: 0, plain: 0, direct: 0 })
}

interface Way {
  readonly proxy: number
  readonly port: number
  readonly direct: boolean
}

/** A client that is available. It tries again, since a way through such a small network breaks now and then. */
async function enters(of: Bench, domain: string, name: string, way: Way) {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await entersOnce(of, domain, name, way)
    } catch (error) {
      if (left === 0) throw error
    }
  }
}

async function entersOnce(of: Bench, domain: string, name: string, { proxy, port, direct }: Way) {
  const near = await relayed(of, proxy, domain, port)
  const dial = { host: '127.0.0.1', port: near, domain, lenient: true }
  const pipe = await (direct ? ClientSocket.direct(dial) : ClientSocket.plain(dial))
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), LOGIN_TIME)
  const client = new Client(pipe, domain, AbortSignal.any([late.signal, AbortSignal.timeout(PATIENCE)]), 1000)
  of.defer(() => client.leaves())
  await client.opens()
  if (!direct) {
    client.sends(el('starttls', NS_TLS))
    await client.hears('permission', (one) => one.is('proceed', NS_TLS))
    await pipe.startTls()
    await client.opens()
  }
  await authenticate(client, { username: name, password: 'secret' })
  await bind(client, `at-${port}`)
  client.sends(el('presence', NS_CLIENT))
  await client.settles()
  clearTimeout(timer)
  return { client, facts: pipe.tls }
}

/** A port of this machine that leads to one of an onion service, once. */
async function relayed(of: Bench, proxy: number, host: string, port: number): Promise<number> {
  const far = await through(proxy, host, port)
  const server = createServer((near) => {
    near.pipe(far).pipe(near)
    for (const one of [near, far]) one.on('error', () => undefined)
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
  }).listen(0, '127.0.0.1')
  of.defer(() => {
    far.destroy()
    server.close()
  })
  await once(server, 'listening')
  return (server.address() as { readonly port: number }).port
}

/** As a user's Tor does it: again, until the service has told the network where it is. */
async function through(proxy: number, host: string, port: number): Promise<Socket> {
  const signal = AbortSignal.timeout(PATIENCE)
  for (;;) {
    try {
      return await SocksClient.through({ host: '127.0.0.1', port: proxy }, { host, port }, signal, PATIENCE)
    } catch (error) {
      if (signal.aborted || !String(error).includes('refused')) throw error
    }
  }
}

async function get(proxy: number, host: string, path: string): Promise<string> {
  const socket = await through(proxy, host, 80)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const bytes of socket) text += bytes
  return text
}
