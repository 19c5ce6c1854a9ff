// SPDX-License-Identifier: Apache-2.0
// What the streams of clients are handed by `main.ts`.

import type { Throttle } from '../accounts/throttle.ts'
import type { Clock } from '../clock.ts'
import type { Directory } from '../core/directory.ts'
import type { Hooks } from '../core/feature.ts'
import type { Router } from '../core/router.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../store/store.ts'
import type { SaslLimits } from './login.ts'

/** Bounds for streams of clients. */
export interface ClientLimits {
  /** Bytes of a stanza after login. */
  readonly stanzaBytes: number
  readonly sessionsPerAccount: number
  /** From connecting to a bound resource, in ms. */
  readonly loginTimeout: number
  /** Silence after which a client is asked whether it is there, in ms. */
  readonly idleTimeout: number
}

/** Everything that a client's stream works with. */
export interface ClientParts {
  readonly hosts: ReadonlySet<string>
  /** Domains that other servers serve now, with where those can be reached; none of `hosts`. */
  readonly moved: ReadonlyMap<string, string>
  readonly limits: ClientLimits
  readonly sasl: SaslLimits
  readonly router: Router
  readonly directory: Directory
  readonly hooks: readonly Hooks[]
  readonly store: Store
  readonly throttle: Throttle
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}
