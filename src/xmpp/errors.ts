// SPDX-License-Identifier: Apache-2.0
// The errors that a peer may see: stanza errors (RFC 6120 §8.3) and stream errors (RFC 6120 §4.9).
import { type Element, el } from '../xml/element.ts'

const NS_STANZA_ERROR = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const NS_STREAM_ERROR = 'urn:ietf:params:xml:ns:xmpp-streams'

/** What the sender may do about it (RFC 6120 §8.3.2). */
export type ErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait'

/** The defined conditions of RFC 6120 §8.3.3. */
export type StanzaCondition =
  | 'bad-request'
  | 'conflict'
  | 'feature-not-implemented'
  | 'forbidden'
  | 'gone'
  | 'internal-server-error'
  | 'item-not-found'
  | 'jid-malformed'
  | 'not-acceptable'
  | 'not-allowed'
  | 'not-authorized'
  | 'policy-violation'
  | 'recipient-unavailable'
  | 'redirect'
  | 'registration-required'
  | 'remote-server-not-found'
  | 'remote-server-timeout'
  | 'resource-constraint'
  | 'service-unavailable'
  | 'subscription-required'
  | 'undefined-condition'
  | 'unexpected-request'

/** A refusal that the sender of a stanza gets to read; `text` is written for that person. */
export class StanzaError extends Error {
  override readonly name = 'StanzaError'
  readonly type: ErrorType
  readonly condition: StanzaCondition
  readonly text: string | undefined
  /** An application-specific condition (RFC 6120 §8.3.4). */
  readonly detail: Element | undefined
  /** Whether what was refused goes back with it (RFC 6120 §8.3.1). */
  readonly echo: boolean = true

  constructor(type: ErrorType, condition: StanzaCondition, text?: string, detail?: Element) {
    super(text ?? condition)
    this.type = type
    this.condition = condition
    this.text = text
    this.detail = detail
  }

  /** The `<error/>` child. @param ns the namespace of the stanza that carries it */
  element(ns: string): Element {
    return el(
      'error',
      ns,
      { type: this.type },
      el(this.condition, NS_STANZA_ERROR),
      this.text !== undefined && el('text', NS_STANZA_ERROR, { 'xml:lang': 'en' }, this.text),
      this.detail,
    )
  }
}

/** A refusal of something with a secret in it, which does not go back (XEP-0077 §3.3). */
export class DiscreetError extends StanzaError {
  override readonly echo = false

  constructor({ type, condition, text, detail }: StanzaError) {
    super(type, condition, text, detail)
  }
}

/** The defined conditions of RFC 6120 §4.9.3. */
export type StreamCondition =
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'conflict'
  | 'connection-timeout'
  | 'host-gone'
  | 'host-unknown'
  | 'improper-addressing'
  | 'internal-server-error'
  | 'invalid-from'
  | 'invalid-namespace'
  | 'invalid-xml'
  | 'not-authorized'
  | 'not-well-formed'
  | 'policy-violation'
  | 'remote-connection-failed'
  | 'reset'
  | 'resource-constraint'
  | 'restricted-xml'
  | 'see-other-host'
  | 'system-shutdown'
  | 'undefined-condition'
  | 'unsupported-encoding'
  | 'unsupported-feature'
  | 'unsupported-stanza-type'
  | 'unsupported-version'

/** An error that ends the stream; `text` is written for the peer. */
export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly condition: StreamCondition
  readonly text: string | undefined
  readonly detail: Element | undefined
  /** Where to connect instead: of `see-other-host` alone (RFC 6120 §4.9.3.19). */
  readonly address: string | undefined

  constructor(condition: StreamCondition, text?: string, detail?: Element, address?: string) {
    super(text ?? condition)
    this.condition = condition
    this.text = text
    this.detail = detail
    this.address = address
  }

  /** The `<stream:error/>` as XML text; the prefix `stream` must be declared where it stands. */
  xml(): string {
    const text = this.text !== undefined && el('text', NS_STREAM_ERROR, { 'xml:lang': 'en' }, this.text)
    const children = [el(this.condition, NS_STREAM_ERROR, null, this.address), text, this.detail]
    return `<stream:error>${children.map((child) => (child ? child.xml('jabber:client') : '')).join('')}</stream:error>`
  }
}
