// SPDX-License-Identifier: Apache-2.0
// The XMPP server without its sockets: the parts are made here, handed to each other, and take links from anywhere.
import { randomUUID } from 'node:crypto'
import type { Accounts } from './accounts/accounts.ts'
import { DEFAULT_LIMITS, Throttle, type ThrottleLimits } from './accounts/throttle.ts'
import type { Clock } from './clock.ts'
import { Directory } from './core/directory.ts'
import type { Announcement, Feature, FeatureLimits, Hooks, Software } from './core/feature.ts'
import { Presence } from './core/presence.ts'
import { rosterHooks } from './core/roster-iq.ts'
import { type Federation, Router } from './core/router.ts'
import type { Session } from './core/session.ts'
import { type RosterLimits, Subscriptions } from './core/subscriptions.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from './store/store.ts'
import type { ClientLimits } from './stream/client-parts.ts'
import { ClientStreams } from './stream/clients.ts'
import type { Component } from './stream/component.ts'
import { Components } from './stream/components.ts'
import type { Link, MaybeAsync } from './stream/link.ts'
import type { SaslLimits } from './stream/login.ts'
import { el } from './xml/element.ts'
import { StreamError } from './xmpp/errors.ts'
import { Jid } from './xmpp/jid.ts'
import { NS_CLIENT, Stanza } from './xmpp/stanza.ts'

/** How many failed logins are too many. */
export interface LoginLimits {
  /** Of one network, over all accounts, until it is refused. */
  readonly failedLoginsPerAddress: number
  /** Of one network to one account until it is refused there. */
  readonly failedLoginsPerAccount: number
}

/** What a server is made of. */
export interface ServerParts {
  readonly hosts: ReadonlySet<string>
  /** Domains whose clients are sent elsewhere (RFC 6120 §4.9.3.19), none of `hosts`. */
  readonly moved: ReadonlyMap<string, string>
  /** Programs that answer for domains of their own (XEP-0114), none of `hosts`. */
  readonly components?: ReadonlyMap<string, Component>
  /** Makes what talks to other servers, which hands their stanzas to the router; without it there are none. */
  readonly federation?: (router: Router, parts: ServerParts) => OtherServers
  readonly store: Store
  readonly accounts: Accounts
  /** In the order in which their hooks run. */
  readonly features: readonly Feature[]
  /** Checked options of all features by their key; read anew each time, since a reload changes them. */
  readonly options: Readonly<Record<string, unknown>>
  /** Bare JIDs that the configuration names as administrators, beside the accounts that were made ones. */
  readonly admins: ReadonlySet<string>
  readonly limits: ClientLimits & FeatureLimits & RosterLimits & LoginLimits
  readonly sasl: SaslLimits
  readonly software: Software
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** What talks to other servers; a test may have less than all of it. */
export interface OtherServers extends Federation {
  /** Goes on with what an earlier process had not sent yet. */
  start?(): Promise<void>
  /** Takes over a connection of another server. */
  accept?(link: Link): void
  /** Ends the streams that could not begin any more. */
  endRefused?(): void
  close?(): MaybeAsync<void>
}

/** A server that runs. */
export interface Server {
  /** Takes over a connection of a client. */
  accept(link: Link): void
  /** Takes over a connection of a component (XEP-0114). */
  acceptComponent(link: Link): void
  /** Takes over a connection of another server. */
  acceptServer(link: Link): void
  /** Every client that is logged in. */
  sessions(): Iterable<Session>
  /** Ends one client's stream. @returns false if there is no such session */
  endSession(id: string): boolean
  /** Sends a message of one of our domains to an account. */
  tell(from: string, to: Jid, text: string): Promise<void>
  readonly connections: number
  /** The addresses of the services of one of our domains. */
  servicesOf(host: string): readonly string[]
  /** Ends the streams to domains that are not in `hosts` any more, and of components that are none any more. */
  hostsChanged(): void
  /** Closes all streams and stops the features; the store stays open. */
  stop(): Promise<void>
}

/** Makes a server from its parts and starts its features. */
export async function startXmpp(parts: ServerParts): Promise<Server> {
  const { hosts, store, clock, log, metrics, limits } = parts
  const directory = new Directory(store, hosts)
  const router = new Router({ hosts, directory, clock, log, metrics })
  const isAdmin = (jid: Jid): boolean =>
    hosts.has(jid.domain) &&
    (parts.admins.has(jid.bare.toString()) || directory.loaded(jid.bare.toString())?.admin === true)
  const announced = (): readonly Announcement[] => hooks.flatMap((hook) => hook.disco ?? [])
  const subscriptions = new Subscriptions(router, limits)
  const hooks: readonly Hooks[] = [
    rosterHooks(subscriptions, limits),
    ...parts.features.map((feature) => feature.setup({ ...parts, directory, router, isAdmin, announced, limits })),
  ]
  const presence = new Presence({ router, directory, hosts, subscriptions, hooks })
  const components = new Components({ ...parts, router, components: parts.components ?? new Map() })
  const federation = parts.federation?.(router, parts)
  router.use(presence, hooks, components, federation)
  directory.onEnd = (session) => {
    presence.ended(session)
    for (const hook of hooks) {
      try {
        hook.onEnd?.(session)
      } catch (error) {
        log.error('hook failed at the end of a session', { session: session.id, error }) // the others go on
      }
    }
  }
  const throttle = new Throttle(clock, throttleLimits(limits))
  const streams = new ClientStreams({ ...parts, router, directory, hooks, throttle })
  const forget = endSessionsOfChanged(parts.accounts, directory, streams)
  for (const hook of hooks) await hook.start?.()
  await federation?.start?.()
  metrics.connections = () => streams.size
  metrics.uncommitted = () => store.uncommitted
  metrics.sessions = () => count(directory.sessions())
  metrics.detached = () => count([...directory.sessions()].filter((session) => !session.attached))
  return {
    accept: (link) => streams.accept(link),
    acceptComponent: (link) => components.accept(link),
    acceptServer: (link) => (federation?.accept ? federation.accept(link) : link.close()),
    servicesOf: (host) => router.services.of(host),
    sessions: () => directory.sessions(),
    endSession(id) {
      for (const session of directory.sessions()) {
        if (session.id !== id) continue
        session.close(new StreamError('reset', 'Ended by an administrator.'))
        return true
      }
      return false
    },
    async tell(from, to, text) {
      const message = el('message', NS_CLIENT, { type: 'chat' }, el('body', NS_CLIENT, null, text))
      await router.route(Stanza.of(message, Jid.of(undefined, from), to, randomUUID()))
    },
    get connections() {
      return streams.size
    },
    hostsChanged() {
      streams.endGone()
      components.endGone()
      federation?.endRefused?.()
      for (const session of [...directory.sessions()]) {
        if (!hosts.has(session.jid.domain)) session.close(new StreamError('host-gone')) // it has no stream at the moment
      }
    },
    async stop() {
      forget()
      streams.close()
      components.close()
      await federation?.close?.() // last, so that goodbyes still go out
      for (const hook of [...hooks].reverse()) await hook.stop?.()
    },
  }
}

/** As the throttle wants them; read anew each time, since a reload changes them. */
function throttleLimits(limits: LoginLimits): ThrottleLimits {
  return {
    ...DEFAULT_LIMITS,
    get network() {
      return limits.failedLoginsPerAddress
    },
    get pair() {
      return limits.failedLoginsPerAccount
    },
  }
}

/** Who was removed, disabled or got another password is logged out, as is a client that was revoked (RFC 6120 §4.9.3.12). */
function endSessionsOfChanged(accounts: Accounts, directory: Directory, streams: ClientStreams): () => void {
  return accounts.onChange(({ kind, jid, keep, client }) => {
    const account = directory.loaded(jid.toString())
    if (kind === 'promoted' || kind === 'demoted') {
      if (account) account.admin = kind === 'promoted'
      return
    }
    if (kind === 'enabled') return
    if (kind === 'removed' || kind === 'created') directory.forget(jid)
    if (kind === 'created') return
    const error = new StreamError('not-authorized', 'The account was changed.')
    streams.endEntering(jid, error)
    for (const session of [...(account?.sessions.values() ?? [])]) {
      if (session.id !== keep && (client === undefined || session.login.client?.id === client)) session.close(error)
    }
  })
}

function count(items: Iterable<unknown>): number {
  let total = 0
  for (const _ of items) total++
  return total
}
