// SPDX-License-Identifier: Apache-2.0
// What the rest of the program wants to know of the DNS.

/** Records, none of which means that there is no such name or nothing of that kind there. */
export interface Answer<T> {
  readonly records: readonly T[]
  /** Validated by DNSSEC, by a resolver whose word we take (RFC 4035 §4.9.3). */
  readonly secure: boolean
}

/** RFC 2782. */
export interface Srv {
  readonly priority: number
  readonly weight: number
  readonly port: number
  /** `.` says that the service does not exist. */
  readonly target: string
}

/** RFC 6698 §2.1. */
export interface Tlsa {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly data: Buffer
}

/** Asks the DNS. Each rejects with a `DnsError`. */
export interface Resolver {
  srv(name: string): Promise<Answer<Srv>>
  /** IPv6 and IPv4 addresses. */
  addresses(host: string): Promise<Answer<string>>
  tlsa(name: string): Promise<Answer<Tlsa>>
}

/** The DNS did not answer (`timeout`) or could not say (`failed`). */
export class DnsError extends Error {
  override readonly name = 'DnsError'
  readonly kind: 'timeout' | 'failed'

  constructor(kind: 'timeout' | 'failed', message: string) {
    super(message)
    this.kind = kind
  }
}
