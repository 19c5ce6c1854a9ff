// SPDX-License-Identifier: Apache-2.0
// Invitations (XEP-0401) as deeds; part of `store.ts`. Times are in ms since 1970. Of what a link holds only a hash is known.
import type { Jid } from '../xmpp/jid.ts'
import type { NewAccount } from './store.ts'

/** Who may come, and as what. */
export interface InvitationTerms {
  /** Which of our domains. */
  readonly domain: string
  /** The account that made it; undefined if it was made on the machine itself. */
  readonly creator: Jid | undefined
  /** The account whose contact a newcomer becomes. */
  readonly contact: Jid | undefined
  /** The local part that is kept for the newcomer. */
  readonly name: string | undefined
  /** Whether a newcomer becomes an administrator. */
  readonly admin: boolean
  /** Whether it lets somebody make an account; otherwise it only makes contacts. */
  readonly accounts: boolean
  /** What the invited person reads. */
  readonly note: string | undefined
  /** How often it can be used; undefined: as often as anybody likes. */
  readonly uses: number | undefined
  readonly created: number
  readonly expires: number
}

/** An invitation that can be used. */
export interface Invitation extends InvitationTerms {
  readonly id: number
  readonly used: number
}

/** How many there may be. */
export interface InvitationLimits {
  /** Made by one account in 24 hours. */
  readonly perDay: number
  /** Made by one account and waiting to be used. */
  readonly waiting: number
  /** All that are kept. */
  readonly all: number
}

/** Why an invitation was not made: one of the limits, or its name is an account's or another invitation's. */
export type NoInvitation = keyof InvitationLimits | 'name'

/** A newcomer who shows an invitation. */
export interface Redemption {
  readonly account: NewAccount
  readonly hash: string
  /** The time at which it must not have expired. */
  readonly at: number
  /** How many contacts an account may have: whoever has so many gets no more. */
  readonly rosterItems: number
  /** Says which deed used it; unique. */
  readonly deed: string
}

export interface InvitationStore {
  /** `perDay` and `waiting` hold only for what an account makes. @returns its id, or why it was not made */
  create(hash: string, terms: InvitationTerms, most: InvitationLimits): Promise<number | NoInvitation>
  /** The invitation if it can be used at that time: not expired, not used up, and who made it may still log in. */
  find(hash: string, at: number): Promise<Invitation | undefined>
  /** Uses it once for a contact that has an account already. @returns false if it cannot be used with this owner */
  use(hash: string, owner: Jid, at: number): Promise<boolean>
  /** Those that can be used, the newest first. */
  list(at: number, limit: number): Promise<readonly Invitation[]>
  /** @returns how many there were */
  revoke(ids: readonly number[]): Promise<number>
  /** Whether a name is kept for somebody who was invited. */
  reserved(jid: Jid, at: number): Promise<boolean>
  /** Until when there is an invitation that lets somebody make an account; 0 if there is none. */
  until(at: number): Promise<number>
}
