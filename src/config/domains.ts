// SPDX-License-Identifier: Apache-2.0
// What one option says about another: the domains and their certificates. Works on unchecked values, so that these
// mistakes are reported together with all others.
import type { CertificateFiles } from './config.ts'
import { nearest } from './nearest.ts'
import type { Mistake, Source } from './source.ts'

type Raw = Readonly<Record<string, unknown>>

/** Labels of letters, digits and inner hyphens (of any script; RFC 7622 preparation comes later), or an IP literal. */
const DOMAIN =
  /^(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?)(?:\.[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?)*$|^\[[0-9a-f:.]+\]$/u

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
    else if (hosts.includes(host)) mistakes.push(source.mistake(pathOf(place), `${host} is in the list already`))
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
    return [source.mistake([], 'the certificate is missing: write certificate: with cert: and key: below it')]
  }
  if (certificates === null || typeof certificates !== 'object') return []
  const named = Object.keys(certificates).map((name) => name.toLowerCase())
  return [
    ...hosts
      .filter((host) => !named.includes(host))
      .map((host) => source.mistake(['certificates'], `the certificate of ${host} is missing`)),
    ...Object.keys(certificates)
      .filter((name) => !hosts.includes(name.toLowerCase()))
      .map((name) => {
        const meant = nearest(name, hosts)
        const hint = meant === undefined ? '' : `; did you mean ${meant}?`
        return source.mistake(['certificates', name], `this is none of our domains${hint}`)
      }),
  ]
}

/** The certificate of each domain, once everything has been checked. */
export function certificatesOf(
  hosts: readonly string[],
  one: CertificateFiles | undefined,
  each: Readonly<Record<string, CertificateFiles>> | undefined,
): ReadonlyMap<string, CertificateFiles> {
  const byName = new Map(Object.entries(each ?? {}).map(([name, files]) => [name.toLowerCase(), files]))
  return new Map(
    hosts.flatMap((host) => {
      const files = one ?? byName.get(host)
      return files ? [[host, files] as const] : []
    }),
  )
}
