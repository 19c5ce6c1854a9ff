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
  /** '' from who opens a stream: the other side names it (RFC 6120 §4.7.3). */
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

/** Whether a certificate proves a domain: by an authority that we trust or by the DNS; or why not, in plain words. */
export type Proof = { readonly by: 'pkix' | 'dane' } | { readonly by: undefined; readonly why: string }

/** What TLS agreed on with another server, and the certificate that it showed; for administrators. */
export interface Secured {
  /** Such as `TLSv1.3`. */
  readonly version: string
  readonly cipher: string
  readonly certificate:
    | {
        /** The domains that it is for. */
        readonly names: readonly string[]
        /** The authority that made it, as it calls itself. */
        readonly issuer: string
        /** ms since 1970. */
        readonly from: number
        readonly until: number
        /** SHA-256. */
        readonly fingerprint: string
      }
    | undefined
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
   * @param answer undefined on a link that we dialled: it was the peer's to send, and we are the client of TLS
   * @param domain whose certificate is shown to a peer that asks TLS for none; on a link that we dialled, whom we ask for
   *   instead of the domain that was dialled
   */
  startTls(answer: Element | undefined, domain?: string): Promise<void>
  /**
   * Whether the certificate that the peer showed proves that it answers for a domain (RFC 6120 §13.7, RFC 7673). Only on
   * links between servers.
   */
  proves?(domain: string): Promise<Proof>
  /** How it is encrypted; undefined if it is not. Only on links between servers. */
  readonly secured?: Secured | undefined
  /** How much waits for a peer that does not read; only on links between servers. */
  readonly unsent?: number
  /** Larger stanzas for peers that logged in. @param bytes of one stanza */
  allowStanzas(bytes: number): void
  /** Ends the stream properly, with an error if given; does nothing the second time. Our own start tag is written first if it was not. */
  close(error?: StreamError): void
}

/** Where a server of a domain is to be found. */
export interface Place {
  readonly host: string
  readonly port: number
  /** Whether TLS begins at once (XEP-0368). */
  readonly direct: boolean
  /** Whether DNSSEC vouches that the domain's server is there (RFC 7673 §3.1). */
  readonly secure: boolean
}

/** A link to another server that is connected; with TLS already where its place says so. */
export interface Dialed {
  readonly link: Link
  /** How we got there. */
  readonly place: Place
}

/** Connects to other servers. */
export interface Dialer {
  /**
   * Tries the places of a domain in order; each step has a time limit. Rejects with a `DialError`.
   * @param from our domain, whose certificate is shown
   * @param to theirs
   * @param signal ends the attempt
   */
  dial(from: string, to: string, signal: AbortSignal): Promise<Dialed>
}

/** Why there is no connection; `refused`: the domain says that it has no server (RFC 2782). */
export type DialFailure = 'no-such-domain' | 'refused' | 'dns' | 'unreachable' | 'tls'

/** There is no connection. The message is a sentence for administrators. */
export class DialError extends Error {
  override readonly name = 'DialError'
  readonly kind: DialFailure

  constructor(kind: DialFailure, message: string) {
    super(message)
    this.kind = kind
  }
}
