// SPDX-License-Identifier: Apache-2.0
// TLS on real sockets: what is refused, which certificate is shown, and logins that are bound to the connection.
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { ScramClient } from '../../src/accounts/scram-client.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { loopback } from '../support/loopback.ts'
import { HEADER, Wire } from '../support/wire.ts'

const place = await loopback({ hosts: ['localhost', 'capulet.example'] })
await place.accounts.add(Jid.of('romeo', 'localhost'), 'secret')

/** Connects and shakes hands, in either way. */
async function secured(way: 'direct' | 'starttls', options: ConnectionOptions = {}, header = HEADER): Promise<Wire> {
  if (way === 'direct') return Wire.direct(place.direct, options)
  const wire = Wire.plain(place.plain)
  await wire.write(header)
  await wire.until(/<\/stream:features>/)
  await wire.startTls(options)
  return wire
}

/** Opens the stream and gives what is on offer. */
async function features(wire: Wire): Promise<string> {
  await wire.write(HEADER)
  await wire.until(/<stream:features>/)
  return wire.until(/<\/stream:features>/)
}

for (const way of ['direct', 'starttls'] as const) {
  test(`TLS 1.1 is refused (${way})`, async () => {
    await assert.rejects(
      secured(way, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      /alert|protocol version|closed/i,
    )
  })

  test(`suites without AEAD or forward secrecy are refused (${way})`, async () => {
    for (const ciphers of ['ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256']) {
      await assert.rejects(secured(way, { maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` }), /alert|closed/i)
    }
  })

  test(`TLS 1.2 and 1.3 are spoken (${way})`, async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const wire = await secured(way, { minVersion: version, maxVersion: version })
      assert.equal(wire.tls.getProtocol(), version)
      assert.match(await features(wire), /<mechanism>SCRAM-SHA-256-PLUS<\/mechanism>/)
      wire.socket.destroy()
    }
  })
}

test('who comes for another protocol is refused; who names none is welcome (XEP-0368 §3)', async () => {
  await assert.rejects(secured('direct', { ALPNProtocols: ['h2', 'http/1.1'] }), /alert|closed/i)
  const named = await secured('direct', { ALPNProtocols: ['h2', 'xmpp-client'] })
  assert.equal(named.tls.alpnProtocol, 'xmpp-client')
  const unnamed = await secured('direct')
  assert.equal(unnamed.tls.alpnProtocol, false)
  for (const wire of [named, unnamed]) wire.socket.destroy()
})

/** What a client computes from its own end of the connection (RFC 9266, RFC 5929 §4). */
const BINDINGS = {
  'tls-exporter': (wire: Wire) => wire.tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)),
  'tls-server-end-point': (wire: Wire) => createHash('sha256').update(wire.tls.getPeerCertificate(true).raw).digest(),
}

/** Logs in by SCRAM and gives the last word, with whether the server proved itself too. */
async function logsIn(wire: Wire, scram: ScramClient): Promise<readonly [answer: string, trusted: boolean]> {
  await wire.write(scram.auth)
  const challenge = await wire.until(/<challenge [^>]*>[^<]*<\/challenge>|<failure .*<\/failure>/)
  if (challenge.startsWith('<failure')) return [challenge, false]
  await wire.write(scram.response(textOf(challenge)))
  const answer = await wire.until(/<\/(success|failure)>/)
  return [answer, answer.startsWith('<success') && scram.trusts(textOf(answer))]
}

function textOf(element: string): string {
  return />([^<]*)</.exec(element)?.[1] ?? ''
}

for (const [type, dataOf] of Object.entries(BINDINGS)) {
  for (const way of ['direct', 'starttls'] as const) {
    test(`SCRAM bound by ${type} (${way})`, async () => {
      const wire = await secured(way)
      assert.match(await features(wire), new RegExp(`<channel-binding type='${type}'/>`))
      const binding = { type, data: dataOf(wire) }
      const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: 'romeo', password: 'secret', binding })
      const [answer, trusted] = await logsIn(wire, scram)
      assert.match(answer, /^<success/)
      assert.ok(trusted)
      wire.socket.destroy()
    })
  }
}

test('TLS 1.2 has no exporter to bind to, but its certificate (RFC 9266 §4.2)', async () => {
  const wire = await secured('direct', { maxVersion: 'TLSv1.2' })
  const offered = await features(wire)
  assert.doesNotMatch(offered, /tls-exporter/)
  assert.match(offered, /<channel-binding type='tls-server-end-point'\/>/)
  const type = 'tls-server-end-point'
  const binding = { type, data: BINDINGS[type](wire) }
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: 'romeo', password: 'secret', binding })
  assert.match((await logsIn(wire, scram))[0], /^<success/)
  wire.socket.destroy()
})

test('a login that is bound to another connection fails: somebody is in between', async () => {
  const [wire, other] = [await secured('direct'), await secured('direct')]
  await features(wire)
  const binding = { type: 'tls-exporter', data: BINDINGS['tls-exporter'](other) }
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: 'romeo', password: 'secret', binding })
  assert.match((await logsIn(wire, scram))[0], /<not-authorized\/>/)
  for (const one of [wire, other]) one.socket.destroy()
})

test('a client that was not shown our bindings is told that somebody took them away (RFC 5802 §6)', async () => {
  const wire = await secured('direct')
  await features(wire)
  const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: 'romeo', password: 'secret', flag: 'y' })
  assert.match((await logsIn(wire, scram))[0], /<not-authorized\/>/)
  wire.socket.destroy()
})

test('new certificates serve new connections, and old ones go on', async () => {
  const old = await secured('direct')
  await old.logsIn('romeo', 'old')
  const files = await place.issue()
  await place.certificates.load(new Map([['localhost', files]]))
  const renewed = await secured('direct')
  const fingerprint = new X509Certificate(readFileSync(files.cert)).fingerprint256
  assert.equal(renewed.tls.getPeerCertificate().fingerprint256, fingerprint)
  assert.notEqual(old.tls.getPeerCertificate().fingerprint256, fingerprint)
  await old.pings()
  for (const wire of [old, renewed]) wire.socket.destroy()
})

test('each domain has its certificate, chosen by the name that the client asks for', async () => {
  const [first, second] = [await place.issue(), await place.issue()]
  await place.certificates.load(
    new Map([
      ['localhost', first],
      ['capulet.example', second],
    ]),
  )
  const shown = async (servername: string): Promise<string> => {
    const wire = await secured('direct', { servername, checkServerIdentity: () => undefined })
    const { fingerprint256 } = wire.tls.getPeerCertificate()
    wire.socket.destroy()
    return fingerprint256
  }
  const [ours, theirs] = [first, second].map(({ cert }) => new X509Certificate(readFileSync(cert)).fingerprint256)
  assert.equal(await shown('localhost'), ours)
  assert.equal(await shown('Capulet.Example'), theirs)
  assert.equal(await shown('verona.example'), ours)
})

test('an internationalised domain is found by the name that TLS has for it (RFC 6066 §3)', async () => {
  const [first, second] = [await place.issue(), await place.issue()]
  await place.certificates.load(
    new Map([
      ['localhost', first],
      ['münchen.example', second],
    ]),
  )
  const wire = await secured('direct', { servername: 'xn--mnchen-3ya.example', checkServerIdentity: () => undefined })
  const { fingerprint256 } = new X509Certificate(readFileSync(second.cert))
  assert.equal(wire.tls.getPeerCertificate().fingerprint256, fingerprint256)
  wire.socket.destroy()
})

test('who asks TLS for no name, or for another, is shown the certificate of the domain of the stream', async () => {
  const [first, second] = [await place.issue(), await place.issue()]
  await place.certificates.load(
    new Map([
      ['localhost', first],
      ['capulet.example', second],
    ]),
  )
  const shown = async (servername: string, domain: string): Promise<string> => {
    const options = { servername, checkServerIdentity: () => undefined }
    const wire = await secured('starttls', options, HEADER.replace('localhost', domain))
    const { fingerprint256 } = wire.tls.getPeerCertificate()
    wire.socket.destroy()
    return fingerprint256
  }
  const [ours, theirs] = [first, second].map(({ cert }) => new X509Certificate(readFileSync(cert)).fingerprint256)
  assert.equal(await shown('', 'capulet.example'), theirs)
  assert.equal(await shown('xmpp.capulet.example', 'capulet.example'), theirs)
  assert.equal(await shown('', 'localhost'), ours)
  assert.equal(await shown('capulet.example', 'localhost'), theirs)
})

test('a certificate that cannot be read changes nothing', async () => {
  const files = await place.issue()
  await assert.rejects(place.certificates.load(new Map([['localhost', { ...files, key: files.cert }]])), /localhost/)
  await assert.rejects(place.certificates.load(new Map([['localhost', { ...files, cert: '/nowhere' }]])))
  const wire = await secured('direct')
  assert.match(await features(wire), /SCRAM/)
  wire.socket.destroy()
})
