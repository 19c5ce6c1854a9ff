// SPDX-License-Identifier: Apache-2.0
// Messages that are on their way to other servers. Like `messages.ts`, adding makes no promise; what arrived is removed for
// many messages at once, at the end of a commit that there is anyway.
import { type Database, readFromWriter } from './db.ts'
import type { OutboxStore, OutgoingMessage } from './outbox-store.ts'

/** The outbox in this database. */
export async function openOutbox(db: Database): Promise<OutboxStore> {
  const [row] = await readFromWriter<{ last: number | null }>(db, db.sql`select max(id) as last from outbox`)
  return new Outbox(db, row?.last ?? 0)
}

class Outbox implements OutboxStore {
  readonly #db: Database
  #last: number
  /** Up to where each way is to be removed. */
  #arrived = new Map<string, number>()
  #dropped: number[] = []
  #scheduled = false

  constructor(db: Database, last: number) {
    this.#db = db
    this.#last = last
  }

  put({ way, since, xml }: Omit<OutgoingMessage, 'id'>, failed?: (error: Error) => void): number {
    const id = ++this.#last
    const statements = [this.#db.sql`insert into outbox (id, way, since, xml) values (${id}, ${way}, ${since}, ${xml})`]
    this.#db.post({ statements, done: undefined, failed, wantsRows: false })
    return id
  }

  arrived(way: string, upTo: number): void {
    this.#arrived.set(way, upTo)
    this.#schedule()
  }

  drop(ids: readonly number[]): void {
    for (const id of ids) this.#dropped.push(id)
    if (ids.length > 0) this.#schedule()
  }

  page(after: number, limit: number): Promise<readonly OutgoingMessage[]> {
    return readFromWriter(
      this.#db,
      this.#db.sql`select id, way, since, xml from outbox where id > ${after} order by id limit ${limit}`,
    )
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#db.postLast(() => {
      const { sql } = this.#db
      const statements = [...this.#arrived].map(
        ([way, id]) => sql`delete from outbox where way = ${way} and id <= ${id}`,
      )
      statements.push(...this.#dropped.map((id) => sql`delete from outbox where id = ${id}`))
      this.#arrived = new Map()
      this.#dropped = []
      this.#scheduled = false
      return { statements, done: undefined, failed: undefined, wantsRows: false }
    })
  }
}
