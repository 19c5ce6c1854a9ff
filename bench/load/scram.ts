// SPDX-License-Identifier: Apache-2.0
// The client's side of SCRAM-SHA-256 (RFC 7677), with the costly part remembered per salt.

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

interface Keys {
  readonly client: Buffer
  readonly stored: Buffer
  readonly server: Buffer
}

/** The client's answer to a challenge, and what the server has to prove then. */
export interface Answer {
  readonly final: string
  readonly signature: Buffer
}

const derive = promisify(pbkdf2)
const remembered = new Map<string, Promise<Keys>>()

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

async function deriveKeys(password: string, salt: string, iterations: number): Promise<Keys> {
  const salted = await derive(password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256')
  const client = hmac(salted, 'Client Key')
  return { client, stored: createHash('sha256').update(client).digest(), server: hmac(salted, 'Server Key') }
}

function keysFor(password: string, salt: string, iterations: number): Promise<Keys> {
  const name = `${salt} ${iterations} ${password}`
  const known = remembered.get(name) ?? deriveKeys(password, salt, iterations)
  remembered.set(name, known)
  return known
}

/** The first message without its header (`n,,`). */
export function firstMessage(user: string): string {
  return `n=${user},r=${randomBytes(18).toString('base64')}`
}

/** Answers the server's challenge. */
export async function answerChallenge(first: string, challenge: string, password: string): Promise<Answer> {
  const field = (name: string): string => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(challenge)?.[1] ?? ''
  const keys = await keysFor(password, field('s'), Number(field('i')))
  const bare = `c=biws,r=${field('r')}`
  const signed = `${first},${challenge},${bare}`
  const signature = hmac(keys.stored, signed)
  const proof = keys.client.map((byte, index) => byte ^ (signature[index] ?? 0))
  return { final: `${bare},p=${Buffer.from(proof).toString('base64')}`, signature: hmac(keys.server, signed) }
}

/** Whether the server has proved that it knows the account. */
export function isProof(answer: Answer, success: string): boolean {
  const given = Buffer.from(/v=([^,]*)/.exec(success)?.[1] ?? '', 'base64')
  return given.length === answer.signature.length && timingSafeEqual(given, answer.signature)
}
