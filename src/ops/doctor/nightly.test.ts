// SPDX-License-Identifier: Apache-2.0
// Nights go by, and the administrators hear of what changed, and of nothing else.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Level } from '../../appliance/check.ts'
import { worst } from '../../appliance/examine.ts'
import { systemClock } from '../../clock.ts'
import { silentLog } from '../../log.ts'
import { Nightly } from './nightly.ts'

test('only what changed is told, and a restart forgets nothing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-nightly-'))
  try {
    const told: string[] = []
    let levels: Readonly<Record<string, Level>> = {}
    let wanted = true
    const night = async (now: typeof levels): Promise<string> => {
      levels = now
      told.length = 0
      await new Nightly({
        ...{ directory, clock: systemClock, log: silentLog, wanted: () => wanted },
        tell: async (text) => void told.push(text),
        async examine() {
          const findings = Object.entries(levels).map(([id, level]) => {
            return { id, level, found: `${id} is ${level}.`, fix: 'Mend it.', about: `the ${id}`, group: 'All' }
          })
          return { level: worst(findings), findings }
        },
      }).look()
      return told.join()
    }
    assert.equal(await night({ disk: 'ok', dns: 'na' }), '')
    assert.match(await night({ disk: 'error', dns: 'na' }), /✗ the disk: disk is error\. → Mend it\.\n/)
    assert.equal(await night({ disk: 'error', dns: 'na' }), '')
    assert.match(await night({ disk: 'warn', dns: 'info' }), /! the disk/)
    assert.match(await night({ disk: 'ok', dns: 'info' }), /✓ the disk: disk is ok\.\n/)
    wanted = false
    assert.equal(await night({ disk: 'error' }), '')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
