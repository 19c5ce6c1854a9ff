// SPDX-License-Identifier: Apache-2.0
// What a stream offers in each state (RFC 6120 §4.3.2), and above all what it does not: no password before TLS.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { OFFERS, type StreamState, streamFeatures } from './offer.ts'

const STATE: StreamState = {
  host: 'localhost',
  encrypted: false,
  authenticated: false,
  mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN'],
  bindings: ['tls-exporter'],
}

const MORE = [el('register', 'http://jabber.org/features/iq-register')]

/** Every state that a stream can be in, possible or not, with what it offers. */
const TABLE: readonly (readonly [encrypted: boolean, authenticated: boolean, offered: readonly string[]])[] = [
  [false, false, ['starttls']],
  [false, true, ['starttls']],
  [true, false, ['mechanisms', 'sasl-channel-binding', 'register']],
  [true, true, ['bind', 'session', 'ver', 'sub', 'register']],
]

function offered(state: Partial<StreamState>) {
  const xml = streamFeatures({ ...STATE, ...state }, MORE).xml('jabber:client')
  assert.match(xml, /^<stream:features>.*<\/stream:features>$/)
  return parseElement(xml.replaceAll('stream:', ''), 'jabber:client')
}

for (const [encrypted, authenticated, names] of TABLE) {
  test(`on offer ${encrypted ? 'with' : 'without'} TLS, ${authenticated ? 'after' : 'before'} login`, () => {
    assert.deepEqual(
      offered({ encrypted, authenticated }).elements.map((element) => element.name),
      names,
    )
  })
}

test('no mechanism is named before TLS, whatever the features add (RFC 6120 §6.3.4)', () => {
  for (const authenticated of [false, true]) {
    const xml = streamFeatures({ ...STATE, authenticated }, MORE).xml('jabber:client')
    assert.doesNotMatch(xml, /mechanism|PLAIN|SCRAM|register|bind/)
  }
})

test('no offer but STARTTLS may be made on a stream without TLS', () => {
  const early = OFFERS.filter((offer) => offer.offeredWhen(STATE)).flatMap((offer) => offer.elements(STATE))
  assert.deepEqual(
    early.map((element) => element.xml('')),
    [`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>`],
  )
})

test('nobody who logged in is offered to log in again, and nobody binds who did not', () => {
  assert.equal(offered({ encrypted: true }).child('bind', 'urn:ietf:params:xml:ns:xmpp-bind'), undefined)
  const later = offered({ encrypted: true, authenticated: true })
  assert.equal(later.child('mechanisms', 'urn:ietf:params:xml:ns:xmpp-sasl'), undefined)
})

test('mechanisms stand in the order of preference (RFC 6120 §6.3.3)', () => {
  const mechanisms = offered({ encrypted: true }).child('mechanisms', 'urn:ietf:params:xml:ns:xmpp-sasl')
  assert.deepEqual(
    mechanisms?.elements.map((element) => element.text),
    ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN'],
  )
})

test('the types of channel binding are told (XEP-0440)', () => {
  const bindings = offered({ encrypted: true }).child('sasl-channel-binding', 'urn:xmpp:sasl-cb:0')
  assert.deepEqual(
    bindings?.elements.map((element) => element.attrs.type),
    ['tls-exporter'],
  )
})

test('an old client that waits for a session is offered an optional one', () => {
  const session = offered({ encrypted: true, authenticated: true }).child(
    'session',
    'urn:ietf:params:xml:ns:xmpp-session',
  )
  assert.ok(session?.child('optional'))
})
