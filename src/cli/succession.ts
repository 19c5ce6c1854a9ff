// SPDX-License-Identifier: Apache-2.0
// How a server that ends makes room for the next one: the same process goes on with the program as it is on the disk now, which
// may be a newer one. Terminals and supervisors notice nothing; everything but the three standard streams is closed.
import { execFile } from 'node:child_process'
import { accessSync, constants, realpathSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { AdminError } from '../net/admin-socket.ts'
import { Failure } from './failure.ts'

/** How long compiling may take, in ms. */
const COMPILE_TIME = 60_000

/** Throws an error that tells the reason if a running program cannot be replaced here. */
export function assertReplaceable(): void {
  accessSync(runtime(), constants.X_OK) // an upgrade may have taken it away
  accessSync(process.argv[1] ?? '', constants.R_OK)
  if (process.execve) return
  throw new AdminError(
    'unsupported',
    `Node.js ${process.version} on ${process.platform} cannot replace a running program; the server goes on as it was.`,
  )
}

/** Compiles the program that `replace` will start, if it is another one than this, so that nobody waits for that. Never rejects. */
export async function prepareNext(): Promise<void> {
  const { execArgv, argv } = process
  const next = realpathSync(argv[1] ?? '')
  if (next === join(import.meta.dirname, '../../bin/aenigma')) return
  await promisify(execFile)(runtime(), [...execArgv, next, 'compile'], { timeout: COMPILE_TIME }).catch(() => undefined)
}

/** Starts this program anew in this process, with the same arguments and environment. Throws, and nothing has changed, if that fails. */
export function replace(): never {
  assertReplaceable()
  const { execArgv, argv } = process
  const program = runtime()
  process.execve?.(program, [program, ...execArgv, ...argv.slice(1)])
  throw new Failure('failed', 'The program could not be replaced.')
}

/** As it was called, and not what a link led to at that time: an upgrade points it to another version. */
function runtime(): string {
  return isAbsolute(process.argv0) ? process.argv0 : process.execPath
}

/** How the server comes to its end. */
export class End {
  readonly #come = Promise.withResolvers<void>()
  #how: 'stop' | 'restart' | undefined

  /** Resolves when the server is to end. */
  get come(): Promise<void> {
    return this.#come.promise
  }

  /** Whether another one is to follow. */
  get restarts(): boolean {
    return this.#how === 'restart'
  }

  /** Also while it restarts: then nothing follows. */
  stop(): void {
    this.#how = 'stop'
    this.#come.resolve()
  }

  /** @throws AdminError if it is stopping already */
  restart(): void {
    if (this.#how !== undefined) throw new AdminError('stopping', 'The server ends already.')
    this.#how = 'restart'
    this.#come.resolve()
  }
}
