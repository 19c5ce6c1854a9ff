// SPDX-License-Identifier: Apache-2.0
// The cast of a test: people with accounts and clients on a whole server in memory (only the store is on disk, in a
// temporary folder). What "gets nothing" is proved by a ping that returns first, never by waiting.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import type { Feature } from '../../src/core/feature.ts'
import { silentLog } from '../../src/log.ts'
import { Metrics } from '../../src/metrics.ts'
import { type Server, type ServerParts, startXmpp } from '../../src/server.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import type { SaslLimits } from '../../src/stream/login.ts'
import { features as allFeatures } from '../../src/xep/index.ts'
import type { Element } from '../../src/xml/element.ts'
import { parseElement } from '../../src/xml/reader.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { assertLike, difference } from './match.ts'
import { MemoryLink } from './memory-link.ts'

/** What a test may change of the server. */
export interface Stage {
  readonly features?: readonly Feature[]
  readonly options?: Readonly<Record<string, unknown>>
  readonly clock?: Clock
  /** A set may change later on, as at a reload. */
  readonly hosts?: readonly string[] | Set<string>
  readonly moved?: ReadonlyMap<string, string>
  /** Domains of components (XEP-0114), with their secrets. */
  readonly components?: ReadonlyMap<string, { readonly secret: string }>
  readonly limits?: Partial<typeof LIMITS>
  readonly sasl?: Partial<SaslLimits>
  /** Bare JIDs of administrators. */
  readonly admins?: readonly string[]
  /** Other servers; without it there are none. */
  readonly federation?: NonNullable<ServerParts['federation']>
}

/** The bounds that hold unless a test sets others. */
export const LIMITS = {
  stanzaBytes: 262_144,
  unauthenticatedStanzaBytes: 10_000,
  sessionsPerAccount: 10,
  loginTimeout: 30_000,
  idleTimeout: 600_000,
  resumeTimeout: 600_000,
  offlineMessages: 100,
  privateBytes: 65_536,
  registrationsPerHourPerAddress: 3,
  strangerMessagesPerHour: 1_000_000,
  strangerRequestsPerHour: 1_000_000,
  rosterItems: 50,
  failedLoginsPerAddress: 50,
  failedLoginsPerAccount: 10,
}

/** A server for one test file, stopped when its tests are over. */
export interface Theatre {
  readonly server: Server
  /** Stops the server, and starts another one on the same store. */
  restarts(): Promise<void>
  readonly store: Store
  readonly accounts: Accounts
  readonly metrics: Metrics
  /** Makes an account. */
  account(name: string, password?: string): Promise<Jid>
  /** A client that has connected and done nothing yet. */
  stranger(link?: MemoryLink): Stranger
  /** A logged-in client; the account is made if need be. @param presence whether it asks for the roster and becomes available */
  enter(name: string, resource?: string, presence?: boolean): Promise<Actor>
  /** Like `cast`, on this server: people whom nobody has seen before, so that tests share a server and nothing else. */
  scene<const T extends Names>(...names: T): Promise<Players<T>>
}

/** Starts a server. */
export async function theatre(stage: Stage = {}): Promise<Theatre> {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-test-'))
  const clock = stage.clock ?? systemClock
  const hosts = stage.hosts instanceof Set ? stage.hosts : new Set(stage.hosts ?? ['localhost'])
  const metrics = new Metrics()
  const store = await openSqlite({ file: join(dir, 'store.db'), clock, commitInterval: 1 })
  const admins = new Set(stage.admins ?? [])
  const limits = { ...LIMITS, ...stage.limits }
  const mechanisms = ['SCRAM-SHA-256'] as const
  const accounts = createAccounts({ store, hosts, iterations: 4096, mechanisms, clock, admins, limits })
  const parts: ServerParts = {
    hosts,
    moved: stage.moved ?? new Map(),
    ...(stage.components ? { components: stage.components } : {}),
    ...(stage.federation ? { federation: stage.federation } : {}),
    store,
    accounts,
    features: stage.features ?? allFeatures,
    options: stage.options ?? {},
    admins,
    limits,
    sasl: {
      hashes: ['SCRAM-SHA-256'],
      plain: true,
      iterations: 4096,
      fakeSecret: Buffer.alloc(32, 7),
      tokenLifetime: 2_592_000_000,
      ...stage.sasl,
    },
    software: { name: 'aenigma', version: '0.0.0-test' },
    clock,
    log: silentLog,
    metrics,
  }
  let server = await startXmpp(parts)
  after(async () => {
    await server.stop()
    await store.close()
    metrics.stop()
    rmSync(dir, { recursive: true })
  })
  const stranger = (link = new MemoryLink()): Stranger => {
    server.accept(link)
    return new Stranger(link)
  }
  const account = async (name: string, password = 'secret'): Promise<Jid> => {
    const jid = Jid.parse(name.includes('@') ? name : `${name}@${[...hosts][0]}`)
    if (!(await accounts.find(jid))) await accounts.add(jid, password)
    return jid
  }
  const enter = async (name: string, resource = name, presence = true): Promise<Actor> => {
    const jid = await account(name)
    const actor = await stranger().logsIn(jid, 'secret', resource)
    if (presence) await actor.appears()
    return actor
  }
  let scenes = 0
  return {
    get server() {
      return server
    },
    async restarts() {
      await server.stop()
      server = await startXmpp(parts)
    },
    store,
    accounts,
    metrics,
    account,
    stranger,
    enter,
    scene(...names) {
      const suffix = `-${++scenes}`
      return logIn(names, (name, client) => enter(name + suffix, client))
    },
  }
}

/** Clients to log in: `'romeo'` is a client of an account of the same name, `{ phone: 'juliet' }` a client of juliet's. */
export type Names = readonly (string | Readonly<Record<string, string>>)[]

/** Who is on stage, by the name of the client. */
export type Players<T extends Names> = { readonly [Name in ClientNames<T[number]>]: Actor }

/** Who is on stage, and the stage. */
export type Cast<T extends Names> = Players<T> & { readonly theatre: Theatre }

type ClientNames<N> = N extends string ? N : keyof N & string

/**
 * Logs people in, each with one client that is available and has been told everything it had to be told.
 * `cast('romeo', { phone: 'juliet' })` gives `{ romeo, phone }`: the second is a client of juliet's.
 */
export async function cast<const T extends Names>(...names: T): Promise<Cast<T>> {
  const stage = await theatre()
  const players = await logIn(names, (name, client) => stage.enter(name, client))
  return { ...players, theatre: stage }
}

async function logIn<T extends Names>(
  names: T,
  enter: (name: string, client: string) => Promise<Actor>,
): Promise<Players<T>> {
  const actors: Record<string, Actor> = {}
  for (const name of names) {
    const entries = typeof name === 'string' ? [[name, name] as const] : Object.entries(name)
    for (const [client, account] of entries) actors[client] = await enter(account, client)
  }
  for (const actor of Object.values(actors)) await actor.settles()
  return actors as Players<T>
}

/** Proves that nothing came for any of them. */
export async function nothingFor(...actors: readonly Actor[]): Promise<void> {
  for (const actor of actors) await actor.receivesNothing()
}

/** A client that has not logged in. */
export class Stranger {
  readonly link: MemoryLink

  constructor(link: MemoryLink) {
    this.link = link
  }

  /** Opens the stream and gives the features that it is offered. */
  async opens(to = 'localhost', attrs: Readonly<Record<string, string>> = {}): Promise<Element> {
    this.link.clientOpens({ to, version: '1.0', ...attrs })
    const opened = await this.link.next()
    assert.equal(opened.kind, 'opened')
    return this.hears()
  }

  sends(xml: string): void {
    this.link.clientSends(xml)
  }

  /** The next element from the server. */
  async hears(): Promise<Element> {
    const heard = await this.link.next()
    if (heard.kind !== 'element') assert.fail(`an element was expected, but the stream was ${heard.kind}`)
    return heard.element
  }

  /** The next element is like this one. */
  async receives(xml: string): Promise<Element> {
    const element = await this.hears()
    assertLike(element, xml)
    return element
  }

  /** What comes next is like these, in whatever order. */
  async receivesAll(...all: readonly string[]): Promise<void> {
    const left = [...all]
    const got: string[] = []
    while (left.length > 0) {
      const element = await this.hears()
      got.push(element.xml('jabber:client'))
      const index = left.findIndex((xml) => difference(element, parseElement(xml, 'jabber:client')) === undefined)
      if (index < 0) assert.fail(`not expected: ${got.at(-1)}\n  still to come: ${left.join('\n  ')}`)
      left.splice(index, 1)
    }
  }

  /** The server ends the stream with this error; without one if undefined. */
  async isClosed(condition: string | undefined): Promise<void> {
    let heard = await this.link.next()
    while (heard.kind === 'element' && condition === undefined) heard = await this.link.next()
    if (heard.kind !== 'closed') assert.fail(`the stream should be closed, but there came ${JSON.stringify(heard)}`)
    assert.equal(heard.error?.condition, condition)
  }

  /** Logs in by PLAIN, and gives what is on offer then. @param attrs of the second header */
  async proves(jid: Jid, password = 'secret', attrs: Readonly<Record<string, string>> = {}): Promise<Element> {
    await this.opens(jid.domain)
    this.sends(auth(jid.local ?? '', password))
    await this.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    return this.opens(jid.domain, attrs)
  }

  /** Logs in by PLAIN and binds. */
  async logsIn(
    jid: Jid,
    password: string,
    resource: string,
    attrs: Readonly<Record<string, string>> = {},
  ): Promise<Actor> {
    await this.proves(jid, password, attrs)
    this.sends(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    )
    const bound = await this.receives(`<iq type='result' id='bind'/>`)
    const text = bound.child('bind', 'urn:ietf:params:xml:ns:xmpp-bind')?.childText('jid')
    return new Actor(this.link, Jid.parse(text))
  }
}

/** A logged-in client. */
export class Actor extends Stranger {
  readonly jid: Jid
  #asked = 0

  constructor(link: MemoryLink, jid: Jid) {
    super(link)
    this.jid = jid
  }

  /** Its bare JID as text. */
  get bare(): string {
    return this.jid.bare.toString()
  }

  /** Its full JID as text. */
  get full(): string {
    return this.jid.toString()
  }

  /** Sends an iq of type get and gives the answer, whatever came before it. */
  gets(payload: string, to?: string): Promise<Element> {
    return this.asks('get', payload, to)
  }

  /** Sends an iq of type set and gives the answer, whatever came before it. */
  sets(payload: string, to?: string): Promise<Element> {
    return this.asks('set', payload, to)
  }

  /** Sends an iq and gives the answer; what came before it is thrown away. */
  async asks(type: 'get' | 'set', payload: string, to?: string): Promise<Element> {
    const [answer] = await this.#ask(type, payload, to)
    return answer
  }

  /** Asks for the roster and becomes available. */
  async appears(presence = '<presence/>'): Promise<void> {
    await this.gets(`<query xmlns='jabber:iq:roster'/>`)
    this.sends(presence)
    await this.settles()
  }

  /**
   * Waits until the server has dealt with everything that this client sent; what came until then is thrown away.
   * @param at another server, if it is that one which has to
   */
  async settles(at = this.jid.domain): Promise<void> {
    await this.#ask('get', `<ping xmlns='urn:xmpp:ping'/>`, at)
  }

  /** Everything that comes until the server has dealt with what was sent. */
  async hearsOut(at = this.jid.domain): Promise<readonly Element[]> {
    const [, before] = await this.#ask('get', `<ping xmlns='urn:xmpp:ping'/>`, at)
    return before
  }

  /** A ping comes back, and nothing came before it. */
  async receivesNothing(at = this.jid.domain): Promise<void> {
    assert.deepEqual(
      (await this.hearsOut(at)).map((element) => element.xml('jabber:client')),
      [],
    )
  }

  async #ask(type: 'get' | 'set', payload: string, to?: string): Promise<[Element, Element[]]> {
    const id = `ask-${++this.#asked}`
    this.sends(`<iq type='${type}' id='${id}'${to === undefined ? '' : ` to='${to}'`}>${payload}</iq>`)
    const before: Element[] = []
    for (;;) {
      const element = await this.hears()
      if (element.name === 'iq' && element.attrs.id === id) return [element, before]
      before.push(element)
    }
  }
}

/** An `<auth/>` by PLAIN (RFC 4616). */
export function auth(username: string, password: string): string {
  const data = Buffer.from(`\0${username}\0${password}`).toString('base64')
  return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${data}</auth>`
}
