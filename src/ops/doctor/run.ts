// SPDX-License-Identifier: Apache-2.0
// Runs all checks, each with a time limit, and puts together what they found.
import type { Check, Finding, Level } from '../../appliance/check.ts'
import type { Ward } from './subject.ts'

/** How long one check may take unless it is told otherwise, in ms. */
const TIME = 20_000
/** Checks at one time. */
const AT_ONCE = 4

/** A finding, with what it is about. */
export interface Result extends Finding {
  readonly about: string
  /** Of the ward. */
  readonly group: string
}

/** What a whole look came to. */
export interface DoctorReport {
  /** The worst level of all. */
  readonly level: 'ok' | 'warn' | 'error'
  readonly findings: readonly Result[]
}

/** Looks at everything. @param tell told of each finding when it is there @param time how long one check may take, in ms */
export async function examine(
  wards: readonly Ward[],
  tell: (result: Result) => void = () => undefined,
  time: number = TIME,
): Promise<DoctorReport> {
  const findings: Result[] = []
  for (const { title, checks, close } of wards) {
    try {
      for await (const result of inOrder(checks, title, time)) {
        findings.push(result)
        tell(result)
      }
    } finally {
      await close?.()
    }
  }
  return { level: worst(findings), findings }
}

/** A few at a time, told in the order in which they stand. */
async function* inOrder(checks: readonly Check[], group: string, time: number): AsyncGenerator<Result> {
  const running: Promise<Result>[] = []
  let next = 0
  const start = (): void => {
    const check = checks[next++]
    if (check) running.push(bounded(check, time).then((found) => ({ ...found, about: check.about, group })))
  }
  while (next < AT_ONCE && next < checks.length) start()
  for (let done = 0; done < checks.length; done++) {
    const result = await running[done]
    start()
    if (result) yield result
  }
}

async function bounded(check: Check, time: number): Promise<Finding> {
  const { promise, resolve } = Promise.withResolvers<Finding>()
  const timer = setTimeout(
    () => resolve({ id: check.id, level: 'error', found: 'It took too long to find out.' }),
    time,
  )
  const failed = (error: unknown): Finding => ({
    ...{ id: check.id, level: 'error' },
    found: `It could not be found out: ${error instanceof Error ? error.message : error}`,
  })
  try {
    return await Promise.race([promise, check.run().catch(failed)])
  } finally {
    clearTimeout(timer)
  }
}

/** The worst of some. */
export function worst(findings: readonly { readonly level: Level }[]): DoctorReport['level'] {
  if (findings.some(({ level }) => level === 'error')) return 'error'
  return findings.some(({ level }) => level === 'warn') ? 'warn' : 'ok'
}
