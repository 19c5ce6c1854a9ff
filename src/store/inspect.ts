// SPDX-License-Identifier: Apache-2.0
// Whether a SQLite file is sound, looked at beside whoever writes to it, in a thread of its own: it reads the whole file.
import { existsSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** How many mistakes are told of. */
const SHOWN = 5

/** What a thread is told. */
interface Order {
  readonly inspect: string
}

/** Looks at the file. @returns '' if it is sound, else what is wrong; undefined if there is none */
export async function inspectSqlite(file: string, signal: AbortSignal): Promise<string | undefined> {
  if (!existsSync(file)) return undefined
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const worker = new Worker(new URL(import.meta.url), { workerData: { inspect: file } satisfies Order })
  const stop = (): void => reject(new Error('it took too long'))
  signal.addEventListener('abort', stop)
  worker.once('message', resolve).once('error', reject)
  try {
    return await promise
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    signal.removeEventListener('abort', stop)
    await worker.terminate()
  }
}

async function work({ inspect }: Order): Promise<void> {
  const { openForReading } = await import('./sqlite-file.ts')
  const db = openForReading(inspect)
  const rows = db
    .prepare(`pragma quick_check(${SHOWN})`)
    .all()
    .map((row) => String(Object.values(row)[0]))
  db.close()
  parentPort?.postMessage(rows.join('; ') === 'ok' ? '' : rows.join('; '))
}

const order: unknown = isMainThread ? undefined : workerData
if (typeof order === 'object' && order && 'inspect' in order) await work(order as Order)
