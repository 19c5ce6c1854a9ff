// SPDX-License-Identifier: Apache-2.0
// What subscription stanzas do to the state between a user and a contact (RFC 6121 §3 and appendix A), as pure functions.
// An unchanged state is returned as the same object. A pre-approval serves once: it is gone when a request used it (§3.4.2
// leaves that to us), so whoever was let in and left again has to ask again.
import type { Subscription } from '../store/store.ts'

/**
 * The state between a user and a contact, seen from the user (RFC 6121 appendix A.1). A contact of whom nothing is known
 * is in the state "None".
 */
export interface SubscriptionState {
  readonly subscription: Subscription
  /** "Pending Out": the user asked and waits. Never together with `to` or `both`. */
  readonly ask: boolean
  /** "Pending In": the contact asked and waits. Never together with `from` or `both`. */
  readonly requested: boolean
  /** Pre-approved (§3.4): the contact's next request is granted without asking the user. */
  readonly approved: boolean
}

/** The presence types that manage subscriptions (RFC 6121 §4.7.1). */
export type SubscriptionType = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed'

/**
 * What the contact gets of the user's presence: `send` the last presence of each available client (RFC 6121 §3.1.5), or
 * `withdraw` by an unavailable presence from each (§3.2.2, §3.3.3). Nothing is withdrawn from a contact who never saw it.
 */
export type PresenceMove = 'none' | 'send' | 'withdraw'

/** What a stanza from the user to the contact comes to. */
export interface OutboundOutcome {
  readonly state: SubscriptionState
  /** Whether the stanza goes on to the contact, stamped with the user's bare JID (RFC 6121 §3). */
  readonly route: boolean
  /** Whether clients see a difference, which makes a roster push; an item they did not see yet becomes listed by it. */
  readonly changed: boolean
  /** `withdraw` happens before the stanza is routed (RFC 6121 §3.2.2), `send` afterwards (§3.1.5). */
  readonly presence: PresenceMove
}

/** What a stanza from the contact to the user comes to. */
export interface InboundOutcome {
  readonly state: SubscriptionState
  /**
   * Whether clients get the stanza, before the push: the available ones a `subscribe` (RFC 6121 §3.1.3), the interested
   * ones the rest (§3.1.6).
   */
  readonly deliver: boolean
  /** Whether clients see a difference, which makes a roster push (only of an item that they see at all). */
  readonly changed: boolean
  /** What the server answers by itself, from the user's bare JID to the contact's. */
  readonly reply: 'subscribed' | 'unsubscribed' | undefined
  /** `withdraw` happens before the reply, `send` after it. */
  readonly presence: PresenceMove
}

/** A stanza of the user's client (RFC 6121 §3.1.2, §3.1.5, §3.2.2, §3.3.2, §3.4.2, appendix A.2). */
export function outbound(state: SubscriptionState, type: SubscriptionType): OutboundOutcome {
  switch (type) {
    case 'subscribe':
      return sent(state, weSee(state) ? state : change(state, { ask: true }), true)
    case 'unsubscribe':
      return sent(state, change(state, { subscription: theySee(state) ? 'from' : 'none', ask: false }), true)
    case 'subscribed':
      if (theySee(state)) return sent(state, state, false)
      if (state.requested) return sent(state, letIn(state), true, 'send')
      return sent(state, change(state, { approved: true }), false)
    case 'unsubscribed':
      return cancel(state)
  }
}

/** A stanza of the contact (RFC 6121 §3.1.3, §3.1.6, §3.2.3, §3.3.3, §3.4.2, appendix A.3). */
export function inbound(state: SubscriptionState, type: SubscriptionType): InboundOutcome {
  switch (type) {
    case 'subscribe':
      if (theySee(state)) return granted(state, state)
      if (state.approved) return granted(state, letIn(state))
      return state.requested ? ignored(state) : taken(state, change(state, { requested: true }))
    case 'unsubscribe':
      return leave(state)
    case 'subscribed':
      if (!state.ask) return ignored(state)
      return taken(state, change(state, { subscription: theySee(state) ? 'both' : 'to', ask: false }))
    case 'unsubscribed':
      if (!state.ask && !weSee(state)) return ignored(state)
      return taken(state, change(state, { subscription: theySee(state) ? 'from' : 'none', ask: false }))
  }
}

/**
 * What is sent to a contact whom the user removes from the roster, in this order (RFC 6121 §2.5.2). Requests that still
 * wait end with the item, on which the RFC is silent: ours is taken back, theirs denied. Each goes out as if a client had
 * sent it, so `outbound` says what comes with it; after both the state is "None", and a pre-approval goes with the item.
 */
export function removal(state: SubscriptionState): readonly SubscriptionType[] {
  const types: SubscriptionType[] = []
  if (weSee(state) || state.ask) types.push('unsubscribe')
  if (theySee(state) || state.requested) types.push('unsubscribed')
  return types
}

/** Whether the user is subscribed to the contact. */
function weSee({ subscription }: SubscriptionState): boolean {
  return subscription === 'to' || subscription === 'both'
}

/** Whether the contact is subscribed to the user. */
function theySee({ subscription }: SubscriptionState): boolean {
  return subscription === 'from' || subscription === 'both'
}

/** The state with the changes; the same object if they change nothing. */
function change(state: SubscriptionState, changes: Partial<SubscriptionState>): SubscriptionState {
  const next = { ...state, ...changes }
  return next.requested === state.requested && !visible(state, next) ? state : next
}

/** Whether clients can tell two states apart: a request is not part of a roster item (§2.1.2). */
function visible(before: SubscriptionState, after: SubscriptionState): boolean {
  return before.subscription !== after.subscription || before.ask !== after.ask || before.approved !== after.approved
}

/** The contact may see the user's presence from now on; that answers its request and uses the pre-approval up. */
function letIn(state: SubscriptionState): SubscriptionState {
  return change(state, { subscription: weSee(state) ? 'both' : 'from', requested: false, approved: false })
}

/** The contact may not (or no longer wants to) see the user's presence. */
function shutOut(state: SubscriptionState): SubscriptionState {
  return change(state, { subscription: weSee(state) ? 'to' : 'none', requested: false })
}

/** Outbound "unsubscribed": cancels a subscription, a request or a pre-approval (§3.2.2, table 5). */
function cancel(state: SubscriptionState): OutboundOutcome {
  const next = change(shutOut(state), { approved: false })
  if (theySee(state)) return sent(state, next, true, 'withdraw')
  return sent(state, next, state.requested)
}

/** Inbound "unsubscribe" (table 7, which beats §3.3.3 where a request is taken back: clients learn of that too). */
function leave(state: SubscriptionState): InboundOutcome {
  if (!theySee(state) && !state.requested) return ignored(state)
  return { ...taken(state, shutOut(state)), reply: 'unsubscribed', presence: theySee(state) ? 'withdraw' : 'none' }
}

function sent(
  before: SubscriptionState,
  state: SubscriptionState,
  route: boolean,
  presence: PresenceMove = 'none',
): OutboundOutcome {
  return { state, route, changed: visible(before, state), presence }
}

/** The stanza did something, so the user's clients get it. */
function taken(before: SubscriptionState, state: SubscriptionState): InboundOutcome {
  return { state, deliver: true, changed: visible(before, state), reply: undefined, presence: 'none' }
}

/**
 * A request is granted without asking (§3.1.3 rule 2, §3.4.2). Presence is sent even if the contact should have it
 * already: one who asks again has probably lost it.
 */
function granted(before: SubscriptionState, state: SubscriptionState): InboundOutcome {
  return { state, deliver: false, changed: visible(before, state), reply: 'subscribed', presence: 'send' }
}

function ignored(state: SubscriptionState): InboundOutcome {
  return { state, deliver: false, changed: false, reply: undefined, presence: 'none' }
}
