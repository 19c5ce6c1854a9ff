// SPDX-License-Identifier: Apache-2.0
// The client's side of SCRAM (RFC 5802), written from the RFC and not from the server: for `aenigma compliance`, the load
// tool, and the tests of both sides.
import { createHash, createHmac, pbkdf2, pbkdf2Sync, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

/** The hashes of SCRAM, as node calls them. */
const DIGESTS = { 'SCRAM-SHA-1': 'sha1', 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const

/** A mechanism without `-PLUS`. */
export type ScramName = keyof typeof DIGESTS

/** Who logs in, and how. */
export interface ScramLogin {
  readonly hash: ScramName
  readonly username: string
  readonly password: string
  /** Channel binding (RFC 5802 §6): makes it `-PLUS`. */
  readonly binding?: { readonly type: string; readonly data: Buffer }
  /** The flag without binding: `n` (the client cannot) or `y` (the server cannot, thinks the client). */
  readonly flag?: 'n' | 'y'
}

/** What is derived from a password, which is the costly part. */
export interface ScramKeys {
  readonly client: Buffer
  readonly server: Buffer
}

const derive = promisify(pbkdf2)

/** Derives the keys that a challenge asks for, without blocking. @param challenge in Base64 */
export async function keysFor({ hash, password }: ScramLogin, challenge: string): Promise<ScramKeys> {
  const { salt, iterations } = saltOf(challenge)
  return keysOf(hash, await derive(password, salt, iterations, sizeOf(hash), DIGESTS[hash]))
}

/** What a challenge says about the derivation of the keys. @param challenge in Base64 */
export function saltOf(challenge: string): { readonly salt: Buffer; readonly iterations: number } {
  const fields = fieldsOf(Buffer.from(challenge, 'base64').toString())
  return { salt: Buffer.from(fields.get('s') ?? '', 'base64'), iterations: Number(fields.get('i')) }
}

/** One login; every text is Base64, as it stands in XML. */
export class ScramClient {
  readonly mechanism: string
  readonly #login: ScramLogin
  readonly #gs2: string
  readonly #bare: string
  #serverSignature = ''

  constructor(login: ScramLogin) {
    this.#login = login
    this.mechanism = login.binding ? `${login.hash}-PLUS` : login.hash
    this.#gs2 = login.binding ? `p=${login.binding.type},,` : `${login.flag ?? 'n'},,`
    this.#bare = `n=${login.username},r=${randomBytes(18).toString('base64')}`
  }

  /** How long our own part of the nonce is. */
  get nonceLength(): number {
    return fieldsOf(this.#bare).get('r')?.length ?? 0
  }

  /** The client-first-message. */
  get first(): string {
    return Buffer.from(this.#gs2 + this.#bare).toString('base64')
  }

  /** The `<auth/>` with the first message. */
  get auth(): string {
    return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${this.mechanism}'>${this.first}</auth>`
  }

  /** The client-final-message that answers a challenge. @param keys derived here, which blocks, unless given */
  final(challenge: string, keys: ScramKeys = keysNow(this.#login, challenge)): string {
    const { hash, binding } = this.#login
    const serverFirst = Buffer.from(challenge, 'base64').toString()
    const bound = Buffer.concat([Buffer.from(this.#gs2), binding?.data ?? Buffer.alloc(0)])
    const withoutProof = `c=${bound.toString('base64')},r=${fieldsOf(serverFirst).get('r')}`
    const authMessage = `${this.#bare},${serverFirst},${withoutProof}`
    const stored = createHash(DIGESTS[hash]).update(keys.client).digest()
    const signature = hmac(hash, stored, authMessage)
    const proof = Buffer.from(keys.client.map((byte, index) => byte ^ (signature[index] ?? 0)))
    this.#serverSignature = hmac(hash, keys.server, authMessage).toString('base64')
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`).toString('base64')
  }

  /** The `<response/>` with the final message. */
  response(challenge: string, keys?: ScramKeys): string {
    return `<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${this.final(challenge, keys)}</response>`
  }

  /** Whether what came with success proves that the server knows the account. */
  trusts(success: string): boolean {
    const signature = fieldsOf(Buffer.from(success, 'base64').toString()).get('v')
    return signature !== undefined && signature === this.#serverSignature
  }
}

/** The fields of a SCRAM message by their letters. */
export function fieldsOf(message: string): ReadonlyMap<string, string> {
  return new Map(message.split(',').map((field) => [field.slice(0, 1), field.slice(2)]))
}

function keysNow({ hash, password }: ScramLogin, challenge: string): ScramKeys {
  const { salt, iterations } = saltOf(challenge)
  return keysOf(hash, pbkdf2Sync(password, salt, iterations, sizeOf(hash), DIGESTS[hash]))
}

function keysOf(hash: ScramName, salted: Buffer): ScramKeys {
  return { client: hmac(hash, salted, 'Client Key'), server: hmac(hash, salted, 'Server Key') }
}

function sizeOf(hash: ScramName): number {
  return createHash(DIGESTS[hash]).digest().length
}

function hmac(hash: ScramName, key: Buffer, text: string): Buffer {
  return createHmac(DIGESTS[hash], key).update(text).digest()
}
