// SPDX-License-Identifier: Apache-2.0
// What a stream offers after its header (RFC 6120 §4.3.2). Each offer says when it may be made, so that "no password
// before TLS" is a declared fact that a table test walks through.
import { type Element, el, type Writable } from '../xml/element.ts'

/** RFC 6120 §5. */
export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
/** RFC 6120 §6. */
export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
/** RFC 6120 §7. */
export const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
/** RFC 3921 §3: has no meaning any more, but old clients wait for it. */
export const NS_SESSION = 'urn:ietf:params:xml:ns:xmpp-session'
/** RFC 6120 §4. */
export const NS_STREAMS = 'http://etherx.jabber.org/streams'
const NS_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0'

/** How far a stream has come. */
export interface StreamState {
  readonly host: string
  readonly encrypted: boolean
  readonly authenticated: boolean
  /** Names of the SASL mechanisms that would be accepted, the best first. */
  readonly mechanisms: readonly string[]
  /** Channel-binding types that this connection can do (XEP-0440). */
  readonly bindings: readonly string[]
  /** The other profile of SASL, with what it can do in the same round trip (XEP-0388 §2.1). */
  readonly authentication?: Element | undefined
  /** Whether a resource is bound already (XEP-0386), or a session resumed. */
  readonly bound?: boolean
}

/** Something that may be offered. */
export interface Offer {
  readonly offeredWhen: (stream: StreamState) => boolean
  readonly elements: (stream: StreamState) => readonly Element[]
}

/** What RFC 6120 and 6121 themselves offer; features add theirs. */
export const OFFERS: readonly Offer[] = [
  {
    // RFC 6120 §5.4.1: mandatory, and so the only thing on offer.
    offeredWhen: (stream) => !stream.encrypted,
    elements: () => [el('starttls', NS_TLS, null, el('required', NS_TLS))],
  },
  {
    offeredWhen: (stream) => stream.encrypted && !stream.authenticated,
    elements: ({ mechanisms, bindings, authentication }) => [
      el('mechanisms', NS_SASL, null, ...mechanisms.map((name) => el('mechanism', NS_SASL, null, name))),
      ...(authentication ? [authentication] : []),
      ...(bindings.length > 0 ? [channelBindings(bindings)] : []),
    ],
  },
  {
    offeredWhen: (stream) => stream.encrypted && stream.authenticated && stream.bound !== true,
    elements: () => [el('bind', NS_BIND), el('session', NS_SESSION, null, el('optional', NS_SESSION))],
  },
  {
    offeredWhen: (stream) => stream.encrypted && stream.authenticated,
    elements: () => [
      el('ver', 'urn:xmpp:features:rosterver'), // RFC 6121 §2.6.1
      el('sub', 'urn:xmpp:features:pre-approval'), // RFC 6121 §3.4
    ],
  },
]

/** All that is on offer now (RFC 6120 §4.3.2). @param more what features add */
export function streamFeatures(stream: StreamState, more: readonly Element[]): Writable {
  const own = OFFERS.filter((offer) => offer.offeredWhen(stream)).flatMap((offer) => offer.elements(stream))
  return featuresOf(stream.encrypted ? [...own, ...more] : own)
}

/** An offer as it is written: with the customary prefix, since not every peer understands another form. */
export function featuresOf(all: readonly Element[]): Writable {
  return {
    xml: (inherited) => `<stream:features>${all.map((child) => child.xml(inherited)).join('')}</stream:features>`,
  }
}

/** XEP-0440; only if there is something to say, which the hash of XEP-0474 depends on. */
function channelBindings(types: readonly string[]): Element {
  const each = types.map((type) => el('channel-binding', NS_CHANNEL_BINDING, { type }))
  return el('sasl-channel-binding', NS_CHANNEL_BINDING, null, ...each)
}
