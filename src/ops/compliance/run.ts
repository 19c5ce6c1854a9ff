// SPDX-License-Identifier: Apache-2.0
// Runs all checks, one after another so that none is in another's way, and puts together what they found.
import { leaveRoom } from './checks/rooms.ts'
import { Lab, type Target } from './lab.ts'
import { Unseen } from './missing.ts'
import { type Check, EXTRA, type Level, type Line, SUITE, TESTER, TRANSPORTS } from './table.ts'

/** How long all of it may take, in ms. */
const TIME = 30_000

/** What a check found. */
export interface Finding {
  readonly id: string
  readonly title: string
  readonly level: Level
  /** `null`: it cannot be seen from here. */
  readonly found: boolean | null
  /** In plain words. */
  readonly reason: string
}

/** How many of how many. */
export interface Score {
  readonly passed: number
  readonly of: number
}

/** The lines of a category of XEP-0479. Those of `server` alone make a server, all together an advanced one. */
export interface Category {
  readonly name: string
  readonly server: Score
  readonly advanced: Score
  readonly checks: readonly Finding[]
}

/** What a run found. */
export interface Report {
  readonly domain: string
  /** Whether everything that is required was found. */
  readonly passed: boolean
  readonly transports: readonly Finding[]
  /** The Conversations compliance tester. */
  readonly tester: Score & { readonly required: Score; readonly checks: readonly Finding[] }
  /** XEP-0479. */
  readonly suite: readonly Category[]
  readonly extra: readonly Finding[]
}

/** Nobody can log in, so there is nothing to look at. */
export class NoLogin extends Error {
  override readonly name = 'NoLogin'
  readonly code = 'no-login'
}

/** Looks at a server. Rejects with NoLogin if it cannot. @param stop ends it early; what was not looked at then counts as not found */
export async function runCompliance(target: Target, stop: AbortSignal): Promise<Report> {
  const lab = new Lab(target, AbortSignal.any([stop, AbortSignal.timeout(TIME)]))
  const known: Known = new Map()
  try {
    const transports = await all(lab, known, TRANSPORTS)
    const [starttls, direct] = transports
    // Not 40 times: a server counts logins that fail.
    if (!starttls?.found && !direct?.found) {
      throw new NoLogin(`Nobody can log in to ${target.domain}: ${starttls?.reason}; by direct TLS: ${direct?.reason}.`)
    }
    const tester = await all(lab, known, TESTER)
    const suite: Category[] = []
    for (const [name, lines] of Object.entries(SUITE)) suite.push(categoryOf(name, await all(lab, known, lines)))
    const extra = await all(lab, known, EXTRA)
    await leaveRoom(lab).catch(() => undefined) // the accounts go away in any case, and nobody was told of the room
    return reportOf(target.domain, { transports, tester, suite, extra })
  } finally {
    lab.close()
  }
}

/** What was found, by check: what asks for one twice gets the same outcome. */
type Known = Map<Check, Outcome>
type Outcome = Pick<Finding, 'found' | 'reason'>

async function all(lab: Lab, known: Known, lines: readonly Line[]): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const { id, title, level, check } of lines) {
    const outcome = known.get(check) ?? (await outcomeOf(lab, check))
    known.set(check, outcome)
    findings.push({ id, title, level, ...outcome })
  }
  return findings
}

async function outcomeOf(lab: Lab, check: Check): Promise<Outcome> {
  if (lab.signal.aborted) return { found: false, reason: 'the time for all checks was over' }
  try {
    return { found: true, reason: await check(lab) }
  } catch (error) {
    if (error instanceof Unseen) return { found: null, reason: error.message }
    if (error instanceof Error) return { found: false, reason: reasonOf(error) }
    throw error
  }
}

/** The reason of a connection or a web server is in its cause. */
function reasonOf(error: Error): string {
  const { cause } = error
  return cause instanceof Error && cause.message !== '' ? `${error.message}: ${cause.message}` : error.message
}

function categoryOf(name: string, checks: readonly Finding[]): Category {
  return { name, server: scoreOf(checks.filter(({ level }) => level === 'server')), advanced: scoreOf(checks), checks }
}

function scoreOf(checks: readonly Finding[]): Score {
  return { passed: checks.filter(({ found }) => found).length, of: checks.length }
}

function reportOf(
  domain: string,
  found: { tester: readonly Finding[] } & Pick<Report, 'transports' | 'suite' | 'extra'>,
): Report {
  const required = found.tester.filter(({ level }) => level === 'required')
  const counted = [...required, ...found.suite.flatMap(({ checks }) => checks)]
  return {
    domain,
    passed: counted.every((one) => one.found !== false),
    transports: found.transports,
    tester: { ...scoreOf(found.tester), required: scoreOf(required), checks: found.tester },
    suite: found.suite,
    extra: found.extra,
  }
}
