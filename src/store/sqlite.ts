// SPDX-License-Identifier: Apache-2.0
// The store in a SQLite file: one thread writes, another one reads, and the event loop waits for neither.
import type { Clock } from '../clock.ts'
import { assembleStore } from './assemble.ts'
import type { BatchWriter } from './batch.ts'
import { type Answer, type Database, type Deed, type Statement, StoreError, sql } from './db.ts'
import { SqliteThread } from './sqlite-thread.ts'
import type { Store, StoreObserver } from './store.ts'
import { WriteQueue } from './write-queue.ts'

/** Commits at once that a start needs, with some to spare. */
const EAGER = 32

/** How to open a SQLite store. */
export interface SqliteOptions {
  /** The path of the file, which is made if it is not there; its folder must exist. */
  readonly file: string
  readonly observer?: StoreObserver
  /** Where the ids of messages take the time from. */
  readonly clock: Clock
  /**
   * At least so many real ms between two commits, 10 unless told; five times as many while nobody waits for the disk. The first
   * after a quiet time goes at once.
   */
  readonly commitInterval?: number
}

/** Opens the store, bringing its schema up to date. @throws StoreError that says why it cannot be opened */
export async function openSqlite(options: SqliteOptions): Promise<Store> {
  const died = (error: Error) => options.observer?.failed(error)
  const db = new SqliteDatabase(await SqliteThread.start({ file: options.file, mode: 'write' }, died), options)
  try {
    return await assembleStore(db, options.clock)
  } catch (error) {
    await db.close()
    throw error
  }
}

interface Read {
  readonly statement: Statement
  readonly resolve: (rows: Answer) => void
  readonly reject: (error: Error) => void
}

class SqliteDatabase implements Database {
  readonly sql = sql
  readonly #writer: SqliteThread
  readonly #queue: WriteQueue<BatchWriter>
  readonly #options: SqliteOptions
  #reader: Promise<SqliteThread> | undefined
  #reads: Read[] = []
  #closed = false

  constructor(writer: SqliteThread, options: SqliteOptions) {
    this.#writer = writer
    this.#options = options
    const { observer, commitInterval = 10 } = options
    this.#queue = new WriteQueue(
      { parcel: () => writer.newBatch(), run: (batch) => writer.run(batch) },
      { interval: commitInterval, eager: EAGER, observer },
    )
  }

  get failures(): number {
    return this.#queue.failures
  }

  get uncommitted(): number {
    return this.#queue.size
  }

  get crowded(): boolean {
    return this.#queue.crowded
  }

  post(deed: Deed): void {
    this.#queue.post(deed)
  }

  postLast(make: () => Deed): void {
    this.#queue.postLast(make)
  }

  write(statements: readonly Statement[]): Promise<Answer> {
    return new Promise((done, failed) => this.post({ statements, done, failed, wantsRows: true }))
  }

  async read<R>(statement: Statement): Promise<readonly R[]> {
    if (this.#closed) throw new StoreError('the store is closed')
    await this.#queue.settled()
    const answer = await new Promise<Answer>((resolve, reject) => {
      if (this.#reads.push({ statement, resolve, reject }) === 1) {
        setImmediate(() => this.#sendReads())
      }
    })
    return (answer[0] ?? []) as readonly R[]
  }

  durable(): Promise<void> {
    return this.#queue.durable()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#queue.hurry()
    try {
      await this.#queue.durable()
    } finally {
      await this.#queue.drained()
      const reader = await this.#reader?.catch(() => undefined)
      await reader?.close()
      await this.#writer.close()
    }
  }

  /** All queries of one turn of the event loop go to the reader together; it is started for the first of them. */
  async #sendReads(): Promise<void> {
    const reads = this.#reads
    this.#reads = []
    try {
      this.#reader ??= this.#startReader()
      const reader = await this.#reader
      const batch = reader.newBatch()
      for (const { statement } of reads) batch.add({ statements: [statement], wantsRows: true })
      const { failures, rows } = await reader.run(batch)
      for (const [place, read] of reads.entries()) {
        const error = failures.get(place)
        if (error) read.reject(error)
        else read.resolve(rows.get(place) ?? [])
      }
    } catch (error) {
      this.#reader = undefined
      for (const read of reads) read.reject(error instanceof Error ? error : new StoreError(String(error)))
    }
  }

  /** A reader that died is replaced at the next query: it had nothing that could be lost. */
  #startReader(): Promise<SqliteThread> {
    return SqliteThread.start({ file: this.#options.file, mode: 'read' }, (error) => {
      this.#reader = undefined
      this.#options.observer?.failed(error)
    })
  }
}
