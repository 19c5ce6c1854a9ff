// SPDX-License-Identifier: Apache-2.0
// The runner: starts each server in turn, alike configured, lets the load process work on it, prints one table.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DOMAIN, PEER_DOMAIN } from './accounts.ts'
import { HELP, type Options, parseOptions } from './args.ts'
import { makeCertificate } from './certificate.ts'
import { type Cores, moveHere, pickCores } from './cores.ts'
import { crash } from './crash.ts'
import type { Job, Measured, Report } from './load/job.ts'
import { start } from './load/start.ts'
import { type Scenario, type Step, stepsOf } from './plan.ts'
import { s2s } from './s2s.ts'
import { aenigma, aenigmaOnPostgres } from './servers/aenigma.ts'
import { ejabberd } from './servers/ejabberd.ts'
import { floor } from './servers/floor.ts'
import { type Contestant, installed, type Server, type ServerOptions, stopAll, track } from './servers/process.ts'
import { prosody } from './servers/prosody.ts'
import { STRACE } from './servers/slow-disk.ts'
import { renderTable } from './table.ts'

const CONTESTANTS: Readonly<Record<string, Contestant>> = {
  us: aenigma,
  'us-postgres': aenigmaOnPostgres,
  prosody,
  ejabberd,
  floor,
}

function measured({ pid, port, web, shared, protocol, domain, ca, metrics }: Server): Measured {
  const more = { ...(metrics && { metrics }), ...(web && { web }), ...(shared && { shared }) }
  return { pid, port, protocol, domain, ca, ...more }
}

/** Lets the load process do a job. */
async function load(server: Server, job: Job, seconds: number, peer?: Server): Promise<Report> {
  const target = { ...measured(server), ...(peer ? { peer: measured(peer) } : {}) }
  const worker = fileURLToPath(import.meta.resolve('./load/worker.ts'))
  const words = [worker, JSON.stringify({ target, job })]
  const child = track(spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] }))
  const late = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
  let output = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) output += chunk
  clearTimeout(late)
  if (output === '')
    return { figures: {}, failures: [`the load process gave no report (it has ${seconds} s at most)`], notes: [] }
  return JSON.parse(output)
}

async function runStep(contestant: Contestant, step: Step, dir: string, options: ServerOptions): Promise<Report> {
  const { job, limit, peer } = step
  if (job !== undefined && peer !== undefined) {
    const other = peer === 'same' ? contestant : prosody
    return s2s([contestant, other], dir, options, (one, two) => load(one, job, limit, two))
  }
  await contestant.createUsers(dir, options)
  if (step.archived !== undefined) await contestant.fillArchive?.(dir, step.archived)
  if (step.job === undefined && step.starts === 0) return crash(contestant, dir, options, load)
  if (step.job === undefined) return start(contestant, dir, options, step.starts)
  const server = await contestant.start(dir, options)
  try {
    return await load(server, step.job, step.limit)
  } finally {
    await server.stop()
  }
}

/** Runs one scenario against one server. */
async function runScenario(
  name: string,
  scenario: Scenario,
  { quick, delayed }: Options,
  place: Place,
): Promise<Report> {
  const contestant = CONTESTANTS[name] ?? floor
  const reports: Report[] = []
  for (const [index, step] of stepsOf(scenario, contestant.fast, quick).entries()) {
    // The relay has neither archive nor accounts: once is enough.
    if (name === 'floor' && (index > 0 || ['mam', 'crash', 'upload', 'muc', 's2s'].includes(scenario))) break
    if (step.archived !== undefined && !contestant.fillArchive) continue
    if (step.peer !== undefined && !contestant.federates) continue
    if (step.job?.scenario === 'idle' && step.job.web && !contestant.ours) continue
    const dir = join(place.dir, `${name}-${scenario}-${index}`)
    mkdirSync(dir)
    const { users, archive } = step
    const uploads = scenario === 'upload'
    const long = scenario === 'mam'
    const core = place.cores?.server
    const options = { certificate: place.certificate, archive, users, uploads, long, core, delayed, domain: DOMAIN }
    try {
      reports.push(await runStep(contestant, step, dir, options))
    } catch (error) {
      reports.push({ figures: {}, failures: [error instanceof Error ? error.message : String(error)], notes: [] })
    }
    await contestant.close?.(dir)
    rmSync(dir, { recursive: true, force: true })
  }
  return {
    figures: Object.assign({}, ...reports.map((report) => report.figures)),
    failures: reports.flatMap((report) => report.failures),
    notes: reports.flatMap((report) => report.notes),
  }
}

const REMARK =
  'Ratio: how many times better we are than the better peer. The peers get fewer chat messages at full speed and window 1\n' +
  'than we do, so that their runs end. Differences under 25 % mean nothing.'
const QUICK_REMARK = 'A quick run: its figures mean nothing, CPU time is read in steps of 10 ms.'

interface Place {
  readonly dir: string
  readonly certificate: { cert: string; key: string }
  readonly cores: Cores | undefined
}

interface Run {
  readonly server: string
  readonly scenario: Scenario
  readonly report: Report
}

/** The servers that can be started; says loudly which cannot. */
function available(options: Options): { ready: string[]; missing: string[] } {
  const noStrace = options.delayed ? installed(STRACE, 'strace') : undefined
  const [ready, missing]: [string[], string[]] = [[], []]
  for (const name of options.servers) {
    const reason = CONTESTANTS[name]?.missing() ?? noStrace
    if (reason === undefined) ready.push(name)
    else {
      missing.push(name)
      console.log(`!!! ${name} is SKIPPED: ${reason}`)
    }
  }
  return { ready, missing }
}

async function runAll(options: Options, ready: readonly string[], place: Place): Promise<Run[]> {
  const runs: Run[] = []
  for (const scenario of options.scenarios) {
    for (const server of ready) {
      const began = performance.now()
      const report = await runScenario(server, scenario, options, place)
      runs.push({ server, scenario, report })
      const seconds = ((performance.now() - began) / 1000).toFixed(0)
      console.log(`${report.failures.length === 0 ? 'ok  ' : 'FAIL'} ${scenario} ${server} (${seconds} s)`)
      for (const failure of report.failures) console.log(`     ${failure}`)
      for (const note of report.notes) console.log(`     ${note}`)
    }
  }
  return runs
}

function tabulate(runs: readonly Run[]): Map<string, Record<string, number>> {
  const results = new Map<string, Record<string, number>>()
  for (const { server, report } of runs) results.set(server, { ...results.get(server), ...report.figures })
  return results
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), Object.keys(CONTESTANTS))
  if (typeof options === 'string') {
    console.error(options)
    return 2
  }
  if (options.help) {
    console.log(HELP)
    return 0
  }
  const cores = pickCores()
  if (cores === undefined) console.log('!!! one core only: server and load share it, figures mean little')
  else moveHere(cores.load)
  const { ready, missing } = available(options)
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-bench-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  const runs = await runAll(options, ready, { dir, certificate: makeCertificate(dir, DOMAIN, PEER_DOMAIN), cores })
  const results = tabulate(runs)
  console.log(`\n${renderTable(results)}\n\n${options.quick ? QUICK_REMARK : REMARK}\n`)
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ date: new Date(), runs }, null, 2)}\n`)
  const passed = runs.filter((run) => run.report.failures.length === 0).length
  const unstarted = options.quick ? missing.length * options.scenarios.length : 0
  const failed = runs.length - passed + unstarted
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0 ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, async () => {
    await stopAll()
    process.exit(1)
  })
}
process.exit(await main())
