// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trialConfig } from './config/trial.ts'
import { LiveConfig } from './live-config.ts'

test('a configuration that cannot be used changes nothing', () => {
  const old = trialConfig('/nowhere')
  const live = new LiveConfig(old)
  const limits = { ...old.limits, rosterItems: 7 }
  const broken = { ...old, hosts: ['capulet.example'], admins: ['ju"liet@capulet.example'], limits }
  assert.throws(() => live.apply(broken), /ju.*liet@capulet\.example/)
  assert.deepEqual([...live.hosts], ['localhost'])
  assert.equal(live.limits.rosterItems, old.limits.rosterItems)
  live.apply({ ...broken, admins: ['Juliet@capulet.example'] })
  assert.deepEqual([[...live.hosts], [...live.admins]], [['capulet.example'], ['juliet@capulet.example']])
  assert.equal(live.limits.rosterItems, 7)
})

test('a domain that moved is none that is served, until it is back', () => {
  const config = { ...trialConfig('/nowhere'), hosts: ['capulet.example', 'Verona.example'] }
  const live = new LiveConfig({ ...config, moved: new Map([['VERONA.example', 'new.example.org:5222']]) })
  assert.deepEqual(
    [[...live.hosts], [...live.moved]],
    [['capulet.example'], [['verona.example', 'new.example.org:5222']]],
  )
  live.apply(config)
  assert.deepEqual([[...live.hosts], live.moved.size], [['capulet.example', 'verona.example'], 0])
})

test('components come and go; only the first one asks for a restart, because nothing listens for it yet', () => {
  const config = trialConfig('/nowhere')
  const irc = { secret: 'long enough' }
  const live = new LiveConfig(config)
  assert.deepEqual(live.apply({ ...config, components: new Map([['IRC.example', irc]]) }), ['components'])
  assert.deepEqual([...live.components], [['irc.example', irc]])
  const others = new LiveConfig({ ...config, components: new Map([['irc.example', irc]]) })
  assert.deepEqual(others.apply({ ...config, components: new Map([['icq.example', irc]]) }), [])
  assert.deepEqual([...others.components.keys()], ['icq.example'])
})

test('other servers may be turned away at once; where nothing listens for them yet, they need a restart', () => {
  const config = trialConfig('/nowhere')
  const having = (enabled: boolean) => ({ ...config, federation: { ...config.federation, enabled } })
  assert.deepEqual(new LiveConfig(having(false)).apply(having(true)), ['federation'])
  assert.deepEqual(new LiveConfig(having(true)).apply(having(false)), [])
  assert.deepEqual(new LiveConfig(having(true)).apply(having(true)), [])
})
