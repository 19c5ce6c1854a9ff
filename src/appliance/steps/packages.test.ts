// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeMachine } from '../../../test/support/fake-machine.ts'
import type { Json } from '../machine.ts'
import { installPackages } from './packages.ts'

test('an installation of packages that was killed half-way is ended first, since apt refuses all others until then', async () => {
  let interrupted = true
  const remembered = new Map<string, Json>()
  const memory = {
    get: (key: string) => remembered.get(key),
    set: async (key: string, value: Json) => void remembered.set(key, value),
  }
  const machine = new FakeMachine((line) => {
    if (line === 'dpkg --configure -a') interrupted = false
    if (line.startsWith('dpkg-query')) return 'un \n'
    if (line.startsWith('apt-get --simulate install')) return 'Inst nftables (1.0 Debian:12 [amd64])\n'
    return line.startsWith('apt-get install') && interrupted ? 100 : ''
  }).with(memory)
  await installPackages(machine, ['nftables'], () => undefined)
  assert.deepEqual(remembered.get('installed'), ['nftables'])
})
