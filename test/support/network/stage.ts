// SPDX-License-Identifier: Apache-2.0
// Our server with one user, and one host with Prosody for each of many other domains.
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench, Child } from '../process.ts'
import { type Account, account } from './accounts.ts'
import { type Aenigma, startAenigma } from './aenigma.ts'
import { Authority } from './authority.ts'
import type { Records } from './dns.ts'
import type { Host } from './host.ts'
import { Peer, recordsAt } from './peers.ts'
import { People } from './people.ts'
import { createWorld, domainOf, namesOf, type World } from './world.ts'

/** What is told of each other domain. */
export interface Domain {
  readonly domain: string
  /** What the DNS has, instead of the usual. @param number the end of the addresses of its host */
  records?(number: number): Records
}

/** What a test of many domains works with. */
export interface Stage {
  readonly world: World
  readonly server: Aenigma
  readonly romeo: Account
  readonly people: People
  readonly peers: ReadonlyMap<string, Peer>
  /** Nobody trusts it. */
  readonly strangers: Authority
}

const FIRST = 100

/** Makes everything, and starts our server; the peers are started by whoever knows how. */
export async function createStage(of: Bench, domains: readonly Domain[], federation: object = {}): Promise<Stage> {
  const world = await createWorld(of)
  const strangers = await Authority.create(of.directory, 'strangers')
  const romeo = account('romeo', domainOf('a'))
  const place = (host: Host): object => ({ host: host.address, starttls: 5222, ca: world.authority.file })
  const places: Record<string, object> = { [romeo.domain]: place(world.hosts.a) }
  const peers = new Map<string, Peer>()
  const records: Record<string, readonly string[]> = {}
  for (const [index, { domain, records: own }] of domains.entries()) {
    const number = FIRST + index
    const peer = await Peer.create(world, { domain, number })
    peers.set(domain, peer)
    places[domain] = place(peer.host)
    Object.assign(records, own?.(number) ?? recordsAt(domain, number))
  }
  await world.dns.change(records)
  const server = await startAenigma(of, world.hosts.a, {
    domain: romeo.domain,
    ca: world.authority.file,
    // Half a day old: a clock that is a day late does not believe it yet.
    certificate: await world.authority.sign({ names: namesOf('a'), forClients: true, days: [-0.5, 90] }),
    users: [romeo],
    federation: { ...federation },
  })
  const people = await People.start(of, world, places)
  await people.logIn(romeo)
  return { world, server, romeo, people, peers, strangers }
}

/** Passes connections on, see `forwarder.ts`. */
export async function startForwarder(
  host: Host,
  port: number,
  table: Readonly<Record<string, string>>,
): Promise<Child> {
  const program = new URL('./forwarder.ts', import.meta.url).pathname
  const child = host.start({ program: process.execPath, args: [program, String(port), JSON.stringify(table)] })
  await child.until('readiness', () => child.lines[0])
  return child
}

/** What our server wrote about a domain. */
export function logOf({ server }: Stage, domain: string): readonly string[] {
  return server.child.output.split('\n').filter((line) => line.includes(domain))
}

/** Says something again and again until it arrives. */
export async function heals({ people, romeo }: Stage, { juliet, domain }: Peer): Promise<void> {
  for (let left = 45; ; left--) {
    const body = `${left} more to ${domain}`
    await people.says(romeo, juliet, body)
    const outcome = await Promise.any([
      people.hears(juliet, body, 30).then(() => 'arrived'),
      people.getsBack(romeo, body, 30).then(() => 'refused'),
    ])
    if (outcome === 'arrived') return
    if (left === 0) throw new Error(`${domain} is not reached again`)
    await delay(2000)
  }
}
