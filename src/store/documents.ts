// SPDX-License-Identifier: Apache-2.0
// One text per owner and key, and the secrets that the server makes for itself.
import { randomBytes } from 'node:crypto'
import type { Database } from './db.ts'
import type { DocumentStore } from './store.ts'

/** The documents in this database. */
export function documentStore(db: Database): DocumentStore {
  return {
    async get(owner, key) {
      const [row] = await db.read<{ body: string }>(
        db.sql`select body from document where owner = ${owner.key} and name = ${key}`,
      )
      return row?.body
    },
    async put(owner, key, text) {
      await db.write([
        db.sql`insert into document (owner, name, body) values (${owner.key}, ${key}, ${text})
          on conflict (owner, name) do update set body = excluded.body`,
      ])
    },
    async size(owner) {
      const [row] = await db.read<{ size: number }>(
        db.sql`select cast(coalesce(sum(octet_length(body)), 0) as bigint) as size from document where owner = ${owner.key}`,
      )
      return row?.size ?? 0
    },
    async remove(owner, key) {
      await db.write([db.sql`delete from document where owner = ${owner.key} and name = ${key}`])
    },
  }
}

/** As `Store.secret`. */
export async function secret(db: Database, name: string): Promise<Buffer> {
  const [, rows] = await db.write([
    db.sql`insert into secret (name, value) values (${name}, ${randomBytes(32)}) on conflict (name) do nothing`,
    db.sql`select value from secret where name = ${name}`,
  ])
  const value = rows?.[0]?.value
  if (!(value instanceof Uint8Array)) throw new Error(`the secret ${name} is not readable`)
  return Buffer.from(value)
}
