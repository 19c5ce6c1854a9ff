// SPDX-License-Identifier: Apache-2.0
// Opens a SQLite file for writing, as its only writer, with its schema brought up to date. Runs in the writer's thread.
import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from './db.ts'
import { migrations } from './migrations/all.ts'
import { SQLITE } from './migrations/migration.ts'

/** Says in a file's header that it is ours: "AENI". */
const APPLICATION_ID = 0x41454e49

/** A file that is open for writing. */
export interface WritableFile {
  readonly db: DatabaseSync
  close(): void
}

/** Opens or makes the file. @throws StoreError saying what is wrong and what to do */
export function openForWriting(file: string): WritableFile {
  let lock: DatabaseSync | undefined
  let db: DatabaseSync | undefined
  try {
    lock = takeLock(file)
    makePrivate(file)
    db = new DatabaseSync(file, { timeout: 5000 })
    db.exec(
      'pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = off; pragma cache_size = -8192;' +
        'pragma journal_size_limit = 67108864',
    )
    migrate(db, file)
    return { db, close: () => closeBoth(db, lock) }
  } catch (error) {
    closeBoth(db, lock)
    throw explain(error, file)
  }
}

/** Opens the file for reading only, while another thread writes. */
export function openForReading(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  db.exec('pragma query_only = on; pragma cache_size = -2048')
  return db
}

/** Two servers on one file would give out the same ids: the lock is held as long as the process lives, even if it is killed. */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}.lock`)
  try {
    lock.exec('begin exclusive')
    return lock
  } catch (error) {
    lock.close()
    if (codeOf(error) !== 'SQLITE_BUSY') throw error
    throw new StoreError(`${file} is in use by another process: stop it first.`, 'SQLITE_BUSY')
  }
}

function makePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
}

function closeBoth(db: DatabaseSync | undefined, lock: DatabaseSync | undefined): void {
  if (db?.isOpen) db.close()
  if (lock?.isOpen) lock.close()
}

function migrate(db: DatabaseSync, file: string): void {
  const version = numberOf(db, 'pragma user_version')
  const tables = numberOf(db, 'select count(*) from sqlite_schema')
  if (tables > 0 && numberOf(db, 'pragma application_id') !== APPLICATION_ID) {
    throw new StoreError(`${file} is a database of another program.`)
  }
  if (version > migrations.length) {
    throw new StoreError(
      `${file} was written by a newer version of aenigma (schema ${version}, this one knows ${migrations.length}): ` +
        'install that version, or restore a backup.',
    )
  }
  if (version === migrations.length) return
  if (tables > 0) copyBeforeMigration(db, file, version)
  db.exec('begin immediate')
  for (const migration of migrations.slice(version)) {
    for (const statement of migration.statements(SQLITE)) db.exec(statement)
  }
  db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${migrations.length}; commit`)
}

/** What an upgrade can be undone with. */
function copyBeforeMigration(db: DatabaseSync, file: string, version: number): void {
  const copy = `${file}.schema-${version}`
  const unfinished = `${copy}.part`
  rmSync(unfinished, { force: true })
  makePrivate(unfinished)
  db.prepare('vacuum into ?').run(unfinished)
  chmodSync(unfinished, 0o600)
  const handle = openSync(unfinished, 'r+')
  fsyncSync(handle)
  closeSync(handle)
  renameSync(unfinished, copy)
}

function numberOf(db: DatabaseSync, query: string): number {
  return Number(Object.values(db.prepare(query).get() ?? {})[0] ?? 0)
}

/** The name of SQLite's result code, or Node's; '' for any other error. */
export function codeOf(error: unknown): string {
  const { errcode, code } = error as { readonly errcode?: unknown; readonly code?: unknown }
  if (typeof errcode === 'number') return RESULT_CODES[errcode & 0xff] ?? `SQLITE_${errcode}`
  return typeof code === 'string' ? code : ''
}

const RESULT_CODES: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  19: 'SQLITE_CONSTRAINT',
  26: 'SQLITE_NOTADB',
}

const REASONS: Readonly<Record<string, string>> = {
  SQLITE_BUSY: 'is in use by another process: stop it first',
  SQLITE_READONLY: 'may not be written: give it, and its folder, to the user the server runs as',
  EACCES: 'may not be written: give it, and its folder, to the user the server runs as',
  EROFS: 'is on a disk that is mounted read-only',
  EISDIR: 'is a folder',
  SQLITE_CANTOPEN: 'cannot be opened: does its folder exist, and may the server write there?',
  SQLITE_FULL: 'cannot grow: the disk is full',
  ENOSPC: 'cannot grow: the disk is full',
  SQLITE_IOERR: 'cannot be read or written: the disk reports an error',
  SQLITE_CORRUPT: 'is damaged: restore a backup',
  SQLITE_NOTADB: 'is not a SQLite database',
}

function explain(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  return new StoreError(`${file} ${REASONS[code] ?? 'cannot be opened'} (${message}).`, code)
}
