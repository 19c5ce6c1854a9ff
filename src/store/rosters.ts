// SPDX-License-Identifier: Apache-2.0
// Rosters: each change and the new version of the roster are one deed.
import { Jid } from '../xmpp/jid.ts'
import type { Answer, Database } from './db.ts'
import type { RosterItem, RosterStore, Subscription } from './store.ts'

interface Contact {
  readonly jid: string
  readonly name: string | null
  readonly group_names: string
  readonly subscription: Subscription
  readonly ask: number
  readonly approved: number
  readonly request: string | null
  readonly listed: number
}

/** A roster's row with one of its contacts, all of whose columns are null if there is none. */
type RosterRow = { readonly version: number } & (Contact | { readonly jid: null })

/** The rosters in this database. */
export function rosterStore(db: Database): RosterStore {
  return {
    async load(owner) {
      const rows = await db.read<RosterRow>(
        db.sql`select version, jid, name, group_names, subscription, ask, approved, request, listed
          from roster left join contact on contact.owner = roster.owner
          where roster.owner = ${owner.key} order by jid`,
      )
      const items = rows.flatMap((row) => (row.jid === null ? [] : [itemOf(row)]))
      return { version: rows[0]?.version ?? 0, items }
    },

    async put(owner, item) {
      const answer = await db.write([
        db.sql`insert into contact (owner, jid, name, group_names, subscription, ask, approved, request, listed)
          values (${owner.key}, ${item.jid.key}, ${item.name ?? null}, ${JSON.stringify(item.groups)},
            ${item.subscription}, ${Number(item.ask)}, ${Number(item.approved)}, ${item.request ?? null},
            ${Number(item.listed)})
          on conflict (owner, jid) do update set name = excluded.name, group_names = excluded.group_names,
            subscription = excluded.subscription, ask = excluded.ask, approved = excluded.approved,
            request = excluded.request, listed = excluded.listed`,
        db.sql`insert into roster (owner, version) values (${owner.key}, 1)
          on conflict (owner) do update set version = roster.version + 1 returning version`,
      ])
      return versionIn(answer)
    },

    async remove(owner, contact) {
      const answer = await db.write([
        db.sql`update roster set version = version + 1 where owner = ${owner.key}
          and exists (select 1 from contact where owner = ${owner.key} and jid = ${contact.key})`,
        db.sql`delete from contact where owner = ${owner.key} and jid = ${contact.key}`,
        db.sql`select version from roster where owner = ${owner.key}`,
      ])
      return versionIn(answer)
    },
  }
}

function versionIn(answer: Answer): number {
  return Number(answer.at(-1)?.[0]?.version ?? 0)
}

function itemOf(row: Contact): RosterItem {
  return {
    jid: Jid.parse(row.jid),
    name: row.name ?? undefined,
    groups: JSON.parse(row.group_names),
    subscription: row.subscription,
    ask: row.ask === 1,
    approved: row.approved === 1,
    request: row.request ?? undefined,
    listed: row.listed === 1,
  }
}
