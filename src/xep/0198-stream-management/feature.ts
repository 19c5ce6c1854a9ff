// SPDX-License-Identifier: Apache-2.0
// XEP-0198: Stream Management. What we acknowledge is on disk; what a client did not acknowledge waits for it to come back, and
// when it does not, goes to the account's other clients, or to the next one.
import { type Feature, type FeatureContext, nonzaKey } from '../../core/feature.ts'
import type { Session } from '../../core/session.ts'
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { Managed, NS } from './managed.ts'
import { Moments } from './queue.ts'
import { failed, Resumptions } from './resume.ts'

/** How often clients that were sent little are asked what they have, in ms. */
const ASK_EVERY = 2000

// Hangs on the session, so it is gone with it; a note of the server's would have to be handed to each feature that asks.
const counted = new WeakSet<Session>()

/** Whether what is sent to this client comes back when it goes without having acknowledged it (§5). */
export function isCounted(client: Session): boolean {
  return counted.has(client)
}

/** XEP-0198: Stream Management. */
export const streamManagement: Feature = {
  name: 'stream-management',
  implements: [{ xep: 198, version: '1.6.3', name: 'Stream Management' }],
  setup(ctx) {
    const streams = new ManagedStreams(ctx)
    return {
      streamFeatures: ({ authenticated }) => (authenticated ? [el('sm', NS)] : []),
      nonzas: {
        [nonzaKey(NS, 'enable')]: (element, client) => streams.enable(element, client),
        [nonzaKey(NS, 'resume')]: (_, client) => client.sendNonza(failed('unexpected-request')),
        [nonzaKey(NS, 'r')]: (_, client) => streams.of(client).acknowledge(),
        [nonzaKey(NS, 'a')]: (element, client) => streams.of(client).acknowledged(element),
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
  readonly #managed = new Map<Session, Managed>()
  #cancel: (() => void) | undefined

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
    this.resumptions = new Resumptions(ctx)
  }

  of(client: Session): Managed {
    const known = this.#managed.get(client)
    if (!known) throw new StreamError('policy-violation', 'Stream management is not enabled.')
    return known
  }

  /** §3: once per session. */
  enable(element: Element, client: Session): void {
    if (this.#managed.has(client)) {
      client.sendNonza(failed('unexpected-request'))
      return
    }
    const offer = this.resumptions.offer(element)
    const attrs = offer && { id: offer.id, resume: 'true', max: String(Math.floor(offer.resume.timeout / 1000)) }
    client.sendNonza(el('enabled', NS, attrs))
    this.#add(new Managed(client, offer?.resume, this.#ctx, this.moments))
  }

  end(client: Session): void {
    const managed = this.#managed.get(client)
    if (!managed) return
    this.#managed.delete(client)
    this.resumptions.end(managed)
    managed.end()
  }

  start(): void {
    this.#cancel = this.#ctx.clock.every(ASK_EVERY, () => {
      for (const one of this.#managed.values()) one.askIfQuiet()
    })
  }

  /** What waits for a client that cannot come back to this process any more is not lost. */
  stop(): void {
    this.#cancel?.()
    this.resumptions.stop()
    for (const { client } of [...this.#managed.values()]) client.close()
  }

  #add(managed: Managed): void {
    this.#managed.set(managed.client, managed)
    counted.add(managed.client)
    this.resumptions.add(managed)
  }
}
