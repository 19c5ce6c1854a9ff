// SPDX-License-Identifier: Apache-2.0
// The path of a stanza (RFC 6120 §10, RFC 6121 §8), read from top to bottom: from a client, through the features, to a
// domain, an account, a client. All decisions are here, in the order in which they are taken.
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type Element, Element as XmlElement } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { type MessageType, NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import type { Directory, LocalAccount } from './directory.ts'
import { andThen, type Hooks, type IqRequest, type MaybeAsync, type Service } from './feature.ts'
import { type Ended, type HookLists, hookLists, runHooks, sortOf } from './hook-lists.ts'
import { IqTable } from './iq-table.ts'
import { LostServers } from './lost-servers.ts'
import { recipients } from './message.ts'
import { Services } from './services.ts'
import type { Session } from './session.ts'

/** How long a question of ours may stay unanswered, in ms. */
const ANSWER_TIME = 30_000

/** Marks answers that we made up because none came; by this very object, so that nobody else can. */
const SILENT = new XmlElement('silent', 'urn:aenigma:silence', {}, [])

/** Whether nobody answered what was asked: the server of who was asked took the question, and nothing came back. */
export function isSilence(answer: Stanza): boolean {
  return answer.type === 'error' && answer.element.child('error')?.children.includes(SILENT) === true
}

/** What the router needs; `presence` decides everything about presence. */
export interface RouterParts {
  readonly hosts: ReadonlySet<string>
  readonly directory: Directory
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** Who handles presence (RFC 6121 §3, §4). */
export interface PresenceHandler {
  fromClient(stanza: Stanza, session: Session): MaybeAsync<void>
  toAccount(stanza: Stanza, to: Jid, account: LocalAccount): MaybeAsync<void>
  /** For a name that nobody has here. */
  toNobody(stanza: Stanza, to: Jid): MaybeAsync<void>
  /** Other servers that could not be reached are there again. */
  regained(domains: ReadonlySet<string>): void
}

/** Domains that programs of others answer for (XEP-0114). */
export interface Outside {
  /** Whether a domain is one of them; never one of ours. */
  has(domain: string): boolean
  /** All of them. */
  domains(): Iterable<string>
  /** @returns whether there was somebody to give it to */
  carry(stanza: Stanza): boolean
}

/** Other servers (RFC 6120 §10.4). */
export interface Federation {
  /** Whether the configuration has switched it off: then it takes nothing. */
  readonly isOff?: boolean
  /** Whether anything may go there at all; a domain that policy refuses is not reachable. */
  mayReach(domain: string): boolean
  /** Takes charge of a stanza whose `to` is none of ours: it arrives, or goes back by `router.refuse` with the right error. */
  carry(stanza: Stanza): MaybeAsync<void>
}

/** Carries stanzas to where they belong. */
export class Router {
  readonly #parts: RouterParts
  readonly #asked = new Map<string, (answer: Stanza) => void>()
  #hooks: HookLists = hookLists([])
  #iq = new IqTable([])
  #presence: PresenceHandler | undefined
  #services: Services
  #outside: Outside | undefined
  #federation: Federation | undefined
  readonly #lost: LostServers

  constructor(parts: RouterParts) {
    this.#parts = parts
    this.#services = new Services(parts.hosts, [])
    this.#lost = new LostServers(parts.clock, (domains) => this.#presence?.regained(domains))
  }

  /** The subdomains that features own. */
  get services(): Services {
    return this.#services
  }

  /**
   * Completes the router; before this it carries nothing. Throws if two features answer one question.
   * @param outside goes before services: the configuration names its domains
   * @param federation gets what is for domains of others; without it there are none
   */
  use(presence: PresenceHandler, hooks: readonly Hooks[], outside?: Outside, federation?: Federation): void {
    this.#outside = outside
    this.#federation = federation
    this.#presence = presence
    this.#hooks = hookLists(hooks)
    this.#services = new Services(this.#parts.hosts, hooks, outside)
    this.#iq = new IqTable(hooks.flatMap((hook) => hook.iq ?? []))
  }

  /** Whether what is sent to a domain can arrive: we answer for it, or another server may. */
  knowsWay(domain: string): boolean {
    return this.answersFor(domain) || this.#federation?.mayReach(domain) === true
  }

  /** Whether a domain is here: one of ours, a service of one, or one that a component answers for. */
  answersFor(domain: string): boolean {
    return this.#parts.hosts.has(domain) || this.#outside?.has(domain) || this.#services.at(domain) !== undefined
  }

  /** What is said of a domain to which we know no way (RFC 6120 §10.4.3). */
  noWay(): StanzaError {
    return this.#federation && this.#federation.isOff !== true
      ? new StanzaError('cancel', 'not-allowed', 'This server does not talk to that one.')
      : new StanzaError('cancel', 'remote-server-not-found', 'This server does not talk to other servers.')
  }

  /** A stanza that one of our clients sent; its `from` is already the client's own full JID. Never throws. */
  fromClient(stanza: Stanza, session: Session): MaybeAsync<void> {
    this.#parts.metrics.received[stanza.kind]++
    try {
      const passed = runHooks(this.#hooks.onSend[sortOf(stanza)], stanza, session)
      const waiting =
        passed instanceof Promise ? this.#sentLater(passed, stanza, session) : this.#sent(passed, stanza, session)
      return this.#watched(waiting, stanza)
    } catch (error) {
      return this.#failed(stanza, error)
    }
  }

  async #sentLater(passed: Promise<Stanza | Ended>, stanza: Stanza, session: Session): Promise<void> {
    return this.#sent(await passed, stanza, session)
  }

  #sent(passed: Stanza | Ended, stanza: Stanza, session: Session): MaybeAsync<void> {
    if ('stopped' in passed) return this.#notPassed(stanza, passed)
    if (passed.kind === 'presence') return this.#presence?.fromClient(passed, session)
    if (passed.to) return this.route(passed, session)
    return this.route(passed.with({ to: session.account.jid }), session)
  }

  /** What a client sends without saying so: its presence to one contact. Like `fromClient`, once for each of them. */
  onBehalf(stanza: Stanza, session: Session): MaybeAsync<void> {
    try {
      const waiting = andThen(runHooks(this.#hooks.onSend[sortOf(stanza)], stanza, session), (passed) =>
        'stopped' in passed ? undefined : this.route(passed, session),
      )
      return this.#watched(waiting, stanza)
    } catch (error) {
      return this.#failed(stanza, error)
    }
  }

  /** Where to? @param session the client that sent it, if one of ours did. Never throws. */
  route(stanza: Stanza, session?: Session): MaybeAsync<void> {
    const { to } = stanza
    if (!to) return undefined
    if (!this.#lost.none) this.#heard(stanza)
    try {
      return this.#watched(this.#carry(stanza, to, session), stanza)
    } catch (error) {
      return this.#failed(stanza, error)
    }
  }

  #carry(stanza: Stanza, to: Jid, session: Session | undefined): MaybeAsync<void> {
    if (!this.#parts.hosts.has(to.domain)) {
      if (this.#outside?.has(to.domain)) return this.#toOutside(stanza, this.#outside)
      const service = this.#services.at(to.domain)
      return service ? this.#toService(stanza, to, service, session) : this.#toRemote(stanza, to)
    }
    if (to.local === undefined) return this.#toDomain(stanza, to, session)
    return this.#toAccount(stanza, to, session)
  }

  /** Hands a stanza to one client, through the `onDeliver` hooks. Never throws. */
  toClient(stanza: Stanza, client: Session): MaybeAsync<void> {
    try {
      const passed = runHooks(this.#hooks.onDeliver[sortOf(stanza)], stanza, client)
      const waiting =
        passed instanceof Promise
          ? this.#deliveredLater(passed, stanza, client)
          : this.#delivered(passed, stanza, client)
      return this.#watched(waiting, stanza)
    } catch (error) {
      return this.#failed(stanza, error)
    }
  }

  async #deliveredLater(passed: Promise<Stanza | Ended>, stanza: Stanza, client: Session): Promise<void> {
    return this.#delivered(await passed, stanza, client)
  }

  #delivered(passed: Stanza | Ended, stanza: Stanza, client: Session): MaybeAsync<void> {
    if ('stopped' in passed) return this.#notPassed(stanza, passed)
    this.#parts.metrics.sent[passed.kind]++
    client.send(passed)
    return undefined
  }

  /** Sends a stanza back to who sent it, with an error; errors and answers are never answered (RFC 6120 §8.3.1). */
  refuse(stanza: Stanza, error: StanzaError): MaybeAsync<void> {
    if (stanza.type === 'error' || stanza.type === 'result' || !stanza.from) return undefined
    if (stanza.kind === 'message') this.#parts.metrics.bounced++
    if (error.condition.startsWith('remote-server-') && stanza.to) this.lost(stanza.to.domain)
    return this.route(stanza.bounce(error))
  }

  /** Another server cannot be reached, or its people may be gone without a word: when it is heard again they are asked for. */
  lost(domain: string): void {
    if (this.#federation && !this.answersFor(domain)) this.#lost.lost(domain)
  }

  /**
   * Asks somebody a question and gives the answer, of type result or error. Answers count only from whom was asked.
   * @param from one of our domains or accounts
   */
  ask(from: Jid, to: Jid, type: 'get' | 'set', payload: Element): Promise<Stanza> {
    const id = randomUUID()
    const iq = Stanza.of(new XmlElement('iq', NS_CLIENT, { type }, [payload]), from, to, id)
    return new Promise((resolve) => {
      const key = `${id} ${to.toString()}`
      const cancel = this.#parts.clock.after(ANSWER_TIME, () => {
        this.#asked.delete(key)
        resolve(iq.bounce(new StanzaError('wait', 'remote-server-timeout', undefined, SILENT)))
      })
      this.#asked.set(key, (answer) => {
        cancel()
        resolve(answer)
      })
      void this.route(iq)
    })
  }

  /** What a peer may read about an error; what it must not read goes to the log under the same reference. */
  wireError(error: unknown): StanzaError {
    if (error instanceof StanzaError) return error
    const ref = randomUUID().slice(0, 8)
    this.#parts.log.error('handler failed', { ref, error })
    return new StanzaError('wait', 'internal-server-error', `Something failed here (ref ${ref}).`)
  }

  /** Errors do not count: we make them ourselves in the name of who cannot be reached. */
  #heard({ from, type }: Stanza): void {
    if (from && type !== 'error') this.#lost.heard(from.domain)
  }

  #toOutside(stanza: Stanza, outside: Outside): MaybeAsync<void> {
    if (outside.carry(stanza) || stanza.kind === 'presence') return undefined
    return this.refuse(stanza, new StanzaError('wait', 'service-unavailable', 'Nobody is connected for this domain.'))
  }

  #toRemote(stanza: Stanza, to: Jid): MaybeAsync<void> {
    if (this.#federation?.mayReach(to.domain)) return this.#federation.carry(stanza)
    return stanza.kind === 'presence' ? undefined : this.refuse(stanza, this.noWay())
  }

  #toDomain(stanza: Stanza, to: Jid, session: Session | undefined): MaybeAsync<void> {
    if (stanza.kind === 'presence') return undefined
    if (stanza.kind === 'iq') return this.#question(stanza, to, undefined, session)
    return this.refuse(stanza, new StanzaError('cancel', 'service-unavailable'))
  }

  /** What no service takes goes back; a domain alone does not want to know who is online. */
  #toService(stanza: Stanza, to: Jid, service: Service, session: Session | undefined): MaybeAsync<void> {
    if (stanza.kind === 'iq' && to.resource === undefined && (to.local === undefined || service.inhabited)) {
      return this.#question(stanza, to, undefined, session, service)
    }
    const taken =
      to.local === undefined ? stanza.kind === 'message' && service.onMessage?.(stanza) : service.onStanza?.(stanza)
    return andThen(taken, (done) =>
      done || stanza.kind === 'presence'
        ? undefined
        : this.refuse(stanza, new StanzaError('cancel', 'service-unavailable')),
    )
  }

  #toAccount(stanza: Stanza, to: Jid, session: Session | undefined): MaybeAsync<void> {
    const { directory } = this.#parts
    if (stanza.kind === 'presence' && isNews(stanza) && !this.#matters(stanza, directory.loaded(to.bare.toString())))
      return undefined
    const account = directory.find(to)
    return account instanceof Promise
      ? this.#toFoundLater(account, stanza, to, session)
      : this.#toFound(account, stanza, to, session)
  }

  async #toFoundLater(
    account: Promise<LocalAccount | undefined>,
    stanza: Stanza,
    to: Jid,
    session: Session | undefined,
  ): Promise<void> {
    return this.#toFound(await account, stanza, to, session)
  }

  #toFound(account: LocalAccount | undefined, stanza: Stanza, to: Jid, session: Session | undefined): MaybeAsync<void> {
    if (!account) return this.#toNobody(stanza, to)
    const passed = runHooks(this.#hooks.onReceive[sortOf(stanza)], stanza, account)
    return passed instanceof Promise
      ? this.#receivedLater(passed, stanza, to, account, session)
      : this.#received(passed, stanza, to, account, session)
  }

  async #receivedLater(
    passed: Promise<Stanza | Ended>,
    stanza: Stanza,
    to: Jid,
    account: LocalAccount,
    session: Session | undefined,
  ): Promise<void> {
    return this.#received(await passed, stanza, to, account, session)
  }

  #received(
    passed: Stanza | Ended,
    stanza: Stanza,
    to: Jid,
    account: LocalAccount,
    session: Session | undefined,
  ): MaybeAsync<void> {
    if ('stopped' in passed) return this.#notPassed(stanza, passed)
    if (passed.kind === 'presence') return this.#presence?.toAccount(passed, to, account)
    if (passed.kind === 'message') return this.#message(passed, to, account)
    if (to.resource === undefined) return this.#question(passed, to, account, session)
    return this.#iqToClient(passed, to, account)
  }

  /**
   * Whether such a presence is anything to an account. To one that is away only who comes on another server: what it
   * published is told by ours (XEP-0163 §4.3.4); and who goes, if it may be known that they came.
   */
  #matters({ type, from }: Stanza, account: LocalAccount | undefined): boolean {
    if (account?.sessions.size) return true
    if (!from || type === 'error' || this.#parts.hosts.has(from.domain)) return false
    return type === '' || account !== undefined
  }

  /** Says no more than that nobody answers (RFC 6121 §8.5.1). */
  #toNobody(stanza: Stanza, to: Jid): MaybeAsync<void> {
    if (stanza.kind === 'presence') return this.#presence?.toNobody(stanza, to)
    if (stanza.type === 'headline') return undefined // as where nobody is there (table 1 of §8.5.4)
    return this.refuse(stanza, new StanzaError('cancel', 'service-unavailable'))
  }

  #message(stanza: Stanza, to: Jid, account: LocalAccount): MaybeAsync<void> {
    const client = to.resource === undefined ? undefined : account.sessions.get(to.resource)
    if (client) return this.toClient(stanza, client) // as `recipients` would have it, at less cost
    const fate = recipients(stanza.type as MessageType, to.resource, account.sessions.values())
    switch (fate.kind) {
      case 'deliver':
        return this.#toClients(stanza, fate.clients, 0)
      case 'store':
        return this.#toAway(stanza, account)
      case 'bounce':
        return this.refuse(stanza, new StanzaError('cancel', 'service-unavailable'))
      case 'ignore':
        return undefined
    }
  }

  #toAway(stanza: Stanza, account: LocalAccount): MaybeAsync<void> {
    return andThen(runHooks(this.#hooks.onAway, stanza, account), (passed) => {
      if ('stopped' in passed) return this.#notPassed(stanza, passed)
      return this.refuse(passed, new StanzaError('cancel', 'service-unavailable'))
    })
  }

  #toClients(stanza: Stanza, clients: readonly Session[], first: number): MaybeAsync<void> {
    for (let index = first; index < clients.length; index++) {
      const client = clients[index]
      const waiting = client && this.toClient(stanza, client)
      if (waiting) return this.#toClientsLater(waiting, stanza, clients, index + 1)
    }
    return undefined
  }

  async #toClientsLater(
    waiting: Promise<void>,
    stanza: Stanza,
    clients: readonly Session[],
    next: number,
  ): Promise<void> {
    await waiting
    return this.#toClients(stanza, clients, next)
  }

  /** RFC 6121 §8.5.3: an iq for a full JID is that client's business alone. */
  #iqToClient(stanza: Stanza, to: Jid, account: LocalAccount): MaybeAsync<void> {
    const client = account.sessions.get(to.resource ?? '')
    if (client) return this.toClient(stanza, client)
    return this.refuse(stanza, new StanzaError('cancel', 'service-unavailable'))
  }

  /** An iq that we answer ourselves: asked of a domain, or of an account (RFC 6120 §8.2.3, RFC 6121 §8.5.2). */
  #question(
    stanza: Stanza,
    owner: Jid,
    account: LocalAccount | undefined,
    session: Session | undefined,
    service?: Service,
  ): MaybeAsync<void> {
    const { type, payload, from } = stanza
    if (type !== 'get' && type !== 'set') return this.#answered(stanza)
    if (!payload || !from) return undefined
    const own = account !== undefined && from.bare.equals(account.jid)
    const route = this.#iq.find(service?.label ?? (account ? 'account' : 'server'), type, payload.ns, payload.name)
    if (!route || (account && !own && !route.strangers)) {
      return this.refuse(stanza, new StanzaError('cancel', 'service-unavailable'))
    }
    const request: IqRequest = { stanza, payload, type, from, owner: owner.bare, account, service, session, own }
    return andThen(route.answer(request), (answer) => {
      const result = stanza.result(answer)
      return session ? this.toClient(result, session) : this.route(result)
    })
  }

  #answered(stanza: Stanza): void {
    const key = `${stanza.id} ${stanza.from?.toString()}`
    const waiting = this.#asked.get(key)
    this.#asked.delete(key)
    waiting?.(stanza)
  }

  #notPassed(stanza: Stanza, ended: Ended): MaybeAsync<void> {
    this.#parts.log.debug(ended.stopped ? 'stanza stopped' : 'stanza kept', { reason: ended.reason })
    if (ended.error) return this.refuse(stanza, ended.error)
    return undefined
  }

  /** Doubt means no: whatever fails on the way stops the stanza, and its sender is told. */
  #watched(carried: MaybeAsync<void>, stanza: Stanza): MaybeAsync<void> {
    return carried instanceof Promise ? this.#caught(carried, stanza) : carried
  }

  async #caught(carried: Promise<void>, stanza: Stanza): Promise<void> {
    try {
      return await carried
    } catch (error) {
      return this.#failed(stanza, error)
    }
  }

  #failed(stanza: Stanza, error: unknown): MaybeAsync<void> {
    return this.refuse(stanza, this.wireError(error))
  }
}

/** Presence that matters only to clients that are there: nothing is kept of it. */
function isNews(stanza: Stanza): boolean {
  return stanza.type === '' || stanza.type === 'unavailable' || stanza.type === 'error'
}
