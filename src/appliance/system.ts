// SPDX-License-Identifier: Apache-2.0
// A real system as a machine: this one, or one whose root is a directory (then programs run inside it by chroot).
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import {
  chmod,
  copyFile,
  cp,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  CommandError,
  type Entry,
  type Json,
  type Machine,
  type Memory,
  type Ran,
  type Rights,
  type RunOptions,
} from './machine.ts'

const PATIENCE = 300_000
/** Of what a program prints, in characters; the rest is not kept. */
const OUTPUT_MAX = 4 * 1024 * 1024

/** Programs of the system, wherever the caller's own path leads. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A machine that really changes things. */
export class System implements Machine {
  readonly root: string
  readonly memory: Memory

  /** @param root '' for this system @param memory of the step that works with it; nothing is remembered without one */
  constructor(root = '', memory: Memory = forgetful) {
    this.root = root === '/' ? '' : root
    this.memory = memory
  }

  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const [program, words] =
      this.root === '' ? ([command, args] as const) : (['chroot', [this.root, command, ...args]] as const)
    const ran = await runProgram(program, words, options)
    if (ran.status !== 0 && !options.mayFail) throw new CommandError(command, args, ran)
    return ran
  }

  read(path: string): Promise<string | undefined> {
    return unless(['ENOENT', 'ENOTDIR'], readFile(this.#at(path), 'utf8'))
  }

  async write(path: string, text: string, rights: Rights): Promise<void> {
    const target = this.#at(path)
    const beside = besideOf(target)
    await rm(beside, { force: true })
    const file = await open(beside, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.own(beside.slice(this.root.length), rights)
    await rename(beside, target)
    await syncDirectory(dirname(target))
  }

  async look(path: string): Promise<Entry | undefined> {
    const found = await unless(['ENOENT', 'ENOTDIR'], lstat(this.#at(path)))
    if (!found) return undefined
    const kind = found.isFile()
      ? 'file'
      : found.isDirectory()
        ? 'directory'
        : found.isSymbolicLink()
          ? 'link'
          : ('other' as const)
    const target = kind === 'link' ? { target: await readlink(this.#at(path)) } : {}
    return { kind, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, ...target }
  }

  async list(path: string): Promise<readonly string[]> {
    return ((await unless(['ENOENT', 'ENOTDIR'], readdir(this.#at(path)))) ?? []).sort()
  }

  async makeDirectory(path: string, rights: Rights): Promise<readonly string[]> {
    const missing: string[] = []
    for (let one = path; !(await this.look(one)); one = dirname(one)) missing.unshift(one)
    for (const one of missing.slice(0, -1)) await mkdir(this.#at(one), { mode: 0o755 })
    if (missing.length > 0) await mkdir(this.#at(path), { mode: 0o700 })
    await this.own(path, rights)
    return missing
  }

  async own(path: string, { mode, owner = 'root' }: Rights): Promise<void> {
    const [uid, gid] = await this.#ids(owner)
    if ((await this.look(path))?.kind === 'link') throw new Error(`${path} is a link; it must be a place of its own.`)
    await lchown(this.#at(path), uid, gid)
    await chmod(this.#at(path), mode)
  }

  async link(path: string, target: string): Promise<void> {
    const beside = besideOf(this.#at(path))
    await rm(beside, { force: true })
    await symlink(target, beside)
    await rename(beside, this.#at(path))
  }

  async copy(from: string, to: string): Promise<void> {
    if ((await lstat(from)).isDirectory()) {
      await cp(from, this.#at(to), { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
    } else await copyFile(from, this.#at(to), constants.COPYFILE_FICLONE)
  }

  rename(from: string, to: string): Promise<void> {
    return rename(this.#at(from), this.#at(to))
  }

  async remove(path: string): Promise<void> {
    await rm(this.#at(path), { recursive: true, force: true })
    await unless(['ENOENT', 'ENOTDIR'], unlink(besideOf(this.#at(path))))
  }

  async removeEmpty(path: string): Promise<boolean> {
    await unless(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'], rmdir(this.#at(path)))
    return (await this.look(path)) === undefined
  }

  #at(path: string): string {
    return this.root === '' ? path : join(this.root, path)
  }

  async #ids(owner: string): Promise<readonly [number, number]> {
    const [user = '', group] = owner.split(':')
    const account = await this.#lookUp('/etc/passwd', user)
    const uid = account?.[2] ?? user
    const gid = group === undefined ? (account?.[3] ?? user) : ((await this.#lookUp('/etc/group', group))?.[2] ?? group)
    if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid)) throw new Error(`There is no user or group "${owner}".`)
    return [Number(uid), Number(gid)]
  }

  async #lookUp(file: string, name: string): Promise<readonly string[] | undefined> {
    const lines = ((await this.read(file)) ?? '').split('\n')
    return lines.map((line) => line.split(':')).find(([first]) => first === name)
  }
}

/** Where something is until it is whole; the same name each time, so that nothing stays when we are killed meanwhile. */
function besideOf(target: string): string {
  return `${target}.half-written`
}

const forgetful: Memory = { get: () => undefined, set: async (_key: string, _value: Json) => undefined }

async function unless<T>(codes: readonly string[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && codes.includes(String(error.code))) return undefined
    throw error
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  const { input, env = {}, timeout = PATIENCE, onLine } = options
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { PATH, LC_ALL: 'C', HOME: '/root', ...env }, cwd: '/', timeout })
    const printed = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        printed[stream] = (printed[stream] + text).slice(0, OUTPUT_MAX)
      })
      if (onLine) createInterface({ input: child[stream] }).on('line', onLine)
    }
    child.stdin.on('error', () => undefined) // it need not read what it is given
    child.stdin.end(input ?? '')
    child.on('error', (error) => resolve({ status: 127, stdout: '', stderr: error.message }))
    child.on('close', (status, signal) => {
      const why = signal === null ? '' : `\nended by ${signal} after at most ${timeout / 1000} s`
      resolve({ status: status ?? 128, stdout: printed.stdout, stderr: printed.stderr + why })
    })
  })
}
