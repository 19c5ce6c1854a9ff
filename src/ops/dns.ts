// SPDX-License-Identifier: Apache-2.0
// The DNS of one instance: what its records are to be, and how they are.
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { domainToASCII } from 'node:url'
import { systemClock } from '../clock.ts'
import type { Address, Config } from '../config/config.ts'
import { Authoritative } from '../net/dns/authoritative.ts'
import { publicAddresses } from '../net/dns/public-addresses.ts'
import { DnsResolver } from '../net/dns/resolver.ts'
import { CertificateStore, certificateFolder, hashOf } from './certificate-files.ts'
import { delegationOf } from './delegation.ts'
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
export async function wantedRecords(config: Config, request: DnsRequest = {}): Promise<readonly HostRecords[]> {
  return ofHost(recordsFor(await wishOf(config, request)), request)
}

async function wishOf(config: Config, { addresses }: DnsRequest): Promise<DnsWish> {
  const common = { config, addresses: ownAddresses(config, addresses), target: config.dns.target }
  return { ...common, issuers: await issuersOf(config), delegation: delegationOf(config) }
}

/** What authorities call themselves in CAA records, by the host of their directory. */
const ISSUERS: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)letsencrypt\.org$/, 'letsencrypt.org'],
  [/(^|\.)zerossl\.com$/, 'sectigo.com'],
  [/(^|\.)buypass\.com$/, 'buypass.com'],
  [/(^|\.)pki\.goog$/, 'pki.goog'],
]

/**
 * With our accounts there, as far as they can be known here. None if one of those that are asked is not known: a record without it
 * would keep it from giving us any.
 */
async function issuersOf({ acme, data }: Config): Promise<readonly Issuer[]> {
  if (!acme) return []
  const store = new CertificateStore(certificateFolder(data))
  const directories = [...new Set([acme.directory, ...(acme.fallback === undefined ? [] : [acme.fallback])])]
  const all: Issuer[] = []
  for (const one of directories) {
    const name = ISSUERS.find(([host]) => host.test(new URL(one).hostname))?.[1]
    if (name === undefined) return []
    all.push({ name, account: await store.account(one) })
  }
  return all
}

function ofHost(all: readonly HostRecords[], { host }: DnsRequest): readonly HostRecords[] {
  return host === undefined ? all : all.filter((one) => one.host === host)
}

/** The records, and how they are. */
export async function checkedRecords(config: Config, request: DnsRequest = {}): Promise<readonly Checked[]> {
  const dns = authoritativeFor(config, request.servers)
  const wish = await wishOf(config, request)
  const keys = new Map<string, readonly string[]>()
  for (const { host } of ofHost(recordsFor(wish), request)) {
    const zone = await dns.zoneOf(host).catch(() => undefined) // what the check says of it is enough
    if (zone?.signed) keys.set(host, await keysOf(config, host))
  }
  const all = ofHost(recordsFor({ ...wish, keysOf: (host) => keys.get(host) ?? [] }), request)
  return Promise.all(all.map(async (records) => ({ records, dns: await checkHost(records, dns) })))
}

/** Who asks the servers of zones. @param servers those to ask, instead of what the configuration or the DNS names */
export function authoritativeFor(
  { federation, dns }: Pick<Config, 'federation' | 'dns'>,
  servers: readonly Address[] = dns.servers,
): Authoritative {
  const resolver = new DnsResolver({ options: federation, clock: systemClock })
  return new Authoritative({ resolver, ...(servers.length > 0 ? { servers } : {}) })
}

/**
 * The keys that a domain shows, as TLSA wants them. Who may not read a certificate, or has none on this machine, gets all other records.
 * Rejects if one is damaged.
 */
async function keysOf({ acme, data, certificates }: Config, host: string): Promise<readonly string[]> {
  if (acme) return new CertificateStore(certificateFolder(data)).keyHashes(host)
  const files = [...certificates].find(([name]) => domainToASCII(name) === host)?.[1]
  const pem = files && (await readFile(files.cert).catch(() => undefined))
  return pem ? [hashOf(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }))] : []
}
