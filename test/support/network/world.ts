// SPDX-License-Identifier: Apache-2.0
// The whole test network: a host of names, one of users, and one of each server, with what all of them trust.
import { join } from 'node:path'
import { type Bench, type Child, needs } from '../process.ts'
import { Authority, type Files } from './authority.ts'
import { Dns, type Records } from './dns.ts'
import { type Host, Network } from './host.ts'

/** The number of each server's host, the end of its addresses. */
const NUMBERS = { a: 10, p: 20, e: 30 } as const

/** The letter of a server: aenigma, Prosody, ejabberd. */
export type Letter = keyof typeof NUMBERS

/** What all servers stand on. */
export interface World {
  readonly of: Bench
  readonly dns: Dns
  /** Whom everybody trusts. */
  readonly authority: Authority
  /** Where users are, and test programs. */
  readonly users: Host
  readonly hosts: Readonly<Record<Letter, Host>>
  /** Adds a host. @param number the end of its addresses */
  host(name: string, number: number): Promise<Host>
}

/** The domain of a server. */
export function domainOf(letter: Letter): string {
  return `${letter}.example`
}

/** Every name that a server's certificate has. */
export function namesOf(letter: Letter): readonly string[] {
  const domain = domainOf(letter)
  return [domain, ...['rooms', 'pubsub', 'upload', 'proxy'].map((service) => `${service}.${domain}`)]
}

/** A certificate as a public authority would give it. */
export function goodCertificate(world: World, letter: Letter): Promise<Files> {
  return world.authority.sign({ names: namesOf(letter), forClients: true })
}

function recordsOf(letter: Letter): Records {
  const [number, domain] = [NUMBERS[letter], domainOf(letter)]
  const records: Record<string, readonly string[]> = {
    [`xmpp.${domain}.`]: [`A 10.77.0.${number}`, `AAAA fd77::${number}`],
  }
  for (const name of [domain, `rooms.${domain}`])
    records[`_xmpp-server._tcp.${name}.`] = [`SRV 0 0 5269 xmpp.${domain}.`]
  return records
}

/** Makes the network, without servers. */
export async function createWorld(of: Bench): Promise<World> {
  const network = await Network.create(of)
  const host = (name: string, number: number): Promise<Host> => network.host(name, number)
  const [names, users] = [await host('dns', 53), await host('users', 40)]
  const hosts = { a: await host('a', NUMBERS.a), p: await host('p', NUMBERS.p), e: await host('e', NUMBERS.e) }
  const dns = await Dns.start(of, names, { ...recordsOf('a'), ...recordsOf('p'), ...recordsOf('e') })
  return { of, dns, users, hosts, host, authority: await Authority.create(of.directory, 'trusted') }
}

/** Starts a script of slixmpp among the users. @param script beside the tests of the network */
export function startScript({ users }: World, script: string, scenario: string, settings: object): Child {
  const python = '/usr/bin/python3'
  needs('/usr/lib/python3/dist-packages/slixmpp/__init__.py', 'python3-slixmpp')
  const file = join(import.meta.dirname, '..', '..', 'interop', 'network', script)
  const env = { PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1' }
  return users.start({ program: python, args: ['-u', file, scenario, JSON.stringify(settings)], env })
}

/** Where scripts find the servers. */
export function placesOf({ hosts, authority }: World): Readonly<Record<string, object>> {
  const place = (letter: Letter) => ({ host: hosts[letter].address, starttls: 5222, ca: authority.file })
  return { [domainOf('a')]: place('a'), [domainOf('p')]: place('p'), [domainOf('e')]: place('e') }
}
