// SPDX-License-Identifier: Apache-2.0
// Who runs at each hook, in order: a review shows here what moved.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FeatureContext, Hooks } from '../src/core/feature.ts'
import { IqTable } from '../src/core/iq-table.ts'
import { silentLog } from '../src/log.ts'
import { features } from '../src/xep/index.ts'

/** Enough of a context to ask a feature for its hooks: nothing may be used before `start`. */
const context = {
  options: {},
  hosts: new Set(['localhost']),
  limits: {},
  log: silentLog,
  accounts: { onChange: () => () => {} },
}
const hooks = new Map<string, Hooks>(
  features.map((feature) => [feature.name, feature.setup(context as unknown as FeatureContext)]),
)

function takingPart(hook: keyof Hooks): string[] {
  return [...hooks].filter(([, one]) => one[hook] !== undefined).map(([name]) => name)
}

test('no two features answer the same question', () => {
  assert.doesNotThrow(() => new IqTable([...hooks.values()].flatMap((one) => one.iq ?? [])))
})

test('who runs at each hook', () => {
  assert.deepEqual(
    {
      onSend: takingPart('onSend'),
      onReceive: takingPart('onReceive'),
      onAway: takingPart('onAway'),
      onDeliver: takingPart('onDeliver'),
      onAvailable: takingPart('onAvailable'),
    },
    {
      onSend: [
        'blocking',
        'spam-brakes',
        'archive-preferences',
        'pep',
        'archive',
        'carbons',
        'avatar-conversion',
        'caps',
        'last-activity',
      ],
      onReceive: [
        'blocking',
        'spam-brakes',
        'invitations',
        'archive-preferences',
        'pep',
        'archive',
        'carbons',
        'push',
        'offline',
        'caps',
        'last-activity',
      ],
      onAway: ['offline'],
      onDeliver: ['blocking', 'pep', 'offline', 'csi'],
      onAvailable: ['pep', 'push', 'offline', 'caps', 'stream-management'],
    },
  )
})
