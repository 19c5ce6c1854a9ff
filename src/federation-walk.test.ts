// SPDX-License-Identifier: Apache-2.0
// The walk to another server that a test plays: what is said at which obstacle. test/e2e/ walks to servers that run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLink } from '../test/support/memory-link.ts'
import { Call, type Host, KEYS, OURS, THEIRS } from '../test/support/other-servers.ts'
import { FederationWalk, type FederationWalkParts } from './federation-walk.ts'
import { LookupFailure } from './net/servers/walk.ts'
import type { FederationStep } from './ops/federation.ts'
import { DialError, type Dialed } from './stream/link.ts'
import { Policy } from './stream/s2s/policy.ts'

const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const DB = 'jabber:server:dialback'
const EXTERNAL = `<mechanisms xmlns='${SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>`
const DIALBACK = `<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>`
const RULES = { enabled: true, trust: 'certificate', allow: [], block: [], streams: 9, streamsPerDomain: 9 } as const
const PLACE = { host: 'xmpp.example', port: 5269, direct: false, secure: false }

/** What is different from a way without obstacles. */
interface Obstacles {
  readonly walk?: Partial<FederationWalkParts['walk']>
  readonly trustDialback?: readonly string[]
  /** What the other server does on each stream that is opened to it. */
  readonly hosts?: readonly ((host: Host) => Promise<unknown>)[]
  readonly link?: () => MemoryLink
  readonly running?: FederationWalkParts['running']
  readonly dial?: () => Promise<Dialed>
}

/** Walks. @returns each step as `id result: detail` */
async function walks({ walk, trustDialback = [], hosts = [], link, running, dial }: Obstacles = {}) {
  const left = [...hosts]
  const playing: Promise<unknown>[] = []
  const call = (from: string, to: string, signal: AbortSignal): Promise<Dialed> =>
    new Promise((resolve, reject) => {
      const host = new Call(from, to, signal, { resolve, reject }).connects(link?.())
      const play = left.shift()
      if (play) playing.push(play(host))
    })
  const parts: FederationWalkParts = {
    walk: {
      records: async () => ({
        plain: { records: [{ priority: 0, weight: 0, port: 5269, target: 'xmpp.example' }], secure: true },
        direct: { records: [], secure: true },
        places: { refused: false, places: [PLACE] },
      }),
      addresses: async () => ({ records: ['2001:db8::1', '192.0.2.1'], secure: false }),
      announced: async () => 0,
      reaches: async () => undefined,
      ...walk,
    },
    dialer: { dial: dial ?? call },
    policy: new Policy({ ...RULES, trustDialback }),
    running,
    now: () => Date.UTC(2026, 0, 1),
  }
  const told: FederationStep[] = []
  const report = await new FederationWalk(parts, OURS, THEIRS, (step) => told.push(step)).run()
  await Promise.all(playing)
  assert.deepEqual(told, report.steps)
  const last = report.steps.at(-1)
  return { passed: report.passed, steps: report.steps, last: last && `${last.id} ${last.result}: ${last.detail}` }
}

/** The other server up to its offer over TLS. */
const offering =
  (features: string, then?: (host: Host) => Promise<unknown>) =>
  async (host: Host): Promise<unknown> => {
    await host.answers(`<starttls xmlns='${TLS}'/>`)
    await host.receives(`<starttls xmlns='${TLS}'/>`)
    host.sends(`<proceed xmlns='${TLS}'/>`)
    await host.answers(features)
    return then?.(host)
  }

const lettingIn = offering(EXTERNAL + DIALBACK, async (host) => {
  await host.receives(`<auth xmlns='${SASL}' mechanism='EXTERNAL'/>`)
  host.sends(`<success xmlns='${SASL}'/>`)
})

const telling = (answer: string) =>
  offering(DIALBACK, async (host) => {
    await host.receives(`<result xmlns='${DB}' from='${OURS}' to='${THEIRS}'/>`)
    host.sends(answer)
  })
const VALID = `<result xmlns='${DB}' from='${THEIRS}' to='${OURS}' type='valid'/>`
const UNREACHED = `<result xmlns='${DB}' from='${THEIRS}' to='${OURS}' type='error'><error xmlns='jabber:client'><remote-connection-failed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></result>`
const running = { keys: KEYS, ping: async () => undefined }

const result = (steps: readonly FederationStep[], id: string): string | undefined =>
  steps.find((step) => step.id === id)?.result

test('everything as it should be', async () => {
  const { passed, steps, last } = await walks({ running, hosts: [lettingIn, telling(VALID)] })
  assert.ok(passed)
  assert.deepEqual(new Set(steps.map((step) => step.result)), new Set(['passed']))
  assert.match(last ?? '', /^ping passed: It came after 0 ms/)
})

test('the DNS does not answer, or has no addresses', async () => {
  const fails = async (): Promise<never> => {
    throw new LookupFailure('the DNS did not answer in time')
  }
  assert.equal(
    (await walks({ walk: { records: fails } })).last,
    'records failed: It could not be found out: the DNS did not answer in time.',
  )
  assert.match(
    (await walks({ walk: { addresses: fails } })).last ?? '',
    /^addresses failed: xmpp\.example: the DNS did not answer in time$/,
  )
})

test('nobody answers, or only at some of the addresses', async () => {
  assert.match(
    (await walks({ walk: { reaches: async () => 'does not answer' } })).last ?? '',
    /^connection failed: \[2001:db8::1\] port 5269 does not answer; 192\.0\.2\.1 port 5269 does not answer$/,
  )
  const six = async (address: string): Promise<string | undefined> =>
    address.includes(':') ? 'does not answer' : undefined
  const { steps } = await walks({ walk: { reaches: six }, hosts: [lettingIn] })
  assert.equal(result(steps, 'connection'), 'notable')
  assert.equal(result(steps, 'external'), 'passed')
})

test('no TLS, no server of that domain, no XMPP', async () => {
  assert.equal((await walks({ hosts: [(host) => host.answers('')] })).last, 'stream failed: It offers no TLS.')
  const unknown = async (host: Host): Promise<void> => {
    await host.begins()
    host.sends(
      `<error xmlns='http://etherx.jabber.org/streams'><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>`,
    )
  }
  assert.equal((await walks({ hosts: [unknown] })).last, 'stream failed: It ended the stream: host-unknown.')
  const breaks = async (host: Host): Promise<void> => {
    await host.link.next()
    host.link.clientVanishes()
  }
  assert.equal((await walks({ hosts: [breaks] })).last, 'stream failed: The connection broke.')
  const dial = (): Promise<never> => Promise.reject(new DialError('tls', 'TLS with the server failed: wrong version'))
  assert.equal((await walks({ dial })).last, 'tls failed: TLS with the server failed: wrong version.')
})

test('a certificate that proves nothing, and where dialback is enough instead', async () => {
  const link = (): MemoryLink => {
    const made = new MemoryLink({ encrypted: false })
    made.proof = () => ({ by: undefined, why: 'the certificate has expired' })
    return made
  }
  const strict = await walks({ link, hosts: [offering(EXTERNAL)] })
  assert.equal(strict.last, 'proof failed: The certificate has expired.')
  assert.match(strict.steps.at(-1)?.advice ?? '', /trustDialback/)
  const loose = await walks({ link, running, trustDialback: [THEIRS], hosts: [lettingIn, telling(VALID)] })
  assert.ok(loose.passed)
  assert.equal(result(loose.steps, 'proof'), 'notable')
})

test('they do not want our certificate, and cannot reach us', async () => {
  const refusing = offering(EXTERNAL + DIALBACK, async (host) => {
    await host.receives(`<auth xmlns='${SASL}' mechanism='EXTERNAL'/>`)
    host.sends(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
  })
  const { passed, steps, last } = await walks({ running, hosts: [refusing, telling(UNREACHED)] })
  assert.ok(!passed)
  assert.deepEqual([result(steps, 'external'), result(steps, 'dialback')], ['notable', 'failed'])
  assert.match(steps.find(({ id }) => id === 'dialback')?.detail ?? '', /could not connect to our server/)
  assert.equal(last, 'ping skipped: They do not let us in.')
  assert.equal(result((await walks({ hosts: [refusing] })).steps, 'external'), 'failed') // nobody here to be asked
})

test('they offer dialback, or need not', async () => {
  const plain = offering(EXTERNAL, async (host) => {
    await host.receives(`<auth xmlns='${SASL}' mechanism='EXTERNAL'/>`)
    host.sends(`<success xmlns='${SASL}'/>`)
  })
  const { passed, steps } = await walks({ running, hosts: [plain] })
  assert.ok(passed)
  assert.equal(result(steps, 'dialback'), 'skipped')
  const nothing = await walks({ running, hosts: [offering('')] })
  assert.ok(!nothing.passed)
  assert.equal(nothing.steps.find(({ id }) => id === 'dialback')?.detail, 'They offer no other way.')
})

test('no answer comes', async () => {
  const deaf = { keys: KEYS, ping: async () => 'The other server did not take it in time.' }
  const { passed, last, steps } = await walks({ running: deaf, hosts: [lettingIn, telling(VALID)] })
  assert.ok(!passed)
  assert.equal(last, 'ping failed: The other server did not take it in time.')
  assert.match(steps.at(-1)?.advice ?? '', /port 5269 open from outside/)
})
