// SPDX-License-Identifier: Apache-2.0
// Invitations as deeds for everybody who makes and takes them: the command line, the page behind the link, XMPP clients.
import { randomUUID } from 'node:crypto'
import type { Invitation, InvitationLimits, InvitationTerms, NoInvitation } from '../store/invitation-store.ts'
import { inviteKey, newInviteToken } from '../xmpp/0401-invitation.ts'
import { type Jid, prepareLocal } from '../xmpp/jid.ts'
import { AccountError, type AccountsParts } from './accounts.ts'
import { makeVerifiers } from './credentials.ts'

/** Invitations that are kept, whoever made them. */
const ALL = 10_000
/** The longest note, in characters. */
export const NOTE_MAX = 200
/** The longest that an invitation can be used, in ms. */
const TIME_MAX = 366 * 86_400_000
const USES_MAX = 1_000_000

/** What somebody wishes of an invitation. */
export interface InvitationWish
  extends Pick<InvitationTerms, 'domain'>,
    Partial<Pick<InvitationTerms, 'creator' | 'contact' | 'name' | 'note' | 'admin' | 'accounts' | 'uses'>> {
  /** How long it can be used, in ms. */
  readonly lifetime: number
}

/** An invitation that was made just now: nobody gets to see the token again. */
export interface MadeInvitation extends Invitation {
  readonly token: string
}

/** Somebody came by an invitation. */
export interface Arrival {
  readonly jid: Jid
  /** Whose contact the newcomer was to become. */
  readonly contact: Jid | undefined
}

/** An account that somebody wants to have by an invitation. */
export interface Redeem {
  readonly token: string
  readonly jid: Jid
  readonly password: string
  /** When the invitation was looked at, if that is what counts (XEP-0445 §4); now otherwise. */
  readonly at?: number
}

type Parts = AccountsParts & { readonly check: (jid: Jid, password: string) => AccountError | undefined }

/** Makes invitations and lets people in by them. Each deed resolves when it is on disk. */
export class Invitations {
  readonly #parts: Parts
  readonly #created: (jid: Jid) => void
  readonly #hosts = new Set<(arrival: Arrival) => Promise<void>>()
  #until = 0

  /** @param created told of each new account */
  constructor(parts: Parts, created: (jid: Jid) => void) {
    this.#parts = parts
    this.#created = created
  }

  /** Whether there may be an invitation that lets somebody make an account. */
  get open(): boolean {
    return this.#until > this.#parts.clock.now()
  }

  /** Finds out what `open` says; to be called once, at the start. */
  async load(): Promise<void> {
    this.#until = Math.max(this.#until, await this.#store.until(this.#parts.clock.now()))
  }

  /** @param most of what an account may make @throws AccountError `unknown-host`, `bad-invitation`, `taken`, `too-many`, `not-found` */
  async create(wish: InvitationWish, most: Omit<InvitationLimits, 'all'>): Promise<MadeInvitation> {
    const terms = await this.#terms(wish)
    const token = newInviteToken()
    const made = await this.#store.create(inviteKey(token) ?? '', terms, { ...most, all: ALL })
    if (typeof made !== 'number') throw refusal(made)
    if (terms.accounts) this.#until = Math.max(this.#until, terms.expires)
    return { ...terms, id: made, used: 0, token }
  }

  /** The invitation that a token is for, if it can be used. */
  async find(token: string): Promise<Invitation | undefined> {
    const key = inviteKey(token)
    const found = key === undefined ? undefined : await this.#store.find(key, this.#parts.clock.now())
    return found && this.#parts.hosts.has(found.domain) ? found : undefined
  }

  /** Makes the account, and contacts of host and guest. @throws AccountError `invitation`, `exists`, `bad-password`, `no-local-part` */
  async redeem({ token, jid, password, at = this.#parts.clock.now() }: Redeem): Promise<void> {
    const { store, iterations, mechanisms, admins, limits } = this.#parts
    const hash = inviteKey(token) ?? ''
    // What can be refused cheaply is refused before the password is hashed.
    const found = await this.#store.find(hash, at)
    if (!found?.accounts || found.domain !== jid.domain) throw unusable()
    if (found.name !== undefined && found.name !== jid.local) throw unusable()
    const problem = this.#parts.check(jid, password)
    if (problem) throw problem
    // A name that the configuration makes an administrator is not for whoever comes first.
    const kept = admins?.has(jid.key) && !found.admin && found.name === undefined
    if (kept || (await store.accounts.find(jid))) throw taken(jid)
    const verifiers = await makeVerifiers(password, { iterations, mechanisms })
    if (!verifiers) throw unusable()
    const account = { jid, admin: found.admin, verifiers }
    const rosterItems = limits?.rosterItems ?? Number.MAX_SAFE_INTEGER
    if (!(await store.accounts.redeem({ account, hash, at, rosterItems, deed: randomUUID() }))) {
      throw (await this.#store.find(hash, at)) ? taken(jid) : unusable()
    }
    this.#created(jid)
    for (const host of this.#hosts) await host({ jid, contact: found.contact })
  }

  /** Uses an invitation for somebody who has an account. @returns whether it was one to become a contact of this owner */
  async use(token: string, owner: Jid): Promise<boolean> {
    const key = inviteKey(token)
    return key !== undefined && this.#store.use(key, owner, this.#parts.clock.now())
  }

  /** Those that can be used, the newest first. */
  list(limit: number): Promise<readonly Invitation[]> {
    return this.#store.list(this.#parts.clock.now(), limit)
  }

  /** @returns how many there were */
  revoke(ids: readonly number[]): Promise<number> {
    return this.#store.revoke(ids)
  }

  /** Whether a name is kept for somebody who was invited (XEP-0401 §6.2). */
  reserved(jid: Jid): Promise<boolean> {
    return this.#store.reserved(jid, this.#parts.clock.now())
  }

  /** Calls `host` after somebody came; whoever came waits for it. @returns how to stop that */
  onArrival(host: (arrival: Arrival) => Promise<void>): () => void {
    this.#hosts.add(host)
    return () => this.#hosts.delete(host)
  }

  get #store() {
    return this.#parts.store.invitations
  }

  async #terms({ lifetime, ...wish }: InvitationWish): Promise<InvitationTerms> {
    const { hosts, clock, store } = this.#parts
    const { domain, creator, contact, admin = false, accounts = true, uses } = wish
    const note = wish.note?.replace(/[\p{C}\p{Z}]+/gu, ' ').trim() || undefined
    if (!hosts.has(domain))
      throw new AccountError('unknown-host', `${domain} is not a domain of this server (${[...hosts].join(', ')}).`)
    const name = wish.name === undefined ? undefined : prepareLocal(wish.name)
    if (name === undefined && wish.name !== undefined) throw bad('This cannot be a name.')
    if (name !== undefined && uses !== 1) throw bad('An invitation for one name lets one person in.')
    if (uses !== undefined && !(uses >= 1 && uses <= USES_MAX)) throw bad('An invitation can be used once or more.')
    if (!(lifetime >= 1000 && lifetime <= TIME_MAX)) throw bad('An invitation can be used for a year at most.')
    if ([...(note ?? '')].length > NOTE_MAX) throw bad(`A note has at most ${NOTE_MAX} characters.`)
    if (contact && !(await store.accounts.find(contact)))
      throw new AccountError('not-found', `There is no account ${contact}.`)
    const created = clock.now()
    return { domain, creator, contact, name, admin, accounts, note, uses, created, expires: created + lifetime }
  }
}

const REFUSALS: Readonly<Record<NoInvitation, string>> = {
  perDay: 'These are enough invitations for today.',
  waiting: 'Too many invitations wait to be used.',
  all: 'There are too many invitations; some must be revoked first.',
  name: 'This name is taken, or kept for somebody else.',
}

function refusal(why: NoInvitation): AccountError {
  return new AccountError(why === 'name' ? 'taken' : 'too-many', REFUSALS[why])
}

function bad(message: string): AccountError {
  return new AccountError('bad-invitation', message)
}

function unusable(): AccountError {
  return new AccountError('invitation', 'This invitation cannot be used.')
}

function taken(jid: Jid): AccountError {
  return new AccountError('exists', `The name ${jid.local} is taken.`)
}
