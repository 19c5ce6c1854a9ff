// SPDX-License-Identifier: Apache-2.0
// The one interface behind which SQLite and PostgreSQL stand. A deed that writes is a list of statements that are executed
// together or not at all; conditions belong into the SQL, so nothing is loaded, changed and saved.

/** What goes into a statement and comes out of a row; integers are safe ones, truth is 0 or 1. */
export type Value = string | number | null | Uint8Array

/** One row of an answer. */
export type Row = Readonly<Record<string, Value>>

/** A statement with its values. The texts of one call site are always the same object: the key of what was prepared. */
export interface Statement {
  readonly text: TemplateStringsArray
  readonly values: readonly Value[]
}

/** The rows of each statement of a deed. */
export type Answer = readonly (readonly Row[])[]

/** Statements that take effect together, and who is told. */
export interface Deed {
  readonly statements: readonly Statement[]
  /** Called after the commit; rows are only fetched if `wantsRows`. */
  readonly done: ((rows: Answer) => void) | undefined
  readonly failed: ((error: Error) => void) | undefined
  readonly wantsRows: boolean
}

/** A database with group commit: what was written and not yet committed goes to the disk together. */
export interface Database {
  /** Makes a statement: `` db.sql`select … where owner = ${owner}` ``. */
  readonly sql: (text: TemplateStringsArray, ...values: Value[]) => Statement
  /** Executes the statements atomically. @returns the rows of each, once they are on disk */
  write(statements: readonly Statement[]): Promise<Answer>
  /** The same without a promise, for what is written ten thousand times a second. */
  post(deed: Deed): void
  /** The same for a deed that is made when the commit is put together, and comes at its end. */
  postLast(make: () => Deed): void
  /** The rows of a query, which sees everything written before this call. The caller says what they look like. */
  read<R>(statement: Statement): Promise<readonly R[]>
  /** As `Store.durable`. */
  durable(): Promise<void>
  /** How many deeds have failed. */
  readonly failures: number
  /** How many deeds wait for their commit. */
  readonly uncommitted: number
  /** As `Store.crowded`. */
  readonly crowded: boolean
  /** Finishes what waits and closes. */
  close(): Promise<void>
}

/** Makes a statement. */
export function sql(text: TemplateStringsArray, ...values: Value[]): Statement {
  return { text, values }
}

/**
 * The rows of a query, from who writes: for what is asked at every start, when nobody who only reads need be there yet (a thread
 * of 8 MiB). The caller says what they look like.
 */
export async function readFromWriter<R>(db: Database, statement: Statement): Promise<readonly R[]> {
  const [rows = []] = await db.write([statement])
  return [...rows] as readonly unknown[] as readonly R[] // a plain list, whatever the driver gave
}

/** The store cannot open, or could not keep something. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  /** The database's own code, such as `SQLITE_FULL` or an SQLSTATE; '' if there is none. */
  readonly code: string

  constructor(message: string, code = '') {
    super(message)
    this.code = code
  }
}
