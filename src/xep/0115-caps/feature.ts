// SPDX-License-Identifier: Apache-2.0
// XEP-0115: Entity Capabilities. Ours are told in the stream features. Those of our clients are learned from their presence:
// a hash that is not known yet is answered for by the client itself, and believed only if it is the hash of its answer.
import { type Feature, type FeatureContext, PASS } from '../../core/feature.ts'
import type { Router } from '../../core/router.ts'
import type { Session } from '../../core/session.ts'
import { type Element, el } from '../../xml/element.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { disclosedAt, infoElement, NS_INFO } from '../0030-disco.ts'
import { Contacts } from './contacts.ts'
import { hashOf, isUsable, keyOf, NS_CAPS as NS, provedBy } from './hash.ts'
import { Kinds } from './kinds.ts'

/** What we are called in our own hash (XEP-0115 §4). */
const NODE = 'urn:aenigma:server'

// Hangs on the session, so it is gone with it; a note of the server's would have to be handed to each feature that asks.
const notes = new WeakMap<Session, readonly string[]>()

/** The features that a client has, as far as they were learned and proved (XEP-0115 §5.4): `undefined` until then. */
export function capsOf(session: Session): readonly string[] | undefined {
  return notes.get(session)
}

const learners = new WeakMap<Router, Learner>()

/** Asks a client for what it has, once, if an earlier process knew it: a session survives a restart, what is in memory does not. */
export function learnCaps(router: Router, session: Session): undefined {
  learners.get(router)?.again(session)
}

const listeners = new WeakMap<Router, ((session: Session) => void)[]>()

/** Calls the listener whenever what `capsOf` says of a client of this server is known or no longer so. */
export function onCaps(router: Router, listener: (session: Session) => void): void {
  const known = listeners.get(router)
  if (known) known.push(listener)
  else listeners.set(router, [listener])
}

/** XEP-0115: Entity Capabilities. */
export const caps: Feature = {
  name: 'caps',
  implements: [{ xep: 115, version: '1.6.0', name: 'Entity Capabilities' }],
  setup(ctx) {
    const own = ownHash(ctx)
    const kinds = new Kinds()
    const learner = new Learner(ctx, kinds)
    const contacts = new Contacts(ctx, kinds)
    return {
      streamFeatures: ({ authenticated }) =>
        authenticated ? [el('c', NS, { hash: 'sha-1', node: NODE, ver: own() })] : [],
      only: { onSend: ['presence'], onReceive: ['presence'] },
      onSend(stanza, client) {
        if (stanza.kind === 'presence' && stanza.to === undefined) learner.heard(stanza, client)
        return PASS
      },
      onReceive(stanza, owner) {
        const { kind, from } = stanza
        if (kind === 'presence' && from && !ctx.hosts.has(from.domain)) contacts.heard(stanza, from, owner)
        return PASS
      },
      onAvailable: ({ account }) => contacts.asked(account),
      start() {
        contacts.start()
        learners.set(ctx.router, learner)
      },
      onEnd: (client) => learner.forget(client),
      disco: {
        server: { features: [NS] },
        info({ node, owner }) {
          if (owner.local !== undefined || node !== `${NODE}#${own()}`) return undefined
          return disclosedAt('server', ctx)
        },
      },
    }
  },
}

/** What clients have. */
class Learner {
  readonly #ctx: FeatureContext
  readonly #kinds: Kinds
  readonly #heard = new WeakSet<Session>()
  /** Who is being asked, and what it says it is by now. A client is asked one question at a time. */
  readonly #asked = new Map<Session, Element | undefined>()

  constructor(ctx: FeatureContext, kinds: Kinds) {
    this.#ctx = ctx
    this.#kinds = kinds
  }

  /** Presence that a client broadcasts; without `<c/>` what is known stays (XEP-0115 §8.4). */
  heard(stanza: Stanza, client: Session): void {
    this.#heard.add(client)
    if (stanza.type === 'unavailable') this.forget(client)
    const c = stanza.type === '' ? stanza.element.child('c', NS) : undefined
    if (!c || !isUsable(c)) return
    const known = this.#kinds.recall(keyOf(c))
    if (known) this.#note(client, known)
    else notes.delete(client)
    if (this.#asked.has(client)) this.#asked.set(client, known ? undefined : c)
    else if (!known) void this.#ask(client, c)
  }

  /** What its last presence says, unless it was heard by us. */
  again(client: Session): void {
    if (this.#heard.has(client) || !client.presence || !client.attached) return
    this.heard(client.presence, client)
  }

  /** The client is gone, or no longer there for others. An answer that may still come counts no more. */
  forget(client: Session): void {
    notes.delete(client)
    if (this.#asked.has(client)) this.#asked.set(client, undefined)
    this.#tell(client)
  }

  #note(client: Session, features: readonly string[]): void {
    notes.set(client, features)
    this.#tell(client)
  }

  #tell(client: Session): void {
    for (const listener of listeners.get(this.#ctx.router) ?? []) listener(client)
  }

  /** Each client answers for itself as long as nobody has proved the hash, so that none can keep another one waiting. */
  async #ask(client: Session, c: Element): Promise<void> {
    this.#asked.set(client, c)
    const query = el('query', NS_INFO, { node: `${c.attrs.node}#${c.attrs.ver}` })
    const answer = await this.#ctx.router.ask(Jid.parse(client.jid.domain), client.jid, 'get', query)
    const wanted = this.#asked.get(client)
    this.#asked.delete(client)
    if (!wanted) return
    if (keyOf(wanted) === keyOf(c)) this.#learn(client, c, answer)
    else void this.#ask(client, wanted)
  }

  #learn(client: Session, c: Element, answer: Stanza): void {
    const proved = provedBy(answer, c)
    if (!proved) return
    this.#note(client, proved.features)
    if (proved.ofAll) this.#kinds.remember(keyOf(c), proved.features)
  }
}

/** Our own hash, made anew when what it is made of has changed. */
function ownHash(ctx: FeatureContext): () => string {
  let text = ''
  let hash = ''
  return () => {
    const info = infoElement(disclosedAt('server', ctx))
    const now = info.contentXml()
    if (now !== text) hash = hashOf(info, 'sha-1') ?? ''
    text = now
    return hash
  }
}
