// SPDX-License-Identifier: Apache-2.0
// Nodes and items of XEP-0060. Whether something may be done is decided above, in memory; each deed is one transaction.
import type { Clock } from '../clock.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Answer, Database, Statement } from './db.ts'
import type { NodeSize, PubsubItem, PubsubStore, StoredNode } from './pubsub-store.ts'

interface ItemRow {
  readonly id: string
  readonly publisher: string
  readonly time: number
  readonly xml: string
}

/** The nodes in this database. */
export function pubsubStore(db: Database, clock: Clock): PubsubStore {
  return {
    load: (owner) => load(db, owner),

    async change(owner, node, { create, creator, put = [], remove = [], keep }) {
      const answer = await db.write([
        ...(create === undefined ? [] : [insertNode(db, owner, node, create)]),
        ...(creator === undefined ? [] : [affiliate(db, owner, node, creator, 'owner')]),
        ...remove.map((id) => deleteItem(db, owner, node, id)),
        ...put.map((item) => putItem(db, owner, node, item, clock.now())),
        ...(keep === undefined ? [] : [trim(db, owner, node, keep)]),
        measure(db, owner, node),
      ])
      return sizeIn(answer)
    },

    async configure(owner, node, config, keep) {
      const answer = await db.write([
        db.sql`update pubsub_node set config = ${config} where owner = ${owner.key} and name = ${node}`,
        trim(db, owner, node, keep),
        measure(db, owner, node),
      ])
      return sizeIn(answer)
    },

    async purge(owner, node) {
      await db.write([db.sql`delete from pubsub_item where owner = ${owner.key} and node = ${node}`])
    },

    async remove(owner, node) {
      await db.write([
        db.sql`delete from pubsub_item where owner = ${owner.key} and node = ${node}`,
        db.sql`delete from pubsub_affiliation where owner = ${owner.key} and node = ${node}`,
        db.sql`delete from pubsub_subscription where owner = ${owner.key} and node = ${node}`,
        db.sql`delete from pubsub_node where owner = ${owner.key} and name = ${node}`,
      ])
    },

    async affiliate(owner, node, changes) {
      await db.write(
        [...changes].map(([jid, affiliation]) =>
          affiliation === 'none'
            ? db.sql`delete from pubsub_affiliation where owner = ${owner.key} and node = ${node} and jid = ${jid}`
            : affiliate(db, owner, node, jid, affiliation),
        ),
      )
    },

    async subscribe(owner, node, changes) {
      await db.write(
        [...changes].map(([jid, state]) =>
          state === 'none'
            ? db.sql`delete from pubsub_subscription where owner = ${owner.key} and node = ${node} and jid = ${jid}`
            : db.sql`insert into pubsub_subscription (owner, node, jid, state)
                values (${owner.key}, ${node}, ${jid}, ${state})
                on conflict (owner, node, jid) do update set state = excluded.state`,
        ),
      )
    },

    async item(owner, node, id) {
      const [row] = await db.read<ItemRow>(
        db.sql`select id, publisher, time, xml from pubsub_item
          where owner = ${owner.key} and node = ${node} and id = ${id}`,
      )
      return row
    },

    async items(owner, node, { after = -1, before = Number.MAX_SAFE_INTEGER, last = false, limit }) {
      if (last) {
        const rows = await db.read<ItemRow>(
          db.sql`select id, publisher, time, xml from pubsub_item
            where owner = ${owner.key} and node = ${node} and time > ${after} and time < ${before}
            order by time desc limit ${limit}`,
        )
        return rows.toReversed()
      }
      return db.read<ItemRow>(
        db.sql`select id, publisher, time, xml from pubsub_item
          where owner = ${owner.key} and node = ${node} and time > ${after} and time < ${before}
          order by time limit ${limit}`,
      )
    },

    async ids(owner, node) {
      return db.read<{ id: string; time: number }>(
        db.sql`select id, time from pubsub_item where owner = ${owner.key} and node = ${node} order by time`,
      )
    },
  }
}

async function load(db: Database, owner: Jid): Promise<readonly StoredNode[]> {
  const nodes = await db.read<{ name: string; config: string; items: number; bytes: number }>(
    db.sql`select name, config, count(id) as items, cast(coalesce(sum(octet_length(xml)), 0) as bigint) as bytes
      from pubsub_node left join pubsub_item on pubsub_item.owner = pubsub_node.owner and pubsub_item.node = name
      where pubsub_node.owner = ${owner.key} group by name, config order by name`,
  )
  if (nodes.length === 0) return []
  const [affiliations, subscriptions] = await Promise.all([
    db.read<{ node: string; jid: string; affiliation: string }>(
      db.sql`select node, jid, affiliation from pubsub_affiliation where owner = ${owner.key} order by node, jid`,
    ),
    db.read<{ node: string; jid: string; state: string }>(
      db.sql`select node, jid, state from pubsub_subscription where owner = ${owner.key} order by node, jid`,
    ),
  ])
  const affiliated = Map.groupBy(affiliations, ({ node }) => node)
  const subscribed = Map.groupBy(subscriptions, ({ node }) => node)
  return nodes.map((row) => ({
    ...row,
    affiliations: (affiliated.get(row.name) ?? []).map(({ jid, affiliation }) => [jid, affiliation]),
    subscriptions: (subscribed.get(row.name) ?? []).map(({ jid, state }) => [jid, state]),
  }))
}

function insertNode(db: Database, owner: Jid, node: string, config: string): Statement {
  return db.sql`insert into pubsub_node (owner, name, config) values (${owner.key}, ${node}, ${config})
    on conflict (owner, name) do nothing`
}

function affiliate(db: Database, owner: Jid, node: string, jid: string, affiliation: string): Statement {
  return db.sql`insert into pubsub_affiliation (owner, node, jid, affiliation)
    values (${owner.key}, ${node}, ${jid}, ${affiliation})
    on conflict (owner, node, jid) do update set affiliation = excluded.affiliation`
}

function deleteItem(db: Database, owner: Jid, node: string, id: string): Statement {
  return db.sql`delete from pubsub_item where owner = ${owner.key} and node = ${node} and id = ${id}`
}

/** The clock may stand still or go back: the order does not. */
function putItem(db: Database, owner: Jid, node: string, { id, publisher, xml }: PubsubItem, now: number): Statement {
  return db.sql`insert into pubsub_item (owner, node, id, publisher, xml, time)
    values (${owner.key}, ${node}, ${id}, ${publisher}, ${xml},
      (select case when coalesce(max(time), 0) < cast(${now} as bigint) then cast(${now} as bigint) else max(time) + 1 end
        from pubsub_item where owner = ${owner.key} and node = ${node}))
    on conflict (owner, node, id) do update set publisher = excluded.publisher, xml = excluded.xml, time = excluded.time`
}

function trim(db: Database, owner: Jid, node: string, keep: number): Statement {
  return db.sql`delete from pubsub_item where owner = ${owner.key} and node = ${node} and id not in (
    select id from pubsub_item where owner = ${owner.key} and node = ${node} order by time desc limit ${keep})`
}

function measure(db: Database, owner: Jid, node: string): Statement {
  return db.sql`select count(*) as items, cast(coalesce(sum(octet_length(xml)), 0) as bigint) as bytes
    from pubsub_item where owner = ${owner.key} and node = ${node}`
}

function sizeIn(answer: Answer): NodeSize {
  const row = answer.at(-1)?.[0]
  return { items: Number(row?.items ?? 0), bytes: Number(row?.bytes ?? 0) }
}
