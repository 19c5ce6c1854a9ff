// SPDX-License-Identifier: Apache-2.0
// Kept messages: stored once, indexed for each owner of an archive and for the one who is offline. `append` is the hottest
// path of the server: it makes no promise and asks nobody.
import type { Clock } from '../clock.ts'
import type { Jid } from '../xmpp/jid.ts'
import { endsQuery, type MessageRow, PER_MS, readPage, searchQuery, windowEdge } from './archive-queries.ts'
import type { Answer, Database, Statement } from './db.ts'
import { addFresh, indexFresh } from './fresh.ts'
import { eraseStep, nextOwner, STEP, trimStep } from './retention.ts'
import type {
  ArchiveEnd,
  ArchiveRange,
  ArchiveSearch,
  KeptMessage,
  MessageId,
  MessageStore,
  NewMessage,
  Retention,
  WaitingMessage,
} from './store.ts'

/**
 * So many messages are indexed together, unless a reader asks for them earlier. With a quarter of this an archived message costs the
 * store 2.4 of 10.4 µs more: each time a page is written for each owner. Nobody but the writer waits for it (60 ms).
 */
const INDEX_TOGETHER = 16_384

/** The messages, and what the removal of an account needs. */
export interface Messages extends MessageStore {
  /** The statements that take an owner's messages away at once; `sweep` frees their space later. */
  forget(owner: Jid): readonly Statement[]
  /** The same for owners who have no account (any more). */
  forgetLeftovers(owners: readonly Jid[]): readonly Statement[]
  /** The same for a room. @param existing whether there is such a room at this moment; otherwise these are leftovers */
  forgetRoom(room: Jid, existing: 0 | 1): readonly Statement[]
  /** Whether a sweep was interrupted when the database was last closed. */
  readonly unswept: boolean
  /** Removes, in steps of a few hundred, what no owner indexes any more. */
  sweep(): Promise<void>
}

/** The messages in this database. */
export async function openMessages(db: Database, clock: Clock): Promise<Messages> {
  const [ids, doomed] = await db.write([
    db.sql`select max(id) as last from (select max(id) as id from message union all
      select value as id from counter where name = 'message') as ids`,
    db.sql`select owner from doomed limit 1`,
    ...indexFresh(db),
  ])
  return new KeptMessages(db, clock, { last: Number(ids?.[0]?.last ?? 0), unswept: doomed?.length === 1 })
}

/** What has to go of one archive: up to the later of two ids. */
interface OwnerBounds {
  readonly owner: number
  readonly oldest: MessageId
  readonly expired: MessageId
  readonly excess: MessageId
}

class KeptMessages implements Messages {
  readonly #db: Database
  readonly #clock: Clock
  readonly unswept: boolean
  #last: MessageId
  /** Up to here every message has its rows in archive and offline. */
  #indexed: MessageId
  #indexing: { readonly upTo: MessageId; readonly done: Promise<void> } | undefined
  #unindexed = 0

  constructor(db: Database, clock: Clock, { last, unswept }: { readonly last: MessageId; readonly unswept: boolean }) {
    this.#db = db
    this.#clock = clock
    this.#last = last
    this.#indexed = last
    this.unswept = unswept
  }

  append(message: NewMessage, failed?: (error: Error) => void): MessageId {
    const id = Math.max(this.#last + 1, Math.floor(this.#clock.now()) * PER_MS)
    this.#last = id
    const statements: Statement[] = []
    const uses = addFresh(this.#db, id, message, statements)
    statements.push(this.#db.sql`insert into message (id, uses, xml) values (${id}, ${uses}, ${message.xml})`)
    this.#db.post({ statements, done: undefined, failed, wantsRows: false })
    if (++this.#unindexed >= INDEX_TOGETHER) this.#index()?.catch(() => undefined)
    return id
  }

  async page(owner: Jid, range: ArchiveRange): ReturnType<MessageStore['page']> {
    await this.#index()
    const rows = await readPage(this.#db, owner, range)
    const complete = rows.length <= range.limit
    const page = rows.slice(0, range.limit).map(keptMessage)
    return { messages: range.last ? page.reverse() : page, complete }
  }

  async ends(owner: Jid): ReturnType<MessageStore['ends']> {
    await this.#index()
    const [row] = await this.#db.read<{ first: number | null; last: number | null }>(endsQuery(this.#db, owner))
    return typeof row?.first === 'number' && typeof row.last === 'number'
      ? { first: archiveEnd(row.first), last: archiveEnd(row.last) }
      : undefined
  }

  async search(owner: Jid, search: ArchiveSearch): Promise<readonly KeptMessage[]> {
    await this.#index()
    return (await this.#db.read<MessageRow>(searchQuery(this.#db, owner, search))).map(keptMessage)
  }

  async rewrite(id: MessageId, xml: string): Promise<void> {
    await this.#db.write([this.#db.sql`update message set xml = ${xml} where id = ${id}`])
  }

  async erase(owner: Jid, contact?: Jid): Promise<number> {
    await this.#index()
    const last = this.#last
    let erased = 0
    for (let after: number | undefined = 0; after !== undefined; ) {
      const edge = await windowEdge(this.#db, owner, { after, before: last + 1, last: false })
      const part = { owner, contact, after, upTo: edge ?? last }
      for (let count = STEP; count === STEP; erased += count) count = await this.#step(eraseStep(this.#db, part))
      after = edge
    }
    return erased
  }

  async trim(retention: Retention, signal?: AbortSignal): Promise<number> {
    await this.#index()
    let removed = 0
    for (let after = 0; ; ) {
      const [next] = await this.#db.read<OwnerBounds>(nextOwner(this.#db, after, retention))
      if (!next) return removed
      after = next.owner
      const upTo = Math.max(next.expired, next.excess)
      for (let count = next.oldest > 0 && next.oldest <= upTo ? STEP : 0; count === STEP; removed += count) {
        if (signal?.aborted) return removed
        count = await this.#step(trimStep(this.#db, next.owner, upTo))
      }
      if (signal?.aborted) return removed
    }
  }

  async offline(owner: Jid, limit: number): Promise<readonly WaitingMessage[]> {
    await this.#index()
    const rows = await this.#db.read<{ id: number; xml: string; archived: number }>(
      this.#db.sql`select message.id as id, xml,
          (select count(*) from archive where archive.owner = offline.owner and archive.id = offline.id) as archived
        from offline join message on message.id = offline.id
        where owner = (select id from owner where jid = ${owner.key}) order by offline.id limit cast(${limit} as bigint)`,
    )
    return rows.map((row) => ({ ...keptMessage(row), archived: row.archived === 1 }))
  }

  async offlineCount(owner: Jid): Promise<number> {
    await this.#index()
    const [row] = await this.#db.read<{ count: number }>(
      this.#db.sql`select count(*) as count from offline where owner = (select id from owner where jid = ${owner.key})`,
    )
    return row?.count ?? 0
  }

  async delivered(owner: Jid, upTo: MessageId): Promise<void> {
    const { sql } = this.#db
    await this.#db.write([
      ...indexFresh(this.#db),
      this.#rememberLast(),
      sql`update message set uses = uses - 1 where id in
        (select id from offline where owner = (select id from owner where jid = ${owner.key}) and id <= ${upTo})`,
      sql`delete from message where uses <= 0 and id in
        (select id from offline where owner = (select id from owner where jid = ${owner.key}) and id <= ${upTo})`,
      sql`delete from offline where owner = (select id from owner where jid = ${owner.key}) and id <= ${upTo}`,
    ])
  }

  forget(owner: Jid): readonly Statement[] {
    const { sql } = this.#db
    return [
      ...indexFresh(this.#db),
      sql`insert into doomed (owner) select id from owner where jid = (select jid from account where jid = ${owner.key})`,
      sql`delete from owner where jid = (select jid from account where jid = ${owner.key})`,
    ]
  }

  forgetLeftovers(owners: readonly Jid[]): readonly Statement[] {
    const { sql } = this.#db
    return [
      ...indexFresh(this.#db),
      ...owners.flatMap(({ key }) => [
        sql`insert into doomed (owner) select id from owner
          where jid = ${key} and not exists (select 1 from account where jid = ${key})`,
        sql`delete from owner where jid = ${key} and not exists (select 1 from account where jid = ${key})`,
      ]),
    ]
  }

  forgetRoom({ key }: Jid, existing: 0 | 1): readonly Statement[] {
    const { sql } = this.#db
    return [
      ...indexFresh(this.#db),
      sql`insert into doomed (owner) select id from owner
        where jid = ${key} and (select count(*) from room where jid = ${key}) = ${existing}`,
      sql`delete from owner where jid = ${key} and (select count(*) from room where jid = ${key}) = ${existing}`,
    ]
  }

  async sweep(): Promise<void> {
    const { sql } = this.#db
    for (;;) {
      const [rows] = await this.#db.write([sql`select min(owner) as owner from doomed`])
      const owner = rows?.[0]?.owner
      if (typeof owner !== 'number') return
      while ((await this.#step(trimStep(this.#db, owner, Number.MAX_SAFE_INTEGER))) > 0);
      while (await this.#sweepOffline(owner));
      await this.#db.write([sql`delete from doomed where owner = ${owner}`])
    }
  }

  /** Has everything appended so far indexed; undefined if it is. Who asks while that is under way shares it. */
  #index(): Promise<void> | undefined {
    const upTo = this.#last
    if (this.#indexed === upTo) return undefined
    if (this.#indexing?.upTo === upTo) return this.#indexing.done
    this.#unindexed = 0
    const done = this.#db.write(indexFresh(this.#db)).then(
      () => {
        this.#indexed = Math.max(this.#indexed, upTo)
      },
      (error: unknown) => {
        if (this.#indexing?.upTo === upTo) this.#indexing = undefined
        throw error
      },
    )
    this.#indexing = { upTo, done }
    return done
  }

  /** Where messages are removed the highest id may go too; none is given out twice all the same. */
  #rememberLast(): Statement {
    return this.#db.sql`insert into counter (name, value) values ('message', ${this.#last})
      on conflict (name) do update set value = excluded.value where counter.value < excluded.value`
  }

  /** @returns how many rows the last of the statements gave */
  async #step(statements: readonly Statement[]): Promise<number> {
    const answer = await this.#db.write([this.#rememberLast(), ...statements])
    return answer.at(-1)?.length ?? 0
  }

  async #sweepOffline(owner: number): Promise<boolean> {
    const { sql } = this.#db
    return rowsOfLast(
      await this.#db.write([
        this.#rememberLast(),
        sql`update message set uses = uses - 1 where id in
          (select id from offline where owner = ${owner} order by id limit ${STEP})`,
        sql`delete from message where uses <= 0 and id in
          (select id from offline where owner = ${owner} order by id limit ${STEP})`,
        sql`delete from offline where owner = ${owner} and id in
          (select id from offline where owner = ${owner} order by id limit ${STEP}) returning id`,
      ]),
    )
  }
}

function archiveEnd(id: MessageId): ArchiveEnd {
  return { id, time: Math.floor(id / PER_MS) }
}

function keptMessage({ id, xml }: MessageRow): KeptMessage {
  return { id, time: Math.floor(id / PER_MS), xml }
}

function rowsOfLast(answer: Answer): boolean {
  return (answer.at(-1)?.length ?? 0) > 0
}
