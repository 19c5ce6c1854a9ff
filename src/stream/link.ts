// SPDX-License-Identifier: Apache-2.0
// A connection that speaks elements instead of bytes. `net/` makes them from sockets, tests from memory; nobody above this
// line knows which. Reading waits for its handler; writing never waits: a peer that does not read is cut off.

import type { Element, Writable } from '../xml/element.ts'
import type { StreamError } from '../xmpp/errors.ts'

/** A value now, or a promise of it when somebody had to wait. */
export type MaybeAsync<T> = T | Promise<T>

/** The start tag of a stream as the peer sent it (RFC 6120 §4.7). */
export interface StreamHeader {
  readonly element: Element
  /** The default namespace it declares: `jabber:client` or `jabber:server`. */
  readonly contentNamespace: string
  /** The prefix of the stream element itself; must be `stream`. */
  readonly prefix: string
}

/** The attributes of our own start tag (RFC 6120 §4.7). */
export interface OwnHeader {
  readonly from: string
  readonly to?: string | undefined
  readonly id: string
  readonly lang: string
  /** Left out where the protocol knows none (XEP-0114). */
  readonly version?: '1.0'
}

/** Keying material that ties a login to its TLS connection (RFC 5929, RFC 9266); computed when first asked for. */
export interface ChannelBindings {
  /** Those that are to be announced (RFC 9266, RFC 5929 §4), where that can be said without computing any. */
  readonly types?: readonly ('tls-exporter' | 'tls-server-end-point')[]
  readonly 'tls-exporter'?: Buffer | undefined
  readonly 'tls-server-end-point'?: Buffer | undefined
  /** The client's Finished message on TLS 1.3; see `accounts/exchange.ts`. */
  readonly 'tls-unique'?: Buffer | undefined
}

/** What the owner of a link gets to hear: one call at a time; the next one waits until a returned promise is settled. */
export interface LinkEvents {
  /** The peer opened the stream, or opened it anew after `restart()`. */
  opened(header: StreamHeader): MaybeAsync<void>
  element(element: Element): MaybeAsync<void>
  /** The peer sent only white space (a keepalive), or anything at all: it is alive. */
  alive?(): void
  /**
   * The link is gone. Called exactly once, whoever ended it.
   * @param reason `closed`: properly, by an end tag; `error`: by a stream error (theirs or ours); `lost`: the connection broke or did not drain
   */
  ended(reason: 'closed' | 'error' | 'lost'): void
}

/** One connection. */
export interface Link {
  /** Opaque, for logs. */
  readonly id: string
  /** The peer's network address, for limits; never logged. */
  readonly address: string
  readonly encrypted: boolean
  readonly bindings: ChannelBindings
  /** The server name that TLS was asked for, if it was. */
  readonly serverName: string | undefined
  /** Begins to read. */
  start(events: LinkEvents): void
  /** Writes our start tag. */
  open(header: OwnHeader): void
  /** Queues; a queue over its bound ends the link as `lost`. */
  send(item: Writable): void
  /** After this the peer's next thing must be a new start tag; what it sent meanwhile is read as that (RFC 6120 §4.3.3). */
  restart(): void
  /**
   * Sends `<proceed/>`-like `answer` in the clear, then negotiates TLS; whatever was read before is thrown away
   * (RFC 6120 §5.4.3.3). Rejects if that fails.
   * @param domain whose certificate is shown to a peer that asks TLS for none
   */
  startTls(answer: Element, domain?: string): Promise<void>
  /** Larger stanzas for peers that logged in. @param bytes of one stanza */
  allowStanzas(bytes: number): void
  /** Ends the stream properly, with an error if given; does nothing the second time. Our own start tag is written first if it was not. */
  close(error?: StreamError): void
}
