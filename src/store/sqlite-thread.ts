// SPDX-License-Identifier: Apache-2.0
// The main thread's end of a SQLite worker: batches go in, answers come back in the same order; if the thread dies,
// whoever waits is told, and whoever comes later too.
import module from 'node:module'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type Batch, type BatchAnswer, BatchWriter, KnownStatements, rowsOf } from './batch.ts'
import { type Answer, StoreError } from './db.ts'
import type { Opened, WorkerData } from './sqlite-worker.ts'
import type { Outcome } from './write-queue.ts'

/** Small heaps: what the workers keep is SQLite's, outside of them. The old generation only bounds the largest batch. */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 512, stackSizeMb: 1 }

/** A running SQLite worker. */
export class SqliteThread {
  readonly #worker: Worker
  readonly #known = new KnownStatements()
  readonly #waiting: ((answer: BatchAnswer | Error) => void)[] = []
  #broken: Error | undefined
  #closing = false

  private constructor(data: WorkerData, opened: (first: Opened) => void, died: (error: Error) => void) {
    const name = data.mode === 'write' ? 'database writer' : 'database reader'
    const cache = module.getCompileCacheDir()
    this.#worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
      name,
      workerData: data,
      resourceLimits: LIMITS,
      execArgv: [],
      // Without the compile cache each worker would load the whole TypeScript parser: 20 MiB.
      ...(cache === undefined ? {} : { env: { NODE_COMPILE_CACHE: dirname(cache) } }),
    })
    const ended = (reason: string) => {
      opened({ ready: false, message: `the ${name} could not start: ${reason}`, code: '' })
      this.#break(new StoreError(`the ${name} failed: ${reason}`), died)
    }
    this.#worker.once('message', (first: Opened) => {
      this.#worker.on('message', (answer: BatchAnswer) => this.#waiting.shift()?.(answer))
      this.#closing = !first.ready
      opened(first)
    })
    this.#worker.on('error', (error) => ended(error instanceof Error ? error.message : String(error)))
    this.#worker.on('exit', (code) => ended(`its thread ended (${code})`))
  }

  /** Starts a worker and waits until the file is open. @param died called if it ends by itself later */
  static async start(data: WorkerData, died: (error: Error) => void): Promise<SqliteThread> {
    const { promise, resolve } = Promise.withResolvers<Opened>()
    const thread = new SqliteThread(data, resolve, died)
    const opened = await promise
    if (!opened.ready) throw new StoreError(opened.message, opened.code)
    return thread
  }

  /** For the next deeds. */
  newBatch(): BatchWriter {
    return new BatchWriter(this.#known)
  }

  /** Has the deeds executed, together. Never rejects: if the thread is dead, each deed failed. */
  async run(batch: BatchWriter): Promise<Outcome> {
    const answer = this.#broken ?? (await this.#send(batch.finish()))
    if (answer instanceof Error) {
      return { failures: new Map(Array.from({ length: batch.deeds }, (_, place) => [place, answer])), rows: NO_ROWS }
    }
    const failures = answer.failures.map(([place, message, code]) => [place, new StoreError(message, code)] as const)
    const rows = answer.tables.map(([place, tables]) => [place, tables.map(rowsOf)] as const)
    return { failures: new Map(failures), rows: new Map(rows) }
  }

  /** Closes the file and ends the thread, after everything that was handed over. */
  async close(): Promise<void> {
    this.#closing = true
    if (this.#broken) return
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.postMessage('close')
    await ended
  }

  #send(batch: Batch): Promise<BatchAnswer | Error> {
    this.#worker.postMessage(batch)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #break(error: Error, died: (error: Error) => void): void {
    if (this.#broken) return
    this.#broken = this.#closing ? new StoreError('the store is closed') : error
    for (const answer of this.#waiting.splice(0)) answer(this.#broken)
    if (!this.#closing) died(error)
  }
}

const NO_ROWS: ReadonlyMap<number, Answer> = new Map()
