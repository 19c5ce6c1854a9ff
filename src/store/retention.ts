// SPDX-License-Identifier: Apache-2.0
// What leaves an archive, in small steps: one never holds up the messages that come meanwhile.
import type { Jid } from '../xmpp/jid.ts'
import { PER_MS } from './archive-queries.ts'
import type { Database, Statement } from './db.ts'
import type { MessageId, Retention } from './store.ts'

/** As many rows as are removed in one step. */
export const STEP = 500

/** What of an archive is to go: everything in it between two ids, or what was exchanged with somebody. */
export interface Erasure {
  readonly owner: Jid
  readonly contact: Jid | undefined
  readonly after: MessageId
  readonly upTo: MessageId
}

/** The oldest of what is to go. The last statement gives a row for each that went. */
export function eraseStep({ sql }: Database, { owner, contact, after, upTo }: Erasure): readonly Statement[] {
  const { key } = owner
  const anybody = Number(contact === undefined)
  const peer = contact?.key ?? ''
  return [
    sql`update message set uses = uses - 1 where id in (select id from archive
      where owner = (select id from owner where jid = ${key}) and id > ${after} and id <= ${upTo}
      and (${anybody} = 1 or peer = (select id from peer where jid = ${peer})) order by id limit ${STEP})`,
    sql`delete from message where uses <= 0 and id in (select id from archive
      where owner = (select id from owner where jid = ${key}) and id > ${after} and id <= ${upTo}
      and (${anybody} = 1 or peer = (select id from peer where jid = ${peer})) order by id limit ${STEP})`,
    sql`delete from archive where owner = (select id from owner where jid = ${key}) and id in (select id from archive
      where owner = (select id from owner where jid = ${key}) and id > ${after} and id <= ${upTo}
      and (${anybody} = 1 or peer = (select id from peer where jid = ${peer})) order by id limit ${STEP}) returning id`,
  ]
}

/** The owner after the one of this number, the oldest message in the archive, and up to which one it has to go. */
export function nextOwner({ sql }: Database, after: number, { before = 0, most }: Retention): Statement {
  const expired = Math.max(0, before * PER_MS - 1)
  return sql`select id as owner, cast(${expired} as bigint) as expired,
      coalesce((select archive.id from archive where archive.owner = owner.id order by archive.id limit 1), 0) as oldest,
      coalesce((select archive.id from archive where archive.owner = owner.id
        order by archive.id desc limit 1 offset ${most ?? Number.MAX_SAFE_INTEGER}), 0) as excess
    from owner where id > ${after} order by id limit 1`
}

/** The oldest of an archive up to an id. The last statement gives a row for each that went. */
export function trimStep({ sql }: Database, owner: number, upTo: MessageId): readonly Statement[] {
  return [
    sql`update message set uses = uses - 1 where id in
      (select id from archive where owner = ${owner} and id <= ${upTo} order by id limit ${STEP})`,
    sql`delete from message where uses <= 0 and id in
      (select id from archive where owner = ${owner} and id <= ${upTo} order by id limit ${STEP})`,
    sql`delete from archive where owner = ${owner} and id in
      (select id from archive where owner = ${owner} and id <= ${upTo} order by id limit ${STEP}) returning id`,
  ]
}
