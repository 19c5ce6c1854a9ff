// SPDX-License-Identifier: Apache-2.0
// How a command gets its work done: by the server that runs, over its admin socket; or, for accounts, directly on the store
// when none runs. Two writers never meet, since whoever works on the store holds the socket while it does.
import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { adminSocketOf, type Config } from '../config/config.ts'
import {
  AdminError,
  type AdminHandler,
  type AdminServer,
  askAdmin,
  type Progress,
  serveAdmin,
} from '../net/admin-socket.ts'
import { Failure } from './failure.ts'
import { type CommonOptions, configOf } from './where.ts'

/** Somebody who does what is asked. */
export interface Connection {
  ask(command: string, args?: unknown, onProgress?: (progress: Progress) => void): Promise<unknown>
}

/** Works with the server that runs. Rejects with an AdminError `not-running` if none does. */
export async function withServer<T>(options: CommonOptions, work: (server: Connection) => Promise<T>): Promise<T> {
  return work(serverAt(adminSocketOf((await configOf(options)).data)))
}

/**
 * Works with the server that runs, or with the store if none does.
 * @param mayBeEmpty whether a data directory that does not exist is made
 */
export async function withAccounts<T>(
  options: CommonOptions & { readonly mayBeEmpty?: boolean },
  work: (accounts: Connection) => Promise<T>,
): Promise<T> {
  const config = await configOf(options)
  if (!options.mayBeEmpty && !existsSync(config.data)) {
    throw new Failure(
      'no-data',
      `There is no data in ${config.data}.`,
      'Say where it is with --config FILE or --data DIR.',
    )
  }
  const path = adminSocketOf(config.data)
  if (await isServed(path)) return work(serverAt(path))
  return onStore(config, path, work)
}

function serverAt(path: string): Connection {
  return { ask: (command, args, onProgress) => askAdmin(path, command, args ?? {}, onProgress ? { onProgress } : {}) }
}

async function isServed(path: string): Promise<boolean> {
  try {
    await askAdmin(path, 'status', {})
    return true
  } catch (error) {
    if (error instanceof AdminError && error.code === 'not-running') return false
    throw error
  }
}

async function onStore<T>(config: Config, path: string, work: (accounts: Connection) => Promise<T>): Promise<T> {
  await mkdir(config.data, { recursive: true, mode: 0o700 })
  await becomeOwner(config.data)
  const held = await serveAdmin(path, busy)
  try {
    const { hashesOf, openStore, publicUrlOf } = await import('../main.ts')
    const { accountCommands, answerFrom } = await import('../ops/admin.ts')
    const { createAccounts } = await import('../accounts/accounts.ts')
    const { systemClock: clock } = await import('../clock.ts')
    const { Jid } = await import('../xmpp/jid.ts')
    const store = await openStore(config)
    try {
      const hosts = new Set(config.hosts.map((host) => Jid.of(undefined, host).domain))
      const iterations = config.accounts.scramIterations
      const accounts = createAccounts({ store, hosts, iterations, mechanisms: hashesOf(config), clock })
      const answer = answerFrom(accountCommands(accounts, [...hosts], publicUrlOf(config)))
      return await work({ ask: (command, args, onProgress) => answer(command, args ?? {}, onProgress ?? ignore) })
    } finally {
      await store.close()
    }
  } finally {
    await held.stop()
  }
}

/** What root does on the data of a service must not leave files that the service cannot use. */
async function becomeOwner(directory: string): Promise<void> {
  const { uid, gid } = await stat(directory)
  if (process.getuid?.() !== 0 || uid === 0) return
  process.setgroups?.([])
  process.setgid?.(gid)
  process.setuid?.(uid)
}

/** Takes the admin socket; while only a command works on the accounts, it waits until that is done. */
export async function hold(path: string, handler: AdminHandler): Promise<AdminServer> {
  for (;;) {
    try {
      return await serveAdmin(path, handler)
    } catch (error) {
      if (!(error instanceof AdminError && error.code === 'in-use' && (await passes(path)))) throw error
    }
    await wait(50)
  }
}

/** Whether the one who holds the socket does so for a moment only. */
async function passes(path: string): Promise<boolean> {
  try {
    await askAdmin(path, 'status', {})
    return false
  } catch (error) {
    return error instanceof AdminError && (error.code === 'busy' || error.code === 'not-running')
  }
}

const busy: AdminHandler = async () => {
  throw new AdminError(
    'busy',
    'Another aenigma command works on the accounts at this moment; try again when it is done.',
  )
}

function ignore(): void {
  // nobody watches
}
