// SPDX-License-Identifier: Apache-2.0
// Who may begin a stream over HTTP, and what the links then work with.
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Admission } from '../net/admission.ts'
import type { Link } from '../stream/link.ts'
import type { ReaderLimits } from '../xml/reader.ts'
import type { Peer } from './exchange.ts'

/** Bounds, read anew each time. */
export interface WebLinkLimits {
  /** Bytes of the largest stanza that anybody may send. */
  readonly stanzaBytes: number
  readonly sendQueueBytes: number
  /** What one stream may send in a second, over some time (see `net/allowance.ts`). */
  readonly bytesPerSecond: number
  /** For streams that did not log in yet. */
  readonly reader: Partial<ReaderLimits>
}

/** What a doorman knows. */
export interface DoormanParts {
  readonly limits: WebLinkLimits
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
  /** Counts by network what came through proxies: their connections say nothing. */
  readonly admission: Admission
  readonly networkOf: (address: string) => string
  readonly accept: (link: Link) => void
}

/** Lets streams in. */
export class Doorman {
  readonly limits: WebLinkLimits
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
  readonly accept: (link: Link) => void
  readonly #parts: DoormanParts

  constructor(parts: DoormanParts) {
    this.limits = parts.limits
    this.clock = parts.clock
    this.metrics = parts.metrics
    this.log = parts.log
    this.accept = parts.accept
    this.#parts = parts
  }

  /** Why nobody may begin a stream from there, if so: others could read along (RFC 6120 §13.8.1; RFC 7395 §3.9). */
  refuses({ safe, proxied }: Peer): { readonly status: number; readonly why: string } | undefined {
    if (safe) return undefined
    const why = proxied ? 'The proxy did not say that this came over https (X-Forwarded-Proto).' : 'Use https.'
    return { status: 403, why }
  }

  /** Counts one more stream on a connection, which is counted itself unless it came through a proxy. @returns what to call at its end; undefined if there are too many */
  enters(peer: Peer): (() => void) | undefined {
    return peer.proxied ? this.entersWithout(peer) : () => undefined
  }

  /** Counts one more stream that has no connection of its own. @returns as `enters` */
  entersWithout({ address }: Peer): (() => void) | undefined {
    const { admission, networkOf } = this.#parts
    const network = networkOf(address)
    return admission.admit(network) ? undefined : () => admission.left(network)
  }
}
