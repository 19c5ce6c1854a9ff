// SPDX-License-Identifier: Apache-2.0
// What goes wrong between servers, each on a host of its own: what the sender is told, what the administrator sees, and that the
// way is there again by itself when the fault is gone. The hosts are Debian's Prosody; all rows of the table run at once.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { FederationReport } from '../../../src/ops/federation.ts'
import type { Files } from '../../support/network/authority.ts'
import type { Records } from '../../support/network/dns.ts'
import { whyNoNetwork } from '../../support/network/host.ts'
import { type Peer, recordsAt, tlsaOf } from '../../support/network/peers.ts'
import { createStage, heals, logOf, type Stage, startForwarder } from '../../support/network/stage.ts'
import { bench } from '../../support/process.ts'

/** What a fault may use. */
interface Scene extends Stage {
  readonly peer: Peer
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
  /** What the DNS has, instead of the usual. */
  records?(number: number): Records
  /** How long the message is, if that matters. */
  readonly size?: number
  begin(scene: Scene): Promise<void> | void
  end(scene: Scene): Promise<void> | void
}

const FORWARDED = 5299
const forwarders = new Map<string, number>()
const announced = new Map<string, Files>()

function selfMade({ domain }: Peer, strangers: Scene['strangers']): Promise<Files> {
  return strangers.sign({ names: [domain], forClients: true })
}

const UNPROVED = {
  condition: 'remote-server-timeout',
  text: 'The other server could not prove that it answers for this domain.',
}
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
    listed: /certificate .*expired/,
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
    records: () => ({ '_xmpp-server._tcp.refuser.example.': ['SRV 0 0 0 .'] }),
    begin: ({ peer }) => peer.start(),
    end: ({ world, peer }) => world.dns.change(recordsAt(peer.domain, peer.host.number)),
  },
  {
    name: 'connection that is reset in the middle of a stanza',
    domain: 'reset.example',
    listed: /broke/,
    later: true,
    records: (number) => recordsAt('reset.example', number, FORWARDED),
    size: 8000,
    begin: ({ peer }) => void process.kill(forwarders.get(peer.domain) ?? 0, 'SIGUSR2'),
    end: () => undefined,
  },
  {
    name: 'half-open connection: nothing passes any more',
    domain: 'mute.example',
    listed: /answer/,
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
      text: 'The other server does not want to talk to this one.',
    },
    listed: /not-authorized/,
    keptOut: true,
    begin: ({ peer }) => peer.start({ clock: '-1d' }),
    end: ({ peer }) => peer.again(),
  },
  {
    name: 'certificate that is not the one that the DNS announces (DANE)',
    domain: 'dane.example',
    refusal: UNPROVED,
    listed: /not one that the DNS announces/,
    keptOut: true,
    begin: async ({ world, peer, strangers }) => {
      const [shown, other] = [await selfMade(peer, strangers), await selfMade(peer, strangers)]
      announced.set(peer.domain, shown)
      await world.dns.change(tlsaOf(peer.domain, other))
      await peer.start({ shown })
    },
    // That it is accepted afterwards, which no authority vouches for, is DANE, too.
    end: ({ world, peer }) => world.dns.change(tlsaOf(peer.domain, announced.get(peer.domain))),
  },
  {
    name: 'certificate that the DNS announces (DANE) without being signed',
    domain: 'unsigned.test',
    refusal: UNPROVED,
    listed: /nobody that this machine trusts vouches for the certificate/,
    keptOut: true,
    begin: async ({ world, peer, strangers }) => {
      const shown = await selfMade(peer, strangers)
      await world.dns.change(tlsaOf(peer.domain, shown))
      await peer.start({ shown })
    },
    end: ({ peer }) => peer.again(),
  },
]

const why = whyNoNetwork()
if (why !== undefined) console.error(`!!! FEDERATION IS NOT TESTED: ${why}`)
else {
  suite('faults', { concurrency: true }, () => {
    const of = bench({ after })
    let stage: Stage
    /** By fault: what the sender was told, what is listed, and where the test of the way fails. */
    const table = new Map<Fault, string[]>()

    before(async () => {
      stage = await createStage(of, FAULTS)
      const { host } = peerOf('reset.example')
      const forwarder = await startForwarder(host, FORWARDED, { '*': `${host.address} 5269` })
      forwarders.set('reset.example', forwarder.pid)
    })

    function peerOf(domain: string): Peer {
      const peer = stage.peers.get(domain)
      assert.ok(peer)
      return peer
    }

    /** Waits until the last error of the way to a domain is the one that is named. */
    async function lastError({ domain, listed }: Fault): Promise<string> {
      for (let left = 150; ; left--) {
        const { routes } = await stage.server.listing()
        const text = routes.find(({ to }) => to === domain)?.lastError?.why ?? 'none'
        if (listed.test(text)) return text
        assert.ok(left > 0, `the last error is ${text}`)
        await delay(800)
      }
    }

    /** `aenigma federation test` says where it fails. */
    async function failureOf(domain: string): Promise<string> {
      const report: FederationReport = JSON.parse(await stage.server.command('federation', 'test', domain, '--json'))
      const failed = report.steps.find(({ result }) => result === 'failed')
      assert.ok(!report.passed && failed, JSON.stringify(report))
      return `${failed.title}: ${failed.detail}`
    }

    async function play(fault: Fault): Promise<void> {
      const { people, romeo } = stage
      const peer = peerOf(fault.domain)
      const { juliet, domain } = peer
      if (fault.later) {
        await peer.start()
        await people.logIn(juliet)
        await people.says(romeo, juliet, `0 to ${domain}`)
        await people.hears(juliet, `0 to ${domain}`)
      }
      await fault.begin({ ...stage, peer })
      await people.says(romeo, juliet, `1 to ${domain}`, fault.size)
      const back = fault.refusal && (await people.getsBack(romeo, `1 to ${domain}`))
      if (back) assert.deepEqual({ condition: back.condition, text: back.text }, fault.refusal)
      table.set(fault, [
        `the sender is told:      ${back?.text ?? 'nothing; it waits, and arrives once'}`,
        `aenigma federation:      ${await lastError(fault)}`,
        ...(back ? [`aenigma federation test: ${await failureOf(domain)}`] : []),
      ])
      if (fault.keptOut) {
        await people.logIn(juliet)
        await people.says(juliet, romeo, `from ${domain}`)
        await people.getsBack(juliet, `from ${domain}`)
        assert.equal(await people.hasHeard(romeo, `from ${domain}`), false)
      }
      await fault.end({ ...stage, peer })
      if (!fault.later || fault.name.includes('killed')) await people.logIn(juliet)
      if (fault.refusal) await heals(stage, peer)
      else assert.equal((await people.hears(juliet, `1 to ${domain}`, 90)).times, 1)
    }

    for (const fault of FAULTS) {
      test(fault.name, { timeout: 250_000 }, () =>
        play(fault).catch((error: unknown) => {
          throw new Error(`${error}\n${logOf(stage, fault.domain).slice(-20).join('\n')}`)
        }),
      )
    }

    after(() => {
      for (const fault of FAULTS) console.log([fault.name, ...(table.get(fault) ?? ['failed'])].join('\n  '))
    })
  })
}
