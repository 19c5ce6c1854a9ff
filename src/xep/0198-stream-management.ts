// SPDX-License-Identifier: Apache-2.0
// XEP-0198: Stream Management, so far the acknowledgements. What we acknowledge is on disk; what a client did not acknowledge
// before it went is delivered to the account's other clients, or waits for the next one. Streams are not resumed yet.
import type { LocalAccount } from '../core/directory.ts'
import { type Feature, type FeatureContext, nonzaKey } from '../core/feature.ts'
import type { Session } from '../core/session.ts'
import { type Element, el } from '../xml/element.ts'
import { detach } from '../xml/intern.ts'
import { parseElement } from '../xml/reader.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { isCarbon } from './0280-carbons.ts'
import { keepingOf } from './0313-archive.ts'

const NS = 'urn:xmpp:sm:3'
/** After so many stanzas the client is asked what it has (asking for each one costs more than the stanzas). */
const ASK_AFTER = 10
/** How often clients that were sent less are asked, in ms. */
const ASK_EVERY = 2000
/** What a client may leave unacknowledged before it is cut off: stanzas, and UTF-16 units of messages. */
const UNACKNOWLEDGED_MAX = 10_000
const UNACKNOWLEDGED_TEXT = 8 * 1024 * 1024
/** Counters begin again after this (§4). */
const WRAP = 2 ** 32

// Hangs on the session, so it is gone with it; a note of the server's would have to be handed to each feature that asks.
const counted = new WeakSet<Session>()

/** Whether what is sent to this client comes back when it goes without having acknowledged it (§5). */
export function isCounted(client: Session): boolean {
  return counted.has(client)
}

/** A stanza that the client has not acknowledged; only of messages the text is kept. */
interface Unacknowledged {
  readonly xml: string | undefined
  /** When it was sent, as `Moments` counts. */
  readonly moment: number
}

/** An order of events that is finer than the clock. */
class Moments {
  #last = 0
  readonly #availableSince = new WeakMap<Session, number>()

  next(): number {
    return ++this.#last
  }

  /** The client became one that gets what is for the account (RFC 6121 §8.5.2.1). */
  available(client: Session): void {
    this.#availableSince.set(client, this.next())
  }

  /** Whether the client got what was sent to all clients of its account then. */
  wasAvailable(client: Session, moment: number): boolean {
    return (this.#availableSince.get(client) ?? Number.POSITIVE_INFINITY) <= moment
  }
}

/** XEP-0198: Stream Management. */
export const streamManagement: Feature = {
  name: 'stream-management',
  implements: [{ xep: 198, version: '1.6.3', name: 'Stream Management', note: 'acknowledgements; no resumption yet' }],
  setup(ctx) {
    const managed = new Map<Session, Managed>()
    const moments = new Moments()
    const ofStream = (client: Session): Managed => {
      const known = managed.get(client)
      if (!known) throw new StreamError('policy-violation', 'Stream management is not enabled.')
      return known
    }
    let cancel: (() => void) | undefined
    return {
      streamFeatures: ({ authenticated }) => (authenticated ? [el('sm', NS)] : []),
      nonzas: {
        [nonzaKey(NS, 'enable')]: (_, client) => {
          if (managed.has(client)) return client.sendNonza(failed('unexpected-request'))
          client.sendNonza(el('enabled', NS))
          managed.set(client, new Managed(client, ctx, moments))
          counted.add(client)
        },
        [nonzaKey(NS, 'resume')]: (_, client) => client.sendNonza(failed('feature-not-implemented')),
        [nonzaKey(NS, 'r')]: (_, client) => ofStream(client).acknowledge(),
        [nonzaKey(NS, 'a')]: (element, client) => ofStream(client).acknowledged(element),
      },
      inline: {
        bind: [NS],
        onBind: {
          [nonzaKey(NS, 'enable')]: (_, client) => {
            managed.set(client, new Managed(client, ctx, moments))
            counted.add(client)
            return el('enabled', NS)
          },
        },
      },
      onAvailable: (client) => moments.available(client),
      onEnd(client) {
        managed.get(client)?.end()
        managed.delete(client)
      },
      start() {
        cancel = ctx.clock.every(ASK_EVERY, () => {
          for (const one of managed.values()) one.askIfQuiet()
        })
      },
      stop: () => cancel?.(),
    }
  },
}

/** One stream whose stanzas are counted. */
class Managed {
  readonly #client: Session
  readonly #ctx: FeatureContext
  readonly #moments: Moments
  readonly #receivedBefore: number
  #queue: Unacknowledged[] = []
  /** Stanzas at the head of `#queue` that are acknowledged already. */
  #done = 0
  #text = 0
  #acknowledged = 0
  #unasked = 0

  constructor(client: Session, ctx: FeatureContext, moments: Moments) {
    this.#client = client
    this.#ctx = ctx
    this.#moments = moments
    this.#receivedBefore = client.received
    client.onSent = (stanza) => this.#sent(stanza)
  }

  /** Answers `<r/>`: the count as it is now, said once what it covers is on disk. A disk that fails ends the stream. */
  acknowledge(): void {
    const h = String((this.#client.received - this.#receivedBefore) % WRAP)
    const { store } = this.#ctx
    if (store.uncommitted === 0) {
      this.#client.sendNonza(el('a', NS, { h }))
      return
    }
    store.durable().then(
      () => this.#client.sendNonza(el('a', NS, { h })),
      () => this.#client.close(new StreamError('internal-server-error')),
    )
  }

  /** Takes an `<a/>`. Throws a stream error if the client claims more than it was sent (§4). */
  acknowledged({ attrs }: Element): void {
    const h = /^\d{1,10}$/.test(attrs.h ?? '') ? Number(attrs.h) : Number.NaN
    const more = (h - this.#acknowledged + WRAP) % WRAP
    const waiting = this.#queue.length - this.#done
    if (!(h < WRAP)) throw new StreamError('bad-format', 'An acknowledgement needs a count.')
    if (more > waiting) {
      const count = String((this.#acknowledged + waiting) % WRAP)
      const detail = el('handled-count-too-high', NS, { h: String(h), 'send-count': count })
      throw new StreamError('undefined-condition', 'More was acknowledged than was sent.', detail)
    }
    for (let index = this.#done; index < this.#done + more; index++) this.#text -= this.#queue[index]?.xml?.length ?? 0
    this.#done += more
    this.#acknowledged = h
    if (this.#done < 64 || this.#done < this.#queue.length / 2) return
    this.#queue = this.#queue.slice(this.#done)
    this.#done = 0
  }

  /** Asks what the client has, if something was sent since it was asked last. */
  askIfQuiet(): void {
    if (this.#unasked > 0) this.#ask()
  }

  /** The client is gone (§5): what it has not acknowledged is not lost. */
  end(): void {
    const { account } = this.#client
    const unacknowledged = this.#queue.slice(this.#done)
    this.#client.onSent = undefined
    this.#queue = []
    // Who was removed gets nothing any more, and the next one of that name must not get it.
    if (this.#ctx.directory.loaded(account.jid.key) !== account) return
    for (const { xml, moment } of unacknowledged) {
      if (xml === undefined) continue
      const message = Stanza.parse(parseElement(xml, NS_CLIENT))
      redeliver(message, account, (client) => this.#moments.wasAvailable(client, moment), this.#ctx)
    }
  }

  #sent(stanza: Stanza): void {
    const xml = stanza.kind === 'message' && stanza.type !== 'error' ? detach(stanza.xml(NS_CLIENT)) : undefined
    this.#queue.push({ xml, moment: this.#moments.next() })
    this.#text += xml?.length ?? 0
    this.#unasked++
    if (this.#unasked >= ASK_AFTER) this.#ask()
    if (this.#queue.length - this.#done <= UNACKNOWLEDGED_MAX && this.#text <= UNACKNOWLEDGED_TEXT) return
    this.#client.close(new StreamError('policy-violation', 'Too much is unacknowledged.'))
  }

  #ask(): void {
    this.#unasked = 0
    this.#client.sendNonza(el('r', NS))
  }
}

/**
 * To the other clients that can take it, unless they got it when it came; to the next one if there is none.
 * @param wasThere whether a client got what was for all of them then
 */
function redeliver(
  message: Stanza,
  account: LocalAccount,
  wasThere: (client: Session) => boolean,
  { router, store, log }: FeatureContext,
): void {
  const { from, to } = message
  if (!from || !to || isCarbon(message)) return
  let somebody = false
  for (const client of account.sessions.values()) {
    if ((client.priority ?? -1) < 0) continue
    somebody = true
    const hasIt = to.isBare && wasThere(client)
    if (!hasIt) void router.toClient(message, client)
  }
  const keeping = keepingOf(message)
  if (somebody || keeping === 'nothing') return
  const lost = (error: StanzaError): void => void router.refuse(message, error)
  if (keeping === 'deny') {
    // As for one that finds nobody: see `0160-offline.ts`.
    if (message.element.child('body')) lost(new StanzaError('cancel', 'service-unavailable'))
    return
  }
  store.messages.append({ xml: message.xml(NS_CLIENT), from, to, archiveFor: [], offlineFor: account.jid }, (error) => {
    log.error('unacknowledged message not kept', { error })
    lost(new StanzaError('wait', 'internal-server-error', 'The message could not be kept.'))
  })
}

function failed(condition: string): Element {
  return el('failed', NS, null, el(condition, 'urn:ietf:params:xml:ns:xmpp-stanzas'))
}
