// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FederationRules, Policy } from './policy.ts'

function rules(changes: Partial<FederationRules> = {}): FederationRules {
  return {
    enabled: true,
    trust: 'certificate',
    trustDialback: [],
    allow: [],
    block: [],
    streams: 10,
    streamsPerDomain: 2,
    ...changes,
  }
}

const kind = (policy: Policy, domain: string) => policy.refusal(domain)?.kind

test('everybody with a name is talked to, if nothing is said', () => {
  const policy = new Policy(rules())
  assert.equal(policy.refusal('example.org'), undefined)
  assert.ok(policy.mayReach('müller.example'))
  assert.equal(kind(policy, '192.0.2.1'), 'no-name')
  assert.equal(kind(policy, '[2001:db8::1]'), 'no-name')
})

test('nobody is, when federation is off', () => {
  assert.equal(kind(new Policy(rules({ enabled: false })), 'example.org'), 'disabled')
})

test('a blocked domain is blocked with all below it, however it is written', () => {
  const policy = new Policy(rules({ block: ['Spam.example', 'xn--mller-kva.example', '*.host.example'] }))
  assert.equal(kind(policy, 'spam.example'), 'blocked')
  assert.equal(kind(policy, 'rooms.spam.example'), 'blocked')
  assert.equal(kind(policy, 'müller.example'), 'blocked')
  assert.equal(kind(policy, 'a.b.host.example'), 'blocked')
  assert.equal(kind(policy, 'host.example'), undefined)
  assert.equal(kind(policy, 'nospam.example'), undefined)
})

test('where there is a list of those that are allowed, nobody else is; a block goes before it', () => {
  const policy = new Policy(rules({ allow: ['friend.example', '*.school.example'], block: ['bad.school.example'] }))
  assert.equal(kind(policy, 'friend.example'), undefined)
  assert.equal(kind(policy, 'rooms.friend.example'), 'not-allowed')
  assert.equal(kind(policy, 'class.school.example'), undefined)
  assert.equal(kind(policy, 'school.example'), 'not-allowed')
  assert.equal(kind(policy, 'bad.school.example'), 'blocked')
})

test('a certificate is asked for, but where dialback is said to be enough', () => {
  const policy = new Policy(rules({ trustDialback: ['old.example', '*.lab.example'] }))
  assert.equal(policy.trust('example.org'), 'certificate')
  assert.equal(policy.trust('old.example'), 'dialback')
  assert.equal(policy.trust('a.lab.example'), 'dialback')
  assert.equal(policy.trust('lab.example'), 'certificate')
  assert.equal(policy.trust('abc.onion'), 'dialback') // whose name is its key
  assert.equal(new Policy(rules({ trust: 'dialback' })).trust('example.org'), 'dialback')
})

test('a reload takes effect', () => {
  const live: { -readonly [K in keyof FederationRules]: FederationRules[K] } = rules()
  const policy = new Policy(live)
  assert.ok(policy.mayReach('spam.example'))
  live.block = ['spam.example']
  live.trustDialback = ['old.example']
  assert.ok(!policy.mayReach('spam.example'))
  assert.equal(policy.trust('old.example'), 'dialback')
  live.block = []
  live.allow = ['old.example']
  assert.equal(kind(policy, 'spam.example'), 'not-allowed')
  assert.ok(policy.mayReach('old.example'))
})

test('streams are bounded in all and by domain', () => {
  const policy = new Policy(rules())
  assert.equal(policy.full(0), undefined)
  assert.equal(policy.full(10), 'streams')
  assert.equal(policy.full(9, 1), undefined)
  assert.equal(policy.full(9, 2), 'streamsPerDomain')
})
