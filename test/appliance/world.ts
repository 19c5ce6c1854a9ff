// SPDX-License-Identifier: Apache-2.0
// The internet around a machine: its name server, a certificate authority that everybody trusts, the registry of npm, and another
// host with users. All have addresses that count as public ones.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Authority } from '../support/network/authority.ts'
import { Dns } from '../support/network/dns.ts'
import { type Host, Network } from '../support/network/host.ts'
import { letsEncryptRecords, startLetsEncrypt } from '../support/network/lets-encrypt.ts'
import { registryRecords, startRegistry } from '../support/network/registry.ts'
import type { Bench } from '../support/process.ts'

/** The internet, as far as a machine needs it. */
export interface Internet {
  readonly dns: Dns
  /** Where the machine will be. */
  readonly place: Host
  /** Where users are. */
  readonly users: Host
  /** Where somebody is who looks at it from outside, again and again. */
  readonly grader: Host
  /** Whom everybody trusts, as PEM, and the file of those who sign certificates for servers. */
  readonly trusted: string
  readonly ca: string
  /** Who signs the pages of others. */
  readonly pages: Authority
  /** Gives out the packages of npm that a lock file names. @param cache where npm keeps them */
  givesPackages(cache: string, lock: string): Promise<void>
}

/** Makes it. */
export async function createInternet(of: Bench): Promise<Internet> {
  const network = await Network.create(of)
  const names = await publicHost(network, 'dns', 53)
  const place = await publicHost(network, 'machine', 60)
  const users = await publicHost(network, 'users', 40)
  const grader = await publicHost(network, 'grader', 50)
  const issuer = await publicHost(network, 'issuer', 70)
  const registry = await publicHost(network, 'registry', 80)
  const dns = await Dns.start(of, names, { ...letsEncryptRecords(issuer), ...registryRecords(registry) })
  const pages = await Authority.create(of.directory, 'pages')
  const root = await startLetsEncrypt(of, issuer, pages)
  const ca = join(of.directory, 'root.pem')
  writeFileSync(ca, root)
  const givesPackages = (cache: string, lock: string): Promise<void> => startRegistry(registry, pages, cache, lock)
  return { dns, place, users, grader, trusted: `${root}\n${pages.pem}\n`, ca, pages, givesPackages }
}

async function publicHost(network: Network, name: string, number: number): Promise<Host> {
  const host = await network.host(name, number)
  host.shell(`ip address add 203.0.113.${number}/24 dev eth0; ip address add 2001:db8:77::${number}/64 dev eth0 nodad`)
  return host
}

/** The records that the server wants, as lines of a zone file, for our name server. */
export function recordsOf(zoneText: string): Readonly<Record<string, readonly string[]>> {
  const records: Record<string, string[]> = {}
  for (const line of zoneText.split('\n')) {
    const [, name, value] = /^(\S+\.)\s+\d+\s+IN\s+(.+)$/.exec(line) ?? []
    if (name && value) records[name] = [...(records[name] ?? []), value]
  }
  return records
}
