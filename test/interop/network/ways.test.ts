// SPDX-License-Identifier: Apache-2.0
// The ways by which servers find each other and prove who they are, each with a host of its own: somebody there and somebody
// here hear each other. The hosts are Debian's Prosody.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Records } from '../../support/network/dns.ts'
import { whyNoNetwork } from '../../support/network/host.ts'
import { type Peer, recordsAt, type Start, tlsaOf } from '../../support/network/peers.ts'
import { createStage, logOf, type Stage, startForwarder } from '../../support/network/stage.ts'
import { bench } from '../../support/process.ts'

/** One way. */
interface Way {
  readonly name: string
  readonly domain: string
  records?(number: number): Records
  /** How the other server is started. */
  start?(stage: Stage, peer: Peer): Promise<Start> | Start
  /** How its domain is proved here, when we are the client of TLS and when it is; by the certificate if nothing is said. */
  readonly proved?: 'pkix' | 'dane' | 'dialback'
  /** The port of its that we use. */
  readonly port?: number
  /** Whether there is a single stream. */
  readonly bidi?: boolean
}

const ONION = `${'a2b3c4d5e6f7g2h3'.repeat(4).slice(0, 56)}.onion`
const SOCKS = 1080
const NOWHERE = '10.77.0.250'

const server = (name: string): string => `_xmpp-server._tcp.${name}.`

const WAYS: readonly Way[] = [
  {
    name: 'an IPv6 address only',
    domain: 'six.example',
    records: (number) => ({
      [server('six.example')]: ['SRV 0 0 5269 a.six.example.'],
      'a.six.example.': [`AAAA fd77::${number}`],
    }),
  },
  {
    name: 'two addresses, one of which is dead',
    domain: 'eyeballs.example',
    records: (number) => ({
      [server('eyeballs.example')]: ['SRV 0 0 5269 a.eyeballs.example.'],
      'a.eyeballs.example.': [`AAAA fd77::250`, `A ${NOWHERE}`, `A 10.77.0.${number}`],
    }),
  },
  {
    name: 'two servers, the first of which is down',
    domain: 'second.example',
    records: (number) => ({
      [server('second.example')]: ['SRV 0 0 5333 a.second.example.', 'SRV 10 0 5269 a.second.example.'],
      'a.second.example.': [`A 10.77.0.${number}`],
    }),
  },
  {
    name: 'no SRV record: the domain is the server',
    domain: 'bare.example',
    records: (number) => ({ 'bare.example.': [`A 10.77.0.${number}`] }),
  },
  {
    name: 'direct TLS (XEP-0368)',
    domain: 'direct.example',
    records: (number) => ({
      '_xmpps-server._tcp.direct.example.': ['SRV 0 0 5270 a.direct.example.'],
      'a.direct.example.': [`A 10.77.0.${number}`],
    }),
    port: 5270,
  },
  {
    name: 'a certificate that is for servers only, as public authorities give it',
    domain: 'servers.example',
    start: async (_, peer) => ({ shown: await peer.certificate({ forClients: false }) }),
  },
  {
    name: 'a certificate that no authority vouches for, but the DNS (DANE)',
    domain: 'dane.example',
    proved: 'dane',
    start: async ({ world, strangers }, { domain }) => {
      const shown = await strangers.sign({ names: [domain], forClients: true })
      await world.dns.change(tlsaOf(domain, shown))
      return { shown }
    },
  },
  {
    name: 'a server that does not trust our authority, and wants dialback',
    domain: 'asking.example',
    start: ({ strangers }) => ({ secure: false, ca: strangers.file }),
  },
  {
    name: 'a server that nobody vouches for, which may prove itself by dialback here',
    domain: 'loose.example',
    proved: 'dialback',
    start: async ({ strangers }, { domain }) => ({
      secure: false,
      shown: await strangers.sign({ names: [domain], forClients: true }),
    }),
  },
  {
    name: 'one stream for both directions (XEP-0288)',
    domain: 'both.example',
    start: () => ({ bidi: true }),
    bidi: true,
  },
  {
    name: 'an onion service behind a SOCKS5 proxy',
    domain: ONION,
    records: () => ({}),
  },
  {
    name: 'a domain in other letters than ASCII',
    domain: 'bücher.example',
    records: (number) => recordsAt('xn--bcher-kva.example', number),
  },
]

const why = whyNoNetwork()
if (why !== undefined) console.error(`!!! FEDERATION IS NOT TESTED: ${why}`)
else {
  suite('ways', { concurrency: true }, () => {
    const of = bench({ after })
    let stage: Stage

    before(async () => {
      stage = await createStage(of, WAYS, {
        trustDialback: ['loose.example'],
        onionProxy: `10.77.0.40:${SOCKS}`,
      })
      const onion = stage.peers.get(ONION)
      await startForwarder(stage.world.users, SOCKS, { [`${ONION} 5269`]: `${onion?.host.address} 5269` })
    })

    /** What `aenigma federation` says of the streams. */
    async function isListed({ domain, proved = 'pkix', port = 5269, bidi = false }: Way): Promise<void> {
      const { streams } = await stage.server.listing()
      const out = streams.filter(({ direction, to }) => direction === 'out' && to === domain)
      const into = streams.filter(({ direction, from }) => direction === 'in' && from === domain)
      const all = [...out, ...into]
      const seen = JSON.stringify(all)
      assert.ok(bidi ? all.length === 1 : out.length === 1 && into.length === 1, seen)
      for (const { tls, proved: by } of all) assert.deepEqual([tls, by], ['TLSv1.3', [{ domain, by: proved }]], seen)
      for (const { place, bidi: both } of out) assert.deepEqual([place?.port, both], [port, bidi], seen)
    }

    async function play(way: Way): Promise<void> {
      const { people, romeo } = stage
      const peer = stage.peers.get(way.domain)
      assert.ok(peer)
      const { juliet, domain } = peer
      await peer.start(await way.start?.(stage, peer))
      await people.logIn(juliet)
      for (const number of [1, 2]) {
        await people.says(romeo, juliet, `${number} to ${domain}`)
        assert.equal((await people.hears(juliet, `${number} to ${domain}`)).sender, `${romeo.name}@${romeo.domain}`)
        await people.says(juliet, romeo, `${number} from ${domain}`)
        assert.equal((await people.hears(romeo, `${number} from ${domain}`)).sender, `${juliet.name}@${domain}`)
      }
      await isListed(way)
    }

    for (const way of WAYS) {
      test(way.name, { timeout: 100_000 }, () =>
        play(way).catch((error: unknown) => {
          throw new Error(`${error}\n${logOf(stage, way.domain).slice(-20).join('\n')}`)
        }),
      )
    }
  })
}
