// SPDX-License-Identifier: Apache-2.0
// Runs all checks, each with a time limit, and puts together what they found. One that hangs or throws is a finding like any
// other, and stops nobody.
import type { Check, Finding, Level } from './check.ts'

/** How long one check may take unless it is told otherwise, in ms. */
const TIME = 20_000
/** Checks at one time. */
const AT_ONCE = 4

/** Checks that belong together. */
export interface Ward {
  readonly title: string
  readonly checks: readonly Check[]
  /** Clears up, when all of its checks are done. */
  close?(): Promise<void>
}

/** A finding, with what it is about. */
export interface Result extends Finding {
  readonly about: string
  /** Of the ward. */
  readonly group: string
}

/** What a whole look came to. */
export interface CheckReport {
  /** The worst level of all. */
  readonly level: 'ok' | 'warn' | 'error'
  readonly findings: readonly Result[]
}

/** How it is done. */
export interface Examination {
  /** Told of each finding when it is there. */
  readonly tell?: (result: Result) => void
  /** How long one check may take, in ms. */
  readonly time?: number
  /** How long all of it may take, in ms; what is not done by then is said not to have been looked at. */
  readonly total?: number
  /** Only these checks, by their ids; all without it. */
  readonly only?: (id: string) => boolean
}

/** Looks at everything. */
export async function examine(wards: readonly Ward[], examination: Examination = {}): Promise<CheckReport> {
  const { tell = () => undefined, time = TIME, total = Number.POSITIVE_INFINITY, only = () => true } = examination
  const end = performance.now() + total
  const left = (): number => Math.min(time, end - performance.now())
  const findings: Result[] = []
  const take = (result: Result): void => {
    findings.push(result)
    tell(result)
  }
  for (const ward of wards) {
    const checks = ward.checks.filter(({ id }) => only(id))
    for await (const result of inOrder(checks, ward.title, left)) take(result)
    const untidy = checks.length === 0 ? undefined : await closed(ward, time)
    if (untidy) take(untidy)
  }
  return { level: worst(findings), findings }
}

/** A few at a time, told in the order in which they stand. */
async function* inOrder(checks: readonly Check[], group: string, left: () => number): AsyncGenerator<Result> {
  const running: Promise<Result>[] = []
  let next = 0
  const start = (): void => {
    const check = checks[next++]
    if (check) running.push(bounded(check, left()).then((found) => ({ ...found, about: check.about, group })))
  }
  while (next < AT_ONCE && next < checks.length) start()
  for (let done = 0; done < checks.length; done++) {
    const result = await running[done]
    start()
    if (result) yield result
  }
}

async function bounded(check: Check, time: number): Promise<Finding> {
  const { id } = check
  if (time <= 0) return { id, level: 'info', found: 'There was no time left to look.' }
  try {
    return await within(time, (async () => check.run())())
  } catch (error) {
    if (error instanceof Late) return { id, level: 'error', found: 'It took too long to find out.', fix: AGAIN }
    return { id, level: 'error', found: `It could not be found out: ${messageOf(error)}`, fix: AGAIN }
  }
}

const AGAIN = 'Look again; if it stays so, look into the log.'

/** @returns what is to be said about what was left behind */
async function closed({ title, close }: Ward, time: number): Promise<Result | undefined> {
  const common = { id: 'clearing-up', about: 'clearing up', group: title, fix: AGAIN } as const
  try {
    await within(time, (async () => close?.())())
    return undefined
  } catch (error) {
    const found = error instanceof Late ? 'It took too long.' : messageOf(error)
    return { ...common, level: 'warn', found: `Something of this look was left behind: ${found}` }
  }
}

class Late extends Error {}

async function within<T>(time: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Late()), time)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The worst of some. */
export function worst(findings: readonly { readonly level: Level }[]): CheckReport['level'] {
  if (findings.some(({ level }) => level === 'error')) return 'error'
  return findings.some(({ level }) => level === 'warn') ? 'warn' : 'ok'
}
