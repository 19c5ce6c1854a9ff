// SPDX-License-Identifier: Apache-2.0
// Places for files, and what became of them. The files are on disk (`upload-files.ts`); a row that is `gone` outlives its
// file, so that whatever happens in between, none stays behind.
import { Jid } from '../xmpp/jid.ts'
import type { Database, Statement } from './db.ts'
import type { NewUpload, NoRoom, Upload, UploadLimits, UploadStore, UploadUsage } from './upload-store.ts'

const DAY = 86_400_000
/** As many as go in one step. */
const STEP = 200

interface UploadRow {
  readonly id: number
  readonly file: string
  readonly owner: string
  readonly name: string
  readonly type: string | null
  readonly size: number
  readonly state: string
  readonly created: number
  readonly expires: number
}

/** The uploads in this database. */
export function uploadStore(db: Database): UploadStore {
  const { sql } = db
  return {
    async reserve(upload, most) {
      const [made] = await db.write([insertPlace(db, upload, most)])
      return made?.length ? undefined : whyNot(db, upload, most)
    },
    async find(slot, now) {
      const [row] = await db.read<UploadRow>(
        sql`select id, file, owner, name, type, size, state, created, expires from upload
          where slot = ${slot} and state in ('open', 'stored') and expires > ${now}`,
      )
      return row && uploadOf(row)
    },
    async hold(slot, now, until) {
      const [held] = await db.write([
        sql`update upload set expires = ${until} where slot = ${slot} and state = 'open' and expires > ${now} returning id`,
      ])
      return held?.length === 1
    },
    async keep(slot) {
      const [kept] = await db.write([
        sql`update upload set state = 'stored', expires = keep_until where slot = ${slot} and state = 'open' returning id`,
      ])
      return kept?.length === 1
    },
    async usage(limit) {
      const rows = await db.read<UploadUsage & { readonly owner: string }>(
        sql`select owner, count(*) as files, cast(sum(size) as bigint) as bytes, min(created) as oldest, max(created) as newest
          from upload where state = 'stored' group by owner order by sum(size) desc, owner limit ${limit}`,
      )
      return rows.map((row) => ({ ...row, owner: Jid.parse(row.owner) }))
    },
    async list(owner, limit) {
      const rows = await db.read<UploadRow>(
        sql`select id, file, owner, name, type, size, state, created, expires from upload
          where owner = ${owner.key} and state = 'stored' order by created desc, id desc limit ${limit}`,
      )
      return rows.map(uploadOf)
    },
    async remove({ ids = [], slots = [] }) {
      const answer = await db.write([
        ...ids.map((id) => sql`update upload set state = 'gone' where id = ${id} and state = 'stored' returning id`),
        ...slots.map(
          (slot) => sql`update upload set state = 'gone' where slot = ${slot} and state = 'stored' returning id`,
        ),
      ])
      return answer.flat().length
    },
    async expire(now) {
      const due = await db.read(
        // Each by the index; nothing is written, and no disk woken, when there is nothing to do.
        sql`select id from upload where (state = 'open' and expires <= ${now}) or (state = 'stored' and expires <= ${now})
          or (state = 'spent' and (owner = '' or size = 0 or created <= ${now - DAY})) limit 1`,
      )
      if (due.length === 0) return 0
      const [expired] = await db.write([
        // A place that was not used does not count for the day.
        sql`update upload set state = 'gone', size = case state when 'open' then 0 else size end where id in
          (select id from upload where state in ('open', 'stored') and expires <= ${now} order by expires limit ${STEP})
          returning id`,
        sql`delete from upload where state = 'spent' and (owner = '' or size = 0 or created <= ${now - DAY})`,
      ])
      return expired?.length ?? 0
    },
    async gone() {
      const rows = await db.read<{ file: string }>(sql`select file from upload where state = 'gone' limit ${STEP}`)
      return rows.map(({ file }) => file)
    },
    async forget(files, now) {
      await db.write([
        ...files.map(
          (file) =>
            sql`update upload set state = 'spent', name = '', type = null where file = ${file} and state = 'gone'`,
        ),
        sql`delete from upload where state = 'spent' and (owner = '' or size = 0 or created <= ${now - DAY})`,
      ])
    },
    async known(prefix) {
      const rows = await db.read<{ file: string }>(
        sql`select file from upload where file >= ${prefix} and file < ${`${prefix}~`} and state <> 'spent'`,
      )
      return new Set(rows.map(({ file }) => file))
    },
  }
}

/** The files of an account that is being removed; nothing remains that tells whose they were. */
export function abandonUploads({ sql }: Database, { key }: Pick<Jid, 'key'>): readonly Statement[] {
  return [
    sql`update upload set state = 'gone', owner = '', name = '', type = null
      where owner = (select jid from account where jid = ${key})`,
  ]
}

/** The same for what came while it was being removed. */
export function abandonLeftUploads({ sql }: Database, { key }: Pick<Jid, 'key'>): readonly Statement[] {
  return [
    sql`update upload set state = 'gone', owner = '', name = '', type = null
      where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
  ]
}

function insertPlace({ sql }: Database, upload: NewUpload, most: UploadLimits): Statement {
  const { slot, file, name, type, size, created, expires, keepUntil } = upload
  const { key } = upload.owner
  return sql`insert into upload (slot, file, owner, name, type, size, state, created, expires, keep_until)
    select ${slot}, ${file}, ${key}, ${name}, ${type ?? null}, ${size}, 'open', ${created}, ${expires}, ${keepUntil}
    where exists (select 1 from account where jid = ${key})
      and (select count(*) from upload where owner = ${key} and state in ('open', 'stored')) < ${most.filesPerAccount}
      and (select cast(coalesce(sum(size), 0) as bigint) from upload
        where owner = ${key} and state in ('open', 'stored')) <= ${most.bytesPerAccount - size}
      and (select cast(coalesce(sum(size), 0) as bigint) from upload
        where owner = ${key} and created > ${created - DAY}) <= ${most.bytesPerDay - size}
    returning id`
}

/** When there would be room again: for each limit, once the first so many have expired. */
async function whyNot(db: Database, { owner, size, created }: NewUpload, most: UploadLimits): Promise<NoRoom> {
  const { key } = owner
  const [day] = await db.read<{ until: number | null; used: number }>(
    db.sql`select cast(min(created) as bigint) as until,
        (select cast(coalesce(sum(size), 0) as bigint) from upload where owner = ${key} and created > ${created - DAY}) as used
      from (select created, cast(coalesce(sum(size) over (order by created desc, id desc
          rows between unbounded preceding and 1 preceding), 0) as bigint) as newer
        from upload where owner = ${key} and created > ${created - DAY}) as one
      where newer <= ${most.bytesPerDay - size}`,
  )
  if (day && day.used > most.bytesPerDay - size) {
    return { what: 'day', until: day.until === null ? undefined : day.until + DAY }
  }
  const [all] = await db.read<{ until: number | null }>(
    db.sql`select cast(min(expires) as bigint) as until
      from (select expires, cast(coalesce(sum(size) over (order by expires desc, id desc
          rows between unbounded preceding and 1 preceding), 0) as bigint) as later,
        row_number() over (order by expires desc, id desc) as place
        from upload where owner = ${key} and state in ('open', 'stored')) as one
      where later <= ${most.bytesPerAccount - size} and place <= ${most.filesPerAccount}`,
  )
  return all?.until === null || all === undefined
    ? { what: 'gone', until: undefined }
    : { what: 'account', until: all.until }
}

function uploadOf({ state, type, owner, ...row }: UploadRow): Upload {
  return { ...row, owner: Jid.parse(owner), type: type ?? undefined, stored: state === 'stored' }
}
