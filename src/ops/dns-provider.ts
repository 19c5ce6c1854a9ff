// SPDX-License-Identifier: Apache-2.0
// Who keeps the zone, as the configuration says, and what is to be changed there.
import { readFile } from 'node:fs/promises'
import type { Fetch } from '../appliance/dns/api.ts'
import { cloudflare } from '../appliance/dns/cloudflare.ts'
import { compare, type Verdict } from '../appliance/dns/compare.ts'
import { desec } from '../appliance/dns/desec.ts'
import { hetzner } from '../appliance/dns/hetzner.ts'
import { type DnsProvider, ProviderError, type RecordType, type Rrset } from '../appliance/dns/record.ts'
import { rfc2136 } from '../appliance/dns/rfc2136.ts'
import type { DnsRules } from '../config/config.ts'
import { exchangeBytes } from '../net/dns/exchange.ts'
import type { HostRecords } from './dns-records.ts'

/** How long a name server may take to change a zone, in ms. */
const PATIENCE = 10_000

/** The provider. Rejects with a `ProviderError` that says what is missing. @param fetch as that of the platform */
export async function providerOf(dns: Omit<DnsRules, 'servers'>, fetch: Fetch): Promise<DnsProvider> {
  if (dns.provider === undefined) throw new ProviderError('The configuration names no provider (dns.provider).')
  if (dns.provider !== 'rfc2136') {
    const parts = { fetch, token: await secretIn('dns.tokenFile', dns.tokenFile) }
    return { desec, cloudflare, hetzner }[dns.provider](parts)
  }
  const { server, keyName } = dns
  if (!server || keyName === undefined) throw new ProviderError('RFC 2136 takes dns.server and dns.keyName.')
  const key = Buffer.from(await secretIn('dns.keyFile', dns.keyFile), 'base64')
  if (key.length < 16) throw new ProviderError('The file of dns.keyFile has no key in base64 of at least 16 bytes.')
  return rfc2136({ exchange: (message) => exchangeBytes(server, message, PATIENCE), keyName, key, now: Date.now })
}

async function secretIn(option: string, file: string | undefined): Promise<string> {
  if (file === undefined) throw new ProviderError(`The configuration names no file with the secret (${option}).`)
  try {
    const text = (await readFile(file, 'utf8')).trim()
    if (text !== '') return text
  } catch (error) {
    throw new ProviderError(`The file of ${option} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
  throw new ProviderError(`The file of ${option} is empty.`)
}

/** One change to a zone. */
export interface Change {
  readonly name: string
  readonly type: RecordType
  readonly from: readonly string[]
  /** None: they go. */
  readonly to: readonly string[]
  readonly ttl: number
}

/** What is to be changed, going by what the keeper of the zone has. Records of others at our names stay. */
export async function changesFor(
  provider: DnsProvider,
  zone: string,
  records: HostRecords,
): Promise<readonly Change[]> {
  const { wanted, unwanted } = records
  const names = [...new Set([...wanted, ...unwanted].map(({ name }) => name))].filter((name) => isIn(zone, name))
  const there = await provider.list(zone, names)
  const found = (name: string, type: RecordType): readonly string[] =>
    there.find((one) => one.name === name && one.type === type)?.values ?? []
  const inside = <T extends { readonly name: string }>(list: readonly T[]): readonly T[] =>
    list.filter(({ name }) => isIn(zone, name))
  const verdicts = compare(inside(wanted), inside(unwanted), found)
  return verdicts.filter(({ state }) => state !== 'right').flatMap((one) => changesOf(one, wanted, found))
}

function isIn(zone: string, name: string): boolean {
  return name === zone || name.endsWith(`.${zone}`)
}

function changesOf(
  { name, type, ttl, state, wanted }: Verdict,
  all: HostRecords['wanted'],
  found: (name: string, type: RecordType) => readonly string[],
): readonly Change[] {
  const from = found(name, type)
  if (state === 'leftover') return [{ name, type, ttl, from, to: [] }]
  const rule = all.find((one) => one.name === name && one.type === type)
  // Other issuers may be meant to stay, an old key of ours at a port is not.
  const keep = rule?.amongOthers && type === 'CAA' ? from.filter((one) => !sameIssuer(one, wanted)) : []
  const to = [...new Set([...keep, ...wanted])]
  // An alias must be alone (RFC 1034 §3.6.2).
  const gone = (rule?.instead ?? []).filter((one) => found(name, one.type).length > 0)
  return [
    ...gone.map((one) => ({ name, type: one.type, ttl, from: found(name, one.type), to: [] })),
    { name, type, ttl, from, to },
  ]
}

/** Whether a CAA record names the issuer that we want, with other parameters. */
function sameIssuer(value: string, wanted: readonly string[]): boolean {
  const issuer = (text: string): string => /"([^;"]*)/.exec(text)?.[1]?.trim() ?? ''
  return wanted.some((one) => issuer(one) === issuer(value))
}

/** Makes a change. */
export async function apply(provider: DnsProvider, zone: string, change: Change): Promise<void> {
  const { name, type, ttl, to } = change
  if (to.length === 0) return provider.remove(zone, { name, type })
  return provider.set(zone, { name, type, ttl, values: to } satisfies Rrset)
}
