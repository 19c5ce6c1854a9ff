// SPDX-License-Identifier: Apache-2.0
// The database: whether what it keeps is sound, and whether what it says that it has is on disk.
import type { PostgresState } from '../../store/inspect-postgres.ts'
import { Unseen } from '../compliance/missing.ts'
import { bad, na, ok, type Seen, type Space, type Subject } from './subject.ts'

const MIB = 1024 * 1024
/** The oldest that still gets mended by its makers (PostgreSQL 13 ended in November 2025). */
const OLDEST = 14
/** From here on somebody should look why the database does not tidy up; at 1 it stops. */
const OLD = 0.5

/** The file of SQLite, or the server. */
export async function database(subject: Subject): Promise<Seen> {
  if (subject.config.store.kind === 'sqlite') return file(subject)
  try {
    return judged(await subject.postgres())
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return bad(
      'error',
      `It cannot be reached: ${why}`,
      'Look whether PostgreSQL runs, and at `store` in the configuration.',
    )
  }
}

async function file({ integrity }: Subject): Promise<Seen> {
  const wrong = await integrity()
  if (wrong === undefined) return bad('error', 'The file is gone.', 'Restore a backup.')
  if (wrong === '') return ok('The file is sound (quick_check).')
  const fix = 'Stop the server, keep a copy of the file, and restore a backup.'
  return bad('error', `The file is damaged: ${wrong}`, fix)
}

function judged(state: PostgresState): Seen {
  const { version, encoding, damaged, badPages, invalid, unsafe, readOnly, age, size } = state
  if (damaged.length > 0) {
    return bad('error', `It is damaged: ${damaged.join('; ')}.`, 'Keep a copy of its directory, and restore a backup.')
  }
  if (badPages > 0)
    return bad('error', `${badPages} pages had a wrong checksum.`, 'Look at the disk; restore a backup.')
  if (readOnly) return bad('error', 'It follows another one, and takes nothing.', 'Name the first one in `store`.')
  if (encoding !== 'UTF8') {
    return bad(
      'error',
      `Its encoding is ${encoding}.`,
      'Make a database with the encoding UTF8, and move the data.',
      'UTF8',
    )
  }
  if (unsafe.length > 0) {
    const fix = 'Switch it on in postgresql.conf: what was acknowledged is lost else when the power fails.'
    return bad('error', `${unsafe.join(' and ')} is switched off.`, fix)
  }
  if (invalid.length > 0) {
    return bad('warn', `These indexes are not used: ${invalid.join(', ')}.`, 'Make them anew: "reindex index".')
  }
  if (age > OLD) {
    const fix = 'Look why autovacuum does not tidy up: transactions that are left open, mostly.'
    return bad('warn', `${Math.round(age * 100)} % of its transaction numbers are used up.`, fix)
  }
  if (state.versionNumber < OLDEST * 10_000) {
    return bad('warn', `PostgreSQL ${version} gets no security updates any more.`, 'Bring it up to date.', `${OLDEST}`)
  }
  return ok(`PostgreSQL ${version}, ${Math.ceil(size / MIB)} MiB; a sample of each table is readable.`)
}

/** The disk of a database server on this machine; others have to look after their own. */
export async function databaseDisk({ config, postgres, space }: Subject, judge: (space: Space) => Seen): Promise<Seen> {
  if (config.store.kind === 'sqlite') return na('It is in the directory of the server.')
  const { directory } = await postgres().catch(() => {
    throw new Unseen('the database cannot be reached')
  })
  if (directory === undefined) return na('The database does not say where its disk is.')
  const found = await space(directory).catch(() => undefined) // another root, or we may not look
  return found ? judge(found) : na(`${directory} cannot be looked at from here.`)
}
