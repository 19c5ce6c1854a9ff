// SPDX-License-Identifier: Apache-2.0
// What administrators may ask about other servers: who is connected and how, what waits for whom, and how far one gets.

import * as v from 'valibot'
import { IN_WORDS } from '../config/explain.ts'
import type { Progress } from '../net/admin-socket.ts'

/** A stream to or from another server; times in ms since 1970. */
export interface FederationStream {
  /** Who opened it. */
  readonly direction: 'in' | 'out'
  /** The domain of who opened it, as far as it is known, and the other one. */
  readonly from: string | undefined
  readonly to: string | undefined
  /** Further domains of ours that send on it. */
  readonly also: readonly string[]
  /** Which domains of theirs were proved, and how. */
  readonly proved: readonly { readonly domain: string; readonly by: 'pkix' | 'dane' | 'dialback' }[]
  /** The version of TLS. */
  readonly tls: string | undefined
  /** Whether both sides send on it (XEP-0288). */
  readonly bidi: boolean
  /** Whether stanzas are acknowledged (XEP-0198), and how many of ours are not yet. */
  readonly acknowledged: boolean
  readonly unacknowledged: number
  readonly since: number
  readonly lastStanza: number
  /** Where it goes, if it was we who opened it. */
  readonly place: { readonly host: string; readonly port: number; readonly direct: boolean } | undefined
}

/** The way to another domain. */
export interface FederationRoute {
  readonly from: string
  readonly to: string
  readonly state: 'idle' | 'connecting' | 'open' | 'waiting'
  /** Stanzas that wait, and about how many bytes they are. */
  readonly queued: number
  readonly queuedBytes: number
  /** Why the last attempt failed, or the last stream broke, and when. */
  readonly lastError: { readonly why: string; readonly at: number } | undefined
}

/** Everything about other servers. */
export interface FederationInfo {
  readonly enabled: boolean
  readonly streams: readonly FederationStream[]
  readonly routes: readonly FederationRoute[]
}

/** One step on the way to another server. */
export interface FederationStep {
  readonly id: string
  readonly title: string
  /** `notable`: it works, but not as well as it could. */
  readonly result: 'passed' | 'failed' | 'notable' | 'skipped'
  /** What was seen. */
  readonly detail: string
  /** What to do about it. */
  readonly advice?: string | undefined
}

/** How far one gets on the way to another server, and whether that is far enough. */
export interface FederationReport {
  readonly domain: string
  /** Our domain. */
  readonly from: string
  readonly steps: readonly FederationStep[]
  readonly passed: boolean
}

/** What a test is asked for. */
export interface FederationQuestion {
  readonly domain: string
  /** Our domain; the first if it is not said. */
  readonly from?: string | undefined
  /** The way to ourselves, as others find us, without what takes two. */
  readonly self?: boolean | undefined
}

/** What can be done about other servers. */
export interface FederationControl {
  list(): FederationInfo
  /** Ends all streams with a domain. @returns how many there were */
  disconnect(domain: string): number
  /** Walks the whole way. Rejects with an AdminError for what is no domain. @param tell told of each step when it has been made */
  test(question: FederationQuestion, tell: (step: FederationStep) => void): Promise<FederationReport>
}

const one = v.object({ domain: v.string() })

/** The commands, as in `admin.ts`. */
export function federationCommands(federation: FederationControl) {
  return {
    federation: async (): Promise<FederationInfo> => federation.list(),
    async 'federation.disconnect'(args: unknown): Promise<{ readonly ended: number }> {
      return { ended: federation.disconnect(v.parse(one, args, IN_WORDS).domain) }
    },
    async 'federation.test'(args: unknown, progress: (progress: Progress) => void): Promise<FederationReport> {
      let done = 0
      return federation.test(
        v.parse(
          v.object({ ...one.entries, from: v.optional(v.string()), self: v.optional(v.boolean()) }),
          args,
          IN_WORDS,
        ),
        (step) => progress({ done: ++done, detail: step }),
      )
    },
  }
}
