// SPDX-License-Identifier: Apache-2.0
// Guessing passwords made slow without locking anybody out (RFC 6120 §13.12; DESIGN section 8). Failures are counted per
// network, per account, and per account and network together. Only the first and the last ever refuse; what strangers do to
// an account makes other strangers wait, and never those who logged in from the same network before.
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'

/** How many failures count as many (RFC 6120 §6.4.5 asks for a limit on retries). */
export interface ThrottleLimits {
  /** Failures of one network, over all accounts, until it is refused; one is forgiven every 10 seconds. */
  readonly network: number
  /** Failures of one network on one account until it is refused there; one is forgiven every minute. */
  readonly pair: number
  /** Failures on one account, from anywhere, until strangers wait for its answers; one is forgiven every 30 seconds. */
  readonly account: number
  /** Entries of each kind that are remembered; the longest unused go first. */
  readonly entries: number
}

/** Enough for a family that mistypes, too little to guess. */
export const DEFAULT_LIMITS: ThrottleLimits = { network: 50, pair: 10, account: 10, entries: 16_384 }

/** An owner behind the same address as a guesser may fail this many times more before being refused. */
const FAMILIAR_FACTOR = 10
/** The longest wait before an answer, in ms. */
const MAX_DELAY = 8000
const FIRST_DELAY = 250
/** Longer keys are hashed, so that an entry is small whatever a peer calls itself. */
const MAX_KEY = 128

/** Failed logins, and what follows from them (DESIGN section 8). */
export class Throttle {
  readonly #limits: ThrottleLimits
  readonly #networks: Leaking
  readonly #pairs: Leaking
  readonly #accounts: Leaking
  /** Pairs that logged in, the longest ago first. */
  readonly #familiar = new Set<string>()

  constructor(clock: Clock, limits: ThrottleLimits = DEFAULT_LIMITS) {
    this.#limits = limits
    this.#networks = new Leaking(clock, 10_000, limits.entries)
    this.#pairs = new Leaking(clock, 60_000, limits.entries)
    this.#accounts = new Leaking(clock, 30_000, limits.entries)
  }

  /**
   * How long to wait, in ms, before an attempt is answered; the same for right and wrong passwords, known and unknown
   * accounts. Ask before the attempt is checked, and ask `refused` again after the wait.
   */
  delayBefore(account: string, address: string): number {
    const [name, network, pair] = keys(account, address)
    const own = doubling(this.#pairs.level(pair))
    if (this.#familiar.has(pair)) return own
    const strangers = doubling(this.#accounts.level(name) - this.#limits.account)
    return Math.max(own, strangers, doubling(this.#networks.level(network) - this.#limits.network / 2))
  }

  /** Whether an attempt is not even looked at: answer `temporary-auth-failure` (RFC 6120 §6.5.11). */
  refused(account: string, address: string): boolean {
    const [, network, pair] = keys(account, address)
    if (this.#familiar.has(pair)) return this.#pairs.level(pair) >= this.#limits.pair * FAMILIAR_FACTOR
    return this.#pairs.level(pair) >= this.#limits.pair || this.#networks.level(network) >= this.#limits.network
  }

  /** Counts a failed login. */
  failed(account: string, address: string): void {
    const [name, network, pair] = keys(account, address)
    this.#pairs.add(pair)
    this.#networks.add(network)
    this.#accounts.add(name)
  }

  /** Notes a login: this network is familiar to this account, and its failures there are forgiven. */
  succeeded(account: string, address: string): void {
    const [, , pair] = keys(account, address)
    this.#pairs.forget(pair)
    this.#familiar.delete(pair)
    if (this.#familiar.size >= this.#limits.entries) {
      for (const oldest of this.#familiar) {
        this.#familiar.delete(oldest)
        break
      }
    }
    this.#familiar.add(pair)
  }

  /** How many entries are held at this moment, all kinds together (for the metrics). */
  get size(): number {
    return this.#networks.size + this.#pairs.size + this.#accounts.size + this.#familiar.size
  }
}

/** How Tor writes the circuits to our onion service as addresses (`net/onion-port.ts`). */
const CIRCUITS = 'fc00:dead:beef:4dad'

/**
 * The network an address belongs to: for IPv6 its /64, which is what one customer has at least (RFC 6177 §2); IPv4 as it
 * is, also when it is written as IPv6 (RFC 4291 §2.5.5.2). A circuit of Tor is one by itself.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1] !== undefined) return mapped[1]
  if (!address.includes(':')) return address
  const plain = address.replace(/%.*$/, '').replace(/[\d.]+\.\d+$/, '0:0')
  const [head = '', tail] = plain.split('::')
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  const all = tail === undefined ? before : [...before, ...zeros, ...after]
  const network = all.slice(0, 4).join(':')
  return network === CIRCUITS ? all.join(':') : `${network}::/64`
}

function groups(text: string): readonly string[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16).toString(16))
}

/** The keys of an account, a network, and both together. */
function keys(account: string, address: string): readonly [string, string, string] {
  const network = networkOf(address)
  return [short(account), short(network), short(`${network} ${account}`)]
}

function short(key: string): string {
  return key.length > MAX_KEY ? createHash('sha256').update(key).digest('base64') : key
}

function doubling(level: number): number {
  return level < 1 ? 0 : Math.min(MAX_DELAY, FIRST_DELAY * 2 ** (level - 1))
}

/** Counters that leak: each loses one in a fixed time. Bounded: the one that is longest unchanged goes first. */
class Leaking {
  readonly #clock: Clock
  readonly #msPerUnit: number
  readonly #most: number
  /** A counter is kept as the moment at which it will be empty again. */
  readonly #emptyAt = new Map<string, number>()

  constructor(clock: Clock, msPerUnit: number, most: number) {
    this.#clock = clock
    this.#msPerUnit = msPerUnit
    this.#most = most
  }

  get size(): number {
    return this.#emptyAt.size
  }

  /** How many are counted at this moment, the one that is just leaking away included. */
  level(key: string): number {
    return Math.ceil(this.#exact(key))
  }

  #exact(key: string): number {
    const emptyAt = this.#emptyAt.get(key)
    if (emptyAt === undefined) return 0
    const left = (emptyAt - this.#clock.now()) / this.#msPerUnit
    if (left <= 0) this.#emptyAt.delete(key)
    return Math.max(0, left)
  }

  add(key: string): void {
    const level = this.#exact(key)
    this.#emptyAt.delete(key)
    if (this.#emptyAt.size >= this.#most) this.#evict()
    this.#emptyAt.set(key, this.#clock.now() + (level + 1) * this.#msPerUnit)
  }

  forget(key: string): void {
    this.#emptyAt.delete(key)
  }

  #evict(): void {
    for (const [oldest] of this.#emptyAt) {
      this.#emptyAt.delete(oldest)
      return
    }
  }
}
