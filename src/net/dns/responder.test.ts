// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { exchange } from './exchange.ts'
import { answerTo, type ProofZone } from './proof-zone.ts'
import { DnsResponder } from './responder.ts'

const ZONE = 'acme.chat.example.org'
const TEXT = 'A'.repeat(43)
const zone: ProofZone = {
  name: ZONE,
  server: 'chat.example.org',
  texts: (label) => (label === 'one' ? [TEXT] : label === 'many' ? Array(12).fill(TEXT) : []),
}

type Type = 'TXT' | 'A' | 'SOA' | 'NS' | 'ANY' | 'AXFR' | 'DNSKEY'

function query(name: string, type: Type, more: Partial<Packet> = {}): Buffer {
  const questions = [{ name, type: type as 'TXT', class: 'IN' as const }]
  return encode({ type: 'query', id: 7, flags: RECURSION_DESIRED, questions, ...more })
}

function asked(name: string, type: Type, way: 'udp' | 'tcp' | 'short' = 'udp') {
  const question = query(name, type)
  const bytes = answerTo(question, zone, way)
  assert.ok(bytes)
  const { flags = 0, ...rest } = decode(bytes)
  return { ...rest, code: flags & 0xf, length: bytes.length, ratio: bytes.length / question.length }
}

test('it says what proves a domain, and where its own zone begins', () => {
  const { code, answers, flag_aa, flag_ra, flag_rd } = asked(`One.${ZONE}`, 'TXT')
  assert.deepEqual([code, flag_aa, flag_ra, flag_rd], [0, true, false, true])
  assert.deepEqual(
    answers?.map((one) => [one.name, 'ttl' in one && one.ttl, 'data' in one && String(one.data)]),
    [[`One.${ZONE}`, 0, TEXT]],
  )
  const soa = asked(ZONE, 'SOA').answers?.[0]
  assert.ok(soa?.type === 'SOA')
  assert.deepEqual(
    [soa.name, soa.data.mname, soa.data.rname],
    [ZONE, 'chat.example.org', 'hostmaster.chat.example.org'],
  )
  const ns = asked(ZONE, 'NS').answers?.[0]
  assert.ok(ns?.type === 'NS')
  assert.equal(ns.data, 'chat.example.org')
})

test('what is not there is told with how short that holds', () => {
  for (const [name, type, code] of [
    [`one.${ZONE}`, 'A', 0],
    [ZONE, 'TXT', 0],
    [ZONE, 'DNSKEY', 0],
    [`two.${ZONE}`, 'TXT', 3],
    [`deep.one.${ZONE}`, 'TXT', 3],
  ] as const) {
    const said = asked(name, type)
    assert.deepEqual(
      [said.code, said.answers?.length, said.authorities?.[0]?.type],
      [code, 0, 'SOA'],
      `${type} ${name}`,
    )
    assert.ok(said.ratio < 3, `${type} ${name}: ${said.length} bytes`)
  }
})

test('what is no matter of ours is refused, in as few bytes as it was asked', () => {
  for (const [name, type] of [
    ['example.org', 'TXT'],
    ['chat.example.org', 'A'],
    [`xacme.chat.example.org`, 'TXT'],
    ['.', 'NS'],
    [ZONE, 'ANY'],
    [`one.${ZONE}`, 'ANY'],
    [ZONE, 'AXFR'],
  ] as const) {
    const said = asked(name, type)
    assert.deepEqual([said.code, said.answers?.length, said.authorities?.length], [5, 0, 0], `${type} ${name}`)
    assert.equal(said.ratio, 1)
  }
})

test('what is too long for a datagram comes by TCP', () => {
  const { flag_tc, answers, ratio } = asked(`many.${ZONE}`, 'TXT')
  assert.deepEqual([flag_tc, answers?.length, ratio], [true, 0, 1])
  assert.equal(asked(`many.${ZONE}`, 'TXT', 'tcp').answers?.length, 12)
  const { flag_tc: cut, ratio: short } = asked(`one.${ZONE}`, 'TXT', 'short')
  assert.deepEqual([cut, short], [true, 1])
})

test('EDNS is understood as far as there is any', () => {
  const opt = (ednsVersion: number) => ({
    type: 'OPT' as const,
    ...{
      name: '.' as const,
      udpPayloadSize: 4096,
      extendedRcode: 0,
      ednsVersion,
      flags: 0,
      flag_do: false,
      options: [],
    },
  })
  const said = (version: number) => {
    const bytes = answerTo(query(`many.${ZONE}`, 'TXT', { additionals: [opt(version)] }), zone, 'udp')
    assert.ok(bytes && bytes.length <= 1232)
    return decode(bytes)
  }
  assert.equal(said(0).answers?.length, 12)
  const [bad] = said(1).additionals ?? []
  assert.ok(bad?.type === 'OPT')
  assert.deepEqual([bad.extendedRcode, bad.udpPayloadSize], [1, 1232])
})

test('whatever comes, it is answered shortly or not at all', () => {
  const good = query(`one.${ZONE}`, 'TXT')
  const codeOf = (bytes: Buffer): number | undefined => {
    const answer = answerTo(bytes, zone, 'udp')
    return answer && answer.readUInt16BE(2) & 0xf
  }
  const changed = (at: number, ...values: number[]): Buffer =>
    Buffer.concat([good.subarray(0, at), Buffer.of(...values), good.subarray(at + values.length)])
  assert.equal(codeOf(Buffer.alloc(11)), undefined)
  assert.equal(codeOf(changed(2, 0x84, 0)), undefined, 'an answer')
  assert.equal(codeOf(changed(2, 0x28, 0)), 4, 'a change')
  assert.equal(codeOf(changed(4, 0, 2)), 1, 'two questions')
  assert.equal(codeOf(changed(4, 0, 0)), 1, 'none')
  assert.equal(codeOf(changed(12, 0xc0, 12)), 1, 'a name that points to itself')
  assert.equal(codeOf(good.subarray(0, -1)), 1, 'cut off')
  assert.equal(codeOf(Buffer.concat([good, Buffer.of(0)])), 1, 'with something behind')
  const long = Buffer.concat([
    good.subarray(0, 12),
    ...Array(5).fill(Buffer.concat([Buffer.of(63), Buffer.alloc(63, 'a')])),
    Buffer.of(0, 0, 16, 0, 1),
  ])
  assert.equal(codeOf(long), 1, 'a name that is too long')
  for (let round = 0; round < 20_000; round++) {
    const noise = round % 2 ? randomBytes(randomInt(0, 80)) : Buffer.from(good)
    for (let flips = randomInt(4); flips > 0 && noise.length > 0; flips--)
      noise[randomInt(noise.length)] = randomInt(256)
    const answer = answerTo(noise, zone, 'udp')
    assert.ok(!answer || answer.length <= 512)
  }
})

async function responder(t: TestContext, networkOf = (address: string): string => address) {
  const clock = new FakeClock()
  const made = new DnsResponder({
    zone: { name: ZONE, server: 'chat.example.org' },
    places: [{ host: '127.0.0.1', port: 0 }],
    networkOf,
    clock,
  })
  t.after(() => made.stop())
  assert.deepEqual(await made.listen(), [])
  const [place] = made.places
  assert.ok(place)
  return { made, place, clock }
}

test('texts come and go, by UDP and, where they are many, by TCP', async (t) => {
  const { made, place } = await responder(t)
  const ask = async (label: string): Promise<number> =>
    (await exchange(place, { name: `${label}.${ZONE}`, type: 'TXT' }, 5_000)).answers.length
  const end = made.put('one', TEXT)
  const other = made.put('one', 'B'.repeat(43))
  assert.equal(await ask('one'), 2)
  end()
  assert.equal(await ask('one'), 1)
  other()
  assert.equal(await ask('one'), 0)
  for (let i = 0; i < 16; i++) made.put('many', `${i}`.padStart(200, '-'))
  assert.equal(await ask('many'), 16)
  assert.throws(() => made.put('many', 'more'), /too many/)
})

test('a port that is taken is told, and had when it is free', async (t) => {
  const { place, clock } = await responder(t)
  const second = new DnsResponder({
    zone: { name: ZONE, server: 'chat.example.org' },
    places: [place],
    networkOf: (address) => address,
    clock,
  })
  t.after(() => second.stop())
  const [problem] = await second.listen()
  assert.match(problem ?? '', /EADDRINUSE/)
  assert.deepEqual(second.places, [])
})

test('one network gets few answers a second, then is told to come by TCP', async (t) => {
  const { place } = await responder(t)
  const [socket, other] = [createSocket('udp4'), createSocket('udp4').bind(0, '127.0.0.2')]
  t.after(() => [socket, other].forEach((one) => void one.close()))
  const answers: Buffer[] = []
  socket.on('message', (answer) => answers.push(answer))
  await once(other, 'listening')
  for (let i = 0; i < 60; i++) {
    await new Promise((resolve) => socket.send(query(ZONE, 'SOA'), place.port, place.host, resolve))
  }
  other.send(query(ZONE, 'SOA'), place.port, place.host) // of another network, and later than all the others
  await once(other, 'message')
  await new Promise(setImmediate)
  const cut = answers.filter((one) => one.readUInt16BE(2) & 0x0200)
  assert.deepEqual([answers.length, cut.length], [40, 20])
})

test('a datagram from port 0, which anybody can send, is not answered and does no harm', async (t) => {
  const made: Socket[] = []
  const note = (message: unknown): void => void made.push((message as { readonly socket: Socket }).socket)
  subscribe('udp.socket', note)
  const { place } = await responder(t)
  unsubscribe('udp.socket', note)
  const [udp] = made
  assert.ok(udp)
  udp.emit('message', query(ZONE, 'SOA'), { address: '127.0.0.1', port: 0, family: 'IPv4', size: 1 })
  assert.equal((await exchange(place, { name: ZONE, type: 'SOA' }, 5_000)).answers.length, 1)
})

test('whoever asks in the name of many networks keeps an authority from the short way only', async (t) => {
  let networks = 0
  const { place } = await responder(t, () => `${networks++}`)
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  let last: Buffer | undefined
  socket.on('message', (answer) => {
    last = answer
  })
  for (let i = 0; i < 600; i++) {
    await new Promise((resolve) => socket.send(query(ZONE, 'SOA'), place.port, place.host, resolve))
    await new Promise(setImmediate) // or they are more than the system keeps for who does not read
  }
  assert.equal((await exchange(place, { name: ZONE, type: 'SOA' }, 5_000)).answers.length, 1)
  await new Promise(setImmediate)
  assert.ok(last && last.readUInt16BE(2) & 0x0200, 'come by TCP')
})

test('by TCP, too, nobody gets more than is due', async (t) => {
  const { place } = await responder(t)
  const talk = async (...chunks: readonly Buffer[]): Promise<number> => {
    const socket = connect(place)
    let bytes = 0
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    socket.on('error', () => undefined)
    for (const chunk of chunks) socket.write(chunk)
    await once(socket, 'close')
    return bytes
  }
  const question = query(ZONE, 'SOA')
  const framed = Buffer.concat([Buffer.of(0, question.length), question])
  assert.equal(await talk(Buffer.of(0xff, 0xff)), 0, 'a question that is too long')
  assert.equal(await talk(Buffer.of(0, 3), Buffer.alloc(3)), 0, 'none at all')
  const answered = await talk(...Array(40).fill(framed))
  assert.ok(answered > 0 && answered < 33 * 150, `${answered} bytes`)
  const sockets = Array.from({ length: 12 }, () => connect(place))
  t.after(() => sockets.forEach((one) => void one.destroy()))
  const closed = sockets.map((one) =>
    once(
      one.on('error', () => undefined),
      'close',
    ),
  )
  await Promise.any(closed)
})
