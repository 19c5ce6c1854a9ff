// SPDX-License-Identifier: Apache-2.0
// The first account is made in a browser by whoever can read what the server prints: a link with a secret that works once.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Accounts } from '../accounts/accounts.ts'
import { Jid } from '../xmpp/jid.ts'
import {
  type FirstLogin,
  firstLogin,
  type LoginParts,
  type NewcomerProblem,
  type NewcomerRequest,
  newcomerOf,
  newcomerProblem,
} from './newcomer.ts'

/** How long a link can be used, in ms. */
export const LINK_TIME = 24 * 3_600_000

/** What making the first account needs. */
export interface FirstAccountParts extends LoginParts {
  readonly accounts: Accounts
  /** The domain of the account. */
  readonly host: string
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
  async create(request: NewcomerRequest): Promise<FirstLogin | NewcomerProblem> {
    if (this.#busy || !this.#right(request.link)) return 'link'
    this.#busy = true // of two requests at a time only one is looked at
    try {
      return (await this.open()) ? await this.#create(request) : 'link'
    } finally {
      this.#busy = false
    }
  }

  async #create(request: NewcomerRequest): Promise<FirstLogin | NewcomerProblem> {
    const jid = newcomerOf(request, this.#parts.host)
    if (typeof jid === 'string') return jid
    try {
      await this.#parts.accounts.add(jid, request.password, { admin: true })
    } catch (error) {
      return newcomerProblem(error)
    }
    this.#hash = undefined
    return firstLogin(jid, request, this.#parts)
  }

  #right(link: string): boolean {
    const known = this.#hash
    return known !== undefined && this.#parts.clock.now() < this.#expires && timingSafeEqual(known, hash(link))
  }
}

function hash(link: string): Buffer {
  return createHash('sha256').update(`first account\0${link}`).digest()
}
