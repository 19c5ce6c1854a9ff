// SPDX-License-Identifier: Apache-2.0
// Once a night everything is looked at, and the administrators are told what changed since the night before. A night on
// which nothing changed is a quiet one.
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import type { CheckReport } from '../../appliance/examine.ts'
import type { Cancel, Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import { type Memory, memory, NOTHING_KNOWN, newsOf } from './news.ts'

const DAY = 86_400_000
/** The hour at which nights are quietest, in the time of this machine; spread over the hour so that not all machines ask at once. */
const HOUR = 3
/** When there is something to tell it is looked at again after this time, in ms. */
const SECOND_LOOK = 600_000

/** After this time without a look a night was missed, in ms. */
const MISSED = 1.5 * DAY

/** How long the end of the server waits for a look, in ms. */
const PATIENCE = 10_000

/** What it needs. */
export interface NightlyParts {
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  /** Whether it is wanted at this moment: a reload may change it. */
  readonly wanted: () => boolean
  readonly examine: () => Promise<CheckReport>
  /** Tells all administrators. */
  readonly tell: (text: string) => Promise<void>
  /** From 0 to 1. */
  readonly random?: () => number
}

/** Looks once a night. */
export class Nightly {
  readonly #parts: NightlyParts
  #cancel: Cancel | undefined
  #running: Promise<void> | undefined
  #hurry: (() => void) | undefined
  #stopped = false

  constructor(parts: NightlyParts) {
    this.#parts = parts
  }

  /** Waits for the night. Never rejects. */
  async start(): Promise<void> {
    const last = await this.#lastLook()
    if (this.#stopped) return
    this.#cancel = this.#parts.clock.after(this.#pause(last), () => {
      this.#running = this.look().finally(() => {
        if (!this.#stopped) void this.start()
      })
    })
  }

  /** The first start counts as one, so that a machine that is off at night gets its look, too. */
  async #lastLook(): Promise<number> {
    const { at } = await recall(this.#file)
    if (at > 0) return at
    const now = this.#parts.clock.now()
    await remember(this.#file, { ...NOTHING_KNOWN, at: now }).catch(() => undefined) // a full disk: the next look tells of it
    return now
  }

  /**
   * To the first time in the night hour that is no sooner than half a day after the last look; soon, if a night passed without
   * one: the server was stopped then, or started anew in just that hour. @param last ms since 1970
   */
  #pause(last: number): number {
    const { clock, random = Math.random } = this.#parts
    const now = clock.now()
    if (now - last > MISSED) return SECOND_LOOK + random() * 6 * SECOND_LOOK
    const next = new Date(now)
    next.setHours(HOUR, Math.floor(random() * 60), 0, 0)
    while (next.getTime() <= now || (last <= now && next.getTime() < last + DAY / 2)) next.setDate(next.getDate() + 1)
    return next.getTime() - now
  }

  get #file(): string {
    return join(this.#parts.directory, 'doctor.json')
  }

  /** Waits for what runs, so that its accounts go away, but nobody waits for long. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    this.#hurry?.()
    if (!this.#running) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#parts.clock.after(PATIENCE, resolve)
    await Promise.race([this.#running, promise])
    cancel()
  }

  /** Looks, and tells what changed. Never rejects. */
  async look(): Promise<void> {
    const { wanted, tell, log, clock } = this.#parts
    if (!wanted()) return
    try {
      const before = await recall(this.#file)
      const report = await this.#lookWell(before)
      const news = newsOf(before, report.findings, clock.now())
      if (news.text !== undefined) await tell(news.text) // before it is remembered: told twice is better than never
      await remember(this.#file, news.memory)
      log.info('doctor has looked', { level: report.level, changed: news.text !== undefined })
    } catch (error) {
      log.warn('doctor could not look', { error })
    }
  }

  /** What is ill all of a sudden is looked at again after a while: nobody is woken by a hiccup of the network. */
  async #lookWell(before: Memory): Promise<CheckReport> {
    const report = await this.#parts.examine()
    if (newsOf(before, report.findings, 0).text === undefined || this.#stopped) return report
    await this.#rest()
    return this.#stopped ? report : this.#parts.examine()
  }

  async #rest(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#parts.clock.after(SECOND_LOOK, resolve)
    this.#hurry = () => {
      cancel()
      resolve()
    }
    await promise
    this.#hurry = undefined
  }
}

async function recall(file: string): Promise<Memory> {
  try {
    return v.parse(memory, JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return NOTHING_KNOWN // the first night, or a file that cannot be read: then all that is bad is told again
  }
}

async function remember(file: string, known: Memory): Promise<void> {
  const beside = await open(`${file}.new`, 'w', 0o600)
  try {
    await beside.writeFile(`${JSON.stringify(known)}\n`)
    await beside.sync()
  } finally {
    await beside.close()
  }
  await rename(`${file}.new`, file)
}
