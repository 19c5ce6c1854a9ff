// SPDX-License-Identifier: Apache-2.0
// Which certificates prove which domain, on links that came to us and on links that we dialled.
import assert from 'node:assert/strict'
import { createHash, X509Certificate as NodeCertificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectPlain, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connect, createSecureContext, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import {
  authority,
  CLIENT_AUTH,
  dnsConstraints,
  type Issued,
  issue,
  SERVER_AUTH,
  SIGNS_CERTIFICATES,
  SIGNS_NO_CERTIFICATES,
  unknownExtension,
  type Wish,
} from '../../../test/support/certificates.ts'
import { FakeDns } from '../../../test/support/fake-dns.ts'
import { systemClock } from '../../clock.ts'
import type { Place, Proof } from '../../stream/link.ts'
import { DnsResolver } from '../dns/resolver.ts'
import { Certificates } from '../tls.ts'
import { Authorities } from './authorities.ts'
import { PeerCertificates } from './peer-certificate.ts'

const dir = mkdtempSync(join(tmpdir(), 'aenigma-peers-'))
after(() => rmSync(dir, { recursive: true }))
const dns = await FakeDns.start()
const resolver = new DnsResolver({
  options: { resolvers: [dns.server], dnssec: 'auto' },
  clock: systemClock,
  patience: 50,
})

const ca = await authority()
const stranger = await authority()
const caFile = join(dir, 'ca.pem')
const limited = await authority({ extensions: [dnsConstraints(['montague.example'])] })
const old = await authority({ days: [-100, -2] })
writeFileSync(caFile, [ca, limited, old].map(({ cert }) => cert).join(''))
const authorities = new Authorities()
await authorities.load(caFile)
const judge = new PeerCertificates({ authorities, resolver, clock: systemClock })

const own = await issue({ dns: ['ours.example'], by: ca })
const files = { cert: join(dir, 'own.crt'), key: join(dir, 'own.key') }
writeFileSync(files.cert, own.cert)
writeFileSync(files.key, own.key)
const certificates = new Certificates()
await certificates.load(new Map([['ours.example', files]]))

let shownNext: Issued | undefined
const incoming: ((socket: TLSSocket) => void)[] = []
const listener = createServer((socket) => {
  certificates.secureServer(socket, undefined).then(
    (secured) => incoming.shift()?.(secured.on('error', () => undefined)),
    () => socket.destroy(),
  )
}).listen(0, '127.0.0.1')
await once(listener, 'listening')
const peers = new Set<{ destroy(): unknown }>()
after(() => {
  listener.close()
  for (const one of peers) one.destroy()
})

function portOf(server: { address(): unknown }): number {
  const address = server.address()
  return typeof address === 'object' && address && 'port' in address ? Number(address.port) : 0
}

/** A peer comes to us and shows this. */
async function comes(shown: Issued | undefined): Promise<TLSSocket> {
  const arrived = new Promise<TLSSocket>((resolve) => incoming.push(resolve))
  const identity = shown ? { cert: shown.cert, key: shown.key } : {}
  const peer = connect({ port: portOf(listener), host: '127.0.0.1', rejectUnauthorized: false, ...identity })
  peer.on('error', () => undefined)
  peers.add(peer)
  const socket = await arrived
  peers.add(socket)
  return socket
}

const other = createTlsServer({
  SNICallback: (_, done) => {
    done(null, shownNext && createSecureContext({ cert: shownNext.cert, key: shownNext.key, minVersion: 'TLSv1.2' }))
  },
})
other.on('secureConnection', (socket) => peers.add(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
await once(other, 'listening')
after(() => other.close())

/** We dial a peer, which shows this. */
async function dialled(shown: Issued): Promise<TLSSocket> {
  shownNext = shown
  const plain = connectPlain(portOf(other), '127.0.0.1')
  await once(plain, 'connect')
  const socket = await certificates.connectServer(plain, 'ours.example', 'x.example', undefined, () => authorities.pem)
  peers.add(socket.on('error', () => undefined))
  return socket
}

/** What both ways come to, which must be the same. */
async function proof(wish: Wish | Issued, domain: string): Promise<Proof> {
  const shown = 'cert' in wish ? wish : await issue({ by: ca, ...wish })
  const came = await judge.prove(await comes(shown), domain, false)
  const found = await judge.prove(await dialled(shown), domain, true)
  assert.deepEqual(found, came, 'both ways')
  return came
}

/** Why not. */
async function why(wish: Wish | Issued, domain = 'capulet.example'): Promise<string> {
  const verdict = await proof(wish, domain)
  return verdict.by === undefined ? verdict.why : `proved by ${verdict.by}`
}

const CAPULET: Wish = { dns: ['capulet.example'] }

test('a certificate of a server proves its domain, whatever it says that its key is for', async () => {
  for (const purposes of [undefined, [SERVER_AUTH], [SERVER_AUTH, CLIENT_AUTH]]) {
    const wish = { ...CAPULET, ...(purposes ? { purposes } : {}) }
    assert.deepEqual(await proof(wish, 'capulet.example'), { by: 'pkix' }, String(purposes))
  }
  const forClients = await issue({ ...CAPULET, by: ca, purposes: [CLIENT_AUTH] })
  assert.deepEqual(await judge.prove(await comes(forClients), 'capulet.example', false), { by: 'pkix' })
  for (const purpose of ['1.3.6.1.5.5.7.3.4', '2.5.29.37.0']) {
    assert.equal(await why({ ...CAPULET, purposes: [purpose] }), 'the certificate is not one of a server')
  }
})

test('the names that count are those of RFC 6120 §13.7.1.2; the common name does not (RFC 9525 §2)', async () => {
  const good: readonly (readonly [Wish, string])[] = [
    [{ dns: ['x.example', 'Capulet.Example'] }, 'capulet.example'],
    [{ dns: ['*.capulet.example'] }, 'rooms.capulet.example'],
    [{ srv: ['_xmpp-server.capulet.example'] }, 'capulet.example'],
    [{ xmpp: ['capulet.example'] }, 'capulet.example'],
    [{ dns: ['xn--mnchen-3ya.example'] }, 'münchen.example'],
    [{ xmpp: ['münchen.example'] }, 'münchen.example'],
    [{ srv: ['_xmpp-server.xn--mnchen-3ya.example'] }, 'münchen.example'],
  ]
  for (const [wish, domain] of good) assert.deepEqual(await proof(wish, domain), { by: 'pkix' }, JSON.stringify(wish))
  const bad: readonly (readonly [Wish, string])[] = [
    [{ dns: ['x.example'], commonName: 'capulet.example' }, 'capulet.example'],
    [{ dns: ['*.capulet.example'] }, 'capulet.example'],
    [{ dns: ['*.capulet.example'] }, 'a.rooms.capulet.example'],
    [{ dns: ['*.example'] }, 'capulet.example'],
    [{ dns: ['c*.capulet.example'] }, 'c1.capulet.example'],
    [{ dns: ['rooms.*.example'] }, 'rooms.capulet.example'],
    [{ dns: ['capulet.example\0.evil.example'] }, 'capulet.example'],
    [{ dns: ['rooms.capulet.example'] }, 'capulet.example'],
    [{ srv: ['_xmpp-client.capulet.example'] }, 'capulet.example'],
    [{ srv: ['capulet.example'] }, 'capulet.example'],
    [{ xmpp: ['romeo@capulet.example'] }, 'capulet.example'],
  ]
  for (const [wish, domain] of bad) assert.match(await why(wish, domain), /^the certificate /, JSON.stringify(wish))
})

test('for whom a certificate is instead is said', async () => {
  assert.equal(await why({ dns: ['a.example'] }, 'b.example'), 'the certificate is for a.example, not for b.example')
  assert.equal(
    await why({ dns: ['a.example', 'b.example', 'c.example', 'd.example', 'e.example'] }),
    'the certificate is for a.example, b.example, c.example and 2 more, not for capulet.example',
  )
  assert.equal(
    await why({ commonName: 'capulet.example' }),
    'the certificate names no domain, and so not capulet.example',
  )
  assert.equal(
    await why({ dns: ['<b>\n.example'], xmpp: ['\u202e.example'] }),
    'the certificate names no domain, and so not capulet.example',
  )
})

const NOBODY = 'nobody that this machine trusts vouches for the certificate'

// Each of them has a purpose that makes OpenSSL say of a client only that it is the wrong one.
for (const purposes of [[SERVER_AUTH], [SERVER_AUTH, CLIENT_AUTH]]) {
  const wish: Wish = { ...CAPULET, purposes }
  const kind = purposes.length === 1 ? 'server' : 'server and client'

  test(`what no authority vouches for is refused (${kind})`, async () => {
    assert.equal(await why(await issue(wish)), 'the certificate is self-signed: nobody else vouches for it')
    assert.equal(await why({ ...wish, by: stranger }), NOBODY)
    assert.equal(await why({ ...wish, by: stranger, chain: [stranger] }), NOBODY)
    const namesake = await authority({ commonName: ca.certificate.subject.slice(3) })
    assert.equal(await why({ ...wish, by: namesake }), NOBODY)
  })

  test(`what is out of time is refused (${kind})`, async () => {
    assert.match(await why({ ...wish, days: [-30, -1] }), /^the certificate expired on \d{4}-\d\d-\d\d$/)
    assert.match(await why({ ...wish, days: [1, 30] }), /^the certificate is not valid before \d{4}-\d\d-\d\d$/)
    assert.match(await why({ ...wish, by: old }), /^the certificate of an authority that vouches for it expired on /)
    const middle = await authority({ by: ca, days: [-30, -1] })
    assert.match(await why({ ...wish, by: middle, chain: [middle] }), /^the certificate of an authority .* expired on /)
  })

  test(`authorities may be in between, if they are some (${kind})`, async () => {
    const middle = await authority({ by: ca })
    const second = await authority({ by: middle })
    const PROVED = 'proved by pkix'
    assert.equal(await why({ ...wish, by: middle, chain: [middle] }), PROVED)
    assert.equal(await why({ ...wish, by: second, chain: [second, middle] }), PROVED)
    assert.equal(await why({ ...wish, by: second, chain: [second] }), NOBODY)
    const leaf = await issue({ by: ca, dns: ['evil.example'] })
    const REFUSED = 'the certificate of an authority that vouches for it does not allow to vouch for it'
    assert.match(await why({ ...wish, by: leaf, chain: [leaf] }), new RegExp(`^(${REFUSED}|${NOBODY})$`))
    const eager = await issue({ by: ca, dns: ['evil.example'], keyUsage: SIGNS_CERTIFICATES })
    assert.equal(await why({ ...wish, by: eager, chain: [eager] }), REFUSED)
    const unsigning = await authority({ by: ca, keyUsage: SIGNS_NO_CERTIFICATES })
    assert.match(await why({ ...wish, by: unsigning, chain: [unsigning] }), new RegExp(`^(${REFUSED}|${NOBODY})$`))
    const short = await authority({ by: ca, pathLength: 0 })
    const below = await authority({ by: short })
    assert.equal(await why({ ...wish, by: short, chain: [short] }), PROVED)
    assert.equal(await why({ ...wish, by: below, chain: [below, short] }), REFUSED)
  })

  test(`authorities keep to the names that they may vouch for (${kind})`, async () => {
    const REFUSED = 'the authority that vouches for the certificate may not do so for this domain'
    assert.equal(await why({ ...wish, by: limited }), REFUSED)
    assert.equal(await why({ dns: ['montague.example'], purposes, by: limited }, 'montague.example'), 'proved by pkix')
    assert.equal(
      await why({ dns: ['a.montague.example'], purposes, by: limited }, 'a.montague.example'),
      'proved by pkix',
    )
    // Constraints on DNS names say nothing on other kinds of names; taken as such, they would let anything through.
    assert.equal(await why({ xmpp: ['capulet.example'], purposes, by: limited }), REFUSED)
    assert.equal(await why({ srv: ['_xmpp-server.capulet.example'], purposes, by: limited }), REFUSED)
    const excluding = await authority({ by: ca, extensions: [dnsConstraints([], ['capulet.example'])] })
    assert.equal(await why({ ...wish, by: excluding, chain: [excluding] }), REFUSED)
    assert.equal(
      await why({ dns: ['x.example'], purposes, by: excluding, chain: [excluding] }, 'x.example'),
      'proved by pkix',
    )
  })

  test(`conditions that nobody here knows are not met (${kind})`, async () => {
    assert.equal(await why({ ...wish, extensions: [unknownExtension(false)] }), 'proved by pkix')
    assert.equal(
      await why({ ...wish, extensions: [unknownExtension(true)] }),
      'the certificate has conditions that this server does not know',
    )
  })

  test(`weak signatures are none (${kind})`, async () => {
    assert.equal(await why({ ...wish, hash: 'SHA-1' }), 'the certificate has a signature that is too weak')
  })
}

test('who shows nothing proves nothing', async () => {
  assert.deepEqual(await judge.prove(await comes(undefined), 'capulet.example', false), {
    by: undefined,
    why: 'no certificate was shown',
  })
})

test('many authorities of one name cannot keep us busy', async () => {
  const names = { commonName: 'all the same' }
  const all: Issued[] = []
  for (let step = 0; step < 7; step++) all.push(await authority({ ...names, by: all[0] ?? stranger }))
  const [by] = all
  assert.ok(by)
  assert.equal(await why({ ...CAPULET, by, chain: all }), NOBODY)
})

test('a certificate that is to be trusted itself needs nobody, nor does an authority in the middle', async () => {
  const alone = await issue(CAPULET)
  const middle = await authority({ by: stranger })
  const below = await issue({ ...CAPULET, by: middle })
  const file = join(dir, 'more.pem')
  writeFileSync(file, [alone, middle].map(({ cert }) => cert).join(''))
  await authorities.load(file)
  certificates.authoritiesChanged()
  for (const shown of [alone, below]) assert.equal(await why(shown), 'proved by pkix')
  await authorities.load(caFile)
  certificates.authoritiesChanged()
  assert.equal(await why(below), NOBODY)
  assert.match(await why(alone), /self-signed/)
})

test('a file without authorities is refused, and changes nothing', async () => {
  const file = join(dir, 'nothing.pem')
  writeFileSync(file, 'nothing')
  await assert.rejects(authorities.load(file), /there is no certificate/)
  await assert.rejects(authorities.load(join(dir, 'missing.pem')))
  assert.equal(await why(CAPULET), 'proved by pkix')
})

// DANE

/** What the DNS says of a certificate. */
function announce(zone: FakeDns, host: string, usage: number, selector: number, matching: number, one: Issued): void {
  const x509 = new NodeCertificate(one.raw)
  const selected = selector === 0 ? one.raw : x509.publicKey.export({ type: 'spki', format: 'der' })
  const certificate =
    matching === 0
      ? Buffer.from(selected)
      : createHash(matching === 1 ? 'sha256' : 'sha512')
          .update(selected)
          .digest()
  const name = `_5269._tcp.${host}`
  const data = { usage, selector, matchingType: matching, certificate }
  zone.put('TLSA', name, { answers: [{ type: 'TLSA', name, ttl: 60, data }] })
}

/** A zone with one server at `xmpp.capulet.example`, and who judges by it. */
async function zone(): Promise<{ zone: FakeDns; judge: PeerCertificates; place: Place }> {
  const made = await FakeDns.start()
  made.srv('_xmpp-server._tcp.capulet.example', [0, 0, 5269, 'xmpp.capulet.example'])
  const options = { resolvers: [made.server], dnssec: 'auto' } as const
  const its = new DnsResolver({ options, clock: systemClock, patience: 50 })
  const place = { host: 'xmpp.capulet.example', port: 5269, direct: false, secure: true }
  return { zone: made, judge: new PeerCertificates({ authorities, resolver: its, clock: systemClock }), place }
}

/** Both ways, after the zone was filled. */
async function announced(
  shown: Issued,
  fill: (zone: FakeDns) => void,
  domain = 'capulet.example',
  secure = true,
): Promise<string> {
  const { zone: its, judge: by, place } = await zone()
  its.put('SRV', '_xmpps-server._tcp.capulet.example', { answers: [], code: 3 })
  fill(its)
  if (secure) its.sign()
  const came = await by.prove(await comes(shown), domain, false)
  const found = await by.prove(await dialled(shown), domain, true, { ...place, secure })
  assert.deepEqual(found, came, 'both ways')
  return came.by ?? came.why
}

const MISMATCH = 'the certificate is not one that the DNS announces for this server (DANE)'

test('what the DNS announces is proved, whatever else is wrong with it (RFC 7671 §5.1)', async () => {
  const alone = await issue({ dns: ['whatever.example'], days: [-30, -1] })
  for (const selector of [0, 1]) {
    for (const matching of [0, 1, 2]) {
      assert.equal(
        await announced(alone, (its) => announce(its, 'xmpp.capulet.example', 3, selector, matching, alone)),
        'dane',
      )
    }
  }
})

test('what the DNS does not announce is not proved, though an authority vouches for it (RFC 7673 §4.1)', async () => {
  const [good, announcedOne] = [await issue({ ...CAPULET, by: ca }), await issue(CAPULET)]
  for (const usage of [0, 1, 2, 3]) {
    assert.equal(
      await announced(good, (its) => announce(its, 'xmpp.capulet.example', usage, 1, 1, announcedOne)),
      MISMATCH,
    )
  }
})

test('without DNSSEC nothing is announced', async () => {
  const [good, alone] = [await issue({ ...CAPULET, by: ca }), await issue(CAPULET)]
  const fill = (its: FakeDns): void => announce(its, 'xmpp.capulet.example', 3, 1, 1, alone)
  assert.equal(await announced(good, fill, 'capulet.example', false), 'pkix')
  assert.match(await announced(alone, fill, 'capulet.example', false), /self-signed/)
  const { zone: half, judge: by } = await zone()
  half.sign() // the places, but not what comes now
  fill(half)
  assert.equal((await by.prove(await comes(alone), 'capulet.example', false)).by, undefined)
  const { zone: rest, judge: other, place } = await zone()
  fill(rest)
  rest.sign() // the certificates, but not the places
  rest.srv('_xmpp-server._tcp.capulet.example', [0, 0, 5269, 'xmpp.capulet.example'])
  assert.equal((await other.prove(await comes(alone), 'capulet.example', false)).by, undefined)
  const found = await dialled(alone)
  assert.equal((await other.prove(found, 'capulet.example', true, { ...place, secure: false })).by, undefined)
})

test('an authority that the DNS announces vouches for names, its own or the host’s (RFC 7671 §5.2)', async () => {
  const fill = (its: FakeDns): void => announce(its, 'xmpp.capulet.example', 2, 0, 1, stranger)
  const by = stranger
  const chain = [stranger]
  assert.equal(await announced(await issue({ ...CAPULET, by, chain }), fill), 'dane')
  assert.equal(await announced(await issue({ dns: ['xmpp.capulet.example'], by, chain }), fill), 'dane')
  assert.equal(await announced(await issue({ dns: ['evil.example'], by, chain }), fill), MISMATCH)
  assert.equal(await announced(await issue({ ...CAPULET, by }), fill), MISMATCH)
  assert.equal(await announced(await issue({ ...CAPULET, by, chain, days: [-9, -1] }), fill), MISMATCH)
})

test('usages 0 and 1 limit what authorities vouch for', async () => {
  const good = await issue({ ...CAPULET, by: ca, chain: [ca] })
  const alone = await issue(CAPULET)
  const at = 'xmpp.capulet.example'
  assert.equal(await announced(good, (its) => announce(its, at, 1, 1, 1, good)), 'dane')
  assert.equal(await announced(good, (its) => announce(its, at, 0, 1, 1, ca)), 'dane')
  assert.equal(await announced(alone, (its) => announce(its, at, 1, 1, 1, alone)), MISMATCH)
  assert.equal(await announced(good, (its) => announce(its, at, 0, 1, 1, good)), MISMATCH)
})

test('records that make no sense are as if they were not there (RFC 7671 §4.1)', async () => {
  const good = await issue({ ...CAPULET, by: ca })
  const name = '_5269._tcp.xmpp.capulet.example'
  const odd = [
    [4, 0, 1, 32],
    [3, 2, 1, 32],
    [3, 0, 3, 32],
    [3, 0, 1, 31],
    [3, 0, 0, 0],
  ] as const
  const answers = odd.map(([usage, selector, matchingType, length]) => ({
    ...{ type: 'TLSA' as const, name, ttl: 60 },
    data: { usage, selector, matchingType, certificate: Buffer.alloc(length) },
  }))
  assert.equal(await announced(good, (its) => its.put('TLSA', name, { answers })), 'pkix')
})

test('when the DNS cannot say, nothing is proved: it may be kept from saying', async () => {
  const good = await issue({ ...CAPULET, by: ca })
  const name = '_5269._tcp.xmpp.capulet.example'
  assert.equal(
    await announced(good, (its) => its.put('TLSA', name, { answers: [], code: 2 })),
    'the DNS could not say which certificates this server may show (DANE)',
  )
})

test('who comes from a place that announces nothing may be vouched for', async () => {
  const [good, alone] = [await issue({ ...CAPULET, by: ca }), await issue(CAPULET)]
  const { zone: its, judge: by } = await zone()
  its.srv(
    '_xmpp-server._tcp.capulet.example',
    [0, 0, 5269, 'xmpp.capulet.example'],
    [1, 0, 5269, 'other.capulet.example'],
  )
  announce(its, 'xmpp.capulet.example', 3, 1, 1, alone)
  its.sign()
  assert.deepEqual(await by.prove(await comes(good), 'capulet.example', false), { by: 'pkix' })
  assert.deepEqual(await by.prove(await comes(alone), 'capulet.example', false), { by: 'dane' })
})
