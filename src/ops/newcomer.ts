// SPDX-License-Identifier: Apache-2.0
// Somebody makes an account of their own in a browser, by a link: what is checked, and the login that the browser gets.
import { AccountError } from '../accounts/accounts.ts'
import { clientIdOf, newToken, tokenText } from '../accounts/ht.ts'
import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'
import { Jid, prepareLocal } from '../xmpp/jid.ts'

/** Characters that a password has at least. */
export const SHORTEST_PASSWORD = 8
/** The mechanism that a browser uses its token with: it does not know its TLS connection. */
const MECHANISM = 'HT-SHA-256-NONE'
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What is wrong with a request. */
export type NewcomerProblem = 'link' | 'name' | 'exists' | 'password' | 'short'

/** What a newcomer asks for. */
export interface NewcomerRequest {
  /** The secret of the link. */
  readonly link: string
  readonly name: string
  readonly password: string
  /** The UUID of the browser, for its token (XEP-0388 §2.3); undefined if it cannot keep one. */
  readonly agent: string | undefined
  /** What the browser calls itself, for the list of clients. */
  readonly device: string | undefined
}

/** A first login, without the password being typed again (XEP-0484). */
export interface FirstLogin {
  readonly jid: string
  /** '' if there is none: then the password is asked for once more. */
  readonly token: string
  /** As in XML (XEP-0082). */
  readonly expiry: string
}

/** What giving out a login needs. */
export interface LoginParts {
  readonly store: Pick<Store, 'accounts' | 'clients'>
  readonly clock: Clock
  /** Of the browser's token, in ms. */
  readonly tokenLifetime: number
}

/** The address that is asked for, or what is wrong with the request. */
export function newcomerOf({ name, password, agent }: NewcomerRequest, host: string): Jid | 'name' | 'short' {
  const local = prepareLocal(name)
  if (local === undefined || (agent !== undefined && !UUID.test(agent))) return 'name'
  if ([...password].length < SHORTEST_PASSWORD) return 'short'
  return Jid.tryParse(`${local}@${host}`) ?? 'name'
}

/** What the newcomer is told of an error; one that is not about the account is thrown again. */
export function newcomerProblem(error: unknown): NewcomerProblem {
  if (!(error instanceof AccountError)) throw error
  if (error.problem === 'invitation') return 'link'
  return error.problem === 'exists' ? 'exists' : 'password'
}

/** Logs the browser in to an account that was made just now. */
export async function firstLogin(
  jid: Jid,
  { agent, device }: NewcomerRequest,
  { store, clock, tokenLifetime }: LoginParts,
): Promise<FirstLogin> {
  const token = newToken(MECHANISM, clock.now(), tokenLifetime)
  const expiry = new Date(token.expires).toISOString()
  if (agent === undefined) return { jid: jid.toString(), token: '', expiry }
  const account = await store.accounts.find(jid)
  const proof = account?.verifiers[0]?.storedKey
  const client = { id: clientIdOf(jid.toString(), agent), software: 'aenigma web chat', device }
  const given = proof !== undefined && (await store.clients.give(jid, { client, token, proof, most: 1 }))
  return { jid: jid.toString(), token: given ? tokenText(token.seed, agent) : '', expiry }
}
