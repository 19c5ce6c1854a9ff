// SPDX-License-Identifier: Apache-2.0
// The DNS of one instance: what its records are to be, and how they are.
import { createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { systemClock } from '../clock.ts'
import type { Address, Config } from '../config/config.ts'
import { Authoritative } from '../net/authoritative.ts'
import { publicAddresses } from '../net/public-addresses.ts'
import { DnsResolver } from '../net/resolver.ts'
import { checkHost, type HostDns } from './dns-check.ts'
import { type DnsWish, type HostRecords, type Issuer, recordsFor } from './dns-records.ts'

/** What somebody says beside the configuration. */
export interface DnsRequest {
  readonly addresses?: readonly string[]
  /** The name servers to ask, instead of those that the DNS names. */
  readonly servers?: readonly Address[]
  /** Only this domain. */
  readonly host?: string
}

/** The records of each domain with how they are. */
export interface Checked {
  readonly records: HostRecords
  readonly dns: HostDns
}

/** The addresses of this machine as others see it: as somebody said, as the configuration says, or its own. */
export function ownAddresses(config: Pick<Config, 'dns'>, given: readonly string[] = []): readonly string[] {
  if (given.length > 0) return given
  return config.dns.addresses.length > 0 ? config.dns.addresses : publicAddresses()
}

/** The records, without looking. No keys are announced, since nobody knows whether the zone is signed. */
export function wantedRecords(config: Config, request: DnsRequest = {}): readonly HostRecords[] {
  return ofHost(recordsFor(wishOf(config, request)), request)
}

function wishOf(config: Config, { addresses }: DnsRequest): DnsWish {
  const common = { config, addresses: ownAddresses(config, addresses), target: config.dns.target }
  return { ...common, issuers: issuersOf(config) }
}

/** What authorities call themselves in CAA records, by the host of their directory. */
const ISSUERS: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)letsencrypt\.org$/, 'letsencrypt.org'],
  [/(^|\.)zerossl\.com$/, 'sectigo.com'],
  [/(^|\.)buypass\.com$/, 'buypass.com'],
  [/(^|\.)pki\.goog$/, 'pki.goog'],
]

/** None if one of those that are asked is not known: a record without it would keep it from giving us any. */
function issuersOf({ acme }: Config): readonly Issuer[] {
  if (!acme) return []
  const directories = [acme.directory, ...(acme.fallback === undefined ? [] : [acme.fallback])]
  const names = directories.map((one) => ISSUERS.find(([host]) => host.test(new URL(one).hostname))?.[1])
  return names.every((name) => name !== undefined) ? [...new Set(names)].map((name) => ({ name })) : []
}

function ofHost(all: readonly HostRecords[], { host }: DnsRequest): readonly HostRecords[] {
  return host === undefined ? all : all.filter((one) => one.host === host)
}

/** The records, and how they are. */
export async function checkedRecords(config: Config, request: DnsRequest = {}): Promise<readonly Checked[]> {
  const dns = authoritativeFor(config, request)
  const plain = wantedRecords(config, request)
  const signed = new Map<string, boolean>()
  for (const { host } of plain) {
    const zone = await dns.zoneOf(host).catch(() => undefined) // what the check says of it is enough
    signed.set(host, zone?.signed === true)
  }
  const keys = await keysOf(config)
  const keyOf = (host: string): string | undefined => (signed.get(host) ? keys.get(host) : undefined)
  const all = ofHost(recordsFor({ ...wishOf(config, request), keyOf }), request)
  return Promise.all(all.map(async (records) => ({ records, dns: await checkHost(records, dns) })))
}

/** Who asks the servers of zones. */
function authoritativeFor({ federation }: Config, { servers }: DnsRequest): Authoritative {
  const resolver = new DnsResolver({ options: federation, clock: systemClock })
  return new Authoritative({ resolver, ...(servers ? { servers } : {}) })
}

/**
 * The keys that are shown, as TLSA wants them (RFC 6698 §2.1: SPKI, SHA-256). Who may not read a certificate, or has none on this
 * machine, gets all other records. Rejects if one is damaged.
 */
async function keysOf({ certificates }: Config): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>()
  for (const [host, { cert }] of certificates) {
    const pem = await readFile(cert).catch(() => undefined)
    if (!pem) continue
    const { publicKey } = new X509Certificate(pem)
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    keys.set(host, createHash('sha256').update(spki).digest('hex'))
  }
  return keys
}
