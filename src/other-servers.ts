// SPDX-License-Identifier: Apache-2.0
// Other servers: the parts that talk to them put together, and what administrators may ask about them.
import { type Clock, systemClock } from './clock.ts'
import type { Config, FederationRules } from './config/config.ts'
import type { Router } from './core/router.ts'
import { LateStreams } from './late-streams.ts'
import { serverLinkLimits } from './link-limits.ts'
import type { LiveConfig } from './live-config.ts'
import { type Log, silentLog } from './log.ts'
import { Metrics } from './metrics.ts'
import { AdminError } from './net/admin-socket.ts'
import { ServerNetwork } from './net/servers/network.ts'
import { Certificates } from './net/tls.ts'
import type { FederationControl, FederationQuestion, FederationReport, FederationStep } from './ops/federation.ts'
import type { Store } from './store/store.ts'
import { DialbackKeys } from './stream/s2s/dialback-keys.ts'
import { Policy } from './stream/s2s/policy.ts'
import { el } from './xml/element.ts'
import { Jid } from './xmpp/jid.ts'

/** What talking to other servers needs. */
export interface OtherServersParts {
  readonly live: Pick<LiveConfig, 'hosts' | 'federation'>
  readonly network: ServerNetwork
  readonly store: Store
  readonly keys: DialbackKeys
  readonly log: Log
  readonly metrics: Metrics
}

/** All of it. */
export class OtherServers {
  readonly #parts: OtherServersParts
  readonly #policy: Policy
  #streams: LateStreams | undefined

  constructor(parts: OtherServersParts) {
    this.#parts = parts
    this.#policy = new Policy(parts.live.federation)
  }

  /** Makes it. */
  static async open(parts: Omit<OtherServersParts, 'keys'>): Promise<OtherServers> {
    return new OtherServers({ ...parts, keys: new DialbackKeys(await parts.store.secret('dialback')) })
  }

  /** Makes the streams, for the server without sockets. */
  streams(router: Router, clock: Clock): LateStreams {
    const { live, network, store, keys, log, metrics } = this.#parts
    const common = { limits: live.federation, policy: this.#policy, dialer: network.dialer, keys }
    this.#streams = new LateStreams({ ...common, router, store, clock, log, metrics })
    return this.#streams
  }

  /** What administrators may ask. */
  get control(): FederationControl {
    return {
      list: () => ({
        enabled: this.#parts.live.federation.enabled,
        ...(this.#streams?.list() ?? { streams: [], routes: [] }),
      }),
      disconnect: (domain) => this.#streams?.disconnect(domainOf(domain)) ?? 0,
      test: (question, tell) => this.#test(question, tell),
    }
  }

  async #test(question: FederationQuestion, tell: (step: FederationStep) => void): Promise<FederationReport> {
    const { network, live, keys } = this.#parts
    const streams = this.#streams
    const answersFor = (domain: string): boolean => streams?.parts.router.answersFor(domain) ?? live.hosts.has(domain)
    const { from, domain } = endsOf(question, [...live.hosts], answersFor)
    const ping = (ours: string, theirs: string): Promise<string | undefined> => pinged(streams, ours, theirs)
    const { FederationWalk } = await import('./federation-walk.ts')
    const parts = { walk: network.walk, dialer: network.dialer, policy: this.#policy, now: systemClock.now }
    if (question.self !== true)
      return new FederationWalk({ ...parts, running: { keys, ping } }, from, domain, tell).run()
    return tested(streams, domain, () =>
      new FederationWalk({ ...parts, running: undefined, self: true }, from, domain, tell).run(),
    )
  }
}

/**
 * Walks the way to another server although no server runs here: as far as one gets without being asked back.
 * @param config whose certificates, resolvers and rules are used
 */
export async function testWithoutServer(
  config: Config,
  question: FederationQuestion,
  tell: (step: FederationStep) => void,
): Promise<FederationReport> {
  const certificates = new Certificates()
  await certificates.load(config.certificates)
  const metrics = new Metrics()
  try {
    const network = await ServerNetwork.open({
      options: config.federation,
      limits: serverLinkLimits(config.limits, config.federation),
      ...{ certificates, clock: systemClock, log: silentLog, metrics },
    })
    const hosts = config.hosts.map(domainOf)
    const { from, domain } = endsOf(question, hosts, (name) => hosts.includes(name))
    const { FederationWalk } = await import('./federation-walk.ts')
    const policy = new Policy(config.federation satisfies FederationRules)
    const parts = { walk: network.walk, dialer: network.dialer, policy, now: systemClock.now, running: undefined }
    return await new FederationWalk(parts, from, domain, tell).run()
  } finally {
    metrics.stop()
  }
}

/** Lets streams of ourselves come so far that it can be seen how others would be received. */
async function tested<T>(streams: LateStreams | undefined, domain: string, work: () => Promise<T>): Promise<T> {
  const all = streams?.tested ?? []
  all.push(domain)
  try {
    return await work()
  } finally {
    all.splice(all.indexOf(domain), 1)
  }
}

/** The two ends of a test. @throws AdminError */
function endsOf(
  { from, domain, self }: FederationQuestion,
  hosts: readonly string[],
  answersFor: (domain: string) => boolean,
): { readonly from: string; readonly domain: string } {
  const [ours, theirs] = [from === undefined ? (hosts[0] ?? '') : domainOf(from), domainOf(domain)]
  if (!answersFor(ours)) throw new AdminError('not-ours', `${ours} is no domain of this server.`)
  if (!self && answersFor(theirs)) throw new AdminError('ours', `${theirs} is a domain of this server itself.`)
  return { from: ours, domain: theirs }
}

function domainOf(text: string): string {
  const jid = Jid.tryParse(text)
  if (jid && jid.local === undefined && jid.resource === undefined) return jid.domain
  throw new AdminError('bad-domain', `"${text}" is no domain; one looks like example.org`)
}

/** What a stanza comes back with that did not get there. */
const OUR_OWN = new Set(['remote-server-timeout', 'remote-server-not-found', 'internal-server-error', 'not-allowed'])

/** Asks the other server something over the streams that stanzas of users take. @returns why no answer came */
async function pinged(streams: LateStreams | undefined, ours: string, theirs: string): Promise<string | undefined> {
  if (!streams) return 'Nothing talks to other servers here.'
  const ends = [Jid.of(undefined, ours), Jid.of(undefined, theirs)] as const
  const answer = await streams.parts.router.ask(...ends, 'get', el('ping', 'urn:xmpp:ping'))
  const error = answer.element.child('error')
  const condition = error?.elements.find(({ name }) => name !== 'text')?.name ?? ''
  if (answer.type !== 'error' || !OUR_OWN.has(condition)) return undefined // an error of theirs is an answer
  const text = error?.childText('text', 'urn:ietf:params:xml:ns:xmpp-stanzas')
  const route = streams.list().routes.find(({ from, to }) => from === ours && to === theirs)
  const why = route?.lastError?.why
  return [text ?? 'No answer came in time.', ...(why === undefined ? [] : [`The last attempt: ${why}`])].join(' ')
}
