// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { test } from 'node:test'
import { readHelloAnswer } from './tls-hello.ts'

const WARNING = Buffer.of(21, 3, 3, 0, 2, 1, 0)

test('however much somebody warns before they answer, and whatever the answer is, it is read without harm', () => {
  assert.equal(readHelloAnswer(Buffer.concat(Array.from({ length: 9000 }, () => WARNING))), undefined)
  assert.equal(readHelloAnswer(Buffer.concat([WARNING, Buffer.of(21, 3, 3, 0, 2, 2, 40)])), null)
  const start = Buffer.from('1603030050020000380303', 'hex')
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.concat([start, randomBytes(100)])
    for (let changes = randomInt(6); changes > 0; changes--) bytes[randomInt(bytes.length)] = randomInt(256)
    readHelloAnswer(bytes.subarray(0, randomInt(bytes.length + 1)))
  }
})
