// SPDX-License-Identifier: Apache-2.0
// Local accounts in memory: those with a client, and the most recently used of the others. What every stanza needs of an
// account (does it exist, its roster, its clients, what features noted) is here, so that the hot path never waits.
import type { Store } from '../store/store.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { MaybeAsync } from './feature.ts'
import { Roster } from './roster.ts'
import type { Session } from './session.ts'

/** Accounts without a client that are kept in memory. */
const IDLE_ACCOUNTS = 2000

/** One of our accounts, loaded. Features hang their notes on it with a WeakMap. */
export class LocalAccount {
  /** Always bare. */
  readonly jid: Jid
  readonly roster: Roster
  /** Whether it was made an administrator. */
  admin: boolean
  /** Its bound clients by resource. */
  readonly sessions = new Map<string, Session>()

  constructor(jid: Jid, roster: Roster, admin: boolean) {
    this.jid = jid
    this.roster = roster
    this.admin = admin
  }

  /** Sends to every client that asked for the roster (RFC 6121 §2.1.6). */
  *interested(): Iterable<Session> {
    for (const session of this.sessions.values()) if (session.interested) yield session
  }

  /** The clients that sent available presence. */
  *available(): Iterable<Session> {
    for (const session of this.sessions.values()) if (session.presence) yield session
  }
}

/** Finds local accounts. */
export class Directory {
  readonly #store: Store
  readonly #hosts: ReadonlySet<string>
  readonly #loaded = new Map<string, LocalAccount>()
  readonly #idle = new Map<string, LocalAccount>()
  readonly #loading = new Map<string, Promise<LocalAccount | undefined>>()
  /** Called by `end` when a client has left; set once, by who knows what depends on it. */
  onEnd: (session: Session) => void = () => undefined

  constructor(store: Store, hosts: ReadonlySet<string>) {
    this.#store = store
    this.#hosts = hosts
  }

  /** The account if it is in memory: certainly if it has a client. @param bare its bare JID as text */
  loaded(bare: string): LocalAccount | undefined {
    return this.#loaded.get(bare) ?? this.#idle.get(bare)
  }

  /** The account, from the store if need be; undefined if it does not exist. @param jid any JID of it */
  find(jid: Jid): MaybeAsync<LocalAccount | undefined> {
    const key = jid.bare.toString()
    const known = this.#loaded.get(key)
    if (known) return known
    const idle = this.#idle.get(key)
    if (idle) {
      this.#idle.delete(key)
      this.#idle.set(key, idle)
      return idle
    }
    if (jid.local === undefined || !this.#hosts.has(jid.domain)) return undefined
    return this.#loading.get(key) ?? this.#load(jid.bare, key)
  }

  /** Notes a new client; from now on the account stays in memory. */
  enter(session: Session): void {
    const { account } = session
    const key = account.jid.toString()
    this.#idle.delete(key)
    this.#loaded.set(key, account)
    account.sessions.set(session.resource, session)
  }

  /** Notes that a client is gone. */
  leave(session: Session): void {
    const { account } = session
    if (account.sessions.get(session.resource) === session) account.sessions.delete(session.resource)
    const key = account.jid.toString()
    if (account.sessions.size > 0 || this.#loaded.get(key) !== account) return
    this.#loaded.delete(key)
    this.#keepIdle(key, account)
  }

  /** Ends a session for good. */
  end(session: Session): void {
    this.leave(session)
    this.onEnd(session)
  }

  /** Drops what is in memory of an account: it was removed, or changed by somebody else. */
  forget(jid: Jid): void {
    const key = jid.bare.toString()
    this.#idle.delete(key)
    this.#loaded.delete(key)
    this.#loading.delete(key)
  }

  /** Every client on this node. */
  *sessions(): Iterable<Session> {
    for (const account of this.#loaded.values()) yield* account.sessions.values()
  }

  /** Accounts that have a client. */
  online(): Iterable<LocalAccount> {
    return this.#loaded.values()
  }

  #load(bare: Jid, key: string): Promise<LocalAccount | undefined> {
    const loading = this.#fromStore(bare).then(
      (account) => {
        const current = this.#loading.get(key) === loading
        if (current) this.#loading.delete(key)
        if (account && current) this.#keepIdle(key, account)
        return account
      },
      (error: unknown) => {
        if (this.#loading.get(key) === loading) this.#loading.delete(key)
        throw error
      },
    )
    this.#loading.set(key, loading)
    return loading
  }

  async #fromStore(bare: Jid): Promise<LocalAccount | undefined> {
    const [found, roster] = await Promise.all([this.#store.accounts.find(bare), this.#store.rosters.load(bare)])
    return found && new LocalAccount(bare, new Roster(bare, this.#store.rosters, roster), found.admin)
  }

  #keepIdle(key: string, account: LocalAccount): void {
    this.#idle.set(key, account)
    if (this.#idle.size <= IDLE_ACCOUNTS) return
    for (const oldest of this.#idle.keys()) {
      this.#idle.delete(oldest)
      return
    }
  }
}
