// SPDX-License-Identifier: Apache-2.0
// Which other domains this server talks to, and how they must prove who they are. Decisions only: whoever keeps the streams
// asks, and asks again of all of them after a reload.
import { DomainList } from './domain-list.ts'

/** What the configuration says about other servers; read anew each time, since a reload changes it. */
export interface FederationRules {
  readonly enabled: boolean
  readonly trust: 'certificate' | 'dialback'
  /** Here and in the two below, a domain, or `*.` and one. */
  readonly trustDialback: readonly string[]
  readonly allow: readonly string[]
  readonly block: readonly string[]
  readonly streams: number
  readonly streamsPerDomain: number
}

/** What a prepared domain looks like that is an IP address. */
const ADDRESS = /^\[|^[\d.]+$/

/** Why a domain is not talked to. */
export interface Refusal {
  readonly kind: 'disabled' | 'no-name' | 'blocked' | 'not-allowed'
  /** In plain words, for the administrator; peers are told less. */
  readonly why: string
}

/** Why there may be no more streams. */
export type Full = 'streams' | 'streamsPerDomain'

/** The decisions. */
export class Policy {
  readonly #rules: FederationRules
  #allow: Compiled
  #block: Compiled
  #trusted: Compiled

  constructor(rules: FederationRules) {
    this.#rules = rules
    this.#allow = compiled(rules.allow)
    this.#block = compiled(rules.block, true)
    this.#trusted = compiled(rules.trustDialback)
  }

  /** Whether no domain is talked to at all. */
  get isOff(): boolean {
    return !this.#rules.enabled
  }

  /** Why nothing goes to a domain and nothing is taken from it; undefined if it is talked to. @param domain prepared (RFC 7622 §3.2) */
  refusal(domain: string): Refusal | undefined {
    const { enabled } = this.#rules
    if (!enabled) return { kind: 'disabled', why: 'Federation is off: `federation.enabled` is false.' }
    if (ADDRESS.test(domain)) {
      return { kind: 'no-name', why: 'This is an address, not a name: nothing can prove who answers for it.' }
    }
    if (this.#blocked.has(domain)) return { kind: 'blocked', why: 'It is blocked by `federation.block`.' }
    const allowed = this.#allowed
    if (allowed.isEmpty || allowed.has(domain)) return undefined
    return { kind: 'not-allowed', why: 'Only domains in `federation.allow` are talked to, and it is not among them.' }
  }

  /** Whether anything may go to a domain. @param domain prepared */
  mayReach(domain: string): boolean {
    return this.refusal(domain) === undefined
  }

  /** What proves that somebody answers for a domain: a certificate (PKIX or DANE) alone, or dialback as well. @param domain prepared */
  trust(domain: string): 'certificate' | 'dialback' {
    // An onion service's name is its key: whoever answers there is the right one (RFC 7686), and dialback asks there.
    if (this.#rules.trust === 'dialback' || domain.endsWith('.onion')) return 'dialback'
    this.#trusted = fresh(this.#trusted, this.#rules.trustDialback)
    return this.#trusted.list.has(domain) ? 'dialback' : 'certificate'
  }

  /** Whether one more stream of others is too much. @param all how many there are; @param ofDomain those of its domain, if that is known */
  full(all: number, ofDomain = 0): Full | undefined {
    if (all >= this.#rules.streams) return 'streams'
    return ofDomain >= this.#rules.streamsPerDomain ? 'streamsPerDomain' : undefined
  }

  get #blocked(): DomainList {
    this.#block = fresh(this.#block, this.#rules.block, true)
    return this.#block.list
  }

  get #allowed(): DomainList {
    this.#allow = fresh(this.#allow, this.#rules.allow)
    return this.#allow.list
  }
}

/** A list of the configuration, as it was last seen. */
interface Compiled {
  readonly of: readonly string[]
  readonly list: DomainList
}

function compiled(entries: readonly string[], deep = false): Compiled {
  return { of: entries, list: new DomainList(entries, deep) }
}

/** A reload brings another array. */
function fresh(before: Compiled, entries: readonly string[], deep = false): Compiled {
  return before.of === entries ? before : compiled(entries, deep)
}
