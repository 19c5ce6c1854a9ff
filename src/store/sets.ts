// SPDX-License-Identifier: Apache-2.0
// Named sets of texts per owner.
import type { Database } from './db.ts'
import type { SetStore } from './store.ts'

/** The sets in this database. */
export function setStore(db: Database): SetStore {
  return {
    async all(owner, name) {
      const rows = await db.read<{ value: string }>(
        db.sql`select value from member where owner = ${owner.key} and name = ${name} order by value`,
      )
      return rows.map((row) => row.value)
    },
    async add(owner, name, values) {
      await db.write(
        values.map(
          (value) =>
            db.sql`insert into member (owner, name, value) values (${owner.key}, ${name}, ${value})
              on conflict (owner, name, value) do nothing`,
        ),
      )
    },
    async remove(owner, name, values) {
      await db.write(
        values.map(
          (value) => db.sql`delete from member where owner = ${owner.key} and name = ${name} and value = ${value}`,
        ),
      )
    },
    async clear(owner, name) {
      await db.write([db.sql`delete from member where owner = ${owner.key} and name = ${name}`])
    },
  }
}
