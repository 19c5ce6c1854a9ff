// SPDX-License-Identifier: Apache-2.0
// How many connections one network may have, over all ways in together.
import type { Clock } from '../clock.ts'

/** Bounds, read anew each time. */
export interface AdmissionLimits {
  /** Open connections from one network (an IPv4 address, an IPv6 /64). */
  readonly connectionsPerAddress: number
  /** New connections from one network in a minute. */
  readonly connectionsPerMinute: number
}

/** Counts connections by network. */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #open = new Map<string, number>()
  readonly #recent = new Map<string, number>()

  constructor(limits: AdmissionLimits, clock: Clock) {
    this.#limits = limits
    clock.every(60_000, () => this.#recent.clear())
  }

  /** Lets one more in, unless there are too many or they come too often. @returns why not; undefined if it is in: call `left` once at its end */
  admit(network: string): 'too many' | 'too often' | undefined {
    const open = this.#open.get(network) ?? 0
    const recent = this.#recent.get(network) ?? 0
    this.#recent.set(network, recent + 1)
    if (open >= this.#limits.connectionsPerAddress) return 'too many'
    if (recent >= this.#limits.connectionsPerMinute) return 'too often'
    this.#open.set(network, open + 1)
    return undefined
  }

  /** One that was let in is gone. */
  left(network: string): void {
    const open = (this.#open.get(network) ?? 1) - 1
    if (open > 0) this.#open.set(network, open)
    else this.#open.delete(network)
  }
}
