// SPDX-License-Identifier: Apache-2.0
// What we offer other servers after their header (RFC 6120 §4.3.2). Each offer says when it may be made, so that "nothing but
// TLS in the clear" is a declared fact that a table test walks through.
import { type Element, el, type Writable } from '../../xml/element.ts'
import { featuresOf, NS_SASL, NS_TLS } from '../offer.ts'

/** XEP-0198 §3. */
export const NS_SM = 'urn:xmpp:sm:3'
/** XEP-0288 §2.1: the offer. */
export const NS_BIDI_FEATURE = 'urn:xmpp:features:bidi'
/** XEP-0288 §2.2: taking it. */
export const NS_BIDI = 'urn:xmpp:bidi'
/** XEP-0220 §2: of the elements themselves. */
export const NS_DIALBACK = 'jabber:server:dialback'
/** XEP-0220 §2.4: the offer. */
export const NS_DIALBACK_FEATURE = 'urn:xmpp:features:dialback'

/** How far a stream of another server has come. */
export interface ServerStreamState {
  readonly encrypted: boolean
  readonly authenticated: boolean
  /** Whether its certificate proves the domain that it says it is. */
  readonly proved: boolean
}

/** Something that may be offered. */
interface ServerOffer {
  readonly offeredWhen: (stream: ServerStreamState) => boolean
  readonly elements: () => readonly Element[]
}

/** Everything that may be offered to another server. */
export const SERVER_OFFERS: readonly ServerOffer[] = [
  {
    // RFC 6120 §5.4.1: mandatory, and so the only thing on offer.
    offeredWhen: (stream) => !stream.encrypted,
    elements: () => [el('starttls', NS_TLS, null, el('required', NS_TLS))],
  },
  {
    // XEP-0178 §3: to whom it will let in.
    offeredWhen: (stream) => stream.encrypted && !stream.authenticated && stream.proved,
    elements: () => [el('mechanisms', NS_SASL, null, el('mechanism', NS_SASL, null, 'EXTERNAL'))],
  },
  {
    offeredWhen: (stream) => stream.encrypted && !stream.authenticated,
    elements: () => [el('bidi', NS_BIDI_FEATURE)],
  },
  {
    // Also afterwards, for further domains (XEP-0220 §2.6), and to ask about keys.
    offeredWhen: (stream) => stream.encrypted,
    elements: () => [el('dialback', NS_DIALBACK_FEATURE, null, el('errors', NS_DIALBACK_FEATURE))],
  },
  {
    // Whoever proves its domain by dialback sees no other offer, so it is made before, too.
    offeredWhen: (stream) => stream.encrypted,
    elements: () => [el('sm', NS_SM)],
  },
]

/** All that is on offer now. */
export function serverFeatures(stream: ServerStreamState): Writable {
  return featuresOf(SERVER_OFFERS.filter((offer) => offer.offeredWhen(stream)).flatMap((offer) => offer.elements()))
}
