// SPDX-License-Identifier: Apache-2.0
// The first account is made in a browser by whoever can read what the server prints: a link with a secret that works once.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { AccountError, type Accounts } from '../accounts/accounts.ts'
import { clientIdOf, newToken, tokenText } from '../accounts/ht.ts'
import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'
import { Jid, prepareLocal } from '../xmpp/jid.ts'

/** How long a link can be used, in ms. */
export const LINK_TIME = 24 * 3_600_000
/** Characters that a password has at least. */
export const SHORTEST_PASSWORD = 8
/** The mechanism that a browser uses its token with: it does not know its TLS connection. */
const MECHANISM = 'HT-SHA-256-NONE'
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What is wrong with a request. */
export type FirstAccountProblem = 'link' | 'name' | 'exists' | 'password' | 'short'

/** What a newcomer asks for. */
export interface FirstAccountRequest {
  /** The secret of the link. */
  readonly link: string
  readonly name: string
  readonly password: string
  /** The UUID of the browser, for its token (XEP-0388 §2.3). */
  readonly agent: string
  /** What the browser calls itself, for the list of clients. */
  readonly device: string | undefined
}

/** A first login, without the password being typed again (XEP-0484). */
export interface FirstLogin {
  readonly jid: string
  readonly token: string
  /** As in XML (XEP-0082). */
  readonly expiry: string
}

/** What making the first account needs. */
export interface FirstAccountParts {
  readonly accounts: Accounts
  readonly store: Pick<Store, 'accounts' | 'clients'>
  /** The domain of the account. */
  readonly host: string
  readonly clock: Clock
  /** Of the browser's token, in ms. */
  readonly tokenLifetime: number
  /** Whether the trial's own administrator does not count as somebody. */
  readonly trial: boolean
}

/** The link for the first account. */
export class FirstAccount {
  readonly host: string
  readonly #parts: FirstAccountParts
  /** The hash of the secret, so that no dump of the memory tells it. */
  #hash: Buffer | undefined
  #expires = 0
  #busy = false

  constructor(parts: FirstAccountParts) {
    this.#parts = parts
    this.host = parts.host
  }

  /** Whether the server has nobody yet. */
  async open(): Promise<boolean> {
    const { accounts, host, trial } = this.#parts
    const count = await accounts.count()
    return count === 0 || (count === 1 && trial && (await accounts.find(Jid.of('admin', host))) !== undefined)
  }

  /** Makes the secret of a link, 192 bits; the one before is worth nothing then. @returns undefined if somebody is there */
  async issue(): Promise<string | undefined> {
    if (!(await this.open())) return undefined
    const link = randomBytes(24).toString('base64url')
    this.#hash = hash(link)
    this.#expires = this.#parts.clock.now() + LINK_TIME
    return link
  }

  /** Whether a link can still be used. */
  async usable(link: string): Promise<boolean> {
    return this.#right(link) && (await this.open())
  }

  /** Makes the account, an administrator; it is on disk when this resolves. @returns what is wrong, or the first login */
  async create(request: FirstAccountRequest): Promise<FirstLogin | FirstAccountProblem> {
    if (this.#busy || !this.#right(request.link)) return 'link'
    this.#busy = true // of two requests at a time only one is looked at
    try {
      return (await this.open()) ? await this.#create(request) : 'link'
    } finally {
      this.#busy = false
    }
  }

  async #create({ name, password, agent, device }: FirstAccountRequest): Promise<FirstLogin | FirstAccountProblem> {
    const { accounts, host } = this.#parts
    const local = prepareLocal(name)
    if (local === undefined || !UUID.test(agent)) return 'name'
    if ([...password].length < SHORTEST_PASSWORD) return 'short'
    const jid = Jid.of(local, host)
    try {
      await accounts.add(jid, password, { admin: true })
    } catch (error) {
      if (!(error instanceof AccountError)) throw error
      return error.problem === 'exists' ? 'exists' : 'password'
    }
    this.#hash = undefined
    return this.#login(jid, agent, device)
  }

  async #login(jid: Jid, agent: string, device: string | undefined): Promise<FirstLogin> {
    const { store, clock, tokenLifetime } = this.#parts
    const account = await store.accounts.find(jid)
    const proof = account?.verifiers[0]?.storedKey
    const token = newToken(MECHANISM, clock.now(), tokenLifetime)
    const client = { id: clientIdOf(jid.toString(), agent), software: 'aenigma web chat', device }
    const given = proof !== undefined && (await store.clients.give(jid, { client, token, proof, most: 1 }))
    const text = given ? tokenText(token.seed, agent) : '' // without one the password is asked for once more
    return { jid: jid.toString(), token: text, expiry: new Date(token.expires).toISOString() }
  }

  #right(link: string): boolean {
    const known = this.#hash
    return known !== undefined && this.#parts.clock.now() < this.#expires && timingSafeEqual(known, hash(link))
  }
}

function hash(link: string): Buffer {
  return createHash('sha256').update(`first account\0${link}`).digest()
}
