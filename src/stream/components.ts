// SPDX-License-Identifier: Apache-2.0
// All components (XEP-0114): who is connected for which domain.
import type { Outside } from '../core/router.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { type ComponentParts, ComponentStream } from './component.ts'
import type { Link } from './link.ts'

/** The streams of components. */
export class Components implements Outside {
  readonly #parts: ComponentParts
  readonly #streams = new Set<ComponentStream>()
  readonly #connected = new Map<string, ComponentStream>()
  #closed = false

  constructor(parts: ComponentParts) {
    this.#parts = parts
  }

  has(domain: string): boolean {
    return this.#parts.components.has(domain)
  }

  domains(): Iterable<string> {
    return this.#parts.components.keys()
  }

  carry(stanza: Stanza): boolean {
    const stream = stanza.to && this.#connected.get(stanza.to.domain)
    stream?.send(stanza)
    return stream !== undefined
  }

  /** Takes over a new connection. */
  accept(link: Link): void {
    const stream = new ComponentStream(link, this.#parts, {
      joined: (joined, domain) => this.#joined(joined, domain),
      gone: (gone) => this.#gone(gone),
    })
    this.#streams.add(stream)
    if (this.#closed) stream.close(new StreamError('system-shutdown'))
  }

  /** Ends the streams that could not begin any more. */
  endGone(): void {
    for (const stream of [...this.#streams]) if (!stream.isKnown) stream.close(new StreamError('host-gone'))
  }

  /** Ends all streams. */
  close(): void {
    this.#closed = true
    for (const stream of [...this.#streams]) stream.close(new StreamError('system-shutdown'))
  }

  /** Whoever has the secret is the component; one that was there before is most likely itself, on a dead connection. */
  #joined(stream: ComponentStream, domain: string): void {
    const before = this.#connected.get(domain)
    this.#connected.set(domain, stream)
    before?.close(new StreamError('conflict', 'It has connected anew.'))
  }

  #gone(stream: ComponentStream): void {
    this.#streams.delete(stream)
    const { domain } = stream
    if (domain !== undefined && this.#connected.get(domain) === stream) this.#connected.delete(domain)
  }
}
