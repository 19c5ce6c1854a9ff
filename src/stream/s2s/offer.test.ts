// SPDX-License-Identifier: Apache-2.0
// What another server is offered in each state (RFC 6120 §4.3.2): nothing but TLS in the clear, and EXTERNAL only to who can prove itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseElement } from '../../xml/reader.ts'
import { serverFeatures } from './offer.ts'

/** Every state that a stream can be in, possible or not, with what it offers. */
const TABLE: readonly (readonly [encrypted: boolean, authenticated: boolean, proved: boolean, offered: string])[] = [
  [false, false, false, 'starttls'],
  [false, false, true, 'starttls'],
  [false, true, false, 'starttls'],
  [false, true, true, 'starttls'],
  [true, false, false, 'bidi dialback sm'],
  [true, false, true, 'mechanisms bidi dialback sm'],
  [true, true, false, 'dialback sm'],
  [true, true, true, 'dialback sm'],
]

for (const [encrypted, authenticated, proved, names] of TABLE) {
  const words = [encrypted ? 'TLS' : 'no TLS', authenticated ? 'authenticated' : 'not authenticated']
  test(`on offer: ${words.join(', ')}, ${proved ? 'a certificate that proves it' : 'no such certificate'}`, () => {
    const xml = serverFeatures({ encrypted, authenticated, proved }).xml('jabber:client').replaceAll('stream:', '')
    const offered = parseElement(xml, 'jabber:client').elements
    assert.equal(offered.map(({ name }) => name).join(' '), names)
  })
}
