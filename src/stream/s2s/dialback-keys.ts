// SPDX-License-Identifier: Apache-2.0
// The keys of dialback (XEP-0185): whoever knows the secret can tell that a key is its own, without remembering any.
import { createHash, createHmac } from 'node:crypto'
import { same } from '../../accounts/credentials.ts'

/** For what a key is: all domains in their prepared form, so that it does not matter how a peer writes them. */
export interface KeyFor {
  /** The domain that the stream goes to. */
  readonly receiving: string
  /** The domain that wants to prove itself. */
  readonly originating: string
  /** The id that the receiving server gave the stream. */
  readonly streamId: string
}

/** Makes keys and knows them again. */
export class DialbackKeys {
  readonly #key: string

  /** @param secret known to nobody else; the same on every machine that answers for our domains */
  constructor(secret: Buffer) {
    this.#key = createHash('sha256').update(secret).digest('hex')
  }

  /** XEP-0185 §2; the hash of the secret is used in its hexadecimal form (note 4 there). */
  make({ receiving, originating, streamId }: KeyFor): string {
    return createHmac('sha256', this.#key).update(`${receiving} ${originating} ${streamId}`).digest('hex')
  }

  /** Whether a key is ours, in the same time for every wrong one. */
  verify(key: string, what: KeyFor): boolean {
    return same(Buffer.from(key.trim().toLowerCase()), Buffer.from(this.make(what)))
  }
}
