// SPDX-License-Identifier: Apache-2.0
// Nights go by, and the administrators hear of what changed, and of nothing else.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import type { Level } from '../../appliance/check.ts'
import { worst } from '../../appliance/examine.ts'
import { silentLog } from '../../log.ts'
import { NOTHING_KNOWN, newsOf } from './news.ts'
import { Nightly } from './nightly.ts'

type Levels = Readonly<Record<string, Level>>
const MINUTE = 60_000
const DAY = 1440 * MINUTE
const AGAIN = 10 * MINUTE

/** Administrators who sleep, and a server whose health a test knows. */
class House {
  readonly clock = new FakeClock()
  readonly directory: string
  wanted = true
  looks = 0
  told: string[] = []
  /** How it is at one look after the other; the last one stays. */
  health: Levels[] = [{}]

  constructor(t: TestContext) {
    this.directory = mkdtempSync(join(tmpdir(), 'aenigma-nightly-'))
    t.after(() => rmSync(this.directory, { recursive: true, force: true }))
  }

  nightly(): Nightly {
    return new Nightly({
      ...{ directory: this.directory, clock: this.clock, log: silentLog, wanted: () => this.wanted, random: () => 0.5 },
      tell: async (text) => void this.told.push(text),
      examine: async () => {
        const levels = this.health[Math.min(this.looks++, this.health.length - 1)] ?? {}
        const findings = Object.entries(levels).map(([id, level]) => {
          return { id, level, found: `${id} is ${level}.`, fix: 'Mend it.', about: `the ${id}`, group: 'All' }
        })
        return { level: worst(findings), findings }
      },
    })
  }

  /** A night of a server that was just started. @returns what was told */
  async night(...health: Levels[]): Promise<string> {
    this.health = health
    this.looks = 0
    this.told = []
    this.clock.advance(DAY)
    let isOver = false
    const over = this.nightly()
      .look()
      .finally(() => {
        isOver = true
      })
    await Promise.race([over, this.clock.awaited(AGAIN)])
    if (!isOver) this.clock.advance(AGAIN)
    await over
    return this.told.join('\n')
  }
}

test('only what changed is told, and a restart forgets nothing', async (t) => {
  const house = new House(t)
  assert.equal(await house.night({ disk: 'ok', dns: 'na' }), '')
  assert.match(await house.night({ disk: 'error', dns: 'na' }), /✗ the disk: disk is error\. → Mend it\.\n/)
  assert.equal(await house.night({ disk: 'error', dns: 'na' }), '')
  assert.match(await house.night({ disk: 'warn', dns: 'info' }), /! the disk/)
  assert.match(await house.night({ disk: 'ok', dns: 'info' }), /✓ the disk: disk is ok\.\n/)
  house.wanted = false
  assert.equal(await house.night({ disk: 'error' }), '')
})

test('what is over when it is looked at again is not worth a word', async (t) => {
  const house = new House(t)
  assert.equal(await house.night({ dns: 'error' }, { dns: 'ok' }), '')
  assert.equal(house.looks, 2)
  assert.equal(await house.night({ dns: 'ok' }), '')
  assert.equal(house.looks, 1)
})

test('what comes and goes is told three times, and again when it stays for a week', async (t) => {
  const house = new House(t)
  assert.match(await house.night({ dns: 'error' }), /✗ the dns/)
  assert.match(await house.night({ dns: 'ok' }), /✓ the dns/)
  assert.match(await house.night({ dns: 'error' }), /✗ the dns.*comes and goes/)
  for (let night = 0; night < 4; night++) {
    assert.equal(await house.night({ dns: night % 2 === 0 ? 'ok' : 'error', disk: 'ok' }), '')
  }
  assert.match(await house.night({ dns: 'error', disk: 'error' }), /the disk/, 'others are told all the same')
  const told: string[] = []
  for (let night = 0; night < 9; night++) told.push(await house.night({ dns: 'ok', disk: 'error' }))
  assert.equal(told.filter((text) => text !== '').length, 1, told.join('|'))
  assert.match(told.join(''), /✓ the dns: dns is ok\./)
})

test('a file that says nothing is the first night', async (t) => {
  const house = new House(t)
  writeFileSync(join(house.directory, 'doctor.json'), '{"disk":"error"}')
  assert.match(await house.night({ disk: 'error' }), /✗ the disk/)
})

test('each night has its look, whenever the server starts', async (t) => {
  const house = new House(t)
  const { clock } = house
  const started = async (): Promise<Nightly> => {
    const nightly = house.nightly()
    await nightly.start()
    return nightly
  }
  /** Until the hour and minute of the next day, by this machine. */
  const until = (hour: number, minute: number): void => {
    const next = new Date(clock.now())
    next.setHours(hour, minute, 0, 0)
    if (next.getTime() <= clock.now()) next.setDate(next.getDate() + 1)
    clock.advance(next.getTime() - clock.now())
  }
  const settles = async (nightly: Nightly): Promise<void> => {
    await nightly.stop()
  }
  until(12, 0)
  const first = await started()
  until(3, 29)
  assert.equal(house.looks, 0)
  until(3, 31)
  await settles(first)
  assert.equal(house.looks, 1)
  const second = await started()
  until(3, 59)
  assert.equal(house.looks, 1, 'no second look in one night')
  await settles(second)
  until(3, 40)
  until(3, 40)
  const late = await started()
  clock.advance(70 * MINUTE)
  await settles(late)
  assert.equal(house.looks, 2, 'a night was missed: soon')
})

test('what others said is told without characters that XML does not take', () => {
  const found = 'CAA is "\u001b[2J\u0000\ud800\ufffe"'
  const finding = { id: 'dns', level: 'error', found, about: 'the records', group: 'DNS' } as const
  assert.doesNotMatch(newsOf(NOTHING_KNOWN, [finding], 0).text ?? '', /[^\P{C}\n]/u)
})
