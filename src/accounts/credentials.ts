// SPDX-License-Identifier: Apache-2.0
// What the server keeps instead of passwords: SCRAM verifiers (RFC 5802 §3). One PBKDF2 per mechanism, in the thread pool.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { ScramHash, Verifier } from '../store/store.ts'
import { preparePassword } from './password.ts'

const derive = promisify(pbkdf2)
const SALT_BYTES = 16

/** The hash functions of the mechanisms (RFC 5802 §4, RFC 7677 §2), strongest first, by their names in `node:crypto`. */
export const DIGESTS: Readonly<Record<ScramHash, 'sha512' | 'sha256' | 'sha1'>> = {
  'SCRAM-SHA-512': 'sha512',
  'SCRAM-SHA-256': 'sha256',
  'SCRAM-SHA-1': 'sha1',
}

/** How verifiers are made; iterations as in RFC 5802 §5.1 (RFC 7677 §4 asks for at least 4096). */
export interface VerifierOptions {
  readonly iterations: number
  readonly mechanisms: readonly ScramHash[]
}

/** All mechanisms, 10,000 iterations (RFC 7677 §4 asks for at least 4096); every login costs the client that much. */
export const DEFAULT_VERIFIERS: VerifierOptions = {
  iterations: 10_000,
  mechanisms: ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1'],
}

/**
 * Makes one verifier per mechanism, each with its own salt (RFC 5802 §3).
 * @returns undefined if this can be nobody's password (empty, far too long, control characters: RFC 4013 §2.3)
 */
export async function makeVerifiers(
  password: string,
  options: VerifierOptions = DEFAULT_VERIFIERS,
): Promise<readonly Verifier[] | undefined> {
  const prepared = preparePassword(password)
  if (prepared === undefined) return undefined
  const one = (mechanism: ScramHash) => makeVerifier(prepared, mechanism, randomBytes(SALT_BYTES), options.iterations)
  return Promise.all(options.mechanisms.map(one))
}

/** Makes a verifier from a prepared password, for a given salt (RFC 5802 §3). */
export async function makeVerifier(
  prepared: string,
  mechanism: ScramHash,
  salt: Buffer,
  iterations: number,
): Promise<Verifier> {
  const digest = DIGESTS[mechanism]
  const salted = await derive(prepared, salt, iterations, hashLength(mechanism), digest)
  return verifierOf(mechanism, salted, salt, iterations)
}

/**
 * The verifier that belongs to a salted password, which a client made itself (XEP-0480 §3).
 * @returns undefined if it is none: of another length
 */
export function saltedVerifier(
  mechanism: ScramHash,
  salted: Buffer,
  salt: Buffer,
  iterations: number,
): Verifier | undefined {
  return salted.length === hashLength(mechanism) ? verifierOf(mechanism, salted, salt, iterations) : undefined
}

function verifierOf(mechanism: ScramHash, salted: Buffer, salt: Buffer, iterations: number): Verifier {
  const digest = DIGESTS[mechanism]
  const storedKey = createHash(digest)
    .update(hmac(mechanism, salted, 'Client Key'))
    .digest()
  return { mechanism, salt, iterations, storedKey, serverKey: hmac(mechanism, salted, 'Server Key') }
}

/** Whether this is the password the verifier was made from; takes one PBKDF2 either way (RFC 5802 §3). */
export async function checkPassword(password: string, verifier: Verifier): Promise<boolean> {
  const prepared = preparePassword(password)
  const { mechanism, salt, iterations, storedKey } = verifier
  const made = await makeVerifier(prepared ?? '', mechanism, salt, iterations)
  return same(made.storedKey, storedKey) && prepared !== undefined
}

/**
 * What stands in for the verifier of somebody who does not exist (RFC 5802 §9): always the same for the same name, of the
 * same shape as real ones, matching no password.
 * @param secret a secret of this server, at least 32 random bytes that survive restarts and are the same on all nodes
 */
export function fakeVerifier(secret: Buffer, mechanism: ScramHash, name: string, iterations: number): Verifier {
  const part = (what: string) => hmac('SCRAM-SHA-512', secret, `${what}\0${mechanism}\0${name}`)
  const length = hashLength(mechanism)
  return {
    mechanism,
    salt: part('salt').subarray(0, SALT_BYTES),
    iterations,
    storedKey: part('stored key').subarray(0, length),
    serverKey: part('server key').subarray(0, length),
  }
}

/** The HMAC of a mechanism (RFC 5802 §2.2). */
export function hmac(mechanism: ScramHash, key: Buffer, text: string): Buffer {
  return createHmac(DIGESTS[mechanism], key).update(text).digest()
}

/** Compares secrets without telling by the time it takes where they differ (RFC 5802 §9). */
export function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function hashLength(mechanism: ScramHash): number {
  return { sha512: 64, sha256: 32, sha1: 20 }[DIGESTS[mechanism]]
}
