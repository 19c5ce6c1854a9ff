// SPDX-License-Identifier: Apache-2.0
// What a migration is: steps of SQL from one version of the schema to the next, written once for both engines.

/** The words in which the engines' table definitions differ. */
export interface Words {
  readonly integer: string
  readonly text: string
  readonly blob: string
  /** An integer primary key whose values are never used twice. */
  readonly serial: string
  /** The end of a table definition: strictly typed. */
  readonly strict: string
  /** The end of a table definition: strictly typed and kept in the order of its primary key. */
  readonly clustered: string
}

/** One numbered step of the schema. A published one never changes. */
export interface Migration {
  /** Counts from 1 without gaps. */
  readonly version: number
  /** The statements, in order. */
  statements(words: Words): readonly string[]
}

/** SQLite's words. */
export const SQLITE: Words = {
  integer: 'integer',
  text: 'text',
  blob: 'blob',
  serial: 'integer primary key autoincrement',
  strict: 'strict',
  clustered: 'strict, without rowid',
}

/** PostgreSQL's words. Texts compare by their bytes, as in SQLite. */
export const POSTGRES: Words = {
  integer: 'bigint',
  text: 'text collate "C"',
  blob: 'bytea',
  serial: 'bigint primary key generated always as identity',
  strict: '',
  clustered: '',
}
