// SPDX-License-Identifier: Apache-2.0
// All streams of clients: new ones come in here, silent ones are asked and in the end cut, and at the end all are closed.
import { randomUUID } from 'node:crypto'
import type { Cancel } from '../clock.ts'
import { el } from '../xml/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { ClientStream } from './c2s.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link } from './link.ts'

/** How often silent streams are looked for, in ms. */
const SWEEP = 15_000
/** How long a silent client may take to answer, in ms. */
const PATIENCE = 60_000

/** The streams of clients. */
export class ClientStreams {
  readonly #parts: ClientParts
  readonly #streams = new Set<ClientStream>()
  readonly #cancelSweep: Cancel
  #closed = false

  constructor(parts: ClientParts) {
    this.#parts = parts
    this.#cancelSweep = parts.clock.every(SWEEP, () => this.#sweep())
  }

  /** How many connections there are, logged in or not. */
  get size(): number {
    return this.#streams.size
  }

  /** Takes over a new connection; one that was still in its TLS handshake when all were ended comes too late. */
  accept(link: Link): void {
    const stream = new ClientStream(link, this.#parts, (gone) => this.#streams.delete(gone))
    this.#streams.add(stream)
    if (this.#closed) stream.close(new StreamError('system-shutdown'))
  }

  /** Ends the streams that are about to become clients of this account, with what proved its owner until now. */
  endEntering(account: Jid, error: StreamError): void {
    for (const stream of [...this.#streams]) if (stream.isEntering(account)) stream.close(error)
  }

  /** Ends the streams to domains that are not served any more. */
  endGone(): void {
    for (const stream of [...this.#streams]) stream.endIfGone()
  }

  /** Ends all streams: `system-shutdown` tells clients to come back (RFC 6120 §4.9.3.20). */
  close(): void {
    this.#closed = true
    this.#cancelSweep()
    for (const stream of [...this.#streams]) stream.close(new StreamError('system-shutdown'))
  }

  /** A client that was silent for long is pinged (XEP-0199 §4.1); one that does not answer is gone (RFC 6120 §4.6.1). */
  #sweep(): void {
    const { clock, limits } = this.#parts
    const now = clock.now()
    for (const stream of [...this.#streams]) {
      const { session } = stream
      if (!session || now - stream.lastHeard < limits.idleTimeout) continue
      if (stream.askedAt === 0) {
        stream.askedAt = now
        const ping = el('iq', NS_CLIENT, { type: 'get' }, el('ping', 'urn:xmpp:ping'))
        session.send(Stanza.of(ping, Jid.of(undefined, session.jid.domain), session.jid, randomUUID()))
      } else if (now - stream.askedAt > PATIENCE) {
        stream.close(new StreamError('connection-timeout'))
      }
    }
  }
}
