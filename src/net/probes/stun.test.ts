// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ATTRIBUTE, errorOf, readAddress, readStun, STUN, stunLength, stunMessage, writeAddress } from './stun.ts'

const transaction = Buffer.from('b7e7a701bc34d686fa87dfae', 'hex')

test('addresses as RFC 5769 §2.2 and §2.3 have them', () => {
  const v4 = Buffer.from('0001a147e112a643', 'hex')
  assert.deepEqual(readAddress(v4, transaction), { address: '192.0.2.1', port: 32_853 })
  const v6 = Buffer.from('0002a1470113a9faa5d3f179bc25f4b5bed2b9d9', 'hex')
  const address = { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32_853 }
  assert.deepEqual(readAddress(v6, transaction), address)
  assert.deepEqual(writeAddress(address, transaction), v6)
  for (const one of ['192.0.2.1', '::1', '2001:db8::', '1:2:3:4:5:6:7:8']) {
    const there = { address: one, port: 1 }
    assert.deepEqual(readAddress(writeAddress(there, transaction), transaction), there)
  }
})

test('what is written is read, with its signature last (RFC 8489 §14.5)', () => {
  const credentials = { username: 'romeo', password: 'p', realm: 'verona', nonce: Buffer.from('once') }
  const bytes = stunMessage(STUN.allocate, transaction, [[ATTRIBUTE.transport, Buffer.of(17, 0, 0, 0)]], credentials)
  const read = readStun(bytes)
  assert.equal(stunLength(bytes), bytes.length)
  assert.equal(read?.method, STUN.allocate)
  assert.equal(read?.attributes.get(ATTRIBUTE.realm)?.toString(), 'verona')
  assert.deepEqual([...(read?.attributes.keys() ?? [])].at(-1), ATTRIBUTE.integrity)
})

test('what is malformed is nothing', () => {
  const good = stunMessage(STUN.binding, transaction, [[ATTRIBUTE.realm, 'verona']])
  assert.equal(readStun(good.subarray(0, -1)), undefined)
  assert.equal(readStun(Buffer.concat([good, Buffer.alloc(4)])), undefined)
  const tooLong = Buffer.from(good)
  tooLong.writeUInt16BE(500, 22) // an attribute that goes on behind the end
  assert.equal(readStun(tooLong), undefined)
  assert.ok(Number.isNaN(stunLength(Buffer.from('GET / HTTP/1.1\r\nHost: x'))))
  assert.equal(readAddress(Buffer.alloc(7), transaction), undefined)
  assert.equal(readAddress(undefined, transaction), undefined)
  const empty = readStun(stunMessage(STUN.binding | 0x0110, transaction, [[ATTRIBUTE.errorCode, Buffer.of(0, 0)]]))
  assert.ok(empty)
  assert.deepEqual([empty.kind, errorOf(empty)], ['error', { code: 0, text: '' }])
})
