// SPDX-License-Identifier: Apache-2.0
// The server's side of SCRAM (RFC 5802, RFC 7677): SHA-1, SHA-256 and SHA-512, each with and without channel binding, and
// the downgrade protection of XEP-0474. Somebody who does not exist gets the same two steps as somebody who mistypes.
import { createHash, randomBytes } from 'node:crypto'
import type { ScramHash, Verifier } from '../store/store.ts'
import { Jid, prepareLocal } from '../xmpp/jid.ts'
import { DIGESTS, hmac, same } from './credentials.ts'
import {
  BINDING_TYPES,
  type BindingType,
  failure,
  NOT_AUTHORIZED,
  QUIET_BINDING,
  type SaslContext,
  type SaslExchange,
  type SaslFailure,
  type SaslStep,
  utf8,
} from './exchange.ts'

/** A SCRAM mechanism, with or without channel binding (RFC 5802 §4). */
export type ScramMechanism = ScramHash | `${ScramHash}-PLUS`

/** No honest message comes near: a name has at most 1023 bytes, three times that when escaped. */
const MAX_MESSAGE = 8192

// RFC 5802 §7. The two groups of client-first are the gs2-header and client-first-message-bare.
const CLIENT_FIRST = /^((n|y|p=([A-Za-z0-9.-]+)),(?:a=([^,\0]+))?,)(.*)$/s
const FIRST_BARE = /^n=([^,\0]+),r=([\x21-\x2b\x2d-\x7e]+)((?:,[A-Za-z]=[^,\0]*)*)$/
const CLIENT_FINAL =
  /^(c=([A-Za-z0-9+/]+={0,2}),r=([\x21-\x2b\x2d-\x7e]+)((?:,[A-Za-z]=[^,\0]*)*)),p=([A-Za-z0-9+/]+={0,2})$/

/** A client-first-message, taken apart (RFC 5802 §7). */
interface ClientFirst {
  readonly gs2Header: string
  readonly flag: 'n' | 'y' | 'p'
  readonly binding: string | undefined
  readonly authzid: string | undefined
  readonly bare: string
  readonly name: string
  readonly nonce: string
}

/** What has to be remembered between the two messages of the client. */
interface Pending {
  readonly username: string
  readonly known: boolean
  readonly verifier: Verifier
  readonly nonce: string
  /** The decoded `c=` that must come back (RFC 5802 §5.1). */
  readonly binding: Buffer
  readonly clientFirstBare: string
  readonly serverFirst: string
}

/** One login by SCRAM (RFC 5802 §5). */
export class ScramExchange implements SaslExchange {
  readonly #hash: ScramHash
  readonly #plus: boolean
  readonly #context: SaslContext
  #username: string | undefined
  #state: 'new' | 'asked' | 'over' | Pending = 'new'

  constructor(mechanism: ScramMechanism, context: SaslContext) {
    this.#plus = mechanism.endsWith('-PLUS')
    this.#hash = mechanism.replace(/-PLUS$/, '') as ScramHash
    this.#context = context
  }

  get username(): string | undefined {
    return this.#username
  }

  async next(data: Buffer | undefined): Promise<SaslStep> {
    const state = this.#state
    this.#state = 'over'
    if (state === 'new' && data === undefined) {
      this.#state = 'asked'
      return { kind: 'challenge', data: Buffer.alloc(0) }
    }
    if (state === 'over' || data === undefined) return failure('malformed-request', 'No answer was expected here.')
    const text = data.length > MAX_MESSAGE ? undefined : utf8(data)
    if (text === undefined) return failure('malformed-request', 'This is not a SCRAM message.')
    if (typeof state === 'object') return clientFinal(text, state)
    try {
      return await this.#clientFirst(text)
    } catch (cause) {
      return { kind: 'failure', condition: 'temporary-auth-failure', cause }
    }
  }

  async #clientFirst(text: string): Promise<SaslStep> {
    const first = parseClientFirst(text)
    if (!first) return failure('malformed-request', 'This is not a SCRAM message.')
    const refusal = refuseBinding(first, this.#plus, this.#context)
    if (refusal) return refusal
    const name = prepareLocal(first.name)
    this.#username = name
    if (first.authzid !== undefined && !ownAddress(first.authzid, name, this.#context.domain)) {
      return failure('invalid-authzid', 'You can only act as yourself.')
    }
    // Looked up under the name as it came if it cannot be anybody's: that, too, takes the same steps.
    const username = name ?? first.name
    const found = name === undefined ? undefined : await this.#context.verifierOf(name, this.#hash)
    // Made whether it is needed or not, so that it takes the same time.
    const fake = this.#context.fakeVerifier(username, this.#hash)
    const verifier = found ?? fake
    const nonce = first.nonce + (this.#context.nonce?.() ?? randomBytes(24).toString('base64'))
    const salt = verifier.salt.toString('base64')
    const serverFirst = `r=${nonce},s=${salt},i=${verifier.iterations}${downgradeHash(this.#hash, this.#context.offered)}`
    const binding = expectedBinding(first, this.#context)
    const known = found !== undefined
    this.#state = { username, known, verifier, nonce, binding, clientFirstBare: first.bare, serverFirst }
    return { kind: 'challenge', data: Buffer.from(serverFirst) }
  }
}

/** Checks the proof (RFC 5802 §3); all that can be wrong here gets the same answer. */
function clientFinal(text: string, pending: Pending): SaslStep {
  const [, withoutProof, c, nonce, extensions, p] = CLIENT_FINAL.exec(text) ?? []
  if (withoutProof === undefined || c === undefined || p === undefined || isMandatory(extensions)) {
    return failure('malformed-request', 'This is not a SCRAM message.')
  }
  const { mechanism, storedKey, serverKey } = pending.verifier
  const authMessage = `${pending.clientFirstBare},${pending.serverFirst},${withoutProof}`
  const signature = hmac(mechanism, storedKey, authMessage)
  const proof = Buffer.from(p, 'base64')
  const clientKey = Buffer.from(signature.map((byte, index) => byte ^ (proof[index] ?? 0)))
  const proved = same(createHash(DIGESTS[mechanism]).update(clientKey).digest(), storedKey)
  const bound = same(Buffer.from(c, 'base64'), pending.binding) && nonce === pending.nonce
  if (!(proved && bound && proof.length === signature.length && pending.known)) return NOT_AUTHORIZED
  const data = Buffer.from(`v=${hmac(mechanism, serverKey, authMessage).toString('base64')}`)
  return { kind: 'success', username: pending.username, data }
}

function parseClientFirst(text: string): ClientFirst | undefined {
  const [, gs2Header, flag, binding, authzid, bare] = CLIENT_FIRST.exec(text) ?? []
  const [, name, nonce, extensions] = FIRST_BARE.exec(bare ?? '') ?? []
  if (gs2Header === undefined || bare === undefined || name === undefined || nonce === undefined) return undefined
  const [ownName, ownAuthzid] = [unescapeName(name), unescapeName(authzid)]
  if (ownName === undefined || ownAuthzid === null || ownName === null || isMandatory(extensions)) return undefined
  const kind = flag === 'n' || flag === 'y' ? flag : 'p'
  return { gs2Header, flag: kind, binding, authzid: ownAuthzid, bare, name: ownName, nonce }
}

/** Decodes a saslname; null if a "=" stands for nothing (RFC 5802 §5.1). */
function unescapeName(name: string | undefined): string | undefined | null {
  if (name === undefined || !name.includes('=')) return name
  if (/=(?!2C|3D)/.test(name)) return null
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

/** Whether there is an extension that must be understood; we understand none (RFC 5802 §5.1, `m=`). */
function isMandatory(extensions: string | undefined): boolean {
  return extensions?.includes(',m=') === true
}

/** What of a gs2-header we do not accept, before anything else is looked at (RFC 5802 §6). */
function refuseBinding(first: ClientFirst, plus: boolean, context: SaslContext): SaslFailure | undefined {
  if ((first.flag === 'p') !== plus) {
    return failure('malformed-request', 'The mechanism and the message do not agree on channel binding.')
  }
  if (first.flag === 'y' && bindingTypes(context).length > 0) {
    return failure('not-authorized', 'We offer channel binding, but you were told otherwise: somebody is in between.')
  }
  if (first.flag !== 'p' || bindingData(first, context) !== undefined) return undefined
  return failure('malformed-request', 'This type of channel binding is not available here.')
}

/** The types of channel binding that this connection has (XEP-0440 §3), strongest first. */
export function bindingTypes(context: Pick<SaslContext, 'bindings' | 'encrypted'>): readonly BindingType[] {
  const { encrypted, bindings } = context
  if (!encrypted) return []
  return bindings.types ?? BINDING_TYPES.filter((type) => bindings[type] !== undefined)
}

/** The gs2-header and the binding's data: what `c=` must say (RFC 5802 §5.1). */
function expectedBinding(first: ClientFirst, context: SaslContext): Buffer {
  return Buffer.concat([Buffer.from(first.gs2Header), bindingData(first, context) ?? Buffer.alloc(0)])
}

/** The data of the binding that the client chose, if this connection has it. */
function bindingData(first: ClientFirst, { encrypted, bindings }: SaslContext): Buffer | undefined {
  const known: readonly BindingType[] = [...BINDING_TYPES, QUIET_BINDING]
  const type = known.find((one) => one === first.binding)
  return encrypted && type !== undefined ? bindings[type] : undefined
}

/** Whether an authorisation identity is the user's own bare JID (RFC 6120 §6.3.8). */
export function ownAddress(authzid: string, username: string | undefined, domain: string): boolean {
  const jid = Jid.tryParse(authzid)
  return username !== undefined && jid?.isBare === true && jid.local === username && jid.domain === domain
}

/** The attribute `h` (XEP-0474, "Server Sends Downgrade Protection Hash"): what we offered, hashed, so that the client sees whether the offer was tampered with. */
function downgradeHash(hash: ScramHash, offered: SaslContext['offered']): string {
  if (!offered) return ''
  const list = (names: readonly string[]) =>
    names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).join('\x1e')
  // Types of channel binding count only where they were announced, and without any nothing is.
  const bindings = offered.bindings.length > 0 ? `\x1f${list(offered.bindings)}` : ''
  const text = list(offered.mechanisms) + bindings
  return `,h=${createHash(DIGESTS[hash]).update(text).digest('base64')}`
}
