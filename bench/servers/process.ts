// SPDX-License-Identifier: Apache-2.0
// A server under test as a process: started on its core, awaited until it speaks, stopped by its own process id.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Certificate } from '../certificate.ts'
import { probe } from '../load/probe.ts'
import type { Target } from '../load/target.ts'
import { onSlowDisk } from './slow-disk.ts'

/** What every server is started with. */
export interface ServerOptions {
  readonly certificate: Certificate
  /** Whether messages are archived ("always"). */
  readonly archive: boolean
  /** How many accounts its store has. */
  readonly users: number
  /** The core it is pinned to, if any. */
  readonly core: string | undefined
  /** Whether files can be uploaded, without TLS and without limits. */
  readonly uploads: boolean
  /** Whether each fsync takes 50 ms longer. */
  readonly delayed: boolean
  readonly domain: string
  /** If it is to talk to other servers: where it listens for them, and where names are resolved, ports of 127.0.0.1. */
  readonly federation?: { readonly port: number; readonly resolver: number }
}

/** A running server. */
export interface Server extends Target {
  readonly pid: number
  /** Where its Prometheus metrics are, if it has any. */
  readonly metrics?: string
  /** Milliseconds from exec to the first stream features. */
  readonly startedIn: number
  stop(): Promise<void>
}

/** One of the compared servers. */
export interface Contestant {
  readonly name: string
  /** Whether it is this server. */
  readonly ours?: true
  /** Whether it is fast enough for 100,000 messages rather than some thousands. */
  readonly fast: boolean
  /** Whether the scenario with two servers can be run with it. */
  readonly federates?: true
  /** Why it cannot be started on this machine, if it cannot. */
  missing(): string | undefined
  /** Fills its store with accounts; it does not run then. */
  createUsers(dir: string, options: ServerOptions): Promise<void>
  /** Puts messages from user 0 into the archive of user 1, without the server. */
  fillArchive?(dir: string, messages: number): Promise<void>
  start(dir: string, options: ServerOptions): Promise<Server>
  /** Ends what it needs beside its own process, when all is done. */
  close?(dir: string): Promise<void>
}

/** What is to be run: a program with its arguments and changes to the environment. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** As whom it runs, if not as this process. */
  readonly user?: { readonly uid: number; readonly gid: number }
}

const INSTALLER = 'apt-get'
const START_LIMIT = 60_000
const STOP_LIMIT = 20_000

/** The processes of this run that have not ended. */
const alive = new Set<ChildProcess>()

/** Remembers a process until it ends, so that `stopAll` finds it. */
export function track<Child extends ChildProcess>(child: Child): Child {
  alive.add(child)
  child.once('exit', () => alive.delete(child))
  return child
}

/** Stops whatever still runs. */
export async function stopAll(): Promise<void> {
  await Promise.all([...alive].map(stopProcess))
}

/** A port of the loopback address that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer().on('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close(() => resolve(port))
  })
  return promise
}

/** Starts a command in the background; it ends with `stopAll` at the latest. */
export function begin(command: Command, dir: string, core: string | undefined): ChildProcess {
  const output = openSync(join(dir, 'output.log'), 'a')
  const pin = core === undefined ? [] : ['taskset', '-c', core]
  const [program = command.program, ...args] = [...pin, command.program, ...command.args]
  const env = { ...process.env, ...command.env }
  try {
    return track(spawn(program, args, { stdio: ['ignore', output, output], env, cwd: dir, ...command.user }))
  } finally {
    closeSync(output)
  }
}

/** Whether a process is no more. */
export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
}

/** The last lines of what a process wrote, for an error message. */
function lastWords(dir: string): string {
  const file = join(dir, 'output.log')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-8).join('\n') : ''
}

/** Asks a process to end, and waits for it. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (hasEnded(child)) return
  child.kill('SIGTERM')
  const late = AbortSignal.timeout(STOP_LIMIT)
  late.addEventListener('abort', () => child.kill('SIGKILL'))
  await ended
}

/** Starts a server and waits for its first stream features (or, for the relay, its first answer). */
export async function startProcess(
  dir: string,
  { core, delayed }: ServerOptions,
  target: Target,
  command: Command,
): Promise<Server> {
  mkdirSync(dir, { recursive: true })
  const began = performance.now()
  const child = begin(delayed ? onSlowDisk(command) : command, dir, core).on('error', () => {})
  const stop = (): Promise<void> => stopProcess(child)
  while (!(await probe(target))) {
    if (hasEnded(child) || performance.now() - began > START_LIMIT) {
      await stop()
      throw new Error(`${command.program} did not start\n${lastWords(dir)}`)
    }
    await delay(2)
  }
  return { ...target, pid: child.pid ?? 0, startedIn: performance.now() - began, stop }
}

/** Runs a command to its end, or fails with its last words. */
export async function runProcess(dir: string, command: Command): Promise<void> {
  mkdirSync(dir, { recursive: true })
  const child = begin(command, dir, undefined)
  const timer = setTimeout(() => child.kill('SIGKILL'), 300_000)
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(-1))
    child.on('exit', resolve)
  })
  clearTimeout(timer)
  if (code !== 0) throw new Error(`${command.program} ended with ${code}\n${lastWords(dir)}`)
}

/** Installs a Debian package when `file` is not there and we may; says what is missing else. */
export function installed(file: string, name: string): string | undefined {
  if (existsSync(file)) return undefined
  const advice = `${name} is not installed: apt-get install ${name}`
  if (process.getuid?.() !== 0) return advice
  // RUNLEVEL=1 keeps the package from starting a service of its own.
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' }
  for (const args of [
    ['update', '-q'],
    ['install', '-y', '-q', '--no-install-recommends', name],
  ]) {
    spawnSync(INSTALLER, args, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 })
  }
  return existsSync(file) ? undefined : advice
}
