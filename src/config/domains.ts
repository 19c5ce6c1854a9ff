// SPDX-License-Identifier: Apache-2.0
// What one option says about another: the domains and their certificates. Works on unchecked values, so that these
// mistakes are reported together with all others.
import { domainToASCII } from 'node:url'
import type { CertificateFiles } from './config.ts'
import { nearest } from './nearest.ts'
import type { Mistake, Source } from './source.ts'

type Raw = Readonly<Record<string, unknown>>

/** Labels of letters, digits and inner hyphens (of any script; RFC 7622 preparation comes later), or an IP literal. */
const DOMAIN =
  /^(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?)(?:\.[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?)*$|^\[[0-9a-f:.]+\]$/u

/** Whether this can be a domain that has a name. */
export function isDomain(text: string): boolean {
  return !text.startsWith('[') && DOMAIN.test(text.toLowerCase().normalize('NFC'))
}

/** What two ways to write one domain have in common: A-labels in lower case. What is no domain stands for itself. */
export function domainKey(name: string): string {
  return domainToASCII(name.normalize('NFC')) || name.toLowerCase()
}

/** The domains that a file names, in lower case, with what is wrong with them. */
export function readHosts(raw: Raw, source: Source): { hosts: readonly string[]; mistakes: readonly Mistake[] } {
  const { domain, hosts } = raw
  if (domain !== undefined && hosts !== undefined) {
    return { hosts: [], mistakes: [source.mistake(['hosts'], 'give either domain or hosts, not both')] }
  }
  if (domain === undefined && hosts === undefined) {
    return { hosts: [], mistakes: [source.mistake([], 'the domain is missing: write domain: example.org')] }
  }
  if (domain !== undefined) return checkHosts([domain], () => ['domain'], source)
  if (!Array.isArray(hosts) || hosts.length === 0) {
    return { hosts: [], mistakes: [source.mistake(['hosts'], 'must be a list of domains such as [example.org]')] }
  }
  return checkHosts(hosts, (place) => ['hosts', place], source)
}

function checkHosts(values: readonly unknown[], pathOf: (place: number) => (string | number)[], source: Source) {
  const hosts: string[] = []
  const mistakes: Mistake[] = []
  for (const [place, value] of values.entries()) {
    const host = typeof value === 'string' ? value.toLowerCase().normalize('NFC') : ''
    if (!DOMAIN.test(host)) mistakes.push(source.mistake(pathOf(place), 'must be a domain such as example.org'))
    else if (hosts.some((other) => domainKey(other) === domainKey(host)))
      mistakes.push(source.mistake(pathOf(place), `${host} is in the list already`))
    else hosts.push(host)
  }
  return { hosts, mistakes }
}

/** What is wrong between the domains and the certificates, whatever else is. */
export function certificateMistakes(raw: Raw, hosts: readonly string[], source: Source): readonly Mistake[] {
  const { certificate, certificates } = raw
  if (certificate !== undefined && certificates !== undefined) {
    return [source.mistake(['certificates'], 'give either certificate or certificates, not both')]
  }
  if (certificate !== undefined || hosts.length === 0) return []
  if (certificates === undefined) {
    const without = hosts.filter((host) => !isOnion(host) && !canBeGot(host, raw))
    return without.map((host) => source.mistake([], noneFor(host)))
  }
  if (certificates === null || typeof certificates !== 'object') return []
  const named = new Set(Object.keys(certificates).map(domainKey))
  const ours = new Set(hosts.map(domainKey))
  return [
    ...hosts
      .filter((host) => !isOnion(host) && !named.has(domainKey(host)))
      .map((host) => source.mistake(['certificates'], `the certificate of ${host} is missing`)),
    ...Object.keys(certificates)
      .filter((name) => !ours.has(domainKey(name)))
      .map((name) => source.mistake(['certificates', name], noneOfOurs(name, hosts))),
  ]
}

/** What proving a domain in the DNS takes. */
export function proofMistakes({ acme, dns }: Raw, source: Source): readonly Mistake[] {
  const of = (section: unknown, key: string): unknown =>
    section !== null && typeof section === 'object' ? (section as Raw)[key] : undefined
  if (of(acme, 'challenge') !== 'dns-01' || of(dns, 'provider') !== undefined) return []
  return [source.mistake(['acme', 'challenge'], 'dns-01 takes somebody who keeps the zone: see dns.provider')]
}

/** Whether there may be an authority that gives a certificate for it: one that everybody trusts, or one of somebody's own. */
function canBeGot(host: string, { acme }: Raw): boolean {
  const authority = acme !== null && typeof acme === 'object' && 'authority' in acme ? String(acme.authority) : ''
  return isPublic(host) || (authority.includes('://') && !host.startsWith('['))
}

/** RFC 6761, RFC 7686. */
function isPublic(host: string): boolean {
  return /^[^[].*\.[^\d.][^.]*$/.test(host) && !/\.(localhost|local|onion|internal|test|invalid|example)$/.test(host)
}

function noneFor(host: string): string {
  return `the certificate of ${host} is missing, and no authority gives one for it: write certificate: with cert: and key: below it`
}

function noneOfOurs(name: string, hosts: readonly string[]): string {
  const meant = nearest(name, hosts)
  return `this is none of our domains${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

/** What is wrong with the domains that moved, beside where to. */
export function movedMistakes(raw: Raw, hosts: readonly string[], source: Source): readonly Mistake[] {
  const { moved } = raw
  if (moved === null || typeof moved !== 'object' || hosts.length === 0) return []
  const ours = new Set(hosts.map(domainKey))
  return Object.keys(moved)
    .filter((name) => !ours.has(domainKey(name)))
    .map((name) => source.mistake(['moved', name], noneOfOurs(name, hosts)))
}

/** What is wrong with the domains of components, beside their secrets. */
export function componentMistakes({ components }: Raw, hosts: readonly string[], source: Source): readonly Mistake[] {
  if (components === null || typeof components !== 'object') return []
  const ours = new Set(hosts.map(domainKey))
  return Object.keys(components).flatMap((name) => {
    if (!DOMAIN.test(name.toLowerCase().normalize('NFC'))) {
      return [source.mistake(['components', name], 'must be a domain such as irc.example.org', 'key')]
    }
    if (!ours.has(domainKey(name))) return []
    return [source.mistake(['components', name], 'this is one of our own domains', 'key')]
  })
}

/** Whether this is an onion service of Tor (RFC 7686): its name is its key, so it needs nobody who vouches for it. */
export function isOnion(host: string): boolean {
  return host.endsWith('.onion')
}

/** The certificate of each domain, once everything has been checked. The one for all is none for an onion service, whose name it does not have. */
export function certificatesOf(
  hosts: readonly string[],
  one: CertificateFiles | undefined,
  each: Readonly<Record<string, CertificateFiles>> | undefined,
): ReadonlyMap<string, CertificateFiles> {
  const byName = new Map(Object.entries(each ?? {}).map(([name, files]) => [domainKey(name), files]))
  return new Map(
    hosts.flatMap((host) => {
      const files = isOnion(host) ? byName.get(domainKey(host)) : (one ?? byName.get(domainKey(host)))
      return files ? [[host, files] as const] : []
    }),
  )
}
