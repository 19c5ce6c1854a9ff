// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DnsProvider, ProviderError, type Rrset } from '../dns/record.ts'
import { byDns, type DnsAnswerParts } from './dns-answer.ts'

/** Somebody who keeps a zone, and fails so many times. */
function stage(more: Partial<DnsAnswerParts> = {}) {
  const zone = new Map<string, readonly string[]>()
  const failures: Error[] = []
  const left: unknown[] = []
  const waited: number[] = []
  let busy = 0
  const change = async (what: () => void): Promise<void> => {
    assert.equal(++busy, 1, 'one after the other')
    await new Promise(setImmediate)
    busy--
    const failure = failures.shift()
    if (failure) throw failure
    what()
  }
  const provider: DnsProvider = {
    name: 'a test',
    list: async () => [],
    set: (_, { name, values }: Rrset) => change(() => zone.set(name, values)),
    remove: (_, { name }) => change(() => zone.delete(name)),
  }
  const answerer = byDns({
    provider: async () => provider,
    place: async (name) => ({ zone: 'example.org', name }),
    shown: async () => undefined,
    left: (why) => left.push(why),
    wait: async (ms) => waited.push(ms),
    ...more,
  })
  const { signal } = new AbortController()
  const certificate = (): Promise<never> => Promise.reject(new Error('none is needed'))
  const answer = (name: string, keyAuthorization: string) =>
    answerer.answer({ name, token: '', keyAuthorization, signal, certificate })
  return { zone, failures, left, waited, answer }
}

const NAME = '_acme-challenge.example.org'

test('two proofs at one name stand beside each other, and each goes by itself', async () => {
  const { zone, answer } = stage()
  const [one, other] = await Promise.all([answer('example.org', 'a'), answer('example.org', 'b')])
  assert.deepEqual(zone.get(NAME), ['a', 'b'])
  await one?.()
  assert.deepEqual(zone.get(NAME), ['b'])
  await other?.()
  assert.deepEqual([...zone], [])
})

test('what the servers do not show is taken away again', async () => {
  const { zone, answer } = stage({ shown: () => Promise.reject(new Error('it is not there')) })
  await assert.rejects(answer('example.org', 'a'), /not there/)
  assert.deepEqual([...zone], [])
})

test('one that cannot be put there leaves the others alone', async () => {
  const { zone, failures, answer } = stage()
  failures.push(new ProviderError('full'))
  const both = await Promise.allSettled([answer('example.org', 'a'), answer('example.net', 'b')])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  )
  assert.deepEqual([...zone.keys()], ['_acme-challenge.example.net'])
})

test('removing is tried three times, and what stays is told', async () => {
  const { zone, failures, left, waited, answer } = stage()
  const end = await answer('example.org', 'a')
  failures.push(new ProviderError('1'), new ProviderError('2'))
  await end()
  assert.deepEqual([[...zone], left, waited], [[], [], [2_000, 4_000]])
  const again = await answer('example.org', 'a')
  failures.push(new ProviderError('1'), new ProviderError('2'), new ProviderError('3'))
  await again()
  assert.match(String(left), /3/)
})
