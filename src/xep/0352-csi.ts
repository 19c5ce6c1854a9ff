// SPDX-License-Identifier: Apache-2.0
// XEP-0352: Client State Indication. While nobody looks at a client, presence, events and typing notices wait, and the later
// one replaces the earlier. Whatever matters goes at once, and with it all that must not be lost, and what its sender sent
// before (RFC 6120 §10.1); what others are doing still waits, which saves more than half of the bytes.

import * as v from 'valibot'
import { type Feature, type FeatureContext, nonzaKey, PASS, type Verdict } from '../core/feature.ts'
import type { Session } from '../core/session.ts'
import { type Element, el } from '../xml/element.ts'
import { detach } from '../xml/intern.ts'
import { parseElement } from '../xml/reader.ts'
import { type Importance, importanceOf } from '../xmpp/importance.ts'
import { NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { isCounted } from './0198-stream-management/counted.ts'

const NS = 'urn:xmpp:csi:0'
const NS_DELAY = 'urn:xmpp:delay'
/** What waits for one client at most: stanzas, and UTF-16 units with their keys. Beyond this it goes. */
const HELD_MAX = 500
const HELD_TEXT = 256 * 1024
/** What waited for longer, in ms, says since when (XEP-0203). */
const NOTABLE = 10_000
/** Who was writing so long ago, in ms, is not any more. */
const WRITING = 60_000

const HELD: Verdict = { keep: 'held until the client is active' }

/** A note about the session. It need not survive: new and resumed streams are active (§5.2). */
const inactive = new WeakMap<Session, Held>()

/** Whether a client said that nobody looks at it. */
export function isInactive(client: Session): boolean {
  return inactive.has(client)
}

/**
 * The client is active from now on, and gets what waits for it. Also for a stream that is resumed (§5.2), and for one that
 * breaks off and might be: then what waits goes into the queue that stream management keeps.
 */
export function becomeActive(client: Session): void {
  const held = inactive.get(client)
  inactive.delete(client)
  held?.releaseAll()
}

/** XEP-0352: Client State Indication. */
export const csi: Feature = {
  name: 'csi',
  implements: [{ xep: 352, version: '1.0.0', name: 'Client State Indication' }],
  options: {
    clientState: v.optional(
      v.pipe(
        v.picklist(['on', 'off']),
        v.metadata({
          description: 'Hold back presence, events and typing notices while nobody looks at a client.',
          kind: 'on, off',
        }),
      ),
      'on',
    ),
  },
  setup(ctx) {
    const becomeInactive = (client: Session): void => {
      if (ctx.options.clientState !== 'off' && !inactive.has(client)) inactive.set(client, new Held(client, ctx))
    }
    const onBind = (change: (client: Session) => void) => (_: Element, client: Session) => {
      change(client)
      return undefined
    }
    return {
      streamFeatures: ({ authenticated }) => (authenticated ? [el('csi', NS)] : []),
      nonzas: {
        [nonzaKey(NS, 'active')]: (_, client) => becomeActive(client),
        [nonzaKey(NS, 'inactive')]: (_, client) => becomeInactive(client),
      },
      inline: {
        bind: [NS],
        onBind: {
          [nonzaKey(NS, 'active')]: onBind(becomeActive),
          [nonzaKey(NS, 'inactive')]: onBind(becomeInactive),
        },
      },
      onDeliver: (stanza, client) => inactive.get(client)?.take(stanza) ?? PASS,
      // Nobody is there to read it, but stream management gets to know what it has to save.
      onEnd: becomeActive,
    }
  },
}

/** A stanza that waits. */
interface Waiting {
  readonly kind: Importance['kind']
  /** Whose it is: a bare JID. */
  readonly peer: string
  /** Whether it says that somebody is writing. */
  readonly writing: boolean
  /** Its text, in memory of its own: a stanza may keep alive all that came with it. */
  readonly xml: string
  /** In ms since 1970. */
  readonly since: number
}

/** What waits for one client. */
class Held {
  readonly #client: Session
  readonly #ctx: FeatureContext
  /** In the order in which they go. */
  readonly #waiting = new Map<string, Waiting>()
  #text = 0
  #patient = 0

  constructor(client: Session, ctx: FeatureContext) {
    this.#client = client
    this.#ctx = ctx
  }

  /** Keeps a stanza back, or lets it go after all that must go before it. */
  take(stanza: Stanza): Verdict {
    const importance = importanceOf(stanza)
    const peer = (stanza.from?.bare ?? this.#client.account.jid).key
    if (importance.kind === 'urgent' || (importance.kind === 'patient' && !this.#isSafe)) {
      this.#release(peer)
      return PASS
    }
    const xml = detach(stanza.xml(NS_CLIENT))
    const writing = importance.kind === 'typing' && importance.writing
    this.#hold('key' in importance ? detach(importance.key) : `patient ${++this.#patient}`, {
      kind: importance.kind,
      peer,
      writing,
      xml,
      since: this.#ctx.clock.now(),
    })
    return HELD
  }

  /** Sends everything but what was true only then. */
  releaseAll(): void {
    const old = this.#ctx.clock.now() - WRITING
    for (const one of this.#waiting.values()) if (!one.writing || one.since > old) this.#send(one)
    this.#waiting.clear()
    this.#text = 0
  }

  /** Whether what must not be lost may wait here: it comes back when the client goes, and there is a client to go. */
  get #isSafe(): boolean {
    return this.#client.attached && isCounted(this.#client)
  }

  /** Makes way for what matters. That somebody is writing is outdated then, and nobody has missed it. */
  #release(peer: string): void {
    for (const [key, one] of this.#waiting) {
      const goes = one.kind === 'patient' || (one.kind === 'state' && one.peer === peer)
      if (!goes && !one.writing) continue
      this.#drop(key, one)
      if (goes) this.#send(one)
    }
  }

  #hold(key: string, one: Waiting): void {
    const former = this.#waiting.get(key)
    if (former) this.#drop(key, former)
    this.#waiting.set(key, one)
    this.#text += key.length + one.xml.length
    if (this.#waiting.size > HELD_MAX || this.#text > HELD_TEXT) this.releaseAll()
  }

  #drop(key: string, { xml }: Waiting): void {
    this.#waiting.delete(key)
    this.#text -= key.length + xml.length
  }

  #send({ kind, xml, since }: Waiting): void {
    const element = parseElement(xml, NS_CLIENT)
    const waited = this.#ctx.clock.now() - since
    const stamped = kind !== 'typing' && waited >= NOTABLE && !element.child('delay', NS_DELAY)
    this.#client.send(Stanza.parse(stamped ? element.append(this.#delay(since)) : element))
  }

  #delay(since: number): Element {
    const stamp = new Date(since).toISOString()
    return el('delay', NS_DELAY, { from: this.#client.account.jid.domain, stamp })
  }
}
