// SPDX-License-Identifier: Apache-2.0
// What a login is made of: the steps of a SASL exchange (RFC 4422 §3, RFC 6120 §6) and what it needs to know.
import type { ScramHash, Verifier } from '../store/store.ts'

/** The channel bindings that we announce (RFC 9266, RFC 5929 §4). */
export const BINDING_TYPES = ['tls-exporter', 'tls-server-end-point'] as const

/**
 * Accepted, but not announced: clients built on Python's `ssl` (slixmpp, older Gajim) bind to the first Finished message on
 * TLS 1.3 too and call it `tls-unique`, which RFC 5929 §3 defines up to TLS 1.2 only. There it is as good as the others
 * (RFC 8446 §4.4: it covers the whole handshake); with TLS 1.2 it is not (RFC 7627), and `net/tls.ts` gives none. Without it
 * such a client falls back to the flag `y`, which must be refused, and nobody could log in.
 */
export const QUIET_BINDING = 'tls-unique'

/** The name of a channel binding (RFC 5056 §7). */
export type BindingType = (typeof BINDING_TYPES)[number] | typeof QUIET_BINDING

/** Keying material that ties a login to its TLS connection; getters that compute it when asked are fine (RFC 5056). */
export type ChannelBindings = { readonly [Type in BindingType]?: Buffer | undefined } & {
  /** Those of them that are to be announced, where that can be said without computing any. */
  readonly types?: readonly (typeof BINDING_TYPES)[number][]
}

/** Why a login failed (RFC 6120 §6.5). */
export type SaslCondition =
  | 'aborted'
  | 'account-disabled'
  | 'credentials-expired'
  | 'encryption-required'
  | 'incorrect-encoding'
  | 'invalid-authzid'
  | 'invalid-mechanism'
  | 'malformed-request'
  | 'mechanism-too-weak'
  | 'not-authorized'
  | 'temporary-auth-failure'

/** A failed login; `text` is written for the peer (RFC 6120 §6.4.5). */
export interface SaslFailure {
  readonly kind: 'failure'
  readonly condition: SaslCondition
  readonly text?: string
  /** What went wrong on our side, for the log. */
  readonly cause?: unknown
}

/** What the server says next (RFC 6120 §6.4). */
export type SaslStep =
  | { readonly kind: 'challenge'; readonly data: Buffer }
  /** `username` is a prepared localpart; `data` goes along with the success (RFC 6120 §6.4.6). */
  | { readonly kind: 'success'; readonly username: string; readonly data?: Buffer }
  | SaslFailure

/** One attempt to log in, from the initial response to success or failure (RFC 6120 §6.4). */
export interface SaslExchange {
  /** Who wants to log in: a prepared localpart, known once the client has told, proved only by `success`. */
  readonly username: string | undefined
  /**
   * Takes what the client sent, decoded; undefined for an initial response that is missing (RFC 6120 §6.4.2). An empty
   * one (`=`) is an empty buffer. Never rejects: what fails on our side becomes `temporary-auth-failure`.
   */
  next(data: Buffer | undefined): Promise<SaslStep>
}

/** What an exchange needs to know about the connection and the accounts (RFC 6120 §6). */
export interface SaslContext {
  /** The domain the client logs in to, prepared. */
  readonly domain: string
  /** Without TLS no mechanism is offered at all (RFC 6120 §6.3.4, our policy for all mechanisms). */
  readonly encrypted: boolean
  readonly bindings: ChannelBindings
  /** Which SCRAM hashes are in use; all by default. */
  readonly hashes?: readonly ScramHash[] | undefined
  /** Whether PLAIN (RFC 4616) is offered; not by default, as every account has SCRAM verifiers. */
  readonly plain?: boolean | undefined
  /**
   * Exactly what was offered to this client, for the downgrade protection of XEP-0474; nothing is said when absent. With
   * both RFC 6120 SASL and SASL2 on offer: the list of the one that the client uses.
   */
  readonly offered?: { readonly mechanisms: readonly string[]; readonly bindings: readonly string[] } | undefined
  /** Looks an account up. @returns undefined if it is unknown, disabled, or has no such verifier */
  verifierOf(username: string, mechanism: ScramHash): Verifier | undefined | Promise<Verifier | undefined>
  /** What stands in for a verifier that does not exist; see `fakeVerifier` in credentials.ts. */
  fakeVerifier(username: string, mechanism: ScramHash): Verifier
  /** The server's part of the nonce (RFC 5802 §5.1), for tests; 24 random bytes in Base64 by default. */
  nonce?(): string
}

/** A failure without a word about why: what every wrong password gets (RFC 6120 §6.5.10). */
export const NOT_AUTHORIZED: SaslFailure = { kind: 'failure', condition: 'not-authorized' }

/** A failure with a reason for the peer (RFC 6120 §6.5). */
export function failure(condition: SaslCondition, text: string): SaslFailure {
  return { kind: 'failure', condition, text }
}

/** Bytes as text, or undefined if they are not UTF-8 (RFC 5802 §5.1, RFC 4616 §2). */
export function utf8(data: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return undefined
  }
}
