// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseElement } from '../../xml/reader.ts'
import { failureByPeer } from './failure.ts'
import { peerError, peerText } from './traffic.ts'

const ERRORS = 'urn:ietf:params:xml:ns:xmpp-streams'

function errorWith(text: string) {
  return parseElement(
    `<error xmlns='http://etherx.jabber.org/streams'><not-authorized xmlns='${ERRORS}'/>${text}</error>`,
    'jabber:client',
  )
}

test('administrators read why the other server ended the stream, and nothing that a terminal would obey', () => {
  const told = errorWith(`<text xmlns='${ERRORS}'>Your certificate\n is\u009b31m  not trusted.\u202e</text>`)
  assert.equal(peerText(told), 'Your certificate is 31m not trusted.')
  const { kind, message } = failureByPeer(peerError(told) ?? '', peerText(told))
  assert.equal(kind, 'refused-us')
  assert.equal(message, 'The other server ended the stream: not-authorized (Your certificate is 31m not trusted.).')
  assert.equal(peerText(errorWith(`<text xmlns='${ERRORS}'>${'x'.repeat(5_000)}</text>`))?.length, 200)
  assert.equal(peerText(errorWith('')), undefined)
  assert.equal(
    failureByPeer('reset', peerText(errorWith(`<text xmlns='${ERRORS}'> </text>`))).message,
    'The other server ended the stream: reset.',
  )
})
