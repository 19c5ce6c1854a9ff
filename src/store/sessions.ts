// SPDX-License-Identifier: Apache-2.0
// Sessions that can be resumed by their clients, also after a restart. What changes of all of them goes into one row of a log
// per commit; each has a row of its own that is written anew from time to time, so that the log can be cut off behind.
import { Jid } from '../xmpp/jid.ts'
import type { Database, Statement } from './db.ts'
import type { SentChunk, SessionChange, SessionStore, StoredSession } from './store.ts'

interface BaseRow {
  readonly id: string
  readonly owner: string
  readonly logged: number
  readonly handled: number
  readonly acknowledged: number
  readonly state: string
  readonly sent_before: number
  readonly body: string | null
}

interface LogRow {
  readonly number: number
  readonly body: string
}

/** What the log says of one session. */
type Entry = readonly [
  key: string,
  handled: number,
  acknowledged: number,
  state: string | null,
  sentBefore: number,
  body: string | null,
]

/** An entry of the log. */
interface LogBody {
  readonly shared: readonly string[]
  readonly sessions: readonly Entry[]
}

/** The sessions in this database. */
export function sessionStore(db: Database): SessionStore {
  /** The number of the newest entry of the log; undefined until it is known. */
  let newest: number | undefined
  let cut = 0
  return {
    write(changes, failed) {
      if (newest === undefined) throw new Error('sessions must be read before they are written')
      db.postLast(() => {
        const number = (newest ?? 0) + 1
        newest = number
        const { changed, ended, floor, shared = [] } = changes(number)
        const statements = changed.filter(({ anew }) => anew).map((one) => base(db, one, number))
        statements.push(...ended.map((key) => db.sql`delete from session_base where id = ${key}`))
        statements.push(log(db, changed, shared, number))
        if (floor > cut) statements.push(db.sql`delete from session_log where number < ${floor}`)
        cut = floor
        return { statements, done: undefined, failed, wantsRows: false }
      })
    },
    // Asked at every start: the thread that writes answers it, the one that reads need not be there yet (8 MiB).
    async all() {
      await db.durable().catch(() => undefined) // what is still being written counts; whoever could not write was told
      const [rows = [], entries = []] = (await db.write([
        db.sql`select id, owner, logged, handled, acknowledged, state, sent_before, body from session_base order by id`,
        db.sql`select number, body from session_log order by number`,
      ])) as readonly unknown[] as readonly [readonly BaseRow[], readonly LogRow[]]
      newest = rows.reduce(
        (most, { logged }) => Math.max(most, logged),
        Math.max(newest ?? 0, entries.at(-1)?.number ?? 0),
      )
      return storedSessions(rows, entries)
    },
  }
}

function storedSessions(rows: readonly BaseRow[], entries: readonly LogRow[]): readonly StoredSession[] {
  const sessions = new Map(rows.map((row) => [row.id, replayOf(row)]))
  for (const { number, body } of entries) {
    const { shared, sessions: changed } = logged(JSON.parse(body))
    for (const [key, handled, acknowledged, state, from, text] of changed) {
      const session = sessions.get(key)
      if (!session || number <= session.logged) continue
      session.handled = handled
      session.acknowledged = acknowledged
      session.state = state ?? session.state
      if (text !== null) session.chunks.push({ from, text, shared })
    }
  }
  return [...sessions.values()].map(({ logged: _, ...session }) => session)
}

/** Earlier versions wrote no more than the sessions. */
function logged(body: LogBody | LogBody['sessions']): LogBody {
  return 'sessions' in body ? body : { shared: [], sessions: body }
}

function replayOf({ id, owner, logged, handled, acknowledged, state, sent_before: from, body }: BaseRow) {
  const chunks: SentChunk[] = body === null ? [] : [{ from, text: body }]
  return { key: id, owner: Jid.parse(owner), logged, handled, acknowledged, state, chunks }
}

/** An account that was removed meanwhile gets no session. */
function base({ sql }: Database, { key, owner, handled, acknowledged, state, sent }: SessionChange, number: number) {
  return sql`insert into session_base (id, owner, logged, handled, acknowledged, state, sent_before, body)
    select ${key}, jid, cast(${number} as bigint), cast(${handled} as bigint), cast(${acknowledged} as bigint),
      ${state ?? ''}, cast(${sent?.from ?? 0} as bigint), ${sent?.text ?? null} from account where jid = ${owner.key}
    on conflict (id) do update set logged = excluded.logged, handled = excluded.handled,
      acknowledged = excluded.acknowledged, state = excluded.state, sent_before = excluded.sent_before,
      body = excluded.body`
}

/** Written even if it is empty: the newest entry keeps the numbers growing. */
function log(
  { sql }: Database,
  changed: readonly SessionChange[],
  shared: readonly string[],
  number: number,
): Statement {
  const sessions = changed
    .filter(({ anew }) => !anew)
    .map(
      ({ key, handled, acknowledged, state = null, sent }): Entry => [
        key,
        handled,
        acknowledged,
        state,
        sent?.from ?? 0,
        sent?.text ?? null,
      ],
    )
  return sql`insert into session_log (number, body) values (${number}, ${JSON.stringify({ shared, sessions } satisfies LogBody)})`
}
