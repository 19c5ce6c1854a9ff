// SPDX-License-Identifier: Apache-2.0
// People of three servers talk, in all six directions: aenigma, Prosody and ejabberd, each a host of its own in a network with
// signed names and certificates (test/support/network/). Between Prosody and ejabberd it is the control: what the others do.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { account } from '../../support/network/accounts.ts'
import { startAenigma } from '../../support/network/aenigma.ts'
import { startEjabberd } from '../../support/network/ejabberd.ts'
import { withNetwork } from '../../support/network/host.ts'
import { startProsody } from '../../support/network/prosody.ts'
import {
  createWorld,
  domainOf,
  goodCertificate,
  type Letter,
  placesOf,
  startScript,
  type World,
} from '../../support/network/world.ts'
import { bench } from '../../support/process.ts'
import type { Fact } from '../../support/slixmpp.ts'

const LETTERS: readonly Letter[] = ['a', 'p', 'e']
const DIRECTIONS = LETTERS.flatMap((from) => LETTERS.filter((to) => to !== from).map((to) => ({ from, to })))
const NAMES = { a: 'aenigma', p: 'Prosody', e: 'ejabberd' } as const

const texts = ['Perché no? È così.', '🌹👩🏽‍🚀 <b>&amp;</b> ]]> "quotes" \'too\'', 'two\nlines']

/** What is seen in each conversation, whoever talks to whom. @param to whose server Juliet's is */
const expected = (to: Letter): Readonly<Record<string, readonly Fact[]>> => ({
  contacts: [
    { saw: 'request' },
    { saw: 'presence', of: 'juliet' },
    { saw: 'presence', of: 'romeo' },
    { saw: 'away', status: 'on the balcony' },
    { saw: 'roster', of: 'romeo', subscription: 'both' },
    { saw: 'roster', of: 'juliet', subscription: 'both' },
  ],
  chat: [
    ...texts.flatMap((body) => [
      { saw: 'message', by: 'juliet', body, sender: true },
      { saw: 'message', by: 'romeo', body, sender: true },
    ]),
    { saw: 'receipt', sender: true },
  ],
  order: [{ saw: 'order', kept: true }],
  carbons: [
    { saw: 'received', sender: true },
    { saw: 'sent', to: true },
  ],
  questions: [
    { saw: 'pong', by: 'server' },
    { saw: 'pong', by: 'juliet' },
    { saw: 'version', named: true },
    { saw: 'version', of: 'a script' },
    { saw: 'info', server: true, ping: true },
    { saw: 'items', rooms: true },
    { saw: 'info', rooms: true },
    { saw: 'info', account: true },
  ],
  vcard: [{ saw: 'vcard', full: 'Giulietta Capuleti 🌹', nick: 'Giulì' }],
  avatar: [
    { saw: 'metadata', right: true },
    { saw: 'data', text: 'a picture' },
  ],
  keys: [
    { saw: 'devices', ids: ['4711'] },
    { saw: 'bundle', key: 'a key' },
  ],
  news: [
    { saw: 'news', away: false, sender: true },
    ...(to === 'e' ? [] : [{ saw: 'news', away: true, sender: true }]),
  ],
  offline: [
    { saw: 'message', body: 'Wherefore art thou?', sender: true, delayed: true },
    { saw: 'message', body: 'Buonanotte 🌙', sender: true, delayed: true },
    { saw: 'presence', again: true },
  ],
  room: [
    { saw: 'invited', room: true },
    { saw: 'joined', others: ['Juliet'] },
    { saw: 'entered' },
    { saw: 'heard', nick: 'Romeo' },
    { saw: 'heard', nick: 'Juliet' },
    { saw: 'subject' },
    { saw: 'whisper', by: 'Romeo' },
    { saw: 'whisper', by: 'Juliet' },
    { saw: 'left' },
  ],
  archive: [
    { saw: 'archive', of: 'romeo', last: ['Remember me', 'I shall'] },
    { saw: 'archive', of: 'juliet', last: ['Remember me', 'I shall'] },
  ],
  nobody: [
    { saw: 'error', sender: true, condition: 'service-unavailable' },
    { saw: 'refusal', condition: true },
  ],
  blocking: [
    // ejabberd shows the one who is blocked neither.
    { saw: 'error', condition: 'service-unavailable', gone: to !== 'e' },
    { saw: 'pong', here: to !== 'e' },
    { saw: 'message', leaked: false },
  ],
  parting: [{ saw: 'parted' }, { saw: 'roster', subscription: 'none' }],
})

/** Who takes part, on both sides of each direction. */
const couple = ({ from, to }: (typeof DIRECTIONS)[number]) => ({
  romeo: account(`romeo${from}${to}`, domainOf(from)),
  juliet: account(`juliet${from}${to}`, domainOf(to)),
})

/** What was seen in each conversation. */
async function talk(world: World, direction: (typeof DIRECTIONS)[number]): Promise<Map<string, Fact[]>> {
  const child = startScript(world, 'conversations.py', 'all', { places: placesOf(world), ...couple(direction) })
  await child.succeeds(150_000)
  const seen = new Map<string, Fact[]>()
  for (const line of child.lines) {
    const { conversation, ...fact }: { conversation: string } & Fact = JSON.parse(line)
    seen.set(conversation, [...(seen.get(conversation) ?? []), fact])
  }
  return seen
}

withNetwork(() => {
  const of = bench({ after })
  let world: World
  before(async () => {
    world = await createWorld(of)
    const { hosts, authority, dns } = world
    const people = DIRECTIONS.flatMap((direction) => Object.values(couple(direction)))
    const common = async (letter: Letter) => ({
      domain: domainOf(letter),
      ca: authority.file,
      certificate: await goodCertificate(world, letter),
      users: people.filter(({ domain }) => domain === domainOf(letter)),
    })
    await Promise.all([
      startAenigma(of, hosts.a, await common('a')),
      startProsody(of, hosts.p, { ...(await common('p')), anchor: dns.anchor }),
      startEjabberd(of, hosts.e, await common('e')),
    ])
  })

  for (const direction of DIRECTIONS) {
    suite(`${NAMES[direction.from]} to ${NAMES[direction.to]}`, () => {
      let seen: Map<string, Fact[]>
      before(async () => {
        seen = await talk(world, direction)
      })
      for (const [conversation, facts] of Object.entries(expected(direction.to))) {
        test(conversation, () => assert.deepEqual(seen.get(conversation), facts))
      }
    })
  }
})
