// SPDX-License-Identifier: Apache-2.0
// Dialback as the receiving server, the half that looks outward (XEP-0220 §2.1.2): the server that DNS names for a domain is
// asked whether a key is its own, over streams that are for nothing else. Whoever is named is asked over one stream at a
// time, however many keys there are: nobody can make this server flood another one.
import type { Clock } from '../../clock.ts'
import { DialError, type Dialer } from '../link.ts'
import { type DialbackError, pairKey } from './dialback-words.ts'
import { type Verification, VerifyStream } from './verify-stream.ts'

/** Keys that may wait for answers, of all domains and of one. */
const PENDING_MAX = 1000
const PENDING_PER_DOMAIN = 50
/** How long a domain that could not be reached is not tried again, in ms. */
const REST = 10_000
/** How many of those are remembered. */
const RESTING_MAX = 1000

/** What became of a key. */
export type Verdict = 'valid' | 'invalid' | DialbackError

/** What verifying needs. */
export interface VerifierParts {
  readonly dialer: Dialer
  readonly clock: Clock
  /** Half of it, in ms, is for getting there, and half for the answer: whoever waits has as much altogether. */
  readonly limits: { readonly connectTime: number }
}

interface Asking {
  readonly stream: Promise<VerifyStream>
  pending: number
}

/** A key that somebody sent us. */
export interface Question extends Verification {
  /** Our domain, to which the stream goes. */
  readonly ours: string
  /** Whose key it is said to be. */
  readonly theirs: string
}

/** Asks authoritative servers. */
export class DialbackVerifier {
  readonly #parts: VerifierParts
  readonly #asking = new Map<string, Asking>()
  readonly #resting = new Map<string, { readonly error: DialbackError; readonly until: number }>()
  readonly #stopped = new AbortController()
  #pending = 0

  constructor(parts: VerifierParts) {
    this.#parts = parts
  }

  /** Whether a key is what it is said to be. Never rejects. */
  async verify({ ours, theirs, id, key }: Question): Promise<Verdict> {
    const resting = this.#resting.get(theirs)
    if (resting && resting.until > this.#parts.clock.now()) return resting.error
    const way = pairKey({ from: ours, to: theirs })
    const pending = this.#asking.get(way)?.pending ?? 0
    if (this.#pending >= PENDING_MAX || pending >= PENDING_PER_DOMAIN) return BUSY
    const asking = this.#asking.get(way) ?? this.#begin(way, ours, theirs)
    this.#pending++
    asking.pending++
    try {
      return await (await asking.stream).ask({ id, key })
    } catch (error) {
      return this.#failed(theirs, error)
    } finally {
      this.#pending--
      if (--asking.pending === 0) this.#end(way, asking)
    }
  }

  /** How many keys wait for an answer. */
  get pending(): number {
    return this.#pending
  }

  /** Asks nobody any more. */
  stop(): void {
    this.#stopped.abort()
    for (const { stream } of this.#asking.values()) closeOnce(stream)
  }

  #begin(way: string, ours: string, theirs: string): Asking {
    const { dialer, clock, limits } = this.#parts
    const late = new AbortController()
    const cancel = clock.after(limits.connectTime / 2, () => late.abort())
    const signal = AbortSignal.any([late.signal, this.#stopped.signal])
    const stream = VerifyStream.open({ dialer, clock, ours, theirs, time: limits.connectTime / 2, signal }).finally(
      cancel,
    )
    const asking: Asking = { stream, pending: 0 }
    this.#asking.set(way, asking)
    return asking
  }

  #end(way: string, asking: Asking): void {
    if (this.#asking.get(way) === asking) this.#asking.delete(way)
    closeOnce(asking.stream)
  }

  /** XEP-0220 §2.5: which errors of the way there become which for who waits. */
  #failed(theirs: string, error: unknown): DialbackError {
    const told = errorOf(error)
    if (this.#resting.size >= RESTING_MAX) {
      for (const oldest of this.#resting.keys()) {
        this.#resting.delete(oldest)
        break
      }
    }
    this.#resting.delete(theirs)
    this.#resting.set(theirs, { error: told, until: this.#parts.clock.now() + REST })
    return told
  }
}

const BUSY: DialbackError = {
  condition: 'resource-constraint',
  text: 'Too many keys are being verified; try again later.',
}

function errorOf(error: unknown): DialbackError {
  if (!(error instanceof DialError)) {
    return {
      condition: 'remote-server-timeout',
      text: 'The server of your domain did not tell whether the key is its own.',
    }
  }
  if (error.kind === 'no-such-domain' || error.kind === 'refused') {
    return { condition: 'remote-server-not-found', text: 'DNS names no server for your domain.' }
  }
  return {
    condition: 'remote-connection-failed',
    text: 'The server of your domain could not be reached, or not over TLS.',
  }
}

/** Ends a stream that is there, or that comes to be. */
function closeOnce(opening: Promise<VerifyStream>): void {
  opening.then(
    (stream) => stream.close(),
    () => undefined, // whoever waits for it is told
  )
}
