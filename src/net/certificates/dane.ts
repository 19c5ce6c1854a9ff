// SPDX-License-Identifier: Apache-2.0
// Certificates that the DNS announces for a server (DANE, RFC 6698, RFC 7671), found by way of its SRV records (RFC 7673).
// Only what DNSSEC vouches for counts, from the domain to the place and from the place to the certificate.
import { createHash } from 'node:crypto'
import type { Place } from '../../stream/link.ts'
import type { Resolver, Tlsa } from '../dns/resolver.ts'
import type { Certificate } from './certificate.ts'

/** RFC 7218 §2.1. */
export const USAGE = { pkixTa: 0, pkixEe: 1, daneTa: 2, daneEe: 3 } as const

/** How long the data of a record is by how it is matched; what is matched as it is has any length. */
const LENGTHS: Readonly<Record<number, number | undefined>> = { 1: 32, 2: 64 }
const HASHES: Readonly<Record<number, string>> = { 1: 'sha256', 2: 'sha512' }

/** What is announced for a place that can be used; none if it cannot be trusted. Rejects with a `DnsError`. */
export async function announcedAt(place: Place, resolver: Resolver): Promise<readonly Tlsa[]> {
  if (!place.secure) return [] // RFC 7673 §3.1
  const { records, secure } = await resolver.tlsa(`_${place.port}._tcp.${place.host}`)
  return secure ? records.filter(isUsable) : []
}

/** Whether a record is about this certificate (RFC 6698 §2.1.2-4). */
export function isAbout({ selector, matching, data }: Tlsa, { x509, publicKey }: Certificate): boolean {
  const selected = selector === 0 ? x509.raw : publicKey
  const hash = HASHES[matching]
  return data.equals(hash === undefined ? selected : createHash(hash).update(selected).digest())
}

/** What we do not know is as if it were not there (RFC 7671 §4.1). */
function isUsable({ usage, selector, matching, data }: Tlsa): boolean {
  if (usage < 0 || usage > 3 || selector < 0 || selector > 1 || matching < 0 || matching > 2) return false
  return data.length > 0 && data.length === (LENGTHS[matching] ?? data.length)
}
