// SPDX-License-Identifier: Apache-2.0
// How other servers are reached, by whom we say that we are, and what is said where none can be.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TLSSocket,
} from 'node:tls'
import { authority, type Issued, issue } from '../../../test/support/certificates.ts'
import { FakeDns } from '../../../test/support/fake-dns.ts'
import { systemClock } from '../../clock.ts'
import { silentLog } from '../../log.ts'
import { Metrics } from '../../metrics.ts'
import { DialError, type DialFailure, type Link } from '../../stream/link.ts'
import { el } from '../../xml/element.ts'
import { ClientListener } from '../listen.ts'
import { Certificates } from '../tls.ts'
import { ServerNetwork } from './network.ts'

const dir = mkdtempSync(join(tmpdir(), 'aenigma-dial-'))
const metrics = new Metrics()
after(() => {
  metrics.stop()
  rmSync(dir, { recursive: true })
})
const dns = await FakeDns.start()
const ca = await authority()
const caFile = join(dir, 'ca.pem')
writeFileSync(caFile, ca.cert)

/** Our certificates, by domain. */
async function certificatesFor(...domains: readonly string[]): Promise<Certificates> {
  const files = new Map<string, { cert: string; key: string }>()
  for (const domain of domains) {
    const issued = await issue({ dns: [domain], by: ca })
    const place = { cert: join(dir, `${domain}.crt`), key: join(dir, `${domain}.key`) }
    writeFileSync(place.cert, issued.cert)
    writeFileSync(place.key, issued.key)
    files.set(domain, place)
  }
  const certificates = new Certificates()
  await certificates.load(files)
  return certificates
}

const limits = {
  connectionsPerAddress: 1000,
  connectionsPerMinute: 1000,
  sendQueueBytes: 1_000_000,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  reader: { stanzaBytes: 16_384 },
}
const common = { clock: systemClock, log: silentLog, metrics }

async function networkOf(certificates: Certificates, onionPort?: number): Promise<ServerNetwork> {
  const onionProxy = onionPort === undefined ? undefined : { host: '127.0.0.1', port: onionPort }
  const options = { resolvers: [dns.server], dnssec: 'auto', authorities: caFile, onionProxy } as const
  return ServerNetwork.open({ options, limits, certificates, ...common })
}

const ours = await certificatesFor('ours.example', 'second.example')
const network = await networkOf(ours)
const theirs = await certificatesFor('theirs.example')
const theirNetwork = await networkOf(theirs)
const links: Link[] = []
const waiting: ((link: Link) => void)[] = []
const listener = new ClientListener({
  ...{ ...common, certificates: theirs, limits, networkOf: (address: string) => address, content: 'jabber:server' },
  servers: theirNetwork.incoming,
  accept(link) {
    links.push(link)
    waiting.shift()?.(link)
  },
})
const [plain] = await listener.listen([{ host: '127.0.0.1', port: 0 }], false)
const [direct] = await listener.listen([{ host: '127.0.0.1', port: 0 }], true)
assert.ok(plain && direct)
const PORTS = { plain: plain.address.port, direct: direct.address.port }
const dialled: Link[] = []
after(async () => {
  for (const link of [...links, ...dialled]) link.close()
  await Promise.all([plain.stop(), direct.stop()])
})

/** Where the domain is, at a host that is here. */
function put(domain: string, port: number, tls = false, priority = 0): void {
  const name = `_xmpp${tls ? 's' : ''}-server._tcp.${domain}`
  dns.srv(name, [priority, 0, port, 'here.example']).host('here.example', '127.0.0.1')
}

/** We dial, and what comes there. */
async function dial(to: string, from = 'ours.example', by = network) {
  const arrived = new Promise<Link>((resolve) => waiting.push(resolve))
  const { link, place } = await by.dialer.dial(from, to, new AbortController().signal)
  dialled.push(link)
  return { link, place, arrived }
}

/** Why not. */
async function failure(to: string, kind: DialFailure, by = network): Promise<string> {
  const error = await by.dialer.dial('ours.example', to, new AbortController().signal).then(
    ({ link }) => link.close(),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof DialError, String(error))
  assert.equal(error.kind, kind, error.message)
  return error.message
}

/** What a link is told, one after the other. */
function listening(link: Link): { next(): Promise<string> } {
  const heard: string[] = []
  const wanted: ((text: string) => void)[] = []
  const tell = (text: string): void => {
    const first = wanted.shift()
    if (first) first(text)
    else heard.push(text)
  }
  link.start({
    opened: ({ element, contentNamespace }) => tell(`${contentNamespace} ${element.attrs.from}>${element.attrs.to}`),
    element: (element) => tell(element.name),
    ended: (reason) => tell(reason),
  })
  return {
    next: () => {
      const text = heard.shift()
      return text === undefined ? new Promise((resolve) => wanted.push(resolve)) : Promise.resolve(text)
    },
  }
}

const OPEN = { from: 'ours.example', to: 'theirs.example', id: '', lang: 'en', version: '1.0' } as const
const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'

test('with STARTTLS: both ends know each other afterwards', async () => {
  put('theirs.example', PORTS.plain)
  const { link, place, arrived } = await dial('theirs.example')
  assert.deepEqual(place, { host: 'here.example', port: PORTS.plain, direct: false, secure: false })
  assert.equal(link.encrypted, false)
  assert.deepEqual(await link.proves?.('theirs.example'), { by: undefined, why: 'the connection has no TLS' })
  const [we, they] = [listening(link), arrived.then(listening)]
  link.open(OPEN)
  assert.equal(await (await they).next(), 'jabber:server ours.example>theirs.example')
  const theirEnd = await arrived
  theirEnd.open({ ...OPEN, from: 'theirs.example', to: 'ours.example', id: 'x' })
  assert.equal(await we.next(), 'jabber:server theirs.example>ours.example')
  link.send(el('starttls', NS_TLS))
  assert.equal(await (await they).next(), 'starttls')
  const accepted = theirEnd.startTls(el('proceed', NS_TLS), 'theirs.example')
  assert.equal(await we.next(), 'proceed')
  await Promise.all([accepted, link.startTls(undefined)])
  assert.equal(link.encrypted && theirEnd.encrypted, true)
  assert.equal(theirEnd.serverName, 'theirs.example')
  assert.deepEqual(await link.proves?.('theirs.example'), { by: 'pkix' })
  assert.deepEqual(await theirEnd.proves?.('ours.example'), { by: 'pkix' })
  assert.deepEqual(await theirEnd.proves?.('second.example'), {
    by: undefined,
    why: 'the certificate is for ours.example, not for second.example',
  })
  link.open(OPEN)
  assert.equal(await (await they).next(), 'jabber:server ours.example>theirs.example')
  link.send(el('message', 'jabber:client'))
  assert.equal(await (await they).next(), 'message')
})

test('with TLS from the start, as whoever of us it is for (XEP-0368)', async () => {
  put('direct.example', PORTS.direct, true)
  for (const from of ['ours.example', 'second.example', 'rooms.second.example']) {
    const { link, place, arrived } = await dial('direct.example', from)
    assert.equal(place.direct && link.encrypted, true)
    const domain = from.replace('rooms.', '')
    assert.deepEqual(await (await arrived).proves?.(domain), { by: 'pkix' })
    assert.equal((await arrived).serverName, 'direct.example')
  }
})

test('the certificate of the place dialled counts for the domain dialled', async () => {
  const { link } = await dial('direct.example')
  assert.deepEqual(await link.proves?.('direct.example'), {
    by: undefined,
    why: 'the certificate is for theirs.example, not for direct.example',
  })
  assert.deepEqual(await link.proves?.('theirs.example'), { by: 'pkix' })
})

test('the start tag declares dialback, and no id of who opens (XEP-0220 §2.1.1, RFC 6120 §4.7.3)', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  put('raw.example', portOf(server))
  const arrived = once(server, 'connection')
  const { link } = await network.dialer.dial('ours.example', 'raw.example', new AbortController().signal)
  const [socket] = (await arrived) as [Socket]
  link.open({ ...OPEN, to: 'raw.example' })
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  assert.equal(
    bytes.toString(),
    `<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' ` +
      `xmlns:db='jabber:server:dialback' version='1.0' from='ours.example' to='raw.example' xml:lang='en'>`,
  )
  link.start({ opened: () => undefined, element: () => undefined, ended: () => undefined })
  socket.destroy()
  server.close()
})

test('the next place is tried when one cannot be reached', async () => {
  dns.srv('_xmpp-server._tcp.two.example', [0, 0, 1, 'here.example'], [1, 0, PORTS.plain, 'here.example'])
  const { place } = await dial('two.example')
  assert.equal(place.port, PORTS.plain)
})

test('the next address is tried when one cannot be reached', async () => {
  dns.srv('_xmpp-server._tcp.many.example', [0, 0, PORTS.plain, 'many.example'])
  dns.host('many.example', '::ffff:127.0.0.9', '127.0.0.1')
  const { place } = await dial('many.example')
  assert.equal(place.host, 'many.example')
})

test('a domain without records may be a server itself, or nothing', async () => {
  assert.equal(
    await failure('nowhere.example', 'no-such-domain'),
    'the DNS knows no server of nowhere.example, and no address of nowhere.example either',
  )
  dns.srv('_xmpp-server._tcp.gone.example', [0, 0, 5269, 'gone-host.example'])
  assert.equal(
    await failure('gone.example', 'unreachable'),
    'the DNS knows no address of gone-host.example, which gone.example names as its server',
  )
})

test('what went wrong is said', async () => {
  dns.srv('_xmpp-server._tcp.no.example', [0, 0, 0, '.'])
  assert.match(await failure('no.example', 'refused'), /^no\.example says in the DNS that it has no XMPP server/)
  for (const type of ['_xmpp-server._tcp', '_xmpps-server._tcp']) {
    dns.put('SRV', `${type}.broken.example`, { answers: [], code: 2 })
  }
  assert.equal(await failure('broken.example', 'dns'), 'looking for broken.example failed: the DNS could not answer')
  put('closed.example', 1)
  assert.equal(
    await failure('closed.example', 'unreachable'),
    'the server of closed.example at here.example port 1 refuses connections',
  )
})

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

test('a server that speaks no TLS, or of something else, is told apart from one that is not there', async () => {
  const deaf = createServer((socket) => socket.on('error', () => undefined).end('<stream:stream>')).listen(
    0,
    '127.0.0.1',
  )
  await once(deaf, 'listening')
  put('deaf.example', portOf(deaf), true)
  assert.match(await failure('deaf.example', 'tls'), /^TLS with the server of deaf\.example failed: /)
  deaf.close()
  const issued: Issued = await issue({ dns: ['web.example'], by: ca })
  const web = createTlsServer({ cert: issued.cert, key: issued.key, ALPNProtocols: ['h2'] }).listen(0, '127.0.0.1')
  web.on('tlsClientError', () => undefined)
  await once(web, 'listening')
  put('web.example', portOf(web), true)
  assert.match(await failure('web.example', 'tls'), /^TLS with the server of web\.example failed: /)
  web.close()
})

test('an attempt that is given up ends at once', async () => {
  const silent: Socket[] = []
  const server = createServer((socket) => silent.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  put('silent.example', portOf(server), true)
  const giveUp = new AbortController()
  const attempt = network.dialer.dial('ours.example', 'silent.example', giveUp.signal)
  await once(server, 'connection')
  giveUp.abort()
  await assert.rejects(attempt, DialError)
  for (const socket of silent) socket.destroy()
  server.close()
  await assert.rejects(network.dialer.dial('ours.example', 'theirs.example', AbortSignal.abort()), DialError)
})

/** Somebody comes with TLS from the start. */
async function comes(options: ConnectionOptions): Promise<{ socket: TLSSocket; link: Link }> {
  const arrived = new Promise<Link>((resolve) => waiting.push(resolve))
  const common = { port: PORTS.direct, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['xmpp-server'] }
  const socket = connectTls({ ...common, ...options })
  socket.on('error', () => undefined)
  return { socket, link: await arrived }
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`no session is taken up again: each shows its certificate each time (${maxVersion})`, async () => {
    const { cert, key } = await issue({ dns: ['visitor.example'], by: ca })
    const first = await comes({ cert, key, maxVersion })
    const heard = once(first.socket, 'data')
    first.link.open({ ...OPEN, from: 'theirs.example', to: 'visitor.example', id: 'x' })
    await heard // and with it, or before, any ticket
    const session = first.socket.getSession()
    assert.ok(session)
    const second = await comes({ cert, key, maxVersion, session })
    assert.equal(second.socket.isSessionReused(), false)
    assert.deepEqual(await second.link.proves?.('visitor.example'), { by: 'pkix' })
    const third = await comes({ maxVersion, session })
    assert.deepEqual(await third.link.proves?.('visitor.example'), { by: undefined, why: 'no certificate was shown' })
    for (const { socket } of [first, second, third]) socket.destroy()
  })
}

/** A SOCKS5 proxy that knows one onion service. */
async function onionProxy(reply: number, target: number): Promise<{ server: Server; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write(Buffer.of(5, 0))
      socket.once('data', (bytes: Buffer) => {
        const length = bytes[4] ?? 0
        asked.push(`${bytes.subarray(5, 5 + length)}:${bytes.readUInt16BE(5 + length)}`)
        socket.write(Buffer.of(5, reply, 0, 1, 0, 0, 0, 0, 0, 0))
        if (reply !== 0) return
        const there = connect(target, '127.0.0.1')
        there.on('error', () => undefined)
        socket.pipe(there).pipe(socket)
      })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => server.close())
  return { server, asked }
}

const ONION = 'abcdefghijklmnop.onion'

test('onion services are reached through their proxy, and nobody else hears of them', async () => {
  const { server, asked } = await onionProxy(0, PORTS.plain)
  const before = dns.asked.length
  const { link, arrived } = await dial(ONION, 'ours.example', await networkOf(ours, portOf(server)))
  const they = listening(await arrived)
  link.open({ ...OPEN, to: ONION })
  assert.equal(await they.next(), `jabber:server ours.example>${ONION}`)
  assert.deepEqual(asked, [`${ONION}:5269`])
  assert.equal(dns.asked.length, before)
})

test('without their proxy, or without them, onion services are not reached', async () => {
  assert.equal(
    await failure(ONION, 'unreachable'),
    `${ONION} is an onion service, and no proxy for these is configured`,
  )
  const { server } = await onionProxy(4, 0)
  assert.match(await failure(ONION, 'unreachable', await networkOf(ours, portOf(server))), /the proxy refused/)
})

test('a certificate is asked for, and none is needed to come in', async () => {
  const { socket, link } = await comes({})
  assert.deepEqual(await link.proves?.('ours.example'), { by: undefined, why: 'no certificate was shown' })
  socket.destroy()
  const stranger = connectTls({
    port: PORTS.direct,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['xmpp-client'],
  })
  await assert.rejects(once(stranger, 'secureConnect'), /alert|closed|reset/i)
})
