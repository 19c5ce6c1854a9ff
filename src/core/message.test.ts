// SPDX-License-Identifier: Apache-2.0
// Every cell of RFC 6121 §8.5.4, table 1, that is about an existing account, and the decisions where it offers a choice.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageType } from '../xmpp/stanza.ts'
import { type Client, recipients } from './message.ts'

const TYPES = ['normal', 'chat', 'groupchat', 'headline', 'error'] as const

/** Connected, but it sent no presence. */
const silent: Client = { resource: 'silent', priority: undefined }
const negative: Client = { resource: 'negative', priority: -1 }
const zero: Client = { resource: 'zero', priority: 0 }
const high: Client = { resource: 'high', priority: 10 }

/** What becomes of a message: the resources that get it, or the other kinds of fate by name. */
function fate(type: MessageType, resource: string | undefined, clients: Iterable<Client>): string {
  const found = recipients(type, resource, clients)
  return found.kind === 'deliver' ? found.clients.map((client) => client.resource).join(' ') : found.kind
}

type Row = readonly [condition: string, clients: readonly Client[], resource: string | undefined, ...fates: string[]]

const table: readonly Row[] = [
  // the fates of: normal, chat, groupchat, headline, error
  ['no client, bare', [], undefined, 'store', 'store', 'bounce', 'ignore', 'ignore'],
  ['no client, full', [], 'zero', 'store', 'store', 'bounce', 'ignore', 'ignore'],

  ['not available, bare', [silent], undefined, 'store', 'store', 'bounce', 'ignore', 'ignore'],
  ['not available, full', [silent], 'silent', 'silent', 'silent', 'silent', 'silent', 'silent'],
  ['not available, no match', [silent], 'gone', 'store', 'store', 'bounce', 'ignore', 'ignore'],

  ['negative, bare', [negative], undefined, 'store', 'store', 'bounce', 'ignore', 'ignore'],
  ['negative, full', [negative], 'negative', 'negative', 'negative', 'negative', 'negative', 'negative'],
  ['negative, no match', [negative], 'gone', 'store', 'store', 'bounce', 'ignore', 'ignore'],

  ['one non-negative, bare', [zero], undefined, 'zero', 'zero', 'bounce', 'zero', 'ignore'],
  ['one non-negative, full', [zero], 'zero', 'zero', 'zero', 'zero', 'zero', 'zero'],
  ['one non-negative, no match', [zero], 'gone', 'zero', 'zero', 'bounce', 'ignore', 'ignore'],

  ['two non-negative, bare', [zero, high], undefined, 'zero high', 'zero high', 'bounce', 'zero high', 'ignore'],
  ['two non-negative, full', [zero, high], 'high', 'high', 'high', 'high', 'high', 'high'],
  ['two non-negative, no match', [zero, high], 'gone', 'zero high', 'zero high', 'bounce', 'ignore', 'ignore'],

  [
    'all kinds, bare',
    [silent, negative, zero, high],
    undefined,
    'zero high',
    'zero high',
    'bounce',
    'zero high',
    'ignore',
  ],
  [
    'all kinds, full',
    [zero, high, negative, silent],
    'negative',
    'negative',
    'negative',
    'negative',
    'negative',
    'negative',
  ],
  [
    'all kinds, no match',
    [silent, zero, negative, high],
    'gone',
    'zero high',
    'zero high',
    'bounce',
    'ignore',
    'ignore',
  ],
]

for (const [condition, clients, resource, ...fates] of table) {
  test(`RFC 6121 §8.5.4, table 1: ${condition}`, () => {
    assert.deepEqual(
      TYPES.map((type) => fate(type, resource, clients)),
      fates,
    )
  })
}

test('the clients of a map are gone over once', () => {
  const clients = new Map([zero, high].map((client) => [client.resource, client]))
  assert.equal(fate('chat', undefined, clients.values()), 'zero high')
  assert.equal(fate('chat', 'high', clients.values()), 'high')
  assert.equal(fate('chat', 'gone', clients.values()), 'zero high')
})

test('a resource is compared as it is: case matters, and the empty one is no bare JID', () => {
  assert.equal(fate('headline', 'ZERO', [zero]), 'ignore')
  assert.equal(fate('headline', '', [zero]), 'ignore')
})
