// SPDX-License-Identifier: Apache-2.0
// Logins by token in one step: the SASL mechanisms HT-SHA-256-* (draft-schmaus-kitten-sasl-ht), as XEP-0484 uses them.
//
// A token is never stored. What is stored is a random seed; the token is made from it and from the id of the user agent,
// which only the client has. Who steals the store cannot log in with what is in it.
import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Token } from '../store/store.ts'
import { prepareLocal } from '../xmpp/jid.ts'
import { same } from './credentials.ts'
import {
  type BindingType,
  type ChannelBindings,
  failure,
  NOT_AUTHORIZED,
  type SaslExchange,
  type SaslStep,
  utf8,
} from './exchange.ts'
import { bindingTypes } from './scram.ts'

/** Which channel binding each mechanism has; `UNIQ` is missing, as `tls-unique` means nothing with TLS 1.3 (RFC 9266 §1). */
const BINDINGS: Readonly<Record<string, BindingType | undefined>> = {
  'HT-SHA-256-EXPR': 'tls-exporter',
  'HT-SHA-256-ENDP': 'tls-server-end-point',
  'HT-SHA-256-NONE': undefined,
}

/** Fixed: HMAC-SHA-256 gives so many bytes. */
const MAC_BYTES = 32
/** A name has at most 1023 bytes. */
const MAX_MESSAGE = 1024 + 1 + MAC_BYTES
/** How many tokens a client can have: one that is in use, and one that is to replace it. */
const TOKENS = 2
/** Stands in for a token that does not exist, so that looking takes the same time. */
const NO_TOKEN: Token = { mechanism: '', seed: Buffer.alloc(MAC_BYTES), issued: 0, expires: 0 }

/** What a login by token needs to know about the connection and the client. */
export interface HtContext {
  readonly encrypted: boolean
  readonly bindings: ChannelBindings
  /** The id of the client's user agent (XEP-0388 §2.3). */
  readonly agent: string | undefined
  /** The tokens of this client of the account. */
  tokensOf(username: string): Promise<readonly Token[]>
  /** Notes that a token was used. @returns false if it must not be (any more) */
  use(username: string, token: Token): Promise<boolean>
  /** ms since 1970. */
  now(): number
}

/** The mechanisms by token that this connection can do, those with channel binding first. */
export function tokenMechanisms(context: Pick<HtContext, 'encrypted' | 'bindings'>): readonly string[] {
  if (!context.encrypted) return []
  const types = bindingTypes(context)
  return Object.entries(BINDINGS).flatMap(([name, type]) => (type && !types.includes(type) ? [] : [name]))
}

/** Begins a login by token. @returns undefined if the mechanism was not offered */
export function startHt(mechanism: string, context: HtContext): HtExchange | undefined {
  return tokenMechanisms(context).includes(mechanism) ? new HtExchange(mechanism, context) : undefined
}

/** What a new token is made from. @param lifetime in ms */
export function newToken(mechanism: string, now: number, lifetime: number): Token {
  return { mechanism, seed: randomBytes(32), issued: now, expires: now + lifetime }
}

/** The token itself, as the client gets and uses it: text of 43 characters. */
export function tokenText(seed: Buffer, agent: string): string {
  return createHmac('sha256', seed).update(`fast token\0${agent}`).digest('base64url')
}

/** What a client is called here, in commands and in the store; its user agent's id cannot be told from it. */
export function clientIdOf(bareJid: string, agent: string): string {
  return createHash('sha256').update(`client\0${bareJid}\0${agent}`).digest('hex').slice(0, 16)
}

/** One login by token. */
export class HtExchange implements SaslExchange {
  readonly #mechanism: string
  readonly #context: HtContext
  #username: string | undefined
  #token: Token | undefined
  #state: 'new' | 'asked' | 'over' = 'new'

  constructor(mechanism: string, context: HtContext) {
    this.#mechanism = mechanism
    this.#context = context
  }

  get username(): string | undefined {
    return this.#username
  }

  /** The token that proved the client; undefined before success. */
  get token(): Token | undefined {
    return this.#token
  }

  async next(data: Buffer | undefined): Promise<SaslStep> {
    const state = this.#state
    this.#state = state === 'new' && data === undefined ? 'asked' : 'over'
    if (this.#state === 'asked') return { kind: 'challenge', data: Buffer.alloc(0) }
    if (state === 'over' || data === undefined) return failure('malformed-request', 'No answer was expected here.')
    const end = data.indexOf(0)
    const name = data.length > MAX_MESSAGE || end < 1 ? undefined : utf8(data.subarray(0, end))
    const proof = data.subarray(end + 1)
    if (name === undefined || proof.length !== MAC_BYTES) {
      return failure('malformed-request', 'This is not a message of this mechanism.')
    }
    try {
      return await this.#check(name, proof)
    } catch (cause) {
      return { kind: 'failure', condition: 'temporary-auth-failure', cause }
    }
  }

  async #check(name: string, proof: Buffer): Promise<SaslStep> {
    const { agent, bindings, now } = this.#context
    const username = prepareLocal(name)
    this.#username = username
    const type = BINDINGS[this.#mechanism]
    const binding = (type && bindings[type]) ?? Buffer.alloc(0)
    const known = username === undefined || agent === undefined ? [] : await this.#context.tokensOf(username)
    let right: { readonly token: Token; readonly answer: Buffer } | undefined
    for (let index = 0; index < TOKENS; index++) {
      const token = known[index] ?? NO_TOKEN
      const key = tokenText(token.seed, agent ?? '')
      const answer = mac(key, 'Responder', binding)
      const proved = same(mac(key, 'Initiator', binding), proof)
      if (proved && token !== NO_TOKEN && token.mechanism === this.#mechanism) right ??= { token, answer }
    }
    if (!right || username === undefined) return NOT_AUTHORIZED
    // Only who has the token gets to know this (XEP-0484 §4.2).
    if (right.token.expires <= now()) return failure('credentials-expired', 'Log in with your password again.')
    if (!(await this.#context.use(username, right.token))) return NOT_AUTHORIZED
    this.#token = right.token
    return { kind: 'success', username, data: right.answer }
  }
}

function mac(key: string, who: 'Initiator' | 'Responder', binding: Buffer): Buffer {
  return createHmac('sha256', key).update(who).update(binding).digest()
}
