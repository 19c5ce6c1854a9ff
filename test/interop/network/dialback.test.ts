// SPDX-License-Identifier: Apache-2.0
// We and ejabberd trust no authority of each other, and are content with dialback: everything that people do works all the same,
// in both directions, and our rooms send over the stream of our domain.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { account } from '../../support/network/accounts.ts'
import { type Aenigma, startAenigma } from '../../support/network/aenigma.ts'
import { Authority } from '../../support/network/authority.ts'
import { startEjabberd } from '../../support/network/ejabberd.ts'
import { withNetwork } from '../../support/network/host.ts'
import {
  createWorld,
  domainOf,
  goodCertificate,
  placesOf,
  startScript,
  type World,
} from '../../support/network/world.ts'
import { bench } from '../../support/process.ts'

const couple = (from: 'a' | 'e', to: 'a' | 'e') => ({
  romeo: account(`romeo${from}${to}`, domainOf(from)),
  juliet: account(`juliet${from}${to}`, domainOf(to)),
})
const COUPLES = [couple('a', 'e'), couple('e', 'a')]

withNetwork(() => {
  const of = bench({ after })
  let world: World
  let server: Aenigma

  before(async () => {
    world = await createWorld(of)
    const { file: ca } = await Authority.create(of.directory, 'strangers')
    const common = async (letter: 'a' | 'e') => ({
      domain: domainOf(letter),
      ca,
      certificate: await goodCertificate(world, letter),
      users: COUPLES.flatMap((two) => Object.values(two)).filter(({ domain }) => domain === domainOf(letter)),
    })
    const theirs = domainOf('e')
    const federation = { trustDialback: [theirs, `*.${theirs}`] }
    ;[server] = await Promise.all([
      startAenigma(of, world.hosts.a, { ...(await common('a')), federation }),
      startEjabberd(of, world.hosts.e, { ...(await common('e')), dialback: true }),
    ])
  })

  for (const people of COUPLES) {
    test(`from ${people.romeo.domain} to ${people.juliet.domain}`, async () => {
      const child = startScript(world, 'conversations.py', 'all', { places: placesOf(world), ...people })
      await child.succeeds(150_000)
      const seen = child.lines.map((line): Record<string, unknown> => JSON.parse(line))
      for (const saw of ['heard', 'receipt', 'metadata', 'bundle', 'archive', 'parted']) {
        assert.ok(
          seen.some((one) => one.saw === saw),
          `${saw}: ${child.output}`,
        )
      }
      const { streams } = await server.listing()
      assert.deepEqual(new Set(streams.flatMap(({ proved }) => proved.map(({ by }) => by))), new Set(['dialback']))
    })
  }

  test('our rooms ride on the stream of our domain', async () => {
    const { streams } = await server.listing()
    const out = streams.filter(({ direction, to }) => direction === 'out' && to === domainOf('e'))
    assert.deepEqual(
      out.map(({ from, also }) => [from, also]),
      [[domainOf('a'), [`rooms.${domainOf('a')}`]]],
    )
  })
})
