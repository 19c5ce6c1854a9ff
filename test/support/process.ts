// SPDX-License-Identifier: Apache-2.0
// Programs as child processes: this server, and other people's clients. Everything they print is kept, each wait has a bound,
// and when one fails its error shows what was printed. What a test began is undone in reverse when the test ends.
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { trialCertificate } from '../../src/ops/trial-certificate.ts'

/** How long a test waits for anything, in ms. */
const PATIENCE = 20_000
/** Who was stopped for a while hears late what came meanwhile, in ms. */
const AFTERWARDS = 1_000
const PYTHON = '/usr/bin/python3'
const AENIGMA = new URL('../../bin/aenigma', import.meta.url).pathname

/** A test, or what else ends: `{ after }` of `node:test` is a whole file. */
export interface Owner {
  after(undo: () => Promise<void>): void
}

/** A directory of a test's own, and what is to be undone at its end. */
export interface Bench {
  readonly directory: string
  /** Runs `undo` when the test ends, before what was deferred earlier. */
  defer(undo: () => Promise<void> | void): void
}

/** Makes a directory that goes away with its owner. */
export function bench(owner: Owner): Bench {
  const stack = new AsyncDisposableStack()
  owner.after(() => stack.disposeAsync())
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-peer-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  return { directory, defer: (undo) => stack.defer(() => undo()) }
}

/** Fails, naming the Debian package, if a program is not there. */
export function needs(file: string, debianPackage: string): void {
  assert.ok(existsSync(file), `${file} is missing: apt-get install ${debianPackage}`)
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What is to be run. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What it finds on standard input. */
  readonly input?: string
  /** Whether more comes there later, by `types`. */
  readonly isAsked?: boolean
}

/** A process that a test started. */
export class Child {
  readonly ended: Promise<Ending>
  readonly #name: string
  readonly #process: ChildProcessWithoutNullStreams
  readonly #watchers = new Set<() => void>()
  #stdout = ''
  #stderr = ''
  #ending: Ending | undefined

  constructor(of: Bench, { program, args, env = {}, input = '', isAsked = false }: Command) {
    this.#name = [program, ...args].join(' ')
    const child = spawn(program, args, { cwd: of.directory, env: { ...process.env, ...env } })
    this.#process = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#changed()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#changed()
    })
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.#stderr += String(error)
      })
      child.on('close', (code, signal) => {
        this.#ending = { code, signal }
        resolve(this.#ending)
        this.#changed()
      })
    })
    child.stdin.on('error', () => undefined) // it may end without having read
    child.stdin.write(input)
    if (!isAsked) child.stdin.end()
    of.defer(() => this.#endAtLast())
  }

  get pid(): number {
    assert.ok(this.#process.pid, `${this.#name} did not start\n${this.output}`)
    return this.#process.pid
  }

  /** Puts something on its standard input. */
  types(text: string): void {
    this.#process.stdin.write(text)
  }

  /** Nothing more comes on its standard input. */
  closes(): void {
    this.#process.stdin.end()
  }

  /** Everything it printed, on both outputs. */
  get output(): string {
    return this.#stdout + this.#stderr
  }

  get stdout(): string {
    return this.#stdout
  }

  get hasEnded(): boolean {
    return this.#ending !== undefined
  }

  /** The whole lines of its standard output so far. */
  get lines(): readonly string[] {
    return this.#stdout.split('\n').slice(0, -1)
  }

  /** Waits until it has printed something. @param look gives undefined as long as it is not there */
  until<T>(what: string, look: () => T | undefined, within: number = PATIENCE): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(check)
      }
      const fail = (why: string): void => {
        done()
        reject(new Error(`${this.#name}: ${why}. It printed:\n${this.output}`))
      }
      const check = (): void => {
        const found = look()
        if (found !== undefined) {
          done()
          resolve(found)
        } else if (this.#ending) fail(`ended (${this.#ending.code ?? this.#ending.signal}) without ${what}`)
      }
      const late = (): void => fail(`no ${what} within ${within} ms`)
      let timer = setTimeout(() => {
        timer = setTimeout(late, AFTERWARDS)
      }, within)
      this.#watchers.add(check)
      check()
    })
  }

  /** Waits until it has ended by itself, with success. @returns its standard output */
  async succeeds(within: number = PATIENCE): Promise<string> {
    const { code } = await this.until('its end', () => this.#ending, within)
    assert.equal(code, 0, `${this.#name} failed. It printed:\n${this.output}`)
    return this.#stdout
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Ending> {
    this.#process.kill(signal)
    return this.until(`an end after ${signal}`, () => this.#ending)
  }

  async #endAtLast(): Promise<void> {
    if (this.#ending || this.#process.pid === undefined) return
    this.#process.kill('SIGKILL')
    await this.ended
  }

  #changed(): void {
    for (const check of [...this.#watchers]) check()
  }
}

/** Where a server listens on 127.0.0.1. */
export interface Ports {
  readonly starttls: number
  readonly tls: number
  readonly http: number
}

/** This server, running. */
export interface Aenigma {
  readonly ports: Ports
  /** The certificate that clients must trust. */
  readonly ca: string
  readonly data: string
  /** The administrator's password, if this was the first start of a trial. */
  readonly adminPassword: string | undefined
  /** The process itself, not a launcher. */
  readonly child: Child
  /** Runs the command line on this server's data. @returns what it printed */
  command(args: readonly string[], input?: string): Promise<string>
  addUser(name: string, password: string): Promise<void>
  /** SIGTERM; checks that it ends with success, has written everything and has left its ports. */
  stop(): Promise<void>
  /** SIGKILL: no time for anything. */
  crash(): Promise<void>
}

/** What a configured server has beside its ports. */
export interface Setting {
  /** Its data directory, instead of one in the bench. */
  readonly data?: string
  /** Other options, as in the file. */
  readonly options?: Readonly<Record<string, unknown>>
}

/**
 * Starts the program and waits until it is ready.
 * @param wanted it listens there as a configured server; without them it is a trial, on the next free ports
 */
export async function startAenigma(of: Bench, wanted?: Ports, setting: Setting = {}): Promise<Aenigma> {
  const data = setting.data ?? join(of.directory, 'data')
  const where = wanted ? ['--config', await writeConfig(of.directory, data, wanted, setting.options)] : ['--data', data]
  const run = (args: readonly string[], input?: string): Child =>
    new Child(of, { program: process.execPath, args: [AENIGMA, ...args, ...where], ...(input ? { input } : {}) })
  const child = run(['up', '--json'])
  const line = await child.until('readiness', () => child.lines[0])
  const { password, listening }: Greeting = JSON.parse(line)
  const ports = portsOf(listening)
  const command = (args: readonly string[], input?: string) => run(args, input).succeeds()
  const server: Aenigma = {
    ports,
    ca: join(data, 'tls', 'ca.crt'),
    data,
    adminPassword: password,
    child,
    command,
    async addUser(name, password) {
      await command(['user', 'add', `${name}@localhost`, '--password-stdin'], `${password}\n`)
    },
    async stop() {
      assert.deepEqual(await child.end('SIGTERM'), { code: 0, signal: null }, child.output)
      assert.ok(!existsSync(join(data, 'aenigma.db-wal')), 'the write-ahead log is still there: not all is flushed')
      for (const port of Object.values(ports)) await assertFree(port)
    },
    async crash() {
      assert.deepEqual(await child.end('SIGKILL'), { code: null, signal: 'SIGKILL' })
    },
  }
  of.defer(() => (child.hasEnded ? undefined : server.stop()))
  return server
}

async function writeConfig(
  directory: string,
  data: string,
  { starttls, tls, http }: Ports,
  options: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { cert, key } = await trialCertificate(data, Date.now())
  const file = join(directory, 'aenigma.yaml')
  const config = {
    domain: 'localhost',
    data,
    certificate: { cert, key },
    listen: {
      starttls: [`127.0.0.1:${starttls}`],
      tls: [`127.0.0.1:${tls}`],
      http: [`127.0.0.1:${http}`],
      proxy: [],
      https: [],
      metrics: [],
      servers: [],
      serversTls: [],
    },
    ...options,
  }
  writeFileSync(file, JSON.stringify(config, undefined, 2))
  return file
}

/** What `aenigma up --json` prints when it is ready. */
interface Greeting {
  readonly listening: readonly { readonly kind: keyof Ports; readonly host: string; readonly port: number }[]
  readonly password?: string
}

function portsOf(listening: Greeting['listening']): Ports {
  const port = (kind: keyof Ports): number => {
    const found = listening.find((one) => one.kind === kind && one.host === '127.0.0.1')
    assert.ok(found, `it listens on 127.0.0.1 for ${kind}`)
    return found.port
  }
  return { starttls: port('starttls'), tls: port('tls'), http: port('http') }
}

/** Ports of the loopback address that were free a moment ago, all different. */
export async function freePorts(): Promise<Ports> {
  const servers = [createServer(), createServer(), createServer()]
  const [starttls = 0, tls = 0, http = 0] = await Promise.all(servers.map((server) => listen(server, 0)))
  await Promise.all(servers.map(close))
  return { starttls, tls, http }
}

async function assertFree(port: number): Promise<void> {
  const server = createServer()
  await listen(server, port).catch((error: unknown) => assert.fail(`port ${port} is not free again: ${error}`))
  await close(server)
}

function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
}

function close(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** Starts one of the scripts with Debian's slixmpp. @param settings handed over as JSON */
export function startSlixmpp(of: Bench, script: string, scenario: string, settings: object): Child {
  needs(PYTHON, 'python3')
  needs('/usr/lib/python3/dist-packages/slixmpp/__init__.py', 'python3-slixmpp')
  const file = new URL(`../interop/slixmpp/${script}`, import.meta.url).pathname
  const env = { PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1' }
  return new Child(of, { program: PYTHON, args: ['-u', file, scenario, JSON.stringify(settings)], env })
}
