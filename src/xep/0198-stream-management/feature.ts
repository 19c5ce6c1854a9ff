// SPDX-License-Identifier: Apache-2.0
// XEP-0198: Stream Management. What we acknowledge is on disk; what a client did not acknowledge waits for it to come back, and
// when it does not, goes to the account's other clients, or to the next one.
import { type Feature, type FeatureContext, nonzaKey } from '../../core/feature.ts'
import type { Session } from '../../core/session.ts'
import type { StoredSession } from '../../store/store.ts'
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { restoreCarbons } from '../0280-carbons.ts'
import { Asker } from './asker.ts'
import { setCounted } from './counted.ts'
import { Journal } from './journal.ts'
import { Managed, NS, type Shared } from './managed.ts'
import { Moments } from './queue.ts'
import { revive } from './record.ts'
import { failed, Resumptions } from './resume.ts'

/** How often the log of what changes is made short, in ms. */
const TIDY_EVERY = 60_000
/** Stored sessions whose accounts are read together. */
const RESTORE_AT_ONCE = 100

/** XEP-0198: Stream Management. */
export const streamManagement: Feature = {
  name: 'stream-management',
  implements: [{ xep: 198, version: '1.6.3', name: 'Stream Management' }],
  setup(ctx) {
    const streams = new ManagedStreams(ctx)
    return {
      // Not where it is in use, after SASL2: some clients take that for an invitation to resume or enable once more.
      streamFeatures: ({ authenticated, session }) =>
        authenticated && !(session && streams.has(session)) ? [el('sm', NS)] : [],
      nonzas: {
        [nonzaKey(NS, 'enable')]: (element, client) => client.sendNonza(streams.enable(element, client)),
        [nonzaKey(NS, 'resume')]: (_, client) => client.sendNonza(failed('unexpected-request')),
        [nonzaKey(NS, 'r')]: (_, client) => streams.of(client).acknowledge(),
        [nonzaKey(NS, 'a')]: (element, client) => streams.of(client).acknowledged(element),
      },
      inline: {
        login: [el('sm', NS)],
        bind: [NS],
        onBind: { [nonzaKey(NS, 'enable')]: (element, client) => streams.enable(element, client) },
      },
      resume: (request) => streams.resumptions.resume(request),
      onAvailable: (client) => streams.moments.available(client),
      onEnd: (client) => streams.end(client),
      start: () => streams.start(),
      stop: () => streams.stop(),
    }
  },
}

/** All sessions whose stanzas are counted. */
class ManagedStreams {
  readonly moments = new Moments()
  readonly resumptions: Resumptions
  readonly #ctx: FeatureContext
  readonly #journal: Journal
  readonly #managed = new Map<Session, Managed>()
  readonly #asker: Asker
  #cancel: (() => void) | undefined

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
    this.#asker = new Asker(ctx.clock)
    this.resumptions = new Resumptions(ctx)
    this.#journal = new Journal(ctx, this.moments)
  }

  has(client: Session): boolean {
    return this.#managed.has(client)
  }

  of(client: Session): Managed {
    const known = this.#managed.get(client)
    if (!known) throw new StreamError('policy-violation', 'Stream management is not enabled.')
    return known
  }

  /** §3: once per session. @returns what the client is told; whatever is sent from now on counts */
  enable(element: Element, client: Session): Element {
    if (this.#managed.has(client)) return failed('unexpected-request')
    const offer = this.resumptions.offer(element)
    const attrs = offer && { id: offer.id, resume: 'true', max: String(Math.floor(offer.resume.timeout / 1000)) }
    const managed = new Managed(client, offer?.resume, this.#shared)
    this.#add(managed)
    this.#journal.begin(managed, false)
    return el('enabled', NS, attrs)
  }

  end(client: Session): void {
    const managed = this.#managed.get(client)
    if (!managed) return
    this.#managed.delete(client)
    this.resumptions.end(managed)
    managed.end()
    this.#journal.end(managed)
  }

  /** What an earlier process left goes on: nobody learns that it was gone. */
  async start(): Promise<void> {
    const all = await this.#ctx.store.sessions.all()
    for (let first = 0; first < all.length; first += RESTORE_AT_ONCE) {
      await Promise.all(all.slice(first, first + RESTORE_AT_ONCE).map((stored) => this.#restore(stored)))
    }
    this.#cancel = this.#ctx.clock.every(TIDY_EVERY, () => this.#journal.tidy())
  }

  /** What waits for a client is in the store, for the next process. */
  stop(): void {
    this.#cancel?.()
    this.#asker.stop()
    this.resumptions.stop()
  }

  get #shared(): Shared {
    return { ctx: this.#ctx, moments: this.moments, asker: this.#asker }
  }

  async #restore(stored: StoredSession): Promise<void> {
    const { directory, log, store } = this.#ctx
    try {
      const account = await directory.find(stored.owner)
      if (!account) return this.#journal.forget(stored.key)
      const { client, resume, before, availableSince, moment } = revive(stored, account)
      client.detach(() => directory.end(client))
      account.sessions.get(client.resource)?.close()
      this.moments.restore(client, availableSince, moment)
      const managed = new Managed(client, resume, this.#shared, before)
      directory.enter(client)
      restoreCarbons(client)
      this.#add(managed)
      this.#journal.begin(managed, true)
      this.resumptions.wait(managed)
      if ((await store.accounts.find(stored.owner))?.disabled) client.close()
    } catch (error) {
      log.error('session not restored', { error })
    }
  }

  #add(managed: Managed): void {
    this.#managed.set(managed.client, managed)
    setCounted(managed.client, managed)
    this.resumptions.add(managed)
  }
}
