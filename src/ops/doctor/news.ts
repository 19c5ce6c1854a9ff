// SPDX-License-Identifier: Apache-2.0
// What is worth telling after a look: what changed since somebody was told last. What comes and goes is told a few times, and
// then once more when it has stayed the same for long.

import * as v from 'valibot'
import type { Level } from '../../appliance/check.ts'
import type { Result } from '../../appliance/examine.ts'

const DAY = 86_400_000
/** Changes within this time are counted, in ms. */
const WINDOW = 7 * DAY
/** So many changes are told in it; then it is one that comes and goes. */
const TOLD = 3

const level = v.picklist(['ok', 'info', 'warn', 'error', 'na'])
const remembered = v.object({
  /** What was told last, or taken for granted. */
  told: level,
  /** How it was at the last look. */
  last: level,
  /** When it changed lately, in ms since 1970. */
  changes: v.array(v.number()),
})

/** What is known of the looks before. */
export const memory = v.object({
  /** When the last one was, in ms since 1970. */
  at: v.number(),
  checks: v.record(v.string(), remembered),
})
/** The same, as a value. */
export type Memory = v.InferOutput<typeof memory>
type Remembered = v.InferOutput<typeof remembered>

/** Before the first look. */
export const NOTHING_KNOWN: Memory = { at: 0, checks: {} }

/** What is told, and what is to be remembered. */
export interface News {
  /** Undefined: nothing. */
  readonly text: string | undefined
  readonly memory: Memory
}

/** Compares a look with what is known. @param now ms since 1970 */
export function newsOf(before: Memory, findings: readonly Result[], now: number): News {
  const checks: Record<string, Remembered> = {}
  const worse: string[] = []
  const better: string[] = []
  for (const one of findings) {
    const { known, restless } = after(before.checks[one.id], one.level, now)
    const news = isNews(known.told, one.level) && !(restless === 'silent')
    checks[one.id] = news ? { ...known, told: one.level } : known
    if (news) (isBad(one.level) ? worse : better).push(lineOf(one, restless === 'last'))
  }
  const lines = [...worse, ...better]
  const text = `This changed on your server since the last look:\n${lines.join('\n')}\nEverything: aenigma doctor`
  return { text: lines.length === 0 ? undefined : text, memory: { at: now, checks } }
}

/** @returns restless: whether it changed too often to be told of each time, and whether this is the last time */
function after(before: Remembered | undefined, now: Level, at: number) {
  const known = before ?? { told: 'ok' as const, last: 'ok' as const, changes: [] }
  const lately = known.changes.filter((time) => at - time < WINDOW)
  const changed = isBad(known.last) !== isBad(now)
  const changes = (changed ? [...lately, at] : lately).slice(-TOLD - 1)
  const restless = changes.length > TOLD ? 'silent' : changed && changes.length === TOLD ? 'last' : undefined
  return { known: { told: known.told, last: now, changes }, restless } as const
}

/** Whether people should know. What is well is not told as long as nobody was told that it is not. */
function isNews(told: Level, now: Level): boolean {
  return isBad(now) ? told !== now : isBad(told)
}

function isBad(one: Level): boolean {
  return one === 'warn' || one === 'error'
}

const MARKS: Readonly<Partial<Record<Level, string>>> = { error: '✗', warn: '!' }

function lineOf({ level, about, found, fix }: Result, last: boolean): string {
  const advice = isBad(level) && fix ? ` → ${fix}` : ''
  const often = last
    ? ' (This comes and goes: you will not be told of it again before it stays the same for a week.)'
    : ''
  // What others said is quoted in it, and XML does not take every character.
  return `${MARKS[level] ?? '✓'} ${about}: ${found}${advice}${often}`.replace(/[\p{C}\p{Z}]+/gu, ' ')
}
