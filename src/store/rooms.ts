// SPDX-License-Identifier: Apache-2.0
// Rooms of XEP-0045. Whether something may be done is decided above, in memory; each deed is one transaction.
import { Jid } from '../xmpp/jid.ts'
import { type Database, readFromWriter, type Statement } from './db.ts'
import type { Messages } from './messages.ts'
import type {
  ListedRoom,
  NewRoom,
  RoomRange,
  RoomSettings,
  RoomStore,
  RoomSummary,
  StoredAffiliation,
  StoredOccupant,
} from './rooms-store.ts'

/** The rooms in this database. @param sweep frees the space of archives that were removed */
export function roomStore(db: Database, messages: Pick<Messages, 'forgetRoom'>, sweep: () => void): RoomStore {
  const { sql } = db
  return {
    create: (room) => create(db, messages, room),

    async load({ key }) {
      const [[room], affiliations] = await Promise.all([
        db.read<{ config: string; subject: string | null }>(sql`select config, subject from room where jid = ${key}`),
        db.read<StoredAffiliation>(
          sql`select jid, affiliation, nick, reason from room_affiliation where room = ${key} order by jid`,
        ),
      ])
      return room && { config: room.config, subject: room.subject ?? undefined, affiliations: affiliations.map(known) }
    },

    async configure(room, settings, changes) {
      await db.write([setSettings(db, room, settings), ...changes.map((change) => affiliate(db, room, change))])
    },

    async affiliate(room, changes) {
      await db.write(changes.map((change) => affiliate(db, room, change)))
    },

    async setSubject({ key }, subject) {
      await db.write([sql`update room set subject = ${subject} where jid = ${key}`])
    },

    async setDocument(room, settings, name, text) {
      await db.write([
        setSettings(db, room, settings),
        text === undefined
          ? sql`delete from document where owner = ${room.key} and name = ${name}`
          : sql`insert into document (owner, name, body) select ${room.key}, ${name}, ${text}
              where exists (select 1 from room where jid = ${room.key})
              on conflict (owner, name) do update set body = excluded.body`,
      ])
    },

    async remove(room) {
      const { key } = room
      await db.write([
        ...messages.forgetRoom(room, 1),
        sql`delete from document where owner = ${key} and exists (select 1 from room where jid = ${key})`,
        sql`delete from room_affiliation where room = ${key}`,
        sql`delete from room_occupant where room = ${key}`,
        sql`delete from room where jid = ${key}`,
      ])
      sweep()
    },

    list: (domain, range) => list(db, domain, range),

    all: (limit) => all(db, limit),

    async countListed(domain) {
      const [row] = await db.read<{ count: number }>(
        sql`select count(*) as count from room where domain = ${domain} and listed = 1`,
      )
      return row?.count ?? 0
    },

    async withPlaceOf({ key }) {
      const rows = await db.read<{ room: string }>(
        sql`select room from room_affiliation where jid = ${key}
          union select jid as room from room where replace(config, ${JSON.stringify(key)}, '') <> config order by room`,
      )
      return rows.map(({ room }) => Jid.parse(room))
    },

    async wakeable({ key }, limit) {
      const rows = await db.read<{ jid: string }>(
        sql`select distinct jid from room_affiliation join push on push.owner = jid
          where room = ${key} and affiliation <> 'outcast' order by jid limit ${limit}`,
      )
      return rows.map(({ jid }) => Jid.parse(jid))
    },

    enter({ room, jid, nick, role, presence }) {
      post(db, [
        sql`insert into room_occupant (room, jid, nick, role, presence) select ${room}, ${jid}, ${nick}, ${role}, ${presence}
          where exists (select 1 from room where jid = ${room})
          on conflict (room, jid) do update set nick = excluded.nick, role = excluded.role, presence = excluded.presence`,
      ])
    },

    leave(room, jid) {
      post(db, [sql`delete from room_occupant where room = ${room} and jid = ${jid}`])
    },

    occupants: () =>
      readFromWriter<StoredOccupant>(
        db,
        sql`select room, jid, nick, role, presence from room_occupant order by room, jid`,
      ),

    async temporary() {
      const rows = await readFromWriter<{ jid: string }>(db, sql`select jid from room where temporary = 1 order by jid`)
      return rows.map(({ jid }) => Jid.parse(jid))
    },
  }
}

/** Nobody waits for it; that something could not be written is seen by all who acknowledge (`Store.failures`). */
function post(db: Database, statements: readonly Statement[]): void {
  db.post({ statements, done: undefined, failed: undefined, wantsRows: false })
}

async function create(
  db: Database,
  messages: Pick<Messages, 'forgetRoom'>,
  { jid, creator, settings, most }: NewRoom,
): ReturnType<RoomStore['create']> {
  const { sql } = db
  const { config, name, listed, temporary } = settings
  const answer = await db.write([
    ...messages.forgetRoom(jid, 0),
    sql`insert into room_affiliation (room, jid, affiliation, nick, reason)
      select ${jid.key}, ${creator.key}, 'owner', null, null
      where not exists (select 1 from room where jid = ${jid.key})
      and (select count(*) from room where creator = ${creator.key}) < cast(${most} as bigint)
      on conflict (room, jid) do update set affiliation = excluded.affiliation`,
    sql`insert into room (jid, domain, name, creator, listed, temporary, config, subject)
      select ${jid.key}, ${jid.domain}, ${name}, ${creator.key}, ${Number(listed)}, ${Number(temporary)}, ${config}, null
      where (select count(*) from room where creator = ${creator.key}) < cast(${most} as bigint)
      on conflict (jid) do nothing returning jid`,
    sql`select jid from room where jid = ${jid.key}`,
  ])
  if (answer.at(-2)?.length === 1) return 'made'
  return answer.at(-1)?.length === 1 ? 'exists' : 'too many'
}

function setSettings({ sql }: Database, { key }: Jid, { config, name, listed, temporary }: RoomSettings): Statement {
  return sql`update room set config = ${config}, name = ${name}, listed = ${Number(listed)}, temporary = ${Number(temporary)}
    where jid = ${key}`
}

function affiliate({ sql }: Database, { key }: Jid, { jid, affiliation, nick, reason }: StoredAffiliation): Statement {
  if (affiliation === 'none' && nick === undefined) {
    return sql`delete from room_affiliation where room = ${key} and jid = ${jid}`
  }
  return sql`insert into room_affiliation (room, jid, affiliation, nick, reason)
    select ${key}, ${jid}, ${affiliation}, ${nick ?? null}, ${reason ?? null}
    where exists (select 1 from room where jid = ${key})
    on conflict (room, jid) do update set affiliation = excluded.affiliation, nick = excluded.nick, reason = excluded.reason`
}

async function all(db: Database, limit: number): Promise<readonly RoomSummary[]> {
  const rows = await db.read<Omit<RoomSummary, 'listed' | 'temporary'> & Record<'listed' | 'temporary', number>>(
    db.sql`select r.jid, r.name, r.creator, r.listed, r.temporary,
      (select count(*) from room_affiliation a where a.room = r.jid and a.affiliation <> 'outcast') as places,
      (select count(*) from room_occupant o where o.room = r.jid) as inside
      from room r order by r.jid limit ${limit}`,
  )
  return rows.map((row) => ({ ...row, listed: row.listed === 1, temporary: row.temporary === 1 }))
}

async function list(
  db: Database,
  domain: string,
  { after = '', before, last = false, limit }: RoomRange,
): Promise<readonly ListedRoom[]> {
  const bounded = Number(before !== undefined)
  const end = before ?? ''
  if (!last) {
    return db.read<ListedRoom>(
      db.sql`select jid, name from room where domain = ${domain} and listed = 1 and jid > ${after}
        and (${bounded} = 0 or jid < ${end}) order by jid limit ${limit}`,
    )
  }
  const rows = await db.read<ListedRoom>(
    db.sql`select jid, name from room where domain = ${domain} and listed = 1 and jid > ${after}
      and (${bounded} = 0 or jid < ${end}) order by jid desc limit ${limit}`,
  )
  return rows.toReversed()
}

/** A row as the caller knows it. */
function known({ jid, affiliation, nick, reason }: StoredAffiliation): StoredAffiliation {
  return { jid, affiliation, nick: nick ?? undefined, reason: reason ?? undefined }
}
