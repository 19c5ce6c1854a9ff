// SPDX-License-Identifier: Apache-2.0
// One attempt to get a stream to another server: its turn, the lookup, the connection, the negotiation, all in a limited time.
import type { Cancel } from '../../clock.ts'
import type { StreamError } from '../../xmpp/errors.ts'
import type { Dialed } from '../link.ts'
import type { PingAnswer } from './acks.ts'
import { failureOf, StreamFailure } from './failure.ts'
import { discard, OutStream, type Pair } from './out.ts'
import type { StreamParts } from './parts.ts'
import type { Parcel } from './queue.ts'

/** What an attempt needs beside the parts of streams. */
export interface AttemptOwner {
  readonly parts: StreamParts
  /** Waits for its turn to connect: not all may at once. @returns ends the turn, which may not have come yet */
  turn(begin: () => void): () => void
}

/** What becomes of an attempt. */
export interface Outcome {
  ready(stream: OutStream): void
  failed(failure: StreamFailure): void
  has(parcels: readonly Parcel[]): void
  lost(stream: OutStream, unacknowledged: readonly Parcel[], failure: StreamFailure | undefined): void
  ping(): Promise<PingAnswer>
}

/** One attempt to get a stream: its turn, the lookup, the connection, the negotiation. */
export class Attempt {
  readonly #pair: Pair
  readonly #owner: AttemptOwner
  readonly #outcome: Outcome
  readonly #dialling = new AbortController()
  #endTurn: (() => void) | undefined
  #cancelTimeout: Cancel | undefined
  #over = false
  /** Once there is a connection. */
  stream: OutStream | undefined

  constructor(pair: Pair, owner: AttemptOwner, outcome: Outcome) {
    this.#pair = pair
    this.#owner = owner
    this.#outcome = outcome
  }

  begin(): void {
    this.#endTurn = this.#owner.turn(() => this.#dial())
  }

  /** It is not wanted any more. */
  end(error?: StreamError): void {
    if (this.#finish()) this.stream?.close(error)
  }

  #dial(): void {
    const { clock, limits, dialer } = this.#owner.parts
    const { ours, theirs } = this.#pair
    this.#cancelTimeout = clock.after(limits.connectTime, () =>
      this.#fail(new StreamFailure('unreachable', 'The other server took too long to let us in.')),
    )
    dialer.dial(ours, theirs, this.#dialling.signal).then(
      (dialed) => this.#connected(dialed),
      (error: unknown) => this.#fail(failureOf(error)),
    )
  }

  #connected(dialed: Dialed): void {
    if (this.#over) {
      discard(dialed)
      return
    }
    this.stream = new OutStream(dialed, this.#pair, this.#owner.parts, {
      ready: (stream) => {
        if (this.#finish()) this.#outcome.ready(stream)
      },
      has: (parcels) => this.#outcome.has(parcels),
      ping: () => this.#outcome.ping(),
      ended: (stream, unacknowledged, failure) => {
        if (this.#finish()) this.#outcome.failed(failure ?? new StreamFailure('lost', UNFINISHED))
        else this.#outcome.lost(stream, unacknowledged, failure)
      },
    })
  }

  #fail(failure: StreamFailure): void {
    if (!this.#finish()) return
    this.stream?.close()
    this.#outcome.failed(failure)
  }

  /** @returns false if it is over already */
  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#cancelTimeout?.()
    this.#dialling.abort()
    this.#endTurn?.()
    return true
  }
}

/** Why one that ended in peace is no success. */
export const UNFINISHED = 'It ended before it had taken everything.'
