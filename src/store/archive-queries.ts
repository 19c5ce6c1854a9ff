// SPDX-License-Identifier: Apache-2.0
// What is asked of archives. A conversation has no index of its own, which would cost every message a third more: it is
// looked for in windows of an archive, each so small that nobody else waits for long.
import type { Jid } from '../xmpp/jid.ts'
import type { Database, Statement } from './db.ts'
import type { ArchiveRange, ArchiveSearch, MessageId } from './store.ts'

/** Ids per ms. An id is the time times this, or one more than the last. */
export const PER_MS = 1024
/** The last ms whose ids are safe integers. */
const MAX_TIME = Math.floor(Number.MAX_SAFE_INTEGER / PER_MS) - 1
/** So many messages of an archive are looked at together. */
const WINDOW = 20_000

/** A message as it is stored. */
export interface MessageRow {
  readonly id: MessageId
  readonly xml: string
}

/** A part of an archive by ids that are not in it, and from which end it is read. */
interface Bounds {
  readonly after: number
  readonly before: number
  readonly last: boolean
}

/** A page of an archive. One row more than asked for tells whether it is the last one. */
export async function readPage(db: Database, owner: Jid, range: ArchiveRange): Promise<readonly MessageRow[]> {
  const bounds: Bounds = {
    after: Math.max(range.after ?? 0, Math.min(range.start ?? 0, MAX_TIME) * PER_MS - 1),
    before: Math.min(range.before ?? Number.MAX_SAFE_INTEGER, (Math.min(range.end ?? MAX_TIME, MAX_TIME) + 1) * PER_MS),
    last: range.last === true,
  }
  if (!range.with) return db.read<MessageRow>(pageQuery(db, owner, bounds, range.limit + 1))
  return readConversation(db, { owner, contact: range.with }, bounds, range.limit + 1)
}

/** With the limit as it comes SQLite would take its value for part of the text, and prepare the statement anew each time. */
function pageQuery({ sql }: Database, { key }: Jid, { after, before, last }: Bounds, limit: number): Statement {
  return last
    ? sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${key}) and archive.id > ${after} and archive.id < ${before}
        order by archive.id desc limit cast(${limit} as bigint)`
    : sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${key}) and archive.id > ${after} and archive.id < ${before}
        order by archive.id limit cast(${limit} as bigint)`
}

/** The ids at both ends of an archive: one row, of nulls if it is empty. */
export function endsQuery({ sql }: Database, { key }: Jid): Statement {
  return sql`select (select id from archive where owner = one.id order by id limit 1) as first,
      (select id from archive where owner = one.id order by id desc limit 1) as last
    from owner as one where jid = ${key}`
}

/** Who exchanged messages; a contact with a resource means that one only. */
interface Pair {
  readonly owner: Jid
  readonly contact: Jid
}

async function readConversation(db: Database, pair: Pair, bounds: Bounds, limit: number): Promise<MessageRow[]> {
  const [peer] = await db.read<{ id: number }>(db.sql`select id from peer where jid = ${pair.contact.bare.key}`)
  const found: MessageRow[] = []
  for (let rest: Bounds | undefined = bounds; peer && rest; ) {
    found.push(...(await db.read<MessageRow>(windowQuery(db, { ...pair, peer: peer.id }, rest, limit - found.length))))
    rest = found.length < limit ? await behindWindow(db, pair.owner, rest) : undefined
  }
  return found
}

/** What a conversation has in one window. */
function windowQuery(db: Database, pair: Pair & { readonly peer: number }, bounds: Bounds, limit: number): Statement {
  const { owner, contact, peer } = pair
  const { after, before } = bounds
  const anyResource = Number(contact.resource === undefined)
  const resource = contact.resource ?? ''
  return bounds.last
    ? db.sql`select message.id as id, xml from (select id, peer, resource from archive
          where owner = (select id from owner where jid = ${owner.key}) and id > ${after} and id < ${before}
          order by id desc limit ${WINDOW}) as part join message on message.id = part.id
        where peer = ${peer} and (${anyResource} = 1 or resource = ${resource}) order by part.id desc limit cast(${limit} as bigint)`
    : db.sql`select message.id as id, xml from (select id, peer, resource from archive
          where owner = (select id from owner where jid = ${owner.key}) and id > ${after} and id < ${before}
          order by id limit ${WINDOW}) as part join message on message.id = part.id
        where peer = ${peer} and (${anyResource} = 1 or resource = ${resource}) order by part.id limit cast(${limit} as bigint)`
}

/** What is left behind a window; undefined if nothing is. */
async function behindWindow(db: Database, owner: Jid, bounds: Bounds): Promise<Bounds | undefined> {
  const edge = await windowEdge(db, owner, bounds)
  if (edge === undefined) return undefined
  return bounds.last ? { ...bounds, before: edge } : { ...bounds, after: edge }
}

/** The last message of a window in its direction; undefined if the archive ends before. */
export async function windowEdge(
  db: Database,
  owner: Jid,
  { after, before, last }: Bounds,
): Promise<number | undefined> {
  const [row] = await db.read<{ id: number }>(
    last
      ? db.sql`select id from archive where owner = (select id from owner where jid = ${owner.key})
          and id > ${after} and id < ${before} order by id desc limit 1 offset ${WINDOW - 1}`
      : db.sql`select id from archive where owner = (select id from owner where jid = ${owner.key})
          and id > ${after} and id < ${before} order by id limit 1 offset ${WINDOW - 1}`,
  )
  return row?.id
}

/** Those of the latest messages of an archive that belong to a conversation and have a text in them. */
export function searchQuery({ sql }: Database, owner: Jid, search: ArchiveSearch): Statement {
  const [one, other] = search.texts.map((text) => `%${text.replace(/[\\%_]/g, '\\$&')}%`)
  return sql`select message.id as id, xml from (select id from
      (select id, peer from archive where owner = (select id from owner where jid = ${owner.key})
        and id < ${search.before} order by id desc limit ${WINDOW}) as part
      where peer = (select id from peer where jid = ${search.with.key})
      order by id desc limit ${search.among}) as latest
    join message on message.id = latest.id
    where xml like ${one ?? ''} escape '\\' or xml like ${other ?? ''} escape '\\'
    order by message.id desc limit ${search.limit}`
}
