// SPDX-License-Identifier: Apache-2.0
// Every row of the tables of RFC 6121 appendix A, pre-approval (§3.4), and what must hold after any conversation.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type InboundOutcome,
  inbound,
  type OutboundOutcome,
  outbound,
  removal,
  type SubscriptionState,
  type SubscriptionType,
} from './subscription.ts'

const TYPES = ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'] as const

/** The defined states (RFC 6121 appendix A.1), and those that a pre-approval adds (§3.4.2). */
const STATES = {
  None: { subscription: 'none', ask: false, requested: false, approved: false },
  'None + Out': { subscription: 'none', ask: true, requested: false, approved: false },
  'None + In': { subscription: 'none', ask: false, requested: true, approved: false },
  'None + Out+In': { subscription: 'none', ask: true, requested: true, approved: false },
  To: { subscription: 'to', ask: false, requested: false, approved: false },
  'To + In': { subscription: 'to', ask: false, requested: true, approved: false },
  From: { subscription: 'from', ask: false, requested: false, approved: false },
  'From + Out': { subscription: 'from', ask: true, requested: false, approved: false },
  Both: { subscription: 'both', ask: false, requested: false, approved: false },
  'None, approved': { subscription: 'none', ask: false, requested: false, approved: true },
  'None + Out, approved': { subscription: 'none', ask: true, requested: false, approved: true },
  'To, approved': { subscription: 'to', ask: false, requested: false, approved: true },
} as const satisfies Record<string, SubscriptionState>

type StateName = keyof typeof STATES

/** MUST, MUST NOT or SHOULD NOT be routed or delivered. */
type Rule = 'MUST' | 'M.N.' | 'S.N.'

/** Existing state, rule, new state; then what else the text and the footnotes ask for. */
type OutRow = readonly [StateName, Rule, StateName, presence?: OutboundOutcome['presence']]
type InRow = readonly [StateName, Rule, StateName, InboundOutcome['reply']?, InboundOutcome['presence']?]

/** What clients see of a state (RFC 6121 §2.1.2). */
function seen({ subscription, ask, approved }: SubscriptionState): string {
  return JSON.stringify([subscription, ask, approved])
}

function nameOf(state: SubscriptionState): string {
  const found = Object.entries(STATES).find(([, known]) => JSON.stringify(known) === JSON.stringify(state))
  return found ? found[0] : `not a defined state: ${JSON.stringify(state)}`
}

function testOutbound(title: string, type: SubscriptionType, rows: readonly OutRow[]): void {
  for (const [before, rule, after, presence = 'none'] of rows) {
    test(`${title}: ${before}`, () => {
      const changed = seen(STATES[before]) !== seen(STATES[after])
      const expected: OutboundOutcome = { state: STATES[after], route: rule === 'MUST', changed, presence }
      assert.deepEqual(outbound(STATES[before], type), expected)
    })
  }
}

function testInbound(title: string, type: SubscriptionType, rows: readonly InRow[]): void {
  for (const [before, rule, after, reply, presence = 'none'] of rows) {
    test(`${title}: ${before}`, () => {
      const changed = seen(STATES[before]) !== seen(STATES[after])
      const expected: InboundOutcome = { state: STATES[after], deliver: rule === 'MUST', changed, reply, presence }
      assert.deepEqual(inbound(STATES[before], type), expected)
    })
  }
}

testOutbound('RFC 6121 A.2.1, outbound subscribe', 'subscribe', [
  ['None', 'MUST', 'None + Out'],
  ['None + Out', 'MUST', 'None + Out'],
  ['None + In', 'MUST', 'None + Out+In'],
  ['None + Out+In', 'MUST', 'None + Out+In'],
  ['To', 'MUST', 'To'],
  ['To + In', 'MUST', 'To + In'],
  ['From', 'MUST', 'From + Out'],
  ['From + Out', 'MUST', 'From + Out'],
  ['Both', 'MUST', 'Both'],
  ['None, approved', 'MUST', 'None + Out, approved'],
  ['None + Out, approved', 'MUST', 'None + Out, approved'],
  ['To, approved', 'MUST', 'To, approved'],
])

testOutbound('RFC 6121 A.2.2, outbound unsubscribe', 'unsubscribe', [
  ['None', 'MUST', 'None'],
  ['None + Out', 'MUST', 'None'],
  ['None + In', 'MUST', 'None + In'],
  ['None + Out+In', 'MUST', 'None + In'],
  ['To', 'MUST', 'None'],
  ['To + In', 'MUST', 'None + In'],
  ['From', 'MUST', 'From'],
  ['From + Out', 'MUST', 'From'],
  ['Both', 'MUST', 'From'],
  ['None, approved', 'MUST', 'None, approved'],
  ['None + Out, approved', 'MUST', 'None, approved'],
  ['To, approved', 'MUST', 'None, approved'],
])

// note 1: §3.4.2 says what a pre-approval is
testOutbound('RFC 6121 A.2.3, outbound subscribed', 'subscribed', [
  ['None', 'M.N.', 'None, approved'],
  ['None + Out', 'M.N.', 'None + Out, approved'],
  ['None + In', 'MUST', 'From', 'send'],
  ['None + Out+In', 'MUST', 'From + Out', 'send'],
  ['To', 'M.N.', 'To, approved'],
  ['To + In', 'MUST', 'Both', 'send'],
  ['From', 'M.N.', 'From'],
  ['From + Out', 'M.N.', 'From + Out'],
  ['Both', 'M.N.', 'Both'],
  ['None, approved', 'M.N.', 'None, approved'],
  ['None + Out, approved', 'M.N.', 'None + Out, approved'],
  ['To, approved', 'M.N.', 'To, approved'],
])

// note 1: it cancels a pre-approval, and then MUST NOT be routed (§3.2.2)
testOutbound('RFC 6121 A.2.4, outbound unsubscribed', 'unsubscribed', [
  ['None', 'S.N.', 'None'],
  ['None + Out', 'S.N.', 'None + Out'],
  ['None + In', 'MUST', 'None'],
  ['None + Out+In', 'MUST', 'None + Out'],
  ['To', 'S.N.', 'To'],
  ['To + In', 'MUST', 'To'],
  ['From', 'MUST', 'None', 'withdraw'],
  ['From + Out', 'MUST', 'None + Out', 'withdraw'],
  ['Both', 'MUST', 'To', 'withdraw'],
  ['None, approved', 'M.N.', 'None'],
  ['None + Out, approved', 'M.N.', 'None + Out'],
  ['To, approved', 'M.N.', 'To'],
])

// note 1: a pre-approved request is answered, not delivered (§3.4.2); note 2: so is one that was granted before
testInbound('RFC 6121 A.3.1, inbound subscribe', 'subscribe', [
  ['None', 'MUST', 'None + In'],
  ['None + Out', 'MUST', 'None + Out+In'],
  ['None + In', 'S.N.', 'None + In'],
  ['None + Out+In', 'S.N.', 'None + Out+In'],
  ['To', 'MUST', 'To + In'],
  ['To + In', 'S.N.', 'To + In'],
  ['From', 'S.N.', 'From', 'subscribed', 'send'],
  ['From + Out', 'S.N.', 'From + Out', 'subscribed', 'send'],
  ['Both', 'S.N.', 'Both', 'subscribed', 'send'],
  ['None, approved', 'M.N.', 'From', 'subscribed', 'send'],
  ['None + Out, approved', 'M.N.', 'From + Out', 'subscribed', 'send'],
  ['To, approved', 'M.N.', 'Both', 'subscribed', 'send'],
])

// note 1: the server answers by itself
testInbound('RFC 6121 A.3.2, inbound unsubscribe', 'unsubscribe', [
  ['None', 'S.N.', 'None'],
  ['None + Out', 'S.N.', 'None + Out'],
  ['None + In', 'MUST', 'None', 'unsubscribed'],
  ['None + Out+In', 'MUST', 'None + Out', 'unsubscribed'],
  ['To', 'S.N.', 'To'],
  ['To + In', 'MUST', 'To', 'unsubscribed'],
  ['From', 'MUST', 'None', 'unsubscribed', 'withdraw'],
  ['From + Out', 'MUST', 'None + Out', 'unsubscribed', 'withdraw'],
  ['Both', 'MUST', 'To', 'unsubscribed', 'withdraw'],
  ['None, approved', 'S.N.', 'None, approved'],
  ['None + Out, approved', 'S.N.', 'None + Out, approved'],
  ['To, approved', 'S.N.', 'To, approved'],
])

testInbound('RFC 6121 A.3.3, inbound subscribed', 'subscribed', [
  ['None', 'S.N.', 'None'],
  ['None + Out', 'MUST', 'To'],
  ['None + In', 'S.N.', 'None + In'],
  ['None + Out+In', 'MUST', 'To + In'],
  ['To', 'S.N.', 'To'],
  ['To + In', 'S.N.', 'To + In'],
  ['From', 'S.N.', 'From'],
  ['From + Out', 'MUST', 'Both'],
  ['Both', 'S.N.', 'Both'],
  ['None, approved', 'S.N.', 'None, approved'],
  ['None + Out, approved', 'MUST', 'To, approved'],
  ['To, approved', 'S.N.', 'To, approved'],
])

testInbound('RFC 6121 A.3.4, inbound unsubscribed', 'unsubscribed', [
  ['None', 'S.N.', 'None'],
  ['None + Out', 'MUST', 'None'],
  ['None + In', 'S.N.', 'None + In'],
  ['None + Out+In', 'MUST', 'None + In'],
  ['To', 'MUST', 'None'],
  ['To + In', 'MUST', 'None + In'],
  ['From', 'S.N.', 'From'],
  ['From + Out', 'MUST', 'From'],
  ['Both', 'MUST', 'From'],
  ['None, approved', 'S.N.', 'None, approved'],
  ['None + Out, approved', 'MUST', 'None, approved'],
  ['To, approved', 'MUST', 'None, approved'],
])

test('RFC 6121 §2.5.2: what a removal sends', () => {
  const table: readonly (readonly [StateName, ...SubscriptionType[]])[] = [
    ['None'],
    ['None + Out', 'unsubscribe'],
    ['None + In', 'unsubscribed'],
    ['None + Out+In', 'unsubscribe', 'unsubscribed'],
    ['To', 'unsubscribe'],
    ['To + In', 'unsubscribe', 'unsubscribed'],
    ['From', 'unsubscribed'],
    ['From + Out', 'unsubscribe', 'unsubscribed'],
    ['Both', 'unsubscribe', 'unsubscribed'],
    ['None, approved'],
    ['None + Out, approved', 'unsubscribe'],
    ['To, approved', 'unsubscribe'],
  ]
  for (const [name, ...types] of table) assert.deepEqual(removal(STATES[name]), types, name)
})

test('a pre-approval serves once: who was let in and left has to ask again', () => {
  const before = outbound(STATES.None, 'subscribed').state
  const inside = inbound(before, 'subscribe').state
  const outside = inbound(inside, 'unsubscribe').state
  assert.equal(nameOf(inside), 'From')
  assert.deepEqual(inbound(outside, 'subscribe').deliver, true)
})

test('a pre-approval kept beside a request or a subscription, as other servers may have stored it, does no harm', () => {
  for (const name of ['None + In', 'To + In', 'From', 'Both'] as const) {
    const odd = { ...STATES[name], approved: true }
    assert.equal(inbound(odd, 'subscribe').reply, 'subscribed')
    assert.equal(inbound(odd, 'subscribe').deliver, false)
    assert.equal(outbound(odd, 'unsubscribed').state.approved, false)
    assert.equal(outbound(odd, 'unsubscribed').route, true)
  }
})

const anyState = fc.constantFrom(...Object.values<SubscriptionState>(STATES))
const anyType = fc.constantFrom(...TYPES)

test('a defined state stays one, and one in which nothing changed stays the same object', () => {
  fc.assert(
    fc.property(anyState, anyType, fc.constantFrom(outbound, inbound), (state, type, process) => {
      const next = process(state, type).state
      assert.ok(nameOf(next) in STATES, nameOf(next))
      if (nameOf(next) === nameOf(state)) assert.equal(next, state)
    }),
  )
})

test('said twice, a stanza of the user changes nothing more', () => {
  fc.assert(
    fc.property(anyState, fc.constantFrom('subscribe', 'unsubscribe', 'unsubscribed'), (state, type) => {
      const once = outbound(state, type).state
      const { presence, ...twice } = outbound(once, type)
      assert.deepEqual(twice, { state: once, route: type !== 'unsubscribed', changed: false })
      assert.equal(presence, 'none')
    }),
  )
})

test('said twice, "subscribed" gives nothing away in advance: the second one does not pre-approve', () => {
  fc.assert(
    fc.property(anyState, (state) => {
      const once = outbound(state, 'subscribed').state
      assert.deepEqual(outbound(once, 'subscribed'), { state: once, route: false, changed: false, presence: 'none' })
    }),
  )
})

test('said twice, a stanza of the contact changes nothing more and reaches no client', () => {
  fc.assert(
    fc.property(anyState, anyType, (state, type) => {
      const once = inbound(state, type).state
      const twice = inbound(once, type)
      assert.equal(twice.state, once)
      assert.deepEqual([twice.deliver, twice.changed], [false, false])
    }),
  )
})

test('no stanza of the contact lets it see the user, unless that was approved', () => {
  fc.assert(
    fc.property(anyState, anyType, (state, type) => {
      const sees = state.subscription === 'from' || state.subscription === 'both'
      const { state: next, presence } = inbound(state, type)
      if (sees || state.approved) return
      assert.ok(next.subscription === 'none' || next.subscription === 'to')
      assert.equal(presence, 'none')
    }),
  )
})

test('after a removal nothing is left', () => {
  fc.assert(
    fc.property(anyState, (state) => {
      const left = removal(state).reduce((now, type) => {
        const outcome = outbound(now, type)
        assert.equal(outcome.route, true)
        return outcome.state
      }, state)
      assert.equal(nameOf({ ...left, approved: false }), 'None')
    }),
  )
})

/** Two users and what each holds of the other. Every stanza arrives, with all its answers, before the next is sent. */
class Pair {
  readonly states: [SubscriptionState, SubscriptionState] = [STATES.None, STATES.None]

  says(who: 0 | 1, type: SubscriptionType): void {
    const { state, route } = outbound(this.states[who], type)
    this.states[who] = state
    if (route) this.#hears(who === 0 ? 1 : 0, type)
  }

  #hears(who: 0 | 1, type: SubscriptionType): void {
    const { state, reply } = inbound(this.states[who], type)
    this.states[who] = state
    if (reply) this.#hears(who === 0 ? 1 : 0, reply)
  }
}

test('whatever two users say to each other, both sides tell the same story', () => {
  const remarks = fc.array(fc.tuple(fc.constantFrom<0 | 1>(0, 1), anyType), { maxLength: 30 })
  fc.assert(
    fc.property(remarks, (said) => {
      const pair = new Pair()
      for (const [who, type] of said) pair.says(who, type)
      const [a, b] = pair.states
      const mirror = { none: 'none', to: 'from', from: 'to', both: 'both' } as const
      assert.equal(b.subscription, mirror[a.subscription])
      assert.deepEqual([b.requested, b.ask], [a.ask, a.requested])
    }),
  )
})
