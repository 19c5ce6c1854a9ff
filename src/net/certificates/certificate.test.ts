// SPDX-License-Identifier: Apache-2.0
// Reading certificates: what is in them, and that nothing else comes of what is none.
import assert from 'node:assert/strict'
import { type AsymmetricKeyDetails, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'
import fc from 'fast-check'
import {
  authority,
  dnsConstraints,
  type Issued,
  issue,
  SERVER_AUTH,
  unknownExtension,
  type Wish,
} from '../../../test/support/certificates.ts'
import { readable } from './authorities.ts'
import { readCertificate } from './certificate.ts'
import { chainOf } from './chain.ts'
import { derOf, numberOf, oidOf } from './der.ts'
import { allows } from './name-constraints.ts'

const rich = await issue({
  dns: ['a.example', '*.B.example'],
  srv: ['_xmpp-server.c.example'],
  xmpp: ['münchen.example'],
  purposes: [SERVER_AUTH],
  extensions: [unknownExtension(true), dnsConstraints(['x.example'], ['y.example'])],
})

test('names, purposes, conditions and key are read', () => {
  const read = readCertificate(rich.raw)
  const { dns, srv, xmpp, kinds } = read.names
  assert.deepEqual([dns, srv, xmpp], [['a.example', '*.b.example'], ['_xmpp-server.c.example'], ['münchen.example']])
  assert.deepEqual([...kinds].sort(), [0, 2])
  assert.deepEqual([read.purposes, read.unknown, read.signature], [[SERVER_AUTH], ['1.2.3.4'], '1.2.840.10045.4.3.2'])
  assert.deepEqual(
    read.constraints?.permitted.map(({ content }) => content.toString()),
    ['x.example'],
  )
  assert.deepEqual(
    read.constraints?.excluded.map(({ content }) => content.toString()),
    ['y.example'],
  )
  assert.deepEqual(read.publicKey, read.x509.publicKey.export({ type: 'spki', format: 'der' }))
})

test('every authority that Node.js comes with can be read, and vouches for itself', () => {
  assert.ok(rootCertificates.length > 100)
  for (const pem of rootCertificates) {
    const read = readCertificate(new X509Certificate(pem).raw)
    assert.deepEqual(read.unknown, [], read.x509.subject)
    assert.ok(read.x509.ca && read.subject.length > 0, read.x509.subject)
  }
})

test('the length of a path is read', async () => {
  assert.equal(readCertificate((await authority({ pathLength: 3 })).raw).pathLength, 3)
  assert.equal(readCertificate((await authority()).raw).pathLength, Number.POSITIVE_INFINITY)
})

test('what is no DER throws', () => {
  for (const hex of ['', '30', '3001', '308000', '3085000000000', '30840fffffff00', '1f0101', '02000000']) {
    assert.throws(() => derOf(Buffer.from(hex, 'hex')), hex)
  }
  for (const hex of ['0600', '06098888888888888888ff', '0403010203'])
    assert.throws(() => oidOf(derOf(Buffer.from(hex, 'hex'))), hex)
  for (const hex of ['0200', '0201ff', '02050100000000', '0101ff'])
    assert.throws(() => numberOf(derOf(Buffer.from(hex, 'hex'))), hex)
  assert.equal(oidOf(derOf(Buffer.from('0603883703', 'hex'))), '2.999.3')
})

test('RSA is as good as its key is long', async () => {
  const ca = await authority({ rsa: 2048 })
  const weak = await authority({ rsa: 1024 })
  const verdict = async (wish: Wish, by: Issued) => {
    const leaf = readCertificate((await issue({ dns: ['a.example'], by, ...wish })).raw)
    const anchor = readCertificate(by.raw)
    const chain = chainOf({
      leaf,
      others: [],
      anchors: { for: () => [anchor] },
      now: Date.now(),
      domains: ['a.example'],
    })
    return chain.path ? 'trusted' : chain.why
  }
  assert.equal(await verdict({}, ca), 'trusted')
  assert.equal(await verdict({ rsa: 2048 }, ca), 'trusted')
  assert.equal(await verdict({ rsa: 1024 }, ca), 'the certificate has a key that is too weak')
  assert.equal(
    await verdict({}, weak),
    'the certificate of an authority that vouches for it has a key that is too weak',
  )
})

test('so many names that comparing them with what an authority may certify would take long are not compared', async () => {
  const many = (letter: string, count: number): string[] =>
    Array.from({ length: count }, (_, n) => `${letter}${n}.example`)
  const within = async (names: number, excluded: number): Promise<readonly [boolean, number]> => {
    const ca = await authority({ extensions: [dnsConstraints([], many('x', excluded))] })
    const leaf = readCertificate((await issue({ dns: many('a', names), by: ca })).raw)
    const { constraints } = readCertificate(ca.raw)
    assert.ok(constraints)
    let looks = 0
    const counted = constraints.excluded.map(({ content, ...rest }) => ({
      ...rest,
      get content() {
        looks++
        return content
      },
    }))
    return [allows({ ...constraints, excluded: counted }, leaf, ['a0.example']), looks]
  }
  assert.deepEqual(await within(99, 100), [true, 10_000])
  assert.deepEqual(await within(2000, 2000), [false, 0])
})

test('a signature is not even checked with an RSA key that is made to take long', async () => {
  const ca = await authority({ rsa: 2048 })
  const leaf = readCertificate((await issue({ dns: ['a.example'], by: ca })).raw)
  const anchor = readCertificate(ca.raw)
  const checks = (details: AsymmetricKeyDetails): number => {
    let count = 0
    const child = { ...leaf, x509: likened(leaf.x509, { verify: () => count++ >= 0 }) }
    const key = { asymmetricKeyType: 'rsa', asymmetricKeyDetails: details }
    const issuer = { ...anchor, x509: likened(anchor.x509, { publicKey: key }) }
    chainOf({ leaf: child, others: [issuer], anchors: { for: () => [] }, now: Date.now(), domains: ['a.example'] })
    return count
  }
  assert.equal(checks({ modulusLength: 8192, publicExponent: 65_537n }), 1)
  assert.equal(checks({ modulusLength: 16_384, publicExponent: 65_537n }), 0)
  assert.equal(checks({ modulusLength: 3072, publicExponent: 2n ** 3000n + 1n }), 0)
})

/** A certificate of Node.js with something else in it. */
function likened(x509: X509Certificate, change: object): X509Certificate {
  return new Proxy(x509, {
    get(_, name) {
      const value: unknown = Reflect.get(name in change ? change : x509, name, name in change ? change : x509)
      return typeof value === 'function' && name === 'checkIssued' ? () => true : value
    },
  })
}

test('a certificate that was changed is none, or is not trusted', async () => {
  const ca = await authority()
  const { raw } = await issue({ dns: ['a.example'], xmpp: ['b.example'], by: ca })
  const anchor = readCertificate(ca.raw)
  const anchors = { for: () => [anchor] }
  const common = { others: [], anchors, now: Date.now(), domains: ['a.example'] }
  assert.ok(chainOf({ ...common, leaf: readCertificate(raw) }).path)
  const change = fc.record({ at: fc.nat(raw.length - 1), bits: fc.integer({ min: 1, max: 255 }) })
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(2), (changes, cut) => {
      const bytes = Buffer.from(raw)
      for (const { at, bits } of changes) bytes[at] = (bytes[at] ?? 0) ^ bits
      const leaf = readable(cut === 0 ? bytes.subarray(0, changes[0]?.at) : bytes)
      if (!leaf || leaf.x509.raw.equals(raw)) return
      assert.equal(chainOf({ ...common, leaf }).path, undefined)
    }),
    { numRuns: 2000 },
  )
})
