// SPDX-License-Identifier: Apache-2.0
// Scenario `chat`: pairs of users, one sends to the other's bare JID: with a window of outstanding messages per pair, or
// at a fixed rate with the delay counted from the moment a message should have been sent.

import { setTimeout as delay } from 'node:timers/promises'
import { cpuMicros, whenQuiet } from '../cpu.ts'
import type { Job, Measured, Phase, Report } from './job.ts'
import { loopDelay } from './metrics.ts'
import { openPairs, type Pair } from './pair.ts'

/** Stanzas that A may have on their way at a fixed rate, before it waits. */
const RATE_SLOTS = 400
const STALLED = 20_000

interface Outcome {
  readonly seconds: number
  readonly complete: boolean
  /** Sorted delays in milliseconds; empty for a window. */
  readonly delays: Float64Array
}

/** The value below which the given share of `sorted` lies. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/** Resolves when `arrived()` reaches `total`, or false when nothing has come for a while. */
async function untilAll(total: number, arrived: () => number, done: Promise<void>): Promise<boolean> {
  let last = -1
  let since = performance.now()
  for (;;) {
    if (await Promise.race([done.then(() => true), delay(500, false)])) return true
    if (arrived() !== last) since = performance.now()
    last = arrived()
    if (last >= total) return true
    if (performance.now() - since > STALLED) return false
  }
}

async function windowed(pairs: readonly Pair[], window: number, each: number): Promise<Outcome> {
  const total = each * pairs.length
  const { promise, resolve } = Promise.withResolvers<void>()
  let arrived = 0
  for (const pair of pairs) {
    let left = each
    pair.prepare(
      window,
      () => {},
      (count) => {
        arrived += count
        const more = Math.min(left, pair.room)
        left -= more
        if (more > 0) pair.send(more)
        if (arrived >= total) resolve()
      },
    )
    left -= Math.min(window, each)
  }
  const began = performance.now()
  for (const pair of pairs) pair.send(Math.min(window, each))
  const complete = await untilAll(total, () => arrived, promise)
  return { seconds: (performance.now() - began) / 1000, complete, delays: new Float64Array() }
}

async function fixedRate(pairs: readonly Pair[], perSecond: number, messages: number): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const delays = new Float64Array(messages)
  const first = pairs.map((pair) => pair.sent)
  const began = performance.now() + 5
  const intended = (index: number): number => began + (index * 1000) / perSecond
  let arrived = 0
  const delivered = (pair: number, sequence: number): void => {
    const index = (sequence - (first[pair] ?? 0)) * pairs.length + pair
    if (arrived < messages) delays[arrived++] = performance.now() - intended(index)
    if (arrived >= messages) resolve()
  }
  for (const pair of pairs) pair.prepare(RATE_SLOTS, delivered, () => {})
  const ended = untilAll(messages, () => arrived, promise)
  for (let index = 0; index < messages; ) {
    const due = Math.min(messages, Math.ceil(((performance.now() - began) * perSecond) / 1000))
    while (index < due) {
      const pair = pairs[index % pairs.length]
      if (pair === undefined || pair.room <= 0) break
      pair.send(1)
      index++
    }
    await delay(1)
    if (performance.now() - intended(messages) > 10 * STALLED) break
  }
  const complete = await ended
  return { seconds: (performance.now() - began) / 1000, complete, delays: delays.subarray(0, arrived).sort() }
}

function pass(pairs: readonly Pair[], phase: Phase, messages: number): Promise<Outcome> {
  return 'window' in phase.pace
    ? windowed(pairs, phase.pace.window, Math.ceil(messages / pairs.length))
    : fixedRate(pairs, phase.pace.perSecond, messages)
}

async function runPhase(target: Measured, pairs: readonly Pair[], phase: Phase, settle: number): Promise<Report> {
  const warm = await pass(pairs, phase, phase.warmUp)
  const before = await whenQuiet(target.pid, settle)
  const peerBefore = target.peer && (await whenQuiet(target.peer.pid, settle))
  await loopDelay(target)
  const own = process.cpuUsage()
  const sentBefore = pairs.reduce((sum, pair) => sum + pair.sent, 0)
  const outcome = await pass(pairs, phase, phase.messages)
  const used = process.cpuUsage(own)
  const busy = (cpuMicros(target.pid) - before) / outcome.seconds / 1e6
  const loop = await loopDelay(target)
  const after = await whenQuiet(target.pid, settle)
  const sent = pairs.reduce((sum, pair) => sum + pair.sent, 0) - sentBefore
  const figures: Record<string, number> = {
    [`${phase.name}.cpu`]: (after - before) / sent,
    [`${phase.name}.rate`]: sent / outcome.seconds,
  }
  if (target.peer && peerBefore !== undefined) {
    const both = after - before + (await whenQuiet(target.peer.pid, settle)) - peerBefore
    figures[`${phase.name}.both`] = both / sent
  }
  if (outcome.delays.length > 0) {
    figures[`${phase.name}.p50`] = quantile(outcome.delays, 0.5)
    figures[`${phase.name}.p99`] = quantile(outcome.delays, 0.99)
  }
  if (loop !== undefined) figures[`${phase.name}.loop`] = loop * 1000
  const share = (value: number): string => `${Math.round(value * 100)} %`
  const load = (used.user + used.system) / 1e6 / outcome.seconds
  const note = `${phase.name}: ${sent} messages in ${outcome.seconds.toFixed(1)} s; busy: server ${share(busy)}, load tool ${share(load)}`
  const failures = warm.complete && outcome.complete ? [] : [`${phase.name}: not all messages arrived`]
  return { figures, failures, notes: [note] }
}

function check(pairs: readonly Pair[]): string[] {
  const sums = { lost: 0, doubled: 0, disordered: 0, strayed: 0, broken: 0 }
  for (const pair of pairs) {
    const faults = { ...pair.faults(), broken: pair.broken }
    for (const name of ['lost', 'doubled', 'disordered', 'strayed', 'broken'] as const) sums[name] += faults[name]
  }
  return Object.entries(sums).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []))
}

/** Runs the scenario. */
export async function chat(target: Measured, job: Job & { scenario: 'chat' }): Promise<Report> {
  const peer = target.peer ?? target
  const pairs = await openPairs(
    ...(job.reversed ? ([peer, job.pairs, target] as const) : ([target, job.pairs, peer] as const)),
  )
  const reports: Report[] = []
  for (const phase of job.phases) {
    const report = await runPhase(target, pairs, phase, job.settle)
    reports.push(report)
    if (report.failures.length > 0) break
  }
  const failures = reports.flatMap((report) => report.failures)
  if (target.protocol === 'xmpp' && failures.length === 0) {
    await Promise.all(pairs.map((pair) => pair.acknowledged())).catch((error: Error) => failures.push(error.message))
  }
  failures.push(...check(pairs))
  await Promise.all(pairs.map((pair) => pair.close()))
  return {
    figures: Object.assign({}, ...reports.map((report) => report.figures)),
    failures,
    notes: reports.flatMap((report) => report.notes),
  }
}
