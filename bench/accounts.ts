// SPDX-License-Identifier: Apache-2.0
// The accounts of a run: u0, u1, … on one domain, all with one password. For the peers' stores the SCRAM keys are made
// here, with one salt for all, which spares the load tool the costly part of every login and the server nothing.

import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

/** The domain that every server under test serves. */
export const DOMAIN = 'bench.example'

/** The domain of the second server, where there are two. */
export const PEER_DOMAIN = 'peer.example'

/** Every account's password. */
export const PASSWORD = 'correct-horse-battery-staple-7'

/** What a server stores to check a SCRAM-SHA-256 login. */
export interface Verifier {
  readonly salt: string
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** The verifier that all accounts of a peer share. */
export function sharedVerifier(): Verifier {
  const salt = 'b7d1c0de5a17b7d1c0de5a17'
  const iterations = 10_000
  const salted = pbkdf2Sync(PASSWORD, salt, iterations, 32, 'sha256')
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest()
  return { salt, iterations, storedKey, serverKey: hmac('Server Key') }
}

/** The name of account number `index`. */
export function userName(index: number): string {
  return `u${index}`
}
