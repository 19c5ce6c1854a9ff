// SPDX-License-Identifier: Apache-2.0
// Sessions that can be resumed by their clients, also after a restart. A row says where a session stands; what was sent since
// the commit before is one row more, so that a commit costs one or two rows per session that did something, not per stanza.
import { Jid } from '../xmpp/jid.ts'
import type { Database, Statement } from './db.ts'
import type { SentChunk, SessionChange, SessionStore, StoredSession } from './store.ts'

interface SessionRow {
  readonly id: string
  readonly owner: string
  readonly handled: number
  readonly acknowledged: number
  readonly state: string
}

interface ChunkRow {
  readonly session: string
  readonly sent_before: number
  readonly sent_up_to: number
  readonly body: string
}

/** The sessions in this database. */
export function sessionStore(db: Database): SessionStore {
  return {
    write(changes, failed) {
      db.postLast(() => {
        const { changed, ended } = changes()
        const statements = [...changed.flatMap((one) => change(db, one)), ...ended.flatMap((key) => remove(db, key))]
        return { statements, done: undefined, failed, wantsRows: false }
      })
    },
    // Asked at every start: the thread that writes answers it, the one that reads need not be there yet (8 MiB).
    async all() {
      await db.durable().catch(() => undefined) // what is still being written counts; whoever could not write was told
      const [rows = [], chunks = []] = (await db.write([
        db.sql`select id, owner, handled, acknowledged, state from session order by id`,
        db.sql`select session, sent_before, sent_up_to, body from session_chunk order by session, sent_before`,
      ])) as readonly unknown[] as readonly [readonly SessionRow[], readonly ChunkRow[]]
      const bySession = Map.groupBy(chunks, (chunk) => chunk.session)
      return rows.map((row) => storedSession(row, bySession.get(row.id) ?? []))
    },
  }
}

function storedSession(row: SessionRow, chunks: readonly ChunkRow[]): StoredSession {
  const { id, owner, handled, acknowledged, state } = row
  const sent = chunks.map(({ sent_before, sent_up_to, body }) => ({ from: sent_before, upTo: sent_up_to, text: body }))
  return { key: id, owner: Jid.parse(owner), handled, acknowledged, state, chunks: sent }
}

function change(db: Database, session: SessionChange): readonly Statement[] {
  const { sql } = db
  const { key, acknowledged, anew, drops, sent } = session
  const statements = [head(db, session)]
  if (anew) statements.push(sql`delete from session_chunk where session = ${key}`)
  else if (drops) {
    statements.push(sql`delete from session_chunk where session = ${key} and sent_up_to <= ${acknowledged}`)
  }
  if (sent) statements.push(chunk(db, key, sent))
  return statements
}

/** An account that was removed meanwhile gets no session. */
function head({ sql }: Database, { key, owner, anew, handled, acknowledged, state }: SessionChange): Statement {
  if (anew) {
    return sql`insert into session (id, owner, handled, acknowledged, state)
      select ${key}, jid, cast(${handled} as bigint), cast(${acknowledged} as bigint), ${state ?? ''}
        from account where jid = ${owner.key}
      on conflict (id) do update set handled = excluded.handled, acknowledged = excluded.acknowledged,
        state = excluded.state`
  }
  return state === undefined
    ? sql`update session set handled = ${handled}, acknowledged = ${acknowledged} where id = ${key}`
    : sql`update session set handled = ${handled}, acknowledged = ${acknowledged}, state = ${state} where id = ${key}`
}

function chunk({ sql }: Database, key: string, { from, upTo, text }: SentChunk): Statement {
  return sql`insert into session_chunk (session, sent_before, sent_up_to, body)
    select id, cast(${from} as bigint), cast(${upTo} as bigint), ${text} from session where id = ${key}`
}

function remove({ sql }: Database, key: string): readonly Statement[] {
  return [sql`delete from session_chunk where session = ${key}`, sql`delete from session where id = ${key}`]
}
