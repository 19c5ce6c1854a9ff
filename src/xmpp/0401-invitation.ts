// SPDX-License-Identifier: Apache-2.0
// XEP-0401 and XEP-0379: what an invitation looks like outside. Its token is all that it takes to use it, so it cannot be
// guessed, and only a hash is kept.
import { createHash, randomBytes } from 'node:crypto'
import { encodeSegment } from './upload-path.ts'

/** Of the element that carries a token (XEP-0379 §3.4, XEP-0445 §4). */
export const NS_PREAUTH = 'urn:xmpp:pars:0'
/** What the path of each invitation's page begins with. */
export const INVITE_PREFIX = '/invite/'

const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789'
/** Five bits each: 120 together; XEP-0379 §5.1 asks for 80. */
const LENGTH = 24
const TOKEN = new RegExp(`^[${LETTERS}]{${LENGTH}}$`)

/** What an `xmpp:` address tells of an invitation. */
export interface InvitationFacts {
  readonly domain: string
  /** Whom it makes a contact of. */
  readonly contact: string | undefined
  /** The name that is kept for the newcomer. */
  readonly name: string | undefined
  /** Whether an account can be made with it. */
  readonly accounts: boolean
}

/** A token that nobody can guess: lower-case letters and digits that do not look alike (XEP-0401 §5.1). */
export function newInviteToken(): string {
  return Array.from(randomBytes(LENGTH), (byte) => LETTERS[byte % LETTERS.length]).join('')
}

/** What is kept of a token, and looked up; undefined for what cannot be one of ours. */
export function inviteKey(token: string): string | undefined {
  return TOKEN.test(token) ? createHash('sha256').update(`invitation\0${token}`).digest('base64url') : undefined
}

/** The path of the page behind an invitation. */
export function invitePath(token: string): string {
  return `${INVITE_PREFIX}${token}`
}

/** What apps take an invitation from (XEP-0401 §5.1, §5.4; RFC 5122 §2). */
export function inviteUri({ domain, contact, name, accounts }: InvitationFacts, token: string): string {
  if (name !== undefined) return `xmpp:${encodeSegment(name)}@${domain}?register;preauth=${token}`
  if (contact === undefined) return `xmpp:${domain}?register;preauth=${token}`
  const [local = '', host = domain] = contact.split('@')
  return `xmpp:${encodeSegment(local)}@${host}?roster;preauth=${token}${accounts ? ';ibr=y' : ''}`
}
