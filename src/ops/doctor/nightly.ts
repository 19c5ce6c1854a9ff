// SPDX-License-Identifier: Apache-2.0
// Once a night everything is looked at, and the administrators are told what changed since the night before. A night on
// which nothing changed is a quiet one.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Level } from '../../appliance/check.ts'
import type { Cancel, Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import * as z from '../../shape.ts'
import type { DoctorReport, Result } from './run.ts'

const DAY = 86_400_000
/** The hour at which nights are quietest, in the time of this machine; spread over the hour so that not all machines ask at once. */
const HOUR = 3

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
  readonly examine: () => Promise<DoctorReport>
  /** Tells all administrators. */
  readonly tell: (text: string) => Promise<void>
  /** From 0 to 1. */
  readonly random?: () => number
}

const remembered = z.record(z.oneOf(['ok', 'info', 'warn', 'error', 'na']))
/** The level of each check. */
type Memory = Readonly<Record<string, Level>>

/** Looks once a night. */
export class Nightly {
  readonly #parts: NightlyParts
  #cancel: Cancel | undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor(parts: NightlyParts) {
    this.#parts = parts
  }

  /** Waits for the night. */
  start(): void {
    const { clock, random = Math.random } = this.#parts
    const now = clock.now()
    const next = new Date(now)
    next.setHours(HOUR, Math.floor(random() * 60), 0, 0)
    const ms = (next.getTime() - now + 2 * DAY) % DAY
    this.#cancel = clock.after(ms < 3_600_000 ? ms + DAY : ms, () => {
      this.#running = this.look().finally(() => {
        if (!this.#stopped) this.start()
      })
    })
  }

  /** Waits for what runs, so that its accounts go away, but nobody waits for long. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    if (!this.#running) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#parts.clock.after(PATIENCE, resolve)
    await Promise.race([this.#running, promise])
    cancel()
  }

  /** Looks, and tells what changed. Never rejects. */
  async look(): Promise<void> {
    const { wanted, examine, tell, log, directory } = this.#parts
    if (!wanted()) return
    const file = join(directory, 'doctor.json')
    try {
      const report = await examine()
      const text = changeText(await recall(file), report)
      if (text !== undefined) await tell(text) // before it is remembered: told twice is better than never
      await remember(file, report)
      log.info('doctor has looked', { level: report.level, changed: text !== undefined })
    } catch (error) {
      log.warn('doctor could not look', { error })
    }
  }
}

/** What changed, in words; undefined if nothing that people should know of did. */
export function changeText(before: Memory, { findings }: DoctorReport): string | undefined {
  const isBad = (level: Level | undefined): boolean => level === 'warn' || level === 'error'
  const worse = findings.filter(({ id, level }) => isBad(level) && before[id] !== level)
  const better = findings.filter(({ id, level }) => isBad(before[id]) && !isBad(level))
  if (worse.length + better.length === 0) return undefined
  const lines = [
    ...worse.map(
      (one) => `${one.level === 'error' ? '✗' : '!'} ${one.about}: ${one.found}${one.fix ? ` → ${one.fix}` : ''}`,
    ),
    ...better.map((one) => `✓ ${one.about}: ${one.found}`),
  ]
  return `This changed on your server since the last look:\n${lines.join('\n')}\nEverything: aenigma doctor`
}

async function recall(file: string): Promise<Memory> {
  try {
    return remembered.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return {} // the first night, or a file that cannot be read: then all that is bad is told again
  }
}

async function remember(file: string, { findings }: { readonly findings: readonly Result[] }): Promise<void> {
  const levels = Object.fromEntries(findings.map(({ id, level }) => [id, level]))
  await writeFile(`${file}.new`, `${JSON.stringify(levels)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
