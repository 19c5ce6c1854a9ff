// SPDX-License-Identifier: Apache-2.0
// Finds the runtime that package-lock.json pins, so that everybody runs the same engine. Must work on any Node >= 18.
'use strict'
const { spawn } = require('node:child_process')
const { enableCompileCache } = require('node:module')
const { constants, homedir } = require('node:os')
const { dirname, join } = require('node:path')
const { setFlagsFromString } = require('node:v8')

/** First major version that runs the sources as they are (type stripping, node:sqlite, compile cache). */
const NEEDED = 26

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
 * this is 15 MiB smaller (the compilers' code stays on the disk). `src/cli/up.ts` takes it back when the server runs.
 */
function startFrugally() {
  setFlagsFromString('--invocation-count-for-maglev=100000')
  setFlagsFromString('--invocation-count-for-turbofan=100000')
  setFlagsFromString('--semi-space-growth-factor=1')
}

/**
 * Keeps compiled code for the next start, which is worth 0.4 s and 40 MiB (no type stripper). In the home directory: whoever can
 * write there can run programs as us anyway, which is not so of Node's own place, the directory for temporary files.
 */
function keepCompiled() {
  const caches = process.env.XDG_CACHE_HOME || homeCaches()
  // NODE_COMPILE_CACHE comes first; where nothing can be written, nothing is kept.
  if (caches !== undefined) enableCompileCache(join(caches, 'aenigma'))
}

function homeCaches() {
  try {
    return join(homedir(), '.cache')
  } catch {
    return undefined // a user without a home
  }
}

module.exports = { ENGINE_OPTIONS, isRecent, keepCompiled, reExecute, startFrugally }
