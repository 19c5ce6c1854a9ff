// SPDX-License-Identifier: Apache-2.0
// What the streams between servers are handed by `main.ts`.
import type { Clock } from '../../clock.ts'
import type { Router } from '../../core/router.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import type { Store } from '../../store/store.ts'
import type { Dialer } from '../link.ts'
import type { DialbackKeys } from './dialback-keys.ts'
import type { DialbackVerifier } from './dialback-verifier.ts'
import type { PaceLimits, Paces } from './pace.ts'

/** The namespace of what servers send each other (RFC 6120 §4.8.2); above a link it reads as `jabber:client`. */
export const NS_SERVER = 'jabber:server'

/** Bounds on what other servers can make grow; read anew each time, since a reload changes them. Times in ms. */
export interface ServerLimits extends PaceLimits {
  readonly stanzaBytes: number
  /** After this long without a stanza a stream is closed. */
  readonly idleTimeout: number
  /** What may wait for one pair of domains. */
  readonly queueStanzas: number
  readonly queueBytes: number
  readonly queueTime: number
  /** From looking a domain up to being able to send to it; and from a connection of theirs to a proved domain. */
  readonly connectTime: number
}

/** Whom we talk to, and what we ask of them. */
export interface Gate {
  /** Whether no domain is talked to at all. */
  readonly isOff?: boolean
  /** Why nothing goes to a domain and nothing is taken from it, for administrators. */
  refusal(domain: string): { readonly why: string } | undefined
  /** What proves that somebody answers for a domain. */
  trust(domain: string): 'certificate' | 'dialback'
  /** Whether one more stream of others is too much: of all, and of one domain. */
  full(all: number, ofDomain?: number): string | undefined
}

/** Everything that the streams between servers work with. */
export interface ServerStreamParts {
  readonly limits: ServerLimits
  readonly policy: Gate
  readonly dialer: Dialer
  /** Our keys of dialback. */
  readonly keys: DialbackKeys
  readonly router: Router
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** What streams share beside. */
export interface StreamParts extends ServerStreamParts {
  readonly verifier: DialbackVerifier
  readonly paces: Paces
  /** Domains of ours that look for themselves at this moment, each as often as it does: a stream from them may come so far, but bring nothing. */
  readonly tested: string[]
}

/** How a domain was proved. */
export type ProvedBy = 'pkix' | 'dane' | 'dialback'
