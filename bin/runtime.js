// SPDX-License-Identifier: Apache-2.0
// Finds the runtime that package-lock.json pins, so that everybody runs the same engine. Must work on any Node >= 18.
'use strict'
const { spawn, spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const { once } = require('node:events')
const { existsSync, globSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { enableCompileCache, flushCompileCache, getCompileCacheDir } = require('node:module')
const { constants, homedir } = require('node:os')
const { dirname, join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { setFlagsFromString } = require('node:v8')
const { Worker } = require('node:worker_threads')

/** First major version that runs the sources as they are (type stripping, node:sqlite, compile cache). */
const NEEDED = 26

/** The command that compiles everything; nobody needs to know it. */
const COMPILE = 'compile'

function isRecent() {
  return Number(process.versions.node.split('.')[0]) >= NEEDED
}

function lockedNode() {
  const name = `node-${process.platform}-${process.arch}`
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node')
  } catch {
    console.error(
      `aenigma needs Node.js ${NEEDED} or newer. This is ${process.version}, and the package ${name}, which brings one, ` +
        'is not installed.\nRun "npm ci" (with optional dependencies), or install a newer Node.js.',
    )
    process.exit(1)
  }
}

/**
 * Options of the engine. A quarter of the usual young generation: it costs messages nothing, and a server with 5,000 idle sessions is
 * 42 MiB smaller. A start makes no garbage worth collecting: 15 ms. And modules are where they are said to be, so that nobody looks for
 * links at each part of each path: 30 ms and 5 MiB. (Only from the command line: who runs us on a recent Node.js of their own has the
 * defaults.)
 */
const ENGINE_OPTIONS = [
  '--max-semi-space-size=4',
  '--initial-old-space-size=32',
  '--preserve-symlinks',
  '--preserve-symlinks-main',
]

/** Runs `args` on the locked runtime and ends as it ends; signals are passed on. */
function reExecute(args) {
  const child = spawn(lockedNode(), args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`cannot start the bundled runtime: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)))
}

/**
 * While modules are loaded nothing is worth optimizing, and nearly nothing that is allocated goes away: a server that starts like
 * this is 15 MiB smaller (the compilers' code stays on the disk). `src/cli/up.ts` ends it when the server runs.
 */
function startFrugally() {
  setFlagsFromString('--invocation-count-for-maglev=100000')
  setFlagsFromString('--invocation-count-for-turbofan=100000')
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** From here on V8 works with its own defaults. */
function runAtFullSpeed() {
  setFlagsFromString('--invocation-count-for-maglev=400')
  setFlagsFromString('--invocation-count-for-turbofan=3000')
  setFlagsFromString('--semi-space-growth-factor=2')
}

/**
 * Keeps compiled code for the next start, which is worth 0.4 s and 40 MiB (no type stripper). In the home directory: whoever can
 * write there can run programs as us anyway, which is not so of Node's own place, the directory for temporary files.
 * @param program its directory, without links
 */
function keepCompiled(program) {
  const caches = process.env.XDG_CACHE_HOME || homeCaches()
  // NODE_COMPILE_CACHE comes first; where nothing can be written, nothing is kept.
  if (caches !== undefined) enableCompileCache(join(caches, 'aenigma', nameFor(program)))
}

/**
 * Before a program runs for the first time, a process of its own compiles all of it: otherwise this one would have the type stripper
 * for as long as it lives. Never throws: without it everything works as well.
 */
function compileAhead(program) {
  const done = markFor(program)
  if (done === undefined || existsSync(done)) return
  const args = [...process.execArgv, join(program, 'bin', 'aenigma'), COMPILE]
  spawnSync(process.execPath, args, { stdio: 'ignore', timeout: 60_000 })
}

/** Loads every file, and keeps its code. */
async function compileAll(program) {
  const done = markFor(program)
  if (done === undefined) return
  for (const file of globSync('**/*.ts', { cwd: join(program, 'src') })) {
    if (/(\.test|contract|^cli\/main)\.ts$/.test(file)) continue // the last one runs by itself
    await import(pathToFileURL(join(program, 'src', file))).catch(() => undefined) // whoever needs it will say what it lacks
  }
  flushCompileCache()
  // What is compiled is kept apart for each set of flags, and a thread that starts later finds others.
  runAtFullSpeed()
  const env = { ...process.env, NODE_COMPILE_CACHE: dirname(dirname(done)) }
  const options = { env, execArgv: [], workerData: { file: '', mode: 'read' } }
  const thread = new Worker(join(program, 'src', 'store', 'sqlite-worker.ts'), options)
  thread.postMessage('close') // the file with no name is an empty database in memory
  await once(thread, 'exit')
  writeFileSync(done, program)
  forgetOthers(dirname(dirname(dirname(done))))
}

/** The file that says that all of a program is compiled; undefined if nothing is kept. */
function markFor(program) {
  const directory = getCompileCacheDir()
  return directory && join(directory, `complete-${nameFor(program)}`)
}

/** Removes what was kept for programs that are gone. @param caches one directory for each */
function forgetOthers(caches) {
  for (const file of globSync('*/*/complete-*', { cwd: caches })) {
    if (existsSync(readFileSync(join(caches, file), 'utf8'))) continue
    rmSync(dirname(dirname(join(caches, file))), { recursive: true, force: true })
  }
}

function nameFor(program) {
  return createHash('sha256').update(program).digest('hex').slice(0, 16)
}

function homeCaches() {
  try {
    return join(homedir(), '.cache')
  } catch {
    return undefined // a user without a home
  }
}

module.exports = {
  COMPILE,
  ENGINE_OPTIONS,
  compileAhead,
  compileAll,
  isRecent,
  keepCompiled,
  reExecute,
  runAtFullSpeed,
  startFrugally,
}
