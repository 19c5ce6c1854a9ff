// SPDX-License-Identifier: Apache-2.0
// Kept messages: stored once, indexed for each owner of an archive and for the one who is offline. `append` is the hottest
// path of the server: it makes no promise and asks nobody.
import type { Clock } from '../clock.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Answer, Database, Statement } from './db.ts'
import { KnownAddresses } from './known.ts'
import type { ArchiveRange, KeptMessage, MessageId, MessageStore, NewMessage } from './store.ts'

/** Ids per ms. An id is the time times this, or one more than the last. */
const PER_MS = 1024
/** As many rows as are removed in one step. */
const STEP = 500

/** The messages, and what the removal of an account needs. */
export interface Messages extends MessageStore {
  /** The statements that take an owner's messages away at once; `sweep` frees their space later. */
  forget(owner: Jid): readonly Statement[]
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
  ])
  return new KeptMessages(db, clock, { last: Number(ids?.[0]?.last ?? 0), unswept: doomed?.length === 1 })
}

class KeptMessages implements Messages {
  readonly #db: Database
  readonly #clock: Clock
  readonly #owners = new KnownAddresses()
  readonly #peers = new KnownAddresses()
  readonly unswept: boolean
  #last: MessageId

  constructor(db: Database, clock: Clock, { last, unswept }: { readonly last: MessageId; readonly unswept: boolean }) {
    this.#db = db
    this.#clock = clock
    this.#last = last
    this.unswept = unswept
  }

  append(message: NewMessage, failed?: (error: Error) => void): MessageId {
    const id = Math.max(this.#last + 1, Math.floor(this.#clock.now()) * PER_MS)
    this.#last = id
    const statements: Statement[] = []
    const learned: (() => void)[] = []
    const owners = distinct(message.archiveFor)
    const uses = owners.length + (message.offlineFor ? 1 : 0)
    statements.push(this.#db.sql`insert into message (id, uses, xml) values (${id}, ${uses}, ${message.xml})`)
    for (const owner of owners) this.#index(id, owner, message, statements, learned)
    if (message.offlineFor) this.#queue(id, message.offlineFor, statements, learned)
    const done = learned.length === 0 ? undefined : () => void learned.map((known) => known())
    this.#db.post({ statements, done, failed, wantsRows: false })
    return id
  }

  async page(owner: Jid, range: ArchiveRange): ReturnType<MessageStore['page']> {
    const rows = await this.#db.read<{ id: number; xml: string }>(pageQuery(this.#db, owner, range))
    const complete = rows.length <= range.limit
    const page = rows.slice(0, range.limit).map(keptMessage)
    return { messages: range.last ? page.reverse() : page, complete }
  }

  async offline(owner: Jid, limit: number): Promise<readonly KeptMessage[]> {
    const rows = await this.#db.read<{ id: number; xml: string }>(
      this.#db.sql`select message.id as id, xml from offline join message on message.id = offline.id
        where owner = (select id from owner where jid = ${owner.key}) order by offline.id limit ${limit}`,
    )
    return rows.map(keptMessage)
  }

  async offlineCount(owner: Jid): Promise<number> {
    const [row] = await this.#db.read<{ count: number }>(
      this.#db.sql`select count(*) as count from offline where owner = (select id from owner where jid = ${owner.key})`,
    )
    return row?.count ?? 0
  }

  async delivered(owner: Jid, upTo: MessageId): Promise<void> {
    const { sql } = this.#db
    await this.#db.write([
      this.#rememberLast(),
      sql`update message set uses = uses - 1 where id in
        (select id from offline where owner = (select id from owner where jid = ${owner.key}) and id <= ${upTo})`,
      sql`delete from message where uses <= 0 and id in
        (select id from offline where owner = (select id from owner where jid = ${owner.key}) and id <= ${upTo})`,
      sql`delete from offline where owner = (select id from owner where jid = ${owner.key}) and id <= ${upTo}`,
    ])
  }

  forget(owner: Jid): readonly Statement[] {
    this.#owners.forget(owner.key)
    const { sql } = this.#db
    return [
      sql`insert into doomed (owner) select id from owner where jid = (select jid from account where jid = ${owner.key})`,
      sql`delete from owner where jid = (select jid from account where jid = ${owner.key})`,
    ]
  }

  async sweep(): Promise<void> {
    const { sql } = this.#db
    for (;;) {
      const [rows] = await this.#db.write([sql`select min(owner) as owner from doomed`])
      const owner = rows?.[0]?.owner
      if (typeof owner !== 'number') return
      while (await this.#sweepArchive(owner));
      while (await this.#sweepOffline(owner));
      await this.#db.write([sql`delete from doomed where owner = ${owner}`])
    }
  }

  #index(id: MessageId, owner: Jid, message: NewMessage, statements: Statement[], learned: (() => void)[]): void {
    const peer = peerOf(owner, message)
    this.#knowOwner(owner.key, statements, learned)
    this.#knowPeer(peer.bare.key, statements, learned)
    statements.push(
      this.#db.sql`insert into archive (owner, id, peer, resource) values
        ((select id from owner where jid = ${owner.key}), ${id}, (select id from peer where jid = ${peer.bare.key}),
        ${peer.resource ?? null})`,
    )
  }

  #queue(id: MessageId, owner: Jid, statements: Statement[], learned: (() => void)[]): void {
    this.#knowOwner(owner.key, statements, learned)
    statements.push(
      this.#db.sql`insert into offline (owner, id) values ((select id from owner where jid = ${owner.key}), ${id})`,
    )
  }

  #knowOwner(key: string, statements: Statement[], learned: (() => void)[]): void {
    if (this.#owners.has(key)) return
    statements.push(this.#db.sql`insert into owner (jid) values (${key}) on conflict (jid) do nothing`)
    learned.push(this.#owners.learn(key))
  }

  #knowPeer(key: string, statements: Statement[], learned: (() => void)[]): void {
    if (this.#peers.has(key)) return
    statements.push(this.#db.sql`insert into peer (jid) values (${key}) on conflict (jid) do nothing`)
    learned.push(this.#peers.learn(key))
  }

  /** Where messages are removed the highest id may go too; none is given out twice all the same. */
  #rememberLast(): Statement {
    return this.#db.sql`insert into counter (name, value) values ('message', ${this.#last})
      on conflict (name) do update set value = excluded.value where counter.value < excluded.value`
  }

  async #sweepArchive(owner: number): Promise<boolean> {
    const { sql } = this.#db
    return rowsOfLast(
      await this.#db.write([
        this.#rememberLast(),
        sql`update message set uses = uses - 1 where id in
          (select id from archive where owner = ${owner} order by id limit ${STEP})`,
        sql`delete from message where uses <= 0 and id in
          (select id from archive where owner = ${owner} order by id limit ${STEP})`,
        sql`delete from archive where owner = ${owner} and id in
          (select id from archive where owner = ${owner} order by id limit ${STEP}) returning id`,
      ]),
    )
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

/** The two directions, one row more than asked for: it tells whether the page is the last one. */
function pageQuery(db: Database, owner: Jid, range: ArchiveRange): Statement {
  const after = Math.max(range.after ?? 0, (range.start ?? 0) * PER_MS - 1)
  const before = Math.min(range.before ?? Number.MAX_SAFE_INTEGER, ((range.end ?? MAX_TIME) + 1) * PER_MS)
  const anybody = Number(range.with === undefined)
  const peer = range.with?.bare.key ?? ''
  const anyResource = Number(range.with?.resource === undefined)
  const resource = range.with?.resource ?? ''
  return range.last
    ? db.sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${owner.key}) and archive.id > ${after} and archive.id < ${before}
          and (${anybody} = 1 or peer = (select id from peer where jid = ${peer}))
          and (${anyResource} = 1 or resource = ${resource})
        order by archive.id desc limit ${range.limit + 1}`
    : db.sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${owner.key}) and archive.id > ${after} and archive.id < ${before}
          and (${anybody} = 1 or peer = (select id from peer where jid = ${peer}))
          and (${anyResource} = 1 or resource = ${resource})
        order by archive.id limit ${range.limit + 1}`
}

/** The last ms whose ids are safe integers. */
const MAX_TIME = Math.floor(Number.MAX_SAFE_INTEGER / PER_MS) - 1

/** With whom the owner exchanged it; with themselves, it was the sender. */
function peerOf(owner: Jid, { from, to }: NewMessage): Jid {
  return from.bare.key === owner.key && to.bare.key !== owner.key ? to : from
}

function distinct(owners: readonly Jid[]): readonly Jid[] {
  if (owners.length < 2 || (owners.length === 2 && owners[0]?.key !== owners[1]?.key)) return owners
  return [...new Map(owners.map((owner) => [owner.key, owner])).values()]
}

function keptMessage({ id, xml }: { readonly id: number; readonly xml: string }): KeptMessage {
  return { id, time: Math.floor(id / PER_MS), xml }
}

function rowsOfLast(answer: Answer): boolean {
  return (answer.at(-1)?.length ?? 0) > 0
}
