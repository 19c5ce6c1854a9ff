// SPDX-License-Identifier: Apache-2.0
// What a route needs of a stream that carries its stanzas, and what all of them tell about themselves.
import type { StreamError } from '../../xmpp/errors.ts'
import type { Place } from '../link.ts'
import type { ProvedBy } from './parts.ts'
import type { Parcel } from './queue.ts'

/** A stream that stanzas of ours go over. */
export interface Carrier {
  readonly hasRoom: boolean
  send(one: Parcel): void
  close(error?: StreamError): void
}

/** One stream, for administrators. */
export interface StreamInfo {
  /** Who opened it. */
  readonly direction: 'in' | 'out'
  /** The domain of who opened it, as far as it is known, and the other one. */
  readonly from: string | undefined
  readonly to: string | undefined
  /** Further domains of ours that send on it (XEP-0220 §2.6.1). */
  readonly also: readonly string[]
  /** Which domains of theirs were proved, and how. */
  readonly proved: readonly { readonly domain: string; readonly by: ProvedBy }[]
  /** The version of TLS, such as `TLSv1.3`; undefined without. */
  readonly tls: string | undefined
  /** Whether both sides send on it (XEP-0288). */
  readonly bidi: boolean
  /** Whether stanzas are acknowledged (XEP-0198), and how many of ours are not yet. */
  readonly acknowledged: boolean
  readonly unacknowledged: number
  /** ms since 1970. */
  readonly since: number
  readonly lastStanza: number
  /** Where it goes, if it was we who opened it. */
  readonly place: Place | undefined
}

/** The way to another domain, for administrators. */
export interface RouteInfo {
  readonly from: string
  readonly to: string
  readonly state: 'idle' | 'connecting' | 'open' | 'waiting'
  /** What waits to be sent. */
  readonly queued: number
  /** UTF-16 units of that. */
  readonly queuedBytes: number
  /** Why the last attempt failed, or the last stream broke, and when. */
  readonly lastError: { readonly why: string; readonly at: number } | undefined
}
