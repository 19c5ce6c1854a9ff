// SPDX-License-Identifier: Apache-2.0
// Certificates for domains whose web site is elsewhere and whose zone nothing of ours may write to: one alias leads from where an
// authority looks to a zone that this server itself answers for.
import { createHash } from 'node:crypto'
import { domainToASCII } from 'node:url'
import type { Config } from '../config/config.ts'

/** The zone that has nothing but proofs; names are in A-labels. */
export interface Delegation {
  readonly zone: string
  /** Its name server: this machine. */
  readonly server: string
  /** Whether a domain and `*.` before it are proved, instead of each service. */
  readonly wildcard: boolean
}

/** What the configuration wants of it; undefined if domains are proved in another way. */
export function delegationOf({ acme, dns, hosts }: Pick<Config, 'acme' | 'dns' | 'hosts'>): Delegation | undefined {
  if (acme?.challenge !== 'delegated') return undefined
  const server = domainToASCII(dns.target ?? hosts[0] ?? '').toLowerCase()
  return server === '' ? undefined : { zone: `acme.${server}`, server, wildcard: acme.wildcard }
}

/** What a name is called in that zone: one label, whatever is in the name. */
export function delegatedLabel(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 16)
}

/** Whether `*.` before a domain stands for a name (RFC 6125 §6.4.3). */
export function isRightBelow(host: string, name: string): boolean {
  return name.endsWith(`.${host}`) && !name.slice(0, -host.length - 1).includes('.')
}
