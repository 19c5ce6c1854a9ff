// SPDX-License-Identifier: Apache-2.0
// Accounts as deeds for everybody who manages them: the command line, the administrators' commands, the account's owner.
import type { Clock } from '../clock.ts'
import type { Account, AccountRange, KnownClient, NewAccount, ScramHash, Store } from '../store/store.ts'
import type { Jid } from '../xmpp/jid.ts'
import { makeVerifiers } from './credentials.ts'
import { Invitations } from './invitations.ts'
import { preparePassword } from './password.ts'

/** What happened to an account. */
export interface AccountEvent {
  readonly kind: 'created' | 'removed' | 'disabled' | 'enabled' | 'password' | 'promoted' | 'demoted' | 'revoked'
  /** Bare. */
  readonly jid: Jid
  /** The id of the session that asked for it and goes on. */
  readonly keep: string | undefined
  /** The id of the client that was revoked. */
  readonly client?: string
}

/** Why something could not be done with an account. */
export type AccountProblem =
  | 'exists'
  | 'unknown-host'
  | 'no-local-part'
  | 'bad-password'
  | 'not-found'
  | 'no-client'
  | 'invitation'
  | 'bad-invitation'
  | 'taken'
  | 'too-many'

/** Something could not be done with an account; the message is for people. */
export class AccountError extends Error {
  override readonly name = 'AccountError'
  readonly problem: AccountProblem

  constructor(problem: AccountProblem, message: string) {
    super(message)
    this.problem = problem
  }
}

/** An account to be imported. */
interface ImportEntry {
  readonly jid: Jid
  readonly password: string
  readonly admin?: boolean
}

/** How far an import has come. */
type ImportProgress = (done: number) => void

/** Deeds on accounts. Each resolves when it is on disk. */
export interface Accounts {
  /** @throws AccountError `exists`, `unknown-host`, `no-local-part`, `bad-password` */
  add(jid: Jid, password: string, options?: { readonly admin?: boolean }): Promise<void>
  /** @param keep a session that stays logged in; all others end. @throws AccountError `not-found`, `bad-password` */
  setPassword(jid: Jid, password: string, keep?: string): Promise<void>
  /** @throws AccountError `not-found` (so do the next two) */
  setDisabled(jid: Jid, disabled: boolean): Promise<void>
  setAdmin(jid: Jid, admin: boolean): Promise<void>
  /** Ends its sessions, too. @param keep a session that whoever asks ends himself, once it has its answer */
  remove(jid: Jid, keep?: string): Promise<void>
  /** The clients that can log in by a token (XEP-0484), the last used first. @throws AccountError `not-found` */
  clients(jid: Jid): Promise<readonly KnownClient[]>
  /** Takes the tokens of a client away and ends its session. @throws AccountError `not-found`, `no-client` */
  revoke(jid: Jid, client: string): Promise<void>
  find(jid: Jid): Promise<Account | undefined>
  list(range: AccountRange): Promise<readonly Account[]>
  count(domain?: string): Promise<number>
  /** Why an account could not be made with these, if that can be told without trying; whether it exists is not asked. */
  check(jid: Jid, password: string): AccountError | undefined
  /** Makes many accounts; those that exist are left as they are. @throws AccountError for the first entry that cannot be */
  importAll(
    entries: Iterable<ImportEntry> | AsyncIterable<ImportEntry>,
    progress?: ImportProgress,
  ): Promise<{ readonly added: number; readonly existed: readonly Jid[] }>
  /** Calls `listener` after each change. @returns how to stop that */
  onChange(listener: (event: AccountEvent) => void): () => void
  /**
   * Calls `listener` before an account is removed, when everything about it is still known, and what that returns when it
   * is gone; the removal waits for both. @returns how to stop that
   */
  beforeRemove(listener: (jid: Jid) => Promise<Farewell>): () => void
  /** Who may come, and who comes by that. */
  readonly invitations: Invitations
}

/** What remains to be done for an account that is gone. */
export type Farewell = () => Promise<void>

/** What the deeds need. */
export interface AccountsParts {
  readonly store: Store
  readonly hosts: ReadonlySet<string>
  readonly iterations: number
  readonly mechanisms: readonly ScramHash[]
  readonly clock: Clock
  /** Bare JIDs that the configuration makes administrators: no names for those who are invited. */
  readonly admins?: ReadonlySet<string>
  /** How many contacts an account may have; read anew each time. */
  readonly limits?: { readonly rosterItems: number }
}

/** Accounts that are made verifiers for at the same time, and stored together. */
const BATCH = 64

/** Makes the deeds. */
export function createAccounts(parts: AccountsParts): Accounts {
  const { accounts, clients } = parts.store
  const listeners = new Set<(event: AccountEvent) => void>()
  const mourners = new Set<(jid: Jid) => Promise<Farewell>>()
  const tell = (kind: AccountEvent['kind'], jid: Jid, keep?: string): void => {
    for (const listener of listeners) listener({ kind, jid: jid.bare, keep })
  }
  const done = (found: boolean, jid: Jid): void => {
    if (!found) throw new AccountError('not-found', `There is no account ${jid.bare}.`)
  }
  const check: Accounts['check'] = (jid, password) =>
    problemOf(jid, parts) ?? (preparePassword(password) === undefined ? badPassword() : undefined)
  return {
    invitations: new Invitations({ ...parts, check }, (jid) => tell('created', jid)),
    async add(jid, password, { admin = false } = {}) {
      const [existed] = await accounts.create([await prepare({ jid, password, admin }, parts)])
      if (existed) throw new AccountError('exists', `The account ${jid.bare} exists already.`)
      tell('created', jid)
    },
    async setPassword(jid, password, keep) {
      done(await accounts.setVerifiers(jid.bare, await verifiersFor(password, parts)), jid)
      tell('password', jid, keep)
    },
    async setDisabled(jid, disabled) {
      done(await accounts.setDisabled(jid.bare, disabled), jid)
      tell(disabled ? 'disabled' : 'enabled', jid)
    },
    async setAdmin(jid, admin) {
      done(await accounts.setAdmin(jid.bare, admin), jid)
      tell(admin ? 'promoted' : 'demoted', jid)
    },
    async remove(jid, keep) {
      const farewells = await Promise.all([...mourners].map((listener) => listener(jid.bare)))
      done(await accounts.remove(jid.bare), jid)
      tell('removed', jid, keep)
      for (const farewell of farewells) await farewell()
    },
    async clients(jid) {
      done((await accounts.find(jid.bare)) !== undefined, jid)
      return clients.list(jid.bare)
    },
    async revoke(jid, client) {
      done((await accounts.find(jid.bare)) !== undefined, jid)
      if (!(await clients.revoke(jid.bare, client)))
        throw new AccountError('no-client', `${jid.bare} has no client ${client} with a token.`)
      for (const listener of listeners) listener({ kind: 'revoked', jid: jid.bare, keep: undefined, client })
    },
    find: (jid) => accounts.find(jid.bare),
    list: (range) => accounts.list(range),
    count: (domain) => accounts.count(domain),
    check,
    importAll: (entries, progress) => importAll(entries, progress, parts, (jid) => tell('created', jid)),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    beforeRemove(listener) {
      mourners.add(listener)
      return () => mourners.delete(listener)
    },
  }
}

async function importAll(
  entries: Iterable<ImportEntry> | AsyncIterable<ImportEntry>,
  progress: ImportProgress | undefined,
  parts: AccountsParts,
  created: (jid: Jid) => void,
): Promise<{ added: number; existed: readonly Jid[] }> {
  const existed: Jid[] = []
  let done = 0
  let waiting: ImportEntry[] = []
  const store = async (batch: readonly ImportEntry[]): Promise<void> => {
    const made = await Promise.all(batch.map((entry) => prepare(entry, parts)))
    const there = await parts.store.accounts.create(made)
    existed.push(...there)
    const known = new Set(there.map(String))
    for (const { jid } of made) if (!known.has(jid.toString())) created(jid)
    done += batch.length
    progress?.(done)
  }
  for await (const entry of entries) {
    waiting.push(entry)
    if (waiting.length < BATCH) continue
    await store(waiting)
    waiting = []
  }
  if (waiting.length > 0) await store(waiting)
  return { added: done - existed.length, existed }
}

async function prepare({ jid, password, admin = false }: ImportEntry, parts: AccountsParts): Promise<NewAccount> {
  const problem = problemOf(jid, parts)
  if (problem) throw problem
  return { jid: jid.bare, admin, verifiers: await verifiersFor(password, parts) }
}

function problemOf(jid: Jid, { hosts }: AccountsParts): AccountError | undefined {
  if (jid.local === undefined) return new AccountError('no-local-part', `${jid} has no name before the @.`)
  if (hosts.has(jid.domain)) return undefined
  const known = [...hosts].join(', ')
  return new AccountError('unknown-host', `${jid.domain} is not a domain of this server (${known}).`)
}

async function verifiersFor(
  password: string,
  { iterations, mechanisms }: AccountsParts,
): Promise<NewAccount['verifiers']> {
  const verifiers = await makeVerifiers(password, { iterations, mechanisms })
  if (!verifiers) throw badPassword()
  return verifiers
}

function badPassword(): AccountError {
  return new AccountError('bad-password', 'This password is empty, too long, or has characters that cannot be used.')
}
