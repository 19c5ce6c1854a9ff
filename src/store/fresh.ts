// SPDX-License-Identifier: Apache-2.0
// Where new messages belong: one row for each, in the order in which they came, until thousands are sorted together into the
// archives and queues of their owners.
import type { Database, Statement } from './db.ts'
import type { MessageId, NewMessage } from './store.ts'

/** What is to become of a row: `mine` archives it as exchanged with `peer`, or the other way round, or one of both is offline. */
const ARCHIVE_MINE = 1
const ARCHIVE_PEER = 2
const QUEUE_MINE = 4
const QUEUE_PEER = 8

/** Notes for whom a message is kept: one row if they are its sender and its addressee. @returns how many uses the message has */
export function addFresh(db: Database, id: MessageId, message: NewMessage, statements: Statement[]): number {
  const { from, to, archiveFor, offlineFor } = message
  const [sender, addressee] = [from.bare.key, to.bare.key]
  let [ways, uses] = [0, 0]
  const others: Statement[] = []
  for (const [place, { key }] of archiveFor.entries()) {
    // With themselves, it was the sender.
    const way = key === addressee ? ARCHIVE_PEER : key === sender ? ARCHIVE_MINE : 0
    if (way === 0 ? archiveFor.findIndex((one) => one.key === key) < place : (ways & way) !== 0) continue // named twice
    ways += way
    uses++
    if (way === 0) others.push(other(db, id, ARCHIVE_MINE, key, message))
  }
  if (offlineFor) {
    const way = offlineFor.key === addressee ? QUEUE_PEER : 0
    ways += way
    uses++
    if (way === 0) others.push(other(db, id, QUEUE_MINE, offlineFor.key, message))
  }
  if (ways > 0) {
    statements.push(db.sql`insert into fresh (id, ways, mine, my_resource, peer, peer_resource)
      values (${id}, ${ways}, ${sender}, ${from.resource ?? null}, ${addressee}, ${to.resource ?? null})`)
  }
  statements.push(...others)
  return uses
}

/** A row for somebody who is neither sender nor addressee. */
function other(db: Database, id: MessageId, way: number, owner: string, { from }: NewMessage): Statement {
  return db.sql`insert into fresh (id, ways, mine, my_resource, peer, peer_resource)
    values (${id}, ${way}, ${owner}, ${null}, ${from.bare.key}, ${from.resource ?? null})`
}

/** Sorts the rows of new messages into the archives and queues of their owners. */
export function indexFresh({ sql }: Database): readonly Statement[] {
  return [
    sql`insert into owner (jid)
      select mine from fresh where ways & 5 > 0 and not exists (select 1 from owner where jid = fresh.mine)
      union select peer from fresh where ways & 10 > 0 and not exists (select 1 from owner where jid = fresh.peer)
      on conflict (jid) do nothing`,
    sql`insert into peer (jid)
      select peer from fresh where ways & 1 > 0 and not exists (select 1 from peer where jid = fresh.peer)
      union select mine from fresh where ways & 2 > 0 and not exists (select 1 from peer where jid = fresh.mine)
      on conflict (jid) do nothing`,
    sql`insert into archive (owner, id, peer, resource) select owner.id, one.id, peer.id, one.resource
      from (select id, mine as owner, peer, peer_resource as resource from fresh where ways & 1 > 0
        union all select id, peer, mine, my_resource from fresh where ways & 2 > 0) as one
      join owner on owner.jid = one.owner join peer on peer.jid = one.peer order by owner.id, one.id`,
    sql`insert into offline (owner, id) select owner.id, one.id
      from (select id, mine as owner from fresh where ways & 4 > 0
        union all select id, peer from fresh where ways & 8 > 0) as one
      join owner on owner.jid = one.owner order by owner.id, one.id`,
    sql`delete from fresh`,
  ]
}
