// SPDX-License-Identifier: Apache-2.0
// A machine that is made up: files in memory, and programs that do what the test says.
import {
  CommandError,
  type Entry,
  type Json,
  type Machine,
  type Memory,
  type Ran,
  type Rights,
  type RunOptions,
} from '../../src/appliance/machine.ts'

interface Node {
  kind: 'file' | 'directory' | 'link'
  text: string
  mode: number
  owner: string
}

/** Its owner, as numbers. */
const ROOT = '0:0'

/** What a program prints; a number is its status; an error is what it complains of. */
export type Answer = string | number | Error

/** Files and programs of a machine that does not exist. */
export class FakeMachine implements Machine {
  readonly root = ''
  readonly memory: Memory
  /** Every command that was run, as one line each. */
  readonly ran: string[]
  /** Whether nothing can be written. */
  readonly disk: { full: boolean }
  readonly #nodes: Map<string, Node>
  readonly #programs: (line: string) => Answer | undefined

  constructor(
    programs: (line: string) => Answer | undefined = () => undefined,
    shared?: FakeMachine,
    memory: Memory = forgetful,
  ) {
    this.#programs = programs
    this.#nodes = shared ? shared.#nodes : new Map([['/', directory()]])
    this.ran = shared ? shared.ran : []
    this.disk = shared ? shared.disk : { full: false }
    this.memory = memory
  }

  /** The same machine, as a step with this memory sees it. */
  with(memory: Memory = forgetful): FakeMachine {
    return new FakeMachine(this.#programs, this, memory)
  }

  /** Puts a file there, and the directories above it. */
  put(path: string, text: string): void {
    this.#directories(path)
    this.#nodes.set(path, { kind: 'file', text, mode: 0o644, owner: ROOT })
  }

  /** All that is there, a line for each. */
  get all(): readonly string[] {
    const line = ([path, { kind, text, mode, owner }]: [string, Node]): string =>
      `${kind} ${path} ${mode.toString(8)} ${owner} ${text}`
    return [...this.#nodes].map(line).sort()
  }

  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const line = [command, ...args].join(' ')
    this.ran.push(line)
    const answer = this.#programs(line) ?? ''
    const ran = {
      status: typeof answer === 'number' ? answer : Number(answer instanceof Error),
      stdout: typeof answer === 'string' ? answer : '',
      stderr: answer instanceof Error ? answer.message : '',
    }
    if (ran.status !== 0 && !options.mayFail) throw new CommandError(command, args, ran)
    return ran
  }

  async read(path: string): Promise<string | undefined> {
    const found = this.#nodes.get(path)
    return found?.kind === 'file' ? found.text : undefined
  }

  async write(path: string, text: string, { mode, owner = ROOT }: Rights): Promise<void> {
    if (this.disk.full) throw new Error(`ENOSPC: no space left on device, write ${path}`)
    if (this.#nodes.get(above(path))?.kind !== 'directory') throw new Error(`ENOENT: ${path}`)
    this.#nodes.set(path, { kind: 'file', text, mode, owner })
  }

  async look(path: string): Promise<Entry | undefined> {
    const found = this.#nodes.get(path)
    if (!found) return undefined
    const target = found.kind === 'link' ? { target: found.text } : {}
    return { kind: found.kind, mode: found.mode, uid: 0, gid: 0, ...target }
  }

  async list(path: string): Promise<readonly string[]> {
    return [...this.#nodes.keys()]
      .filter((one) => one !== '/' && above(one) === path)
      .map((one) => one.slice(one.lastIndexOf('/') + 1))
      .sort()
  }

  async makeDirectory(path: string, { mode, owner = ROOT }: Rights): Promise<readonly string[]> {
    const made = this.#directories(path)
    if (!this.#nodes.has(path)) made.push(path)
    this.#nodes.set(path, { ...directory(), mode, owner })
    return made
  }

  async own(path: string, { mode, owner = ROOT }: Rights): Promise<void> {
    const found = this.#nodes.get(path)
    if (!found) throw new Error(`ENOENT: ${path}`)
    this.#nodes.set(path, { ...found, mode, owner })
  }

  async link(path: string, target: string): Promise<void> {
    this.#nodes.set(path, { kind: 'link', text: target, mode: 0o777, owner: ROOT })
  }

  async copy(from: string, to: string): Promise<void> {
    this.put(to, `a copy of ${from}`)
  }

  async rename(from: string, to: string): Promise<void> {
    for (const [path, node] of [...this.#nodes]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#nodes.delete(path)
      this.#nodes.set(to + path.slice(from.length), node)
    }
  }

  async remove(path: string): Promise<void> {
    for (const one of [...this.#nodes.keys()]) if (one === path || one.startsWith(`${path}/`)) this.#nodes.delete(one)
  }

  async removeEmpty(path: string): Promise<boolean> {
    if ((await this.list(path)).length > 0) return false
    this.#nodes.delete(path)
    return true
  }

  #directories(path: string): string[] {
    const made: string[] = []
    for (let one = above(path); !this.#nodes.has(one); one = above(one)) made.unshift(one)
    for (const one of made) this.#nodes.set(one, directory())
    return made
  }
}

const forgetful: Memory = { get: () => undefined, set: async (_key: string, _value: Json) => undefined }

function directory(): Node {
  return { kind: 'directory', text: '', mode: 0o755, owner: ROOT }
}

function above(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}
