// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { qrSvg, qrText } from './qr.ts'

const LINK = 'https://example.org/invite/3fcwhtywm8ytwcpv5mhbeydt'

test('a QR code for a terminal is a square, whatever the colours of the terminal are', async () => {
  const plain = (await qrText(LINK, false)).split('\n')
  const [first = ''] = plain
  assert.ok(plain.every((line) => line.length === first.length))
  assert.equal(plain.length, Math.ceil(first.length / 2))
  const coloured = (await qrText(LINK, true)).split('\n')
  assert.ok(coloured.every((line) => line.startsWith('\x1b[') && line.endsWith('\x1b[0m')))
})

test('a QR code for a page is a picture that says nothing else', async () => {
  const svg = await qrSvg(LINK)
  assert.match(svg, /^<svg [^>]*viewBox="0 0 \d+ \d+"/)
  assert.doesNotMatch(svg, /style=|<script|example\.org/)
})
