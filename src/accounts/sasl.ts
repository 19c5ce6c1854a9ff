// SPDX-License-Identifier: Apache-2.0
// Which mechanisms a client is offered, strongest first, and how a login by one of them begins (RFC 6120 §6).
import type { ScramHash } from '../store/store.ts'
import { prepareLocal } from '../xmpp/jid.ts'
import { checkPassword, DIGESTS } from './credentials.ts'
import { failure, NOT_AUTHORIZED, type SaslContext, type SaslExchange, type SaslStep, utf8 } from './exchange.ts'
import { bindingTypes, ownAddress, ScramExchange, type ScramMechanism } from './scram.ts'

const HASHES: readonly ScramHash[] = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1']
const MAX_PLAIN = 8192

/** The part of a context that decides what is offered (RFC 6120 §6.3.3). */
export type Offer = Pick<SaslContext, 'encrypted' | 'bindings' | 'hashes' | 'plain'>

/**
 * The mechanisms to offer, strongest first (RFC 6120 §6.3.3): those with channel binding if this connection has one, then
 * those without; PLAIN only if asked for; nothing without TLS.
 */
export function mechanismsFor(offer: Offer): readonly string[] {
  if (!offer.encrypted) return []
  const plus = bindingTypes(offer).length > 0 ? hashesOf(offer).map((hash) => `${hash}-PLUS`) : []
  return [...plus, ...hashesOf(offer), ...(offer.plain ? ['PLAIN'] : [])]
}

/**
 * Begins a login (RFC 6120 §6.4.2).
 * @returns undefined if the mechanism was not offered: `invalid-mechanism` (RFC 6120 §6.5.7)
 */
export function startSasl(mechanism: string, context: SaslContext): SaslExchange | undefined {
  if (!mechanismsFor(context).includes(mechanism)) return undefined
  if (isScram(mechanism)) return new ScramExchange(mechanism, context)
  return mechanism === 'PLAIN' ? new PlainExchange(context) : undefined
}

function hashesOf(offer: Offer): readonly ScramHash[] {
  return HASHES.filter((hash) => offer.hashes?.includes(hash) ?? true)
}

function isScram(mechanism: string): mechanism is ScramMechanism {
  return Object.hasOwn(DIGESTS, mechanism.replace(/-PLUS$/, ''))
}

/** One login by PLAIN (RFC 4616): the password itself, compared with a verifier. */
class PlainExchange implements SaslExchange {
  readonly #context: SaslContext
  #username: string | undefined
  #state: 'new' | 'asked' | 'over' = 'new'

  constructor(context: SaslContext) {
    this.#context = context
  }

  get username(): string | undefined {
    return this.#username
  }

  async next(data: Buffer | undefined): Promise<SaslStep> {
    const state = this.#state
    this.#state = state === 'new' && data === undefined ? 'asked' : 'over'
    if (this.#state === 'asked') return { kind: 'challenge', data: Buffer.alloc(0) }
    if (state === 'over' || data === undefined) return failure('malformed-request', 'No answer was expected here.')
    const [, authzid, name, password] = /^([^\0]*)\0([^\0]+)\0([^\0]+)$/.exec(plainText(data)) ?? []
    if (name === undefined || password === undefined)
      return failure('malformed-request', 'This is not a PLAIN message.')
    try {
      return await this.#check(authzid ?? '', name, password)
    } catch (cause) {
      return { kind: 'failure', condition: 'temporary-auth-failure', cause }
    }
  }

  async #check(authzid: string, name: string, password: string): Promise<SaslStep> {
    const username = prepareLocal(name)
    this.#username = username
    if (authzid !== '' && !ownAddress(authzid, username, this.#context.domain)) {
      return failure('invalid-authzid', 'You can only act as yourself.')
    }
    const found = username === undefined ? undefined : await this.#verifierOf(username)
    const verifier =
      found ?? this.#context.fakeVerifier(username ?? name, hashesOf(this.#context)[0] ?? 'SCRAM-SHA-256')
    const right = await checkPassword(password, verifier)
    return right && found && username !== undefined ? { kind: 'success', username } : NOT_AUTHORIZED
  }

  /** The strongest one. All are asked for, so that somebody who has none takes no longer than somebody who has one. */
  async #verifierOf(username: string) {
    const all = await Promise.all(hashesOf(this.#context).map((hash) => this.#context.verifierOf(username, hash)))
    return all.find((verifier) => verifier !== undefined)
  }
}

function plainText(data: Buffer): string {
  return data.length > MAX_PLAIN ? '' : (utf8(data) ?? '')
}
