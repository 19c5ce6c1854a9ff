// SPDX-License-Identifier: Apache-2.0
// What everything in this folder calls things: namespaces, affiliations, roles, and refusals by a room.
import type { Element } from '../../xml/element.ts'
import { type ErrorType, type StanzaCondition, StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'

/** XEP-0045 §16.1. */
export const NS_MUC = 'http://jabber.org/protocol/muc'
export const NS_USER = 'http://jabber.org/protocol/muc#user'
export const NS_ADMIN = 'http://jabber.org/protocol/muc#admin'
export const NS_OWNER = 'http://jabber.org/protocol/muc#owner'
/** XEP-0421. */
export const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0'
/** XEP-0203. */
export const NS_DELAY = 'urn:xmpp:delay'
/** XEP-0317. */
export const NS_HATS = 'urn:xmpp:hats:0'

/** A lasting place in a room (§5.2). */
export type Affiliation = 'owner' | 'admin' | 'member' | 'none' | 'outcast'

/** What somebody is while in the room (§5.1). */
export type Role = 'moderator' | 'participant' | 'visitor'

const AFFILIATIONS: readonly Affiliation[] = ['outcast', 'none', 'member', 'admin', 'owner']
const ROLES: readonly Role[] = ['visitor', 'participant', 'moderator']

/** How high an affiliation is: -1 for outcasts, 0 for none. */
export function rank(affiliation: Affiliation): number {
  return AFFILIATIONS.indexOf(affiliation) - 1
}

/** The affiliation of this name, if there is one. */
export function affiliationOf(text: string | undefined): Affiliation | undefined {
  return AFFILIATIONS.find((one) => one === text)
}

/** The role of this name, if there is one. */
export function roleOf(text: string | undefined): Role | undefined {
  return ROLES.find((one) => one === text)
}

/** A refusal by a room, which says so (RFC 6120 §8.3.1: `by`). */
class RoomError extends StanzaError {
  readonly #by: string

  constructor(by: Jid, type: ErrorType, condition: StanzaCondition, text?: string) {
    super(type, condition, text)
    this.#by = by.bare.key
  }

  override element(ns: string): Element {
    return super.element(ns).withAttrs({ by: this.#by })
  }
}

/** @param room any address in the room */
export function refusal(room: Jid, type: ErrorType, condition: StanzaCondition, text?: string): StanzaError {
  return new RoomError(room, type, condition, text)
}
