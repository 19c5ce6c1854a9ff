// SPDX-License-Identifier: Apache-2.0
// Somebody on the way to the name server who does not know the key. What a real name server does is in `test/interop/`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProviderError } from './record.ts'
import { rfc2136 } from './rfc2136.ts'
import { nameBytes, readName, u16, u32 } from './wire.ts'

const ZONE = 'example.org'
const A = { name: ZONE, type: 'A', ttl: 60, values: ['192.0.2.1'] } as const

function through(answer: (asked: Buffer) => Buffer) {
  const parts = { keyName: 'key', key: Buffer.alloc(32, 1), now: Date.now }
  return rfc2136({ ...parts, exchange: async (asked) => answer(asked) })
}

/** No such name, and yet an answer. */
function forged(asked: Buffer): Buffer {
  const head = Buffer.concat([asked.subarray(0, 2), u16(0x8403), u16(0), u16(1), u16(0), u16(0)])
  return Buffer.concat([head, nameBytes(ZONE), u16(1), u16(1), u32(60), u16(4), Buffer.of(192, 0, 2, 66)])
}

test('that there is no such name is believed only of who has the key', async () => {
  await assert.rejects(through(forged).set(ZONE, A), /not signed/)
  await assert.rejects(through(forged).list(ZONE, [ZONE]), /not signed/)
})

test('a message that cannot be read is an error of the provider, whatever is in it', async () => {
  for (let length = 0; length < 40; length++) {
    const cut = through((asked) => Buffer.concat([asked.subarray(0, 2), u16(0x8400), Buffer.alloc(length, 0xff)]))
    await assert.rejects(cut.set(ZONE, A), ProviderError)
  }
})

test('a name has 255 octets at most, however often it points elsewhere', () => {
  const labels = Buffer.concat(
    Array.from({ length: 200 }, () => Buffer.concat([Buffer.of(63), Buffer.alloc(63, 0x61)])),
  )
  const endless = Buffer.concat([labels, u16(0xc000)])
  assert.throws(() => readName(endless, 0), /too long/)
  assert.throws(() => readName(Buffer.concat([Buffer.of(0x40), Buffer.alloc(80)]), 0), RangeError)
  assert.equal(readName(nameBytes('a.example.org'), 0).name, 'a.example.org')
})
