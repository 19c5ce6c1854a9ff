// SPDX-License-Identifier: Apache-2.0
// What users reported about others, for the administrators.
import { Jid } from '../xmpp/jid.ts'
import type { Database } from './db.ts'
import type { Report, ReportStore } from './store.ts'

interface Row {
  readonly id: number
  readonly time: number
  readonly reporter: string
  readonly subject: string
  readonly reason: string
  readonly body: string | null
  readonly stanzas: string
}

/** The reports in this database. */
export function reportStore(db: Database): ReportStore {
  return {
    async add(reports, time, { each, all }) {
      const reporters = new Set(reports.map(({ reporter }) => reporter.key))
      await db.write([
        ...reports.map(
          ({ reporter, subject, reason, text, stanzas }) =>
            db.sql`insert into report (time, reporter, subject, reason, body, stanzas) values (${time}, ${reporter.key},
              ${subject.key}, ${reason}, ${text ?? null}, ${JSON.stringify(stanzas)})`,
        ),
        ...[...reporters].map(
          (reporter) =>
            db.sql`delete from report where reporter = ${reporter} and id not in (
              select id from report where reporter = ${reporter} order by id desc limit ${each})`,
        ),
        db.sql`delete from report where id <= (select id from report order by id desc limit 1 offset ${all})`,
      ])
    },
    async list(limit) {
      const rows = await db.read<Row>(db.sql`select * from report order by id desc limit ${limit}`)
      return rows.map(reportOf)
    },
    async remove(ids) {
      const answer = await db.write(
        ids === undefined
          ? [db.sql`delete from report returning id`]
          : ids.map((id) => db.sql`delete from report where id = ${id} returning id`),
      )
      return answer.flat().length
    },
  }
}

function reportOf({ id, time, reporter, subject, reason, body, stanzas }: Row): Report {
  return {
    id,
    time,
    reporter: Jid.parse(reporter),
    subject: Jid.parse(subject),
    reason,
    text: body ?? undefined,
    stanzas: JSON.parse(stanzas),
  }
}
