// SPDX-License-Identifier: Apache-2.0
// What becomes of answers of the DNS, honest ones and others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DecodedPacket, encode, type Answer as PacketAnswer } from 'dns-packet'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { answerTo, FakeDns } from '../../../test/support/fake-dns.ts'
import { DnsError, DnsResolver, type ResolverOptions } from './resolver.ts'

const NAME = '_xmpp-server._tcp.capulet.example'
const SRV: PacketAnswer = {
  type: 'SRV',
  name: NAME,
  ttl: 300,
  data: { priority: 1, weight: 2, port: 5269, target: 'xmpp.capulet.example' },
}
const FOUND = [{ priority: 1, weight: 2, port: 5269, target: 'xmpp.capulet.example' }]

function resolverOf(
  dns: FakeDns | readonly FakeDns[],
  more: { dnssec?: ResolverOptions['dnssec']; patience?: number } = {},
) {
  const clock = new FakeClock()
  const resolvers = [dns].flat().map(({ server }) => server)
  const options = { resolvers, dnssec: more.dnssec ?? 'auto' }
  return { clock, resolver: new DnsResolver({ options, clock, patience: more.patience ?? 5_000 }) }
}

const dns = await FakeDns.start()

test('places, addresses and certificates are found', async () => {
  dns.put('SRV', NAME, { answers: [SRV] }).host('xmpp.capulet.example', '192.0.2.1', '2001:db8::1')
  const data = { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.alloc(32, 7) }
  const name = '_5269._tcp.xmpp.capulet.example'
  dns.put('TLSA', name, { answers: [{ type: 'TLSA', name, ttl: 60, data }] })
  const { resolver } = resolverOf(dns)
  assert.deepEqual((await resolver.srv(NAME)).records, FOUND)
  assert.deepEqual((await resolver.addresses('xmpp.capulet.example')).records, ['2001:db8::1', '192.0.2.1'])
  assert.deepEqual((await resolver.tlsa(name)).records, [
    { usage: 3, selector: 1, matching: 1, data: Buffer.alloc(32, 7) },
  ])
  assert.deepEqual((await resolver.srv('_xmpp-server._tcp.montague.example')).records, [])
})

test('a question says that the answer may be long and should be validated (RFC 6891, RFC 6840 §5.7)', () => {
  const [query] = dns.queries
  const extended = query?.additionals?.find((one) => one.type === 'OPT')
  assert.deepEqual(
    [extended?.udpPayloadSize, extended?.flag_do, query?.flag_ad, query?.flag_rd],
    [1232, true, true, true],
  )
})

test('ids are not in a row', () => {
  const ids = new Set(dns.queries.map(({ id = 0 }) => id))
  const steps = [...ids].map((id, at, all) => id - (all[at - 1] ?? 0)).slice(1)
  assert.ok(ids.size >= 4 && steps.some((step) => step !== 1), [...ids].join())
})

test('DNSSEC counts if the resolver is on this machine, or all of them are trusted', async () => {
  dns.put('SRV', '_a', { answers: [{ ...SRV, name: '_a' }], authentic: true })
  dns.put('SRV', '_b', { answers: [{ ...SRV, name: '_b' }], authentic: false })
  for (const [dnssec, expected] of [
    ['auto', true],
    ['on', true],
    ['off', false],
  ] as const) {
    const { resolver } = resolverOf(dns, { dnssec })
    assert.equal((await resolver.srv('_a')).secure, expected, dnssec)
    assert.equal((await resolver.srv('_b')).secure, false, dnssec)
    assert.equal(resolver.validates, expected, dnssec)
  }
  const options = { resolvers: [{ host: '192.0.2.53', port: 53 }], dnssec: 'auto' } as const
  assert.equal(new DnsResolver({ options, clock: new FakeClock() }).validates, false)
})

test('an answer holds for its time, and no longer', async () => {
  const { resolver, clock } = resolverOf(dns)
  const before = dns.asked.length
  await resolver.srv(NAME)
  await resolver.srv(NAME.toUpperCase())
  assert.equal(dns.asked.length, before + 1)
  clock.advance(299_000)
  await resolver.srv(NAME)
  assert.equal(dns.asked.length, before + 1)
  clock.advance(2_000)
  await resolver.srv(NAME)
  assert.equal(dns.asked.length, before + 2)
})

test('that nothing is there holds for as long as the zone says (RFC 2308 §5), but not for days', async () => {
  const soa = (ttl: number, minimum: number): PacketAnswer => ({
    ...{ type: 'SOA', name: 'example', ttl },
    data: { mname: 'a.example', rname: 'b.example', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
  })
  dns.put('SRV', '_short', { answers: [], authorities: [soa(3600, 60)] })
  dns.put('SRV', '_long', { answers: [], code: 3, authorities: [soa(864_000, 864_000)] })
  dns.put('SRV', '_unsaid', { answers: [], code: 3 })
  for (const [name, seconds] of [
    ['_short', 60],
    ['_long', 900],
    ['_unsaid', 0],
  ] as const) {
    const { resolver, clock } = resolverOf(dns)
    const before = dns.asked.length
    assert.deepEqual((await resolver.srv(name)).records, [])
    clock.advance(seconds * 1000 - 1)
    await resolver.srv(name)
    assert.equal(dns.asked.length, before + (seconds > 0 ? 1 : 2), name)
    clock.advance(2)
    await resolver.srv(name)
    assert.equal(dns.asked.length, before + (seconds > 0 ? 2 : 3), name)
  }
})

test('a reload forgets everything', async () => {
  const { resolver } = resolverOf(dns)
  await resolver.srv(NAME)
  const other = await FakeDns.start()
  resolver.use({ resolvers: [other.server], dnssec: 'auto' })
  assert.deepEqual((await resolver.srv(NAME)).records, [])
})

test('the same question is asked once at a time', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  dns.put('SRV', '_slow', { answers: [{ ...SRV, name: '_slow' }], waits: promise })
  const { resolver } = resolverOf(dns)
  const all = Promise.all([1, 2, 3].map(() => resolver.srv('_slow')))
  resolve()
  assert.deepEqual(
    (await all).map(({ records }) => records),
    [FOUND, FOUND, FOUND],
  )
  assert.equal(dns.asked.filter((one) => one === 'UDP SRV _slow').length, 1)
})

test('what does not fit into a datagram is asked for by TCP', async () => {
  const many = Array.from(
    { length: 200 },
    (_, port): PacketAnswer => ({ ...SRV, name: '_many', data: { ...SRV.data, port } }),
  )
  dns.put('SRV', '_many', { answers: many, truncated: true })
  const { records } = await resolverOf(dns).resolver.srv('_many')
  assert.equal(records.length, 200)
  assert.deepEqual(
    dns.asked.filter((one) => one.endsWith('_many')),
    ['UDP SRV _many', 'TCP SRV _many'],
  )
})

test('a datagram that is lost is sent again, and another resolver is asked', async () => {
  dns.put('SRV', '_lost', { answers: [{ ...SRV, name: '_lost' }], drops: 1 })
  assert.deepEqual((await resolverOf(dns, { patience: 50 }).resolver.srv('_lost')).records, FOUND)
  const silent = await FakeDns.start()
  silent.put('SRV', NAME, { answers: [], drops: 1000 })
  const { resolver } = resolverOf([silent, dns], { patience: 50 })
  assert.deepEqual((await resolver.srv(NAME)).records, FOUND)
  const before = silent.asked.length
  await resolver.srv('_lost')
  assert.equal(silent.asked.length, before, 'who answered is asked first from then on')
})

test('who does not answer, and who cannot, are told apart', async () => {
  dns.put('SRV', '_never', { answers: [], drops: 1000 }).put('SRV', '_broken', { answers: [], code: 2 })
  const { resolver } = resolverOf(dns, { patience: 30 })
  const isKind = (kind: string) => (error: unknown) => error instanceof DnsError && error.kind === kind
  await assert.rejects(resolver.srv('_never'), isKind('timeout'))
  await assert.rejects(resolver.srv('_broken'), isKind('failed'))
  const nobody = resolverOf([]).resolver
  nobody.use({ resolvers: [{ host: '127.0.0.1', port: 1 }], dnssec: 'auto' })
  await assert.rejects(nobody.srv(NAME), isKind('failed'))
  for (const host of ['255.255.255.255', '::ffff:255.255.255.255']) {
    nobody.use({ resolvers: [{ host, port: 53 }], dnssec: 'auto' }) // the system knows no way there
    await assert.rejects(nobody.srv(NAME), DnsError)
  }
})

test('one kind of address is enough; none, with a question that failed, is a failure', async () => {
  dns.host('four.example', '192.0.2.4').put('AAAA', 'four.example', { answers: [], code: 2 })
  dns.put('AAAA', 'none.example', { answers: [], code: 2 })
  const { resolver } = resolverOf(dns)
  assert.deepEqual(await resolver.addresses('four.example'), { records: ['192.0.2.4'], secure: false })
  await assert.rejects(resolver.addresses('none.example'), DnsError)
})

test('localhost is this machine, and onion services are nobody, without a question (RFC 6761, RFC 7686)', async () => {
  const { resolver } = resolverOf(dns)
  const before = dns.asked.length
  for (const name of ['localhost', 'LOCALHOST.', 'a.localhost']) {
    assert.deepEqual((await resolver.addresses(name)).records, ['::1', '127.0.0.1'])
  }
  assert.deepEqual((await resolver.srv('_xmpp-server._tcp.abc.onion')).records, [])
  assert.deepEqual((await resolver.addresses('192.0.2.9')).records, ['192.0.2.9'])
  assert.equal(dns.asked.length, before)
})

test('internationalised names are asked for by A-labels; what can be no name is not asked for', async () => {
  dns.host('xn--mnchen-3ya.example', '192.0.2.5')
  const { resolver } = resolverOf(dns)
  assert.deepEqual((await resolver.addresses('München.example')).records, ['192.0.2.5'])
  const before = dns.asked.length
  for (const name of ['', '.', 'a..example', `${'a'.repeat(64)}.example`, `${'abcdefg.'.repeat(32)}example`]) {
    assert.deepEqual((await resolver.addresses(name)).records, [], name)
  }
  assert.equal(dns.asked.length, before)
})

const alias = (name: string, data: string): PacketAnswer => ({ type: 'CNAME', name, ttl: 100, data })
const address = (name: string): PacketAnswer => ({ type: 'A', name, ttl: 300, data: '192.0.2.6' })

test('aliases are followed, in one answer and over several, as far as that is sensible', async () => {
  dns.put('A', 'one.example', {
    answers: [alias('one.example', 'two.example'), address('two.example')],
    authentic: true,
  })
  dns.put('A', 'far.example', { answers: [alias('far.example', 'one.example')], authentic: false })
  const { resolver } = resolverOf(dns)
  assert.deepEqual((await resolver.addresses('one.example')).records, ['192.0.2.6'])
  assert.deepEqual(await resolver.addresses('far.example'), { records: ['192.0.2.6'], secure: false })
  dns.put('A', 'loop.example', {
    answers: [alias('loop.example', 'pool.example'), alias('pool.example', 'loop.example')],
  })
  dns.put('A', 'ping.example', { answers: [alias('ping.example', 'pong.example')] })
  dns.put('A', 'pong.example', { answers: [alias('pong.example', 'ping.example')] })
  for (const name of ['loop.example', 'ping.example']) {
    const before = dns.asked.length
    await assert.rejects(resolver.addresses(name), /round in circles/)
    assert.ok(dns.asked.length - before < 20)
  }
})

test('records of other names in an answer do not count', async () => {
  dns.put('A', 'victim.example', { answers: [address('other.example'), alias('else.example', 'victim.example')] })
  assert.deepEqual((await resolverOf(dns).resolver.addresses('victim.example')).records, [])
})

/** An answer that somebody else would like to be believed. */
const forged = (query: DecodedPacket, change: Partial<DecodedPacket>): Buffer =>
  answerTo({ ...query, ...change }, { answers: [{ ...SRV, name: '_guess', data: { ...SRV.data, port: 666 } }] })

test('answers with another id or to another question are none (RFC 5452 §9.1)', async () => {
  const before = (query: DecodedPacket, bytes: Buffer): readonly Buffer[] => [
    forged(query, { id: ((query.id ?? 0) + 1) & 0xffff }),
    forged(query, { questions: [{ type: 'SRV', name: '_other', class: 'IN' }] }),
    forged(query, { questions: [{ type: 'A', name: '_guess', class: 'IN' }] }),
    forged(query, { questions: [{ type: 'SRV', name: '_guess', class: 'CH' }] }),
    forged(query, { questions: [] }),
    bytes, // our own question, sent back
    Buffer.alloc(0),
    Buffer.from('not DNS at all'),
  ]
  dns.put('SRV', '_guess', { answers: [{ ...SRV, name: '_guess' }], before })
  assert.deepEqual((await resolverOf(dns).resolver.srv('_guess')).records, FOUND)
})

test('when somebody guesses, the question is asked where nobody can', async () => {
  const before = (query: DecodedPacket): readonly Buffer[] =>
    Array.from({ length: 30 }, (_, step) => forged(query, { id: ((query.id ?? 0) + step + 1) & 0xffff }))
  dns.put('SRV', '_flood', { answers: [{ ...SRV, name: '_flood' }], before })
  assert.deepEqual((await resolverOf(dns).resolver.srv('_flood')).records, FOUND)
})

/** A question sent back as an answer with so many records, the first of which has these bytes. */
const raw = (query: DecodedPacket, count: number, ...record: readonly number[]): Buffer => {
  const bytes = Buffer.concat([
    encode({ type: 'response', id: query.id ?? 0, questions: query.questions ?? [] }),
    Buffer.from(record),
  ])
  bytes.writeUInt16BE(count, 6)
  return bytes
}

for (const [what, instead] of Object.entries({
  'names that point at themselves': (query: DecodedPacket) => {
    const at = raw(query, 0).length
    return raw(query, 1, 0xc0, at, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4)
  },
  'names that point forward': (query: DecodedPacket) => raw(query, 1, 0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0),
  'more records than there are': (query: DecodedPacket) => raw(query, 65_535),
  'a record that is cut off': (query: DecodedPacket) => raw(query, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 200, 1),
})) {
  test(`${what} are no answer`, async () => {
    dns.put('SRV', '_hostile', { answers: [], instead })
    await assert.rejects(resolverOf(dns, { patience: 30 }).resolver.srv('_hostile'), DnsError)
  })
}

test('thousands of records are not all kept', async () => {
  const answers = Array.from(
    { length: 2500 },
    (_, port): PacketAnswer => ({ ...SRV, name: '_h', data: { ...SRV.data, port, target: 'a.b' } }),
  )
  dns.put('SRV', '_h', { answers, truncated: true })
  assert.equal((await resolverOf(dns).resolver.srv('_h')).records.length, 256)
})

test('TLSA records that are larger than any certificate should be are left out', async () => {
  const data = (length: number) => ({ usage: 3, selector: 0, matchingType: 0, certificate: Buffer.alloc(length, 1) })
  const record = (length: number): PacketAnswer => ({ type: 'TLSA', name: '_t', ttl: 60, data: data(length) })
  dns.put('TLSA', '_t', { answers: [record(20_000), record(1_000)], truncated: true })
  const { records } = await resolverOf(dns).resolver.tlsa('_t')
  assert.deepEqual(
    records.map(({ data }) => data.length),
    [1_000],
  )
})

test('hundreds of questions at once are too many', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const names = Array.from({ length: 600 }, (_, step) => `_q${step}`)
  for (const name of names) dns.put('SRV', name, { answers: [], waits: promise })
  const { resolver } = resolverOf(dns)
  const all = names.map((name) => resolver.srv(name))
  await assert.rejects(all.at(-1) ?? Promise.resolve(), /too many questions/)
  resolve()
  const settled = await Promise.allSettled(all)
  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 512)
  assert.deepEqual((await resolver.srv(NAME)).records, FOUND)
})
