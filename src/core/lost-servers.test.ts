// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { LostServers } from './lost-servers.ts'

test('who was lost and is heard again is told, with others, and no more often than once a minute', () => {
  const clock = new FakeClock()
  const told: string[] = []
  const servers = new LostServers(clock, (domains) => told.push([...domains].join(' ')))
  servers.heard('a.example')
  servers.lost('a.example')
  servers.lost('b.example')
  for (const domain of ['a.example', 'a.example', 'b.example']) servers.heard(domain)
  clock.advance(3000)
  assert.deepEqual(told, ['a.example b.example'])
  servers.lost('a.example')
  servers.heard('a.example')
  clock.advance(3000)
  assert.equal(told.length, 1)
  clock.advance(60_000)
  servers.heard('a.example')
  servers.heard('b.example')
  clock.advance(60_000)
  assert.deepEqual(told, ['a.example b.example', 'a.example'])
  servers.heard('a.example')
  assert.equal(servers.none, true)
})

test('a thousand are remembered, and the first ones forgotten', () => {
  const clock = new FakeClock()
  let told: ReadonlySet<string> = new Set()
  const servers = new LostServers(clock, (domains) => {
    told = domains
  })
  for (let number = 0; number < 1100; number++) servers.lost(`${number}.example`)
  for (let number = 0; number < 1100; number++) servers.heard(`${number}.example`)
  clock.advance(3000)
  assert.equal(told.size, 1000)
  assert.equal(told.has('99.example'), false)
})
