// SPDX-License-Identifier: Apache-2.0
// What goes wrong between servers, each on a host of its own: what the sender is told, what the administrator sees, and that the
// way is there again by itself when the fault is gone. The hosts are Debian's Prosody; all rows of the table run at once.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { account } from '../../support/network/accounts.ts'
import { type Aenigma, startAenigma } from '../../support/network/aenigma.ts'
import { Authority } from '../../support/network/authority.ts'
import { whyNoNetwork } from '../../support/network/host.ts'
import { Peer, recordsAt } from '../../support/network/peers.ts'
import { People } from '../../support/network/people.ts'
import { createWorld, domainOf, namesOf, type World } from '../../support/network/world.ts'
import { bench, type Child } from '../../support/process.ts'

/** What a fault may use. */
interface Stage {
  readonly world: World
  readonly peer: Peer
  readonly strangers: Authority
  /** In front of the peer, if the fault has one. */
  readonly forwarder: Child | undefined
}

/** A row of the table. */
interface Fault {
  readonly name: string
  readonly domain: string
  /** What the sender is told at once; without it the message waits, and arrives afterwards, once. */
  readonly refusal?: { readonly condition: string; readonly text: string }
  /** The last error that `aenigma federation` lists. */
  readonly listed: RegExp
  /** Whether those over there are kept out meanwhile. */
  readonly keptOut?: true
  /** Whether a stream was there before. */
  readonly later?: true
  /** The port that the DNS names. */
  readonly port?: number
  /** How long the message is, if that matters. */
  readonly size?: number
  begin(stage: Stage): Promise<void> | void
  end(stage: Stage): Promise<void> | void
}

const UNPROVED = {
  condition: 'remote-server-timeout',
  text: 'The other server could not prove that it answers for this domain.',
}
const FIRST = 100
/** Nothing comes from our server any more, and nothing goes there. */
const cutOff = (hook: 'input' | 'output', side: 'saddr' | 'daddr'): string =>
  `chain ${hook} { type filter hook ${hook} priority 0; ip ${side} 10.77.0.10 drop\n ip6 ${side} fd77::10 drop\n }`

const FAULTS: readonly Fault[] = [
  {
    name: 'certificate of an authority that nobody knows',
    domain: 'stranger.example',
    refusal: UNPROVED,
    listed: /nobody that this machine trusts vouches for the certificate/,
    keptOut: true,
    begin: async ({ peer, strangers }) =>
      peer.start({ shown: await strangers.sign({ names: [peer.domain], forClients: true }) }),
    end: ({ peer }) => peer.again(),
  },
  {
    name: 'certificate that has expired',
    domain: 'expired.example',
    refusal: UNPROVED,
    listed: /expired/,
    keptOut: true,
    begin: async ({ peer }) => peer.start({ shown: await peer.certificate({ days: [-60, -1] }) }),
    end: ({ peer }) => peer.again(),
  },
  {
    name: 'certificate for another name',
    domain: 'misnamed.example',
    refusal: UNPROVED,
    listed: /other\.example/,
    keptOut: true,
    begin: async ({ peer }) => peer.start({ shown: await peer.certificate({ names: ['other.example'] }) }),
    end: ({ peer }) => peer.again(),
  },
  {
    name: 'no TLS offered',
    domain: 'plain.example',
    refusal: { condition: 'remote-server-timeout', text: 'The other server offers no encryption.' },
    listed: /TLS|encryption/,
    begin: ({ peer }) => peer.start({ noTls: true }),
    end: ({ peer }) => peer.again(),
  },
  {
    name: 'DNS that does not answer',
    domain: 'silent.slow',
    listed: /silent\.slow.*(DNS|answer|resolver)/,
    begin: async ({ world, peer }) => {
      await peer.start()
      world.dns.silence(true)
    },
    end: ({ world }) => world.dns.silence(false),
  },
  {
    name: 'SRV record that says: no server',
    domain: 'refuser.example',
    refusal: { condition: 'remote-server-not-found', text: 'This domain has no server for chat.' },
    listed: /SRV/,
    begin: async ({ world, peer }) => {
      await peer.start()
      await world.dns.change({ [`_xmpp-server._tcp.${peer.domain}.`]: ['SRV 0 0 0 .'] })
    },
    end: ({ world, peer }) => world.dns.change(recordsAt(peer.domain, Number(peer.host.address.split('.').at(-1)))),
  },
  {
    name: 'connection that is reset in the middle of a stanza',
    domain: 'reset.example',
    listed: /.+/,
    later: true,
    port: 5299,
    size: 8000,
    begin: ({ forwarder }) => process.kill(forwarder?.pid ?? 0, 'SIGUSR2') && undefined,
    end: () => undefined,
  },
  {
    name: 'half-open connection: nothing passes any more',
    domain: 'mute.example',
    listed: /.+/,
    later: true,
    begin: ({ peer }) =>
      void peer.host.shell(`nft 'table inet faults { ${cutOff('input', 'saddr')}\n${cutOff('output', 'daddr')}\n }'`),
    end: ({ peer }) => void peer.host.shell('nft delete table inet faults'),
  },
  {
    name: 'remote server that is killed',
    domain: 'killed.example',
    listed: /refuses connections/,
    later: true,
    begin: ({ peer }) => peer.end('SIGKILL'),
    end: ({ peer }) => peer.start(),
  },
  {
    name: 'remote clock that is a day late: our certificate is not valid yet there',
    domain: 'yesterday.example',
    refusal: {
      condition: 'remote-server-timeout',
      text: 'This server could not prove to the other one who it is.',
    },
    listed: /.+/,
    keptOut: true,
    begin: ({ peer }) => peer.start({ clock: '-1d' }),
    end: ({ peer }) => peer.again(),
  },
]

const romeo = account('romeo', domainOf('a'))
const why = whyNoNetwork()

suite('faults', { concurrency: true, skip: why !== undefined }, () => {
  const of = bench({ after })
  const strangersAt = of.directory
  let [world, people, server, strangers]: [World, People, Aenigma, Authority] = [
    undefined as never,
    undefined as never,
    undefined as never,
    undefined as never,
  ]
  const stages = new Map<Fault, Stage>()
  const table: string[][] = []

  before(async () => {
    world = await createWorld(of)
    strangers = await Authority.create(strangersAt, 'strangers')
    const places: Record<string, object> = {}
    const place = (domain: string, host: string) => {
      places[domain] = { host, starttls: 5222, ca: world.authority.file }
    }
    place(domainOf('a'), world.hosts.a.address)
    for (const [index, fault] of FAULTS.entries()) {
      const number = FIRST + index
      const peer = await Peer.create(world, { domain: fault.domain, number })
      place(fault.domain, peer.host.address)
      stages.set(fault, { world, peer, strangers, forwarder: await forwarderOf(fault, peer) })
    }
    const records = FAULTS.map(({ domain, port }, index) => recordsAt(domain, FIRST + index, port))
    await world.dns.change(Object.assign({}, ...records))
    const certificate = await world.authority.sign({ names: namesOf('a'), forClients: true, days: [-0.5, 90] })
    server = await startAenigma(of, world.hosts.a, {
      domain: domainOf('a'),
      ca: world.authority.file,
      certificate,
      users: [romeo],
    })
    people = await People.start(of, world, places)
    await people.logIn(romeo)
  })

  async function forwarderOf({ port }: Fault, { host }: Peer): Promise<Child | undefined> {
    if (port === undefined) return undefined
    const program = new URL('../../support/network/forwarder.ts', import.meta.url).pathname
    const words = [program, String(port), JSON.stringify({ '*': `${host.address} 5269` })]
    const child = host.start({ program: process.execPath, args: words })
    await child.until('readiness', () => child.lines[0])
    return child
  }

  /** The last error of the way to a domain, once there is one. */
  async function lastError(domain: string): Promise<string> {
    for (;;) {
      const found = server.child.output
        .split('\n')
        .filter((line) => line.includes('"why"') && line.includes(`"${domain}"`))
        .at(-1)
      if (found !== undefined) return String(JSON.parse(found).why)
      await delay(500)
    }
  }

  /** Says something again and again until it arrives. */
  async function heals(peer: Peer, from: number): Promise<void> {
    for (let number = from; ; number++) {
      const body = `${number} to ${peer.domain}`
      await people.says(romeo, peer.juliet, body)
      const outcome = await Promise.any([
        people.hears(peer.juliet, body, 30).then(() => 'arrived'),
        people.getsBack(romeo, body, 30).then(() => 'refused'),
      ])
      if (outcome === 'arrived') return
      assert.ok(number < from + 45, `${peer.domain} is not reached again`)
      await delay(2000)
    }
  }

  async function play(fault: Fault): Promise<void> {
    const stage = stages.get(fault)
    assert.ok(stage)
    const { peer } = stage
    const { juliet, domain } = peer
    if (fault.later) {
      await peer.start()
      await people.logIn(juliet)
      await people.says(romeo, juliet, `0 to ${domain}`)
      await people.hears(juliet, `0 to ${domain}`)
    }
    await fault.begin(stage)
    await people.says(romeo, juliet, `1 to ${domain}`, fault.size)
    const back = fault.refusal && (await people.getsBack(romeo, `1 to ${domain}`))
    const error = await lastError(domain)
    table.push([fault.name, back?.text ?? 'waits, and arrives once', error])
    if (back) assert.deepEqual({ condition: back.condition, text: back.text }, fault.refusal)
    assert.match(error, fault.listed)
    if (fault.keptOut) {
      await people.logIn(juliet)
      await people.says(juliet, romeo, `from ${domain}`)
      await people.getsBack(juliet, `from ${domain}`)
      assert.equal(await people.hasHeard(romeo, `from ${domain}`), false)
    }
    await fault.end(stage)
    if (!fault.later || fault.domain === 'killed.example') await people.logIn(juliet)
    if (fault.refusal) await heals(peer, 2)
    else assert.equal((await people.hears(juliet, `1 to ${domain}`, 90)).times, 1)
  }

  for (const fault of FAULTS) test(fault.name, { timeout: 200_000 }, () => play(fault))

  after(() => {
    const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
    for (const row of [['fault', 'sender', 'last error'], ...table]) {
      console.log(
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
    }
  })
})

if (why !== undefined) console.error(`!!! FEDERATION IS NOT TESTED: ${why}`)
