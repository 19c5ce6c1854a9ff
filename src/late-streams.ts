// SPDX-License-Identifier: Apache-2.0
// The streams between servers, which are loaded with the first stanza or connection of one, or for what an earlier process left.
import { createRequire } from 'node:module'
import type { OtherServers } from './server.ts'
import type { Link, MaybeAsync } from './stream/link.ts'
import type { ServerStreams } from './stream/s2s/federation.ts'
import { keep } from './stream/s2s/kept.ts'
import type { ServerStreamParts } from './stream/s2s/parts.ts'
import type { Stanza } from './xmpp/stanza.ts'

/** How long until what an earlier process left is asked for again, if the store could not say, in ms. */
const AGAIN = 5_000

/** Loads at once: stanzas keep their order, and a connection is never without somebody who listens to it. */
const require = createRequire(import.meta.url)

/** All streams between servers, once there is a reason to have any. */
export class LateStreams implements OtherServers {
  readonly parts: ServerStreamParts
  #made: ServerStreams | undefined
  /** Resolves when what an earlier process left has been read. */
  #begun: Promise<void> = Promise.resolve()
  #closed = false

  constructor(parts: ServerStreamParts) {
    this.parts = parts
  }

  get isOff(): boolean {
    return this.parts.policy.isOff === true
  }

  mayReach(domain: string): boolean {
    return this.parts.policy.refusal(domain) === undefined
  }

  async start(): Promise<void> {
    const [left] = await this.parts.store.outbox.page(0, 1)
    if (!left) return
    void this.#streams // somebody may have needed them already
    await this.#begun
  }

  carry(stanza: Stanza): MaybeAsync<void> {
    if (this.#made || !this.#closed) return this.#streams.carry(stanza)
    const { from, to } = stanza
    if (from && to) keep(this.parts, stanza, { ours: from.domain, theirs: to.domain })
  }

  accept(link: Link): void {
    if (this.#made || !this.#closed) this.#streams.accept(link)
    else link.close()
  }

  endRefused(): void {
    this.#made?.endRefused()
  }

  /** As in `StreamParts`. */
  get tested(): string[] {
    return this.#streams.parts.tested
  }

  /** As `ServerStreams`. */
  list(): ReturnType<ServerStreams['list']> {
    return this.#made?.list() ?? { streams: [], routes: [] }
  }

  /** As `ServerStreams`. */
  disconnect(domain: string): number {
    return this.#made?.disconnect(domain) ?? 0
  }

  /** From then on what comes is kept for the next process. Nothing is loaded any more: an upgrade may have taken the files away. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#made?.close()
  }

  get #streams(): ServerStreams {
    if (this.#made) return this.#made
    const { ServerStreams } = require('./stream/s2s/federation.ts') as typeof import('./stream/s2s/federation.ts')
    this.#made = new ServerStreams(this.parts)
    this.#begun = this.#begin(this.#made)
    return this.#made
  }

  /** Until it has been read, messages only wait: a store that fails for a moment must not make that for good. Never rejects. */
  async #begin(made: ServerStreams): Promise<void> {
    const { clock, log } = this.parts
    while (!this.#closed) {
      try {
        return await made.start()
      } catch (error) {
        log.error('outbox not read', { error })
        await new Promise<void>((resolve) => clock.after(AGAIN, resolve))
      }
    }
  }
}
