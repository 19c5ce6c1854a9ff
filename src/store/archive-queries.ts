// SPDX-License-Identifier: Apache-2.0
// What is asked of archives. A conversation has an index of its own, so each question stands here twice.
import type { Jid } from '../xmpp/jid.ts'
import type { Database, Statement } from './db.ts'
import type { ArchiveRange, ArchiveSearch } from './store.ts'

/** Ids per ms. An id is the time times this, or one more than the last. */
export const PER_MS = 1024
/** The last ms whose ids are safe integers. */
const MAX_TIME = Math.floor(Number.MAX_SAFE_INTEGER / PER_MS) - 1

/** The two directions, one row more than asked for: it tells whether the page is the last one. */
export function pageQuery(db: Database, owner: Jid, range: ArchiveRange): Statement {
  const after = Math.max(range.after ?? 0, Math.min(range.start ?? 0, MAX_TIME) * PER_MS - 1)
  const before = Math.min(
    range.before ?? Number.MAX_SAFE_INTEGER,
    (Math.min(range.end ?? MAX_TIME, MAX_TIME) + 1) * PER_MS,
  )
  const limit = range.limit + 1
  if (range.with) return conversationQuery(db, owner, range.with, { after, before, limit, last: range.last === true })
  return range.last
    ? db.sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${owner.key}) and archive.id > ${after} and archive.id < ${before}
        order by archive.id desc limit ${limit}`
    : db.sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${owner.key}) and archive.id > ${after} and archive.id < ${before}
        order by archive.id limit ${limit}`
}

interface Bounds {
  readonly after: number
  readonly before: number
  readonly limit: number
  readonly last: boolean
}

function conversationQuery(db: Database, owner: Jid, contact: Jid, { after, before, limit, last }: Bounds): Statement {
  const peer = contact.bare.key
  const anyResource = Number(contact.resource === undefined)
  const resource = contact.resource ?? ''
  return last
    ? db.sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${owner.key}) and peer = (select id from peer where jid = ${peer})
          and archive.id > ${after} and archive.id < ${before} and (${anyResource} = 1 or resource = ${resource})
        order by archive.id desc limit ${limit}`
    : db.sql`select message.id as id, xml from archive join message on message.id = archive.id
        where owner = (select id from owner where jid = ${owner.key}) and peer = (select id from peer where jid = ${peer})
          and archive.id > ${after} and archive.id < ${before} and (${anyResource} = 1 or resource = ${resource})
        order by archive.id limit ${limit}`
}

/** The latest messages of a conversation, and of these the ones with a text in them. */
export function searchQuery({ sql }: Database, owner: Jid, search: ArchiveSearch): Statement {
  const [one, other] = search.texts.map((text) => `%${text.replace(/[\\%_]/g, '\\$&')}%`)
  return sql`select message.id as id, xml from
    (select id from archive where owner = (select id from owner where jid = ${owner.key})
      and peer = (select id from peer where jid = ${search.with.key}) and id < ${search.before}
      order by id desc limit ${search.among}) as latest
    join message on message.id = latest.id
    where xml like ${one ?? ''} escape '\\' or xml like ${other ?? ''} escape '\\'
    order by message.id desc limit ${search.limit}`
}
