// SPDX-License-Identifier: Apache-2.0
// A thread that executes batches on a SQLite file. The writer commits a batch as one transaction; if that fails it halves
// it until only the guilty deeds fail. The reader has a connection that cannot write.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { type Batch, type BatchAnswer, BatchReader, type Table } from './batch.ts'
import type { Value } from './db.ts'
import { codeOf, openForReading, openForWriting } from './sqlite-file.ts'

/** What the thread is started with. */
export interface WorkerData {
  readonly file: string
  readonly mode: 'write' | 'read'
}

/** The first thing the thread says. */
export type Opened =
  | { readonly ready: true }
  | { readonly ready: false; readonly message: string; readonly code: string }

/** A statement and what its columns are called, once it gave rows. */
interface Prepared {
  readonly statement: StatementSync
  columns: readonly string[] | undefined
}

type Failure = BatchAnswer['failures'][number]
type Mark = BatchReader['mark']

/** What was registered, each prepared when it is needed first. */
class Statements {
  readonly #db: DatabaseSync
  readonly #texts: string[] = []
  readonly #prepared: Prepared[] = []

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  register(texts: readonly string[]): void {
    this.#texts.push(...texts)
  }

  get(id: number): Prepared {
    const known = this.#prepared[id]
    if (known) return known
    const text = this.#texts[id]
    if (text === undefined) throw new Error(`statement ${id} is not registered`)
    const statement = this.#db.prepare(text)
    statement.setReturnArrays(true)
    const prepared = { statement, columns: undefined }
    this.#prepared[id] = prepared
    return prepared
  }
}

/** Executes the deeds of one batch. */
class Execution {
  readonly #db: DatabaseSync
  readonly #statements: Statements
  readonly #reader: BatchReader
  readonly #deeds: number
  readonly failures: Failure[] = []
  readonly tables = new Map<number, readonly Table[]>()

  constructor(db: DatabaseSync, statements: Statements, batch: Batch) {
    this.#db = db
    this.#statements = statements
    this.#reader = new BatchReader(batch)
    this.#deeds = batch.deeds
  }

  /** All in one transaction if possible. */
  write(): void {
    this.#transaction(0, this.#deeds)
  }

  /** Each by itself: a query that fails fails alone. */
  read(): void {
    for (let place = 0; place < this.#deeds; place++) {
      const start = this.#reader.mark
      try {
        this.#deed(place)
      } catch (error) {
        this.#fail(place, error)
        this.#skip(start)
      }
    }
  }

  #transaction(first: number, end: number): void {
    const start = this.#reader.mark
    try {
      this.#db.exec('begin immediate')
      for (let place = first; place < end; place++) this.#deed(place)
      this.#db.exec('commit')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('rollback')
      this.#reader.back(start)
      if (end - first === 1) {
        this.#fail(first, error)
        this.#skip(start)
        return
      }
      const middle = (first + end) >> 1
      this.#transaction(first, middle)
      this.#transaction(middle, end)
    }
  }

  #deed(place: number): void {
    const [count, wantsRows] = this.#reader.pair()
    if (wantsRows === 0) {
      for (let i = 0; i < count; i++) this.#run()
      return
    }
    const tables: Table[] = []
    for (let i = 0; i < count; i++) tables.push(this.#all())
    this.tables.set(place, tables)
  }

  #run(): void {
    const [{ statement }, values] = this.#next()
    statement.run(...values)
  }

  #all(): Table {
    const [prepared, values] = this.#next()
    const rows = prepared.statement.all(...values) as unknown as Value[][]
    prepared.columns ??= prepared.statement.columns().map(({ name }) => name)
    return { columns: prepared.columns, values: rows.flat() }
  }

  #next(): readonly [Prepared, Value[]] {
    const [id, count] = this.#reader.pair()
    const prepared = this.#statements.get(id)
    const values: Value[] = []
    for (let i = 0; i < count; i++) values.push(this.#reader.value())
    return [prepared, values]
  }

  #fail(place: number, error: unknown): void {
    this.tables.delete(place)
    this.failures.push([place, error instanceof Error ? error.message : String(error), codeOf(error)])
  }

  #skip(start: Mark): void {
    this.#reader.back(start)
    const [count] = this.#reader.pair()
    for (let i = 0; i < count; i++) {
      const [, values] = this.#reader.pair()
      for (let j = 0; j < values; j++) this.#reader.value()
    }
  }
}

function serve(): void {
  const { file, mode } = workerData as WorkerData
  const port = parentPort
  if (!port) throw new Error('this file is a worker')
  const writable = mode === 'write' ? openForWriting(file) : undefined
  const db = writable?.db ?? openForReading(file)
  const statements = new Statements(db)
  port.on('message', (batch: Batch | 'close') => {
    if (batch === 'close') {
      if (writable) writable.close()
      else db.close()
      port.close()
      return
    }
    statements.register(batch.texts)
    const execution = new Execution(db, statements, batch)
    if (writable) execution.write()
    else execution.read()
    port.postMessage({ failures: execution.failures, tables: [...execution.tables] } satisfies BatchAnswer)
  })
  port.postMessage({ ready: true } satisfies Opened)
}

try {
  serve()
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  parentPort?.postMessage({ ready: false, message, code: codeOf(error) } satisfies Opened)
  parentPort?.close()
}
