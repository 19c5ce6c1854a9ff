// SPDX-License-Identifier: Apache-2.0
// XEP-0012: Last Activity. How long our domains have been up, and when an account was last there: for its owner, for
// contacts who may see its presence, and for administrators. How long somebody has been idle is for that client to say.
import type { LocalAccount } from '../core/directory.ts'
import { type Feature, type FeatureContext, type IqRequest, PASS, type Verdict } from '../core/feature.ts'
import { seesUs } from '../core/roster.ts'
import type { Session } from '../core/session.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'

const NS = 'jabber:iq:last'
/** So much of a status text is kept, in UTF-16 units. */
const STATUS_MAX = 1000

/** Where §3 and §4 have `forbidden`: that would tell strangers who has an account (RFC 6120 §8.3.3.19). */
const HIDDEN = new StanzaError('cancel', 'service-unavailable')

const REFUSED: Verdict = { stop: 'may not see the presence', error: HIDDEN }

/** XEP-0012: Last Activity. */
export const lastActivity: Feature = {
  name: 'last-activity',
  implements: [{ xep: 12, version: '2.0', name: 'Last Activity' }],
  setup(ctx) {
    let started = 0
    const last = new LastSeen(ctx)
    const uptime = (): Element => query(Math.floor((ctx.clock.now() - started) / 1000))
    return {
      iq: [
        { at: ['server'], type: 'get', ns: NS, name: 'query', answer: uptime },
        {
          at: ['account'],
          type: 'get',
          ns: NS,
          name: 'query',
          strangers: true,
          answer: (request) => last.answer(request),
        },
      ],
      only: { onSend: ['presence'], onReceive: ['iq'] },
      onSend: (stanza, client) => last.heard(stanza, client),
      onReceive: (stanza, account) => last.guard(stanza, account),
      onEnd: (client) => last.ended(client),
      disco: { server: { features: [NS] }, account: { features: [NS] } },
      start() {
        started = ctx.clock.now()
      },
    }
  },
}

/** Who was last there when. */
class LastSeen {
  readonly #ctx: FeatureContext
  /** What clients said when they became unavailable. */
  readonly #goodbyes = new WeakMap<Session, string>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** XEP-0012 §3. */
  async answer({ account, from, owner }: IqRequest): Promise<Element> {
    if (!account || !this.#maySee(from, account)) throw HIDDEN
    if (account.sessions.size > 0) return query(0)
    const { store, clock } = this.#ctx
    const found = await store.accounts.find(owner)
    if (found?.lastSeen === undefined) throw new StanzaError('cancel', 'item-not-found', 'Nobody was ever there.')
    return query(Math.max(0, Math.floor((clock.now() - found.lastSeen) / 1000)), found.lastStatus)
  }

  /** XEP-0012 §4: the question is not even delivered for somebody who may not see the presence. */
  guard(stanza: Stanza, account: LocalAccount): Verdict {
    if (stanza.kind !== 'iq' || stanza.type !== 'get' || stanza.to?.resource === undefined) return PASS
    if (stanza.payload?.ns !== NS || !stanza.from) return PASS
    const client = account.sessions.get(stanza.to.resource)
    return client?.directed.has(stanza.from.key) || this.#maySee(stanza.from, account) ? PASS : REFUSED
  }

  heard(stanza: Stanza, client: Session): Verdict {
    if (stanza.kind !== 'presence' || stanza.to !== undefined) return PASS
    const status = stanza.type === 'unavailable' ? stanza.element.childText('status') : undefined
    if (status) this.#goodbyes.set(client, status.slice(0, STATUS_MAX).toWellFormed())
    else if (stanza.type === '') this.#goodbyes.delete(client)
    return PASS
  }

  /** The last client of an account makes the time that is told. */
  ended(client: Session): void {
    const { account } = client
    const { store, clock, log } = this.#ctx
    if (account.sessions.size > 0) return
    store.accounts
      .seen(account.jid, clock.now(), this.#goodbyes.get(client))
      .catch((error: unknown) => log.error('end of a session not kept', { session: client.id, error }))
  }

  #maySee(from: Jid, { jid, roster }: LocalAccount): boolean {
    return from.bare.equals(jid) || seesUs(roster.item(from.bare)) || this.#ctx.isAdmin(from)
  }
}

function query(seconds: number, status?: string): Element {
  return el('query', NS, { seconds: String(seconds) }, status)
}
