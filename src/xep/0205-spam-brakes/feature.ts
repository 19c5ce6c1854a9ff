// SPDX-License-Identifier: Apache-2.0
// Brakes on strangers (XEP-0205 §3): whom an account does not know may send it a few messages and requests in an hour, and
// may not try all our accounts one after the other. Contacts, and whomever the account turned to, are never slowed.
import type { LocalAccount } from '../../core/directory.ts'
import { type Feature, type FeatureContext, type FeatureLimits, PASS, type Verdict } from '../../core/feature.ts'
import { seesUs } from '../../core/roster.ts'
import { NS_MAM } from '../../xmpp/0313-archive-queries.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { Allowances } from './allowances.ts'

/** Whom an account turned to is remembered while it is in memory: so many, then the first ones are forgotten. */
const ACQUAINTANCES_MAX = 1000
/** A whole domain of others, or everybody together at one account, may do so many times what one stranger may. */
const TOGETHER = 10

/** XEP-0205, as far as strangers are concerned. */
export const spamBrakes: Feature = {
  name: 'spam-brakes',
  implements: [
    {
      xep: 205,
      version: '1.0',
      name: 'Best Practices to Discourage Denial of Service Attacks',
      note: 'limits on connections, logins and sizes, and on what strangers send',
    },
  ],
  setup(ctx) {
    const brakes = new Brakes(ctx)
    return {
      only: { onReceive: ['message', 'presence'] },
      onSend: (stanza, { account }) => brakes.sent(stanza, account),
      onReceive: (stanza, owner) => brakes.received(stanza, owner),
    }
  },
}

/** What a stranger does. */
type Deed = 'message' | 'request'

/** What was used of one kind of allowance: at an account, by an account, by a domain that is none of ours. */
interface Used {
  readonly to: Allowances
  readonly from: Allowances
  readonly domain: Allowances
}

function used(): Used {
  return { to: new Allowances(), from: new Allowances(), domain: new Allowances() }
}

/** The allowances of strangers. */
class Brakes {
  readonly #ctx: FeatureContext
  readonly #acquaintances = new WeakMap<LocalAccount, Set<string>>()
  readonly #used: Readonly<Record<Deed, Used>> = { message: used(), request: used() }

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** Whoever is written to, asked for a subscription or for what it keeps, or shown presence may answer. */
  sent(stanza: Stanza, account: LocalAccount): Verdict {
    const { kind, type, to } = stanza
    if (!to || type === 'error' || type === 'unavailable' || type === 'unsubscribed') return PASS
    if (kind === 'iq' && !asksForMessages(stanza)) return PASS
    const { key } = to.bare
    // Here, where it is not looked up yet whether the addressee exists: nobody learns that by asking many.
    if (kind === 'presence' && type === 'subscribe' && !seesUs(account.roster.item(to.bare))) {
      const { limits, clock } = this.#ctx
      const now = clock.now()
      const { from } = this.#used.request
      if (!from.has(account.jid.key, limits.strangerRequestsPerHour, now)) return REFUSED.request
      from.use(account.jid.key, limits.strangerRequestsPerHour, now)
    }
    const known = this.#acquaintances.get(account)
    if (known?.has(key)) return PASS
    const names = known ?? new Set()
    if (!known) this.#acquaintances.set(account, names)
    names.add(key)
    if (names.size > ACQUAINTANCES_MAX) names.delete(names.values().next().value ?? key)
    return PASS
  }

  received(stanza: Stanza, owner: LocalAccount): Verdict {
    const deed = deedOf(stanza)
    const from = stanza.from?.bare
    if (!deed || !from || this.#isKnown(from, owner)) return PASS
    const { limits, clock, hosts } = this.#ctx
    const one = limitOf(deed, limits)
    const many = one * TOGETHER
    const now = clock.now()
    const used = this.#used[deed]
    const ours = hosts.has(from.domain)
    const counted = deed === 'message' || !ours // our users' requests: see `sent`
    if (!used.to.has(owner.jid.key, many, now)) return REFUSED[deed]
    if (counted && !used.from.has(from.key, one, now)) return REFUSED[deed]
    if (!ours && !used.domain.has(from.domain, many, now)) return REFUSED[deed]
    used.to.use(owner.jid.key, many, now)
    if (counted) used.from.use(from.key, one, now)
    if (!ours) used.domain.use(from.domain, many, now)
    return PASS
  }

  /** Our domains, the account itself, who stands in its roster, and whom it turned to. */
  #isKnown(from: Jid, owner: LocalAccount): boolean {
    if (this.#acquaintances.get(owner)?.has(from.key) || from.equals(owner.jid)) return true
    const { hosts, router } = this.#ctx
    if (from.local === undefined && (hosts.has(from.domain) || router.services.at(from.domain))) return true
    const item = owner.roster.item(from)
    return item !== undefined && (item.listed || item.approved || item.subscription !== 'none')
  }
}

/** What an archive has comes as messages (XEP-0313 §4.3), and so does what is subscribed to (XEP-0060 §6.1). */
function asksForMessages({ type, payload }: Stanza): boolean {
  return type === 'set' && (payload?.ns === NS_MAM || payload?.ns === 'http://jabber.org/protocol/pubsub')
}

/** What rooms send goes to full JIDs, which strangers do not know; to lose it because a room was forgotten would be worse. */
function deedOf({ kind, type }: Stanza): Deed | undefined {
  if (kind === 'message') return type === 'error' || type === 'groupchat' ? undefined : 'message'
  return kind === 'presence' && type === 'subscribe' ? 'request' : undefined
}

function limitOf(deed: Deed, limits: FeatureLimits): number {
  return deed === 'message' ? limits.strangerMessagesPerHour : limits.strangerRequestsPerHour
}

function refused(text: string): Verdict {
  return { stop: 'too much from strangers', error: new StanzaError('wait', 'policy-violation', text) }
}

const REFUSED: Readonly<Record<Deed, Verdict>> = {
  message: refused('Too many messages to people who do not know you; try again later.'),
  request: refused('Too many requests to people who do not know you; try again later.'),
}
