// SPDX-License-Identifier: Apache-2.0
// Invitations. All conditions stand in the SQL: one that lets one person in lets one person in, however many come at once, and
// what it is good for is done in the same commit or not at all.
import { Jid } from '../xmpp/jid.ts'
import { type Database, readFromWriter, type Statement } from './db.ts'
import type {
  Invitation,
  InvitationLimits,
  InvitationStore,
  InvitationTerms,
  NoInvitation,
  Redemption,
} from './invitation-store.ts'

const DAY = 86_400_000
/** For what has no bound. */
const MANY = Number.MAX_SAFE_INTEGER

interface Row {
  readonly id: number
  readonly domain: string
  readonly creator: string
  readonly contact: string | null
  readonly name: string | null
  readonly admin: number
  readonly accounts: number
  readonly note: string | null
  readonly uses: number | null
  readonly used: number
  readonly created: number
  readonly expires: number
}

/** The invitations in this database. */
export function invitationStore(db: Database): InvitationStore {
  const { sql } = db
  return {
    async create(hash, terms, most) {
      const [, made] = await db.write([forgetOld(db, terms.created), insertInvitation(db, hash, terms, most)])
      const id = made?.[0]?.id
      return id === undefined ? whyNot(db, terms, most) : Number(id)
    },
    async find(hash, at) {
      const [row] = await db.read<Row>(
        sql`select id, domain, creator, contact, name, admin, accounts, note, uses, used, created, expires from invitation
          where hash = ${hash} and expires > ${at} and (uses is null or used < uses)
            and (creator = '' or exists (select 1 from account where jid = creator and disabled = 0))`,
      )
      return row && invitationOf(row)
    },
    async use(hash, { key }, at) {
      const [used] = await db.write([
        sql`update invitation set used = used + 1, redeeming = ''
          where hash = ${hash} and contact = ${key} and expires > ${at} and (uses is null or used < uses)
            and (creator = '' or exists (select 1 from account where jid = creator and disabled = 0))
          returning id`,
      ])
      return (used?.length ?? 0) > 0
    },
    async list(at, limit) {
      const rows = await db.read<Row>(
        sql`select id, domain, creator, contact, name, admin, accounts, note, uses, used, created, expires from invitation
          where expires > ${at} and (uses is null or used < uses) order by id desc limit ${limit}`,
      )
      return rows.map(invitationOf)
    },
    async revoke(ids) {
      const answer = await db.write(ids.map((id) => sql`delete from invitation where id = ${id} returning id`))
      return answer.flat().length
    },
    async reserved({ domain, local }, at) {
      const rows = await db.read(
        sql`select 1 as found from invitation where domain = ${domain} and name = ${local ?? ''} and expires > ${at}
          and (uses is null or used < uses) limit 1`,
      )
      return rows.length > 0
    },
    async until(at) {
      const [row] = await readFromWriter<{ until: number | null }>(
        db,
        sql`select max(expires) as until from invitation
          where accounts = 1 and expires > ${at} and (uses is null or used < uses)`,
      )
      return Number(row?.until ?? 0)
    },
  }
}

/** Those that nobody can use any more; for a day they still count as made. */
function forgetOld({ sql }: Database, now: number): Statement {
  return sql`delete from invitation where created <= ${now - DAY} and (expires <= ${now - DAY} or used >= uses)`
}

function insertInvitation({ sql }: Database, hash: string, terms: InvitationTerms, most: InvitationLimits): Statement {
  const { domain, contact, name, admin, accounts, note, uses, created, expires } = terms
  const creator = terms.creator?.key ?? ''
  const { perDay, waiting } = creator === '' ? { perDay: MANY, waiting: MANY } : most
  const jid = name === undefined ? '' : `${name}@${domain}`
  return sql`insert into invitation
      (hash, domain, creator, contact, name, admin, accounts, note, uses, used, created, expires, redeeming)
    select ${hash}, ${domain}, ${creator}, ${contact?.key ?? null}, ${name ?? null}, ${Number(admin)},
      ${Number(accounts)}, ${note ?? null}, ${uses ?? null}, 0, ${created}, ${expires}, ''
    where (select count(*) from invitation where creator = ${creator} and created > ${created - DAY}) < ${perDay}
      and (select count(*) from invitation where creator = ${creator} and expires > ${created}
        and (uses is null or used < uses)) < ${waiting}
      and (select count(*) from invitation) < ${most.all}
      and not exists (select 1 from account where jid = ${jid})
      and not exists (select 1 from invitation where domain = ${domain} and name = ${name ?? ''}
        and expires > ${created} and (uses is null or used < uses))
    returning id`
}

async function whyNot(
  db: Database,
  { creator, created }: InvitationTerms,
  most: InvitationLimits,
): Promise<NoInvitation> {
  const [row] = await db.read<{ all_of_them: number; of_today: number; waiting: number }>(
    db.sql`select (select count(*) from invitation) as all_of_them,
      (select count(*) from invitation where creator = ${creator?.key ?? ''} and created > ${created - DAY}) as of_today,
      (select count(*) from invitation where creator = ${creator?.key ?? ''} and expires > ${created}
        and (uses is null or used < uses)) as waiting`,
  )
  if ((row?.all_of_them ?? 0) >= most.all) return 'all'
  if (creator && (row?.of_today ?? 0) >= most.perDay) return 'perDay'
  return creator && (row?.waiting ?? 0) >= most.waiting ? 'waiting' : 'name'
}

/**
 * Uses an invitation for a new account, makes that, and makes both contacts of each other (RFC 6121 appendix A: "Both").
 * The last statement gives a row if there is an account now. Whoever calls sees to what the name left behind.
 */
export function redeemInvitation(db: Database, redemption: Redemption, now: number): readonly Statement[] {
  const { account, hash, deed } = redemption
  const { jid } = account
  return [
    takeInvitation(db, redemption, now),
    ...account.verifiers.map(
      ({ mechanism, salt, iterations, storedKey, serverKey }) =>
        db.sql`insert into verifier (jid, mechanism, salt, iterations, stored_key, server_key)
          select ${jid.key}, ${mechanism}, ${salt}, ${iterations}, ${storedKey}, ${serverKey}
          where exists (select 1 from invitation where hash = ${hash} and redeeming = ${deed})
          on conflict (jid, mechanism) do update set salt = excluded.salt, iterations = excluded.iterations,
            stored_key = excluded.stored_key, server_key = excluded.server_key`,
    ),
    ...befriend(db, redemption),
    db.sql`insert into account (jid, domain, admin, disabled, created)
      select ${jid.key}, ${jid.domain}, admin, 0, ${now} from invitation where hash = ${hash} and redeeming = ${deed}
      returning jid`,
  ]
}

function takeInvitation({ sql }: Database, { account: { jid }, hash, at, deed }: Redemption, now: number): Statement {
  return sql`update invitation set used = used + 1, redeeming = ${deed}
    where hash = ${hash} and accounts = 1 and domain = ${jid.domain} and expires > ${at} and (uses is null or used < uses)
      and (name is null or name = ${jid.local ?? ''})
      and (creator = '' or exists (select 1 from account where jid = creator and disabled = 0))
      and not exists (select 1 from account where jid = ${jid.key})
      and not exists (select 1 from invitation as other where other.domain = ${jid.domain} and other.name = ${jid.local ?? ''}
        and other.hash <> ${hash} and other.expires > ${now} and (other.uses is null or other.used < other.uses))
    returning id`
}

function befriend({ sql }: Database, { account: { jid }, hash, deed, rosterItems }: Redemption): readonly Statement[] {
  const { key } = jid
  return [
    sql`insert into contact (owner, jid, name, group_names, subscription, ask, approved, request, listed)
      select ${key}, contact, null, '[]', 'both', 0, 0, null, 1 from invitation
      where hash = ${hash} and redeeming = ${deed} and exists (select 1 from account where account.jid = invitation.contact)
        and (select count(*) from contact where contact.owner = invitation.contact) < ${rosterItems}
      on conflict (owner, jid) do nothing`,
    sql`insert into contact (owner, jid, name, group_names, subscription, ask, approved, request, listed)
      select contact.jid, ${key}, null, '[]', 'both', 0, 0, null, 1 from contact
      where contact.owner = ${key} and exists (select 1 from invitation where hash = ${hash} and redeeming = ${deed})
      on conflict (owner, jid) do update set subscription = 'both', ask = 0, approved = 0, request = null, listed = 1`,
    sql`insert into roster (owner, version) select contact.jid, 1 from contact
      where contact.owner = ${key} and exists (select 1 from invitation where hash = ${hash} and redeeming = ${deed})
      on conflict (owner) do update set version = roster.version + 1`,
    sql`insert into roster (owner, version) select ${key}, 1 from invitation where hash = ${hash} and redeeming = ${deed}
      on conflict (owner) do update set version = roster.version + 1`,
  ]
}

/** Those that an account made or is the contact of: nobody comes by them when it is gone. */
export function withdrawInvitations({ sql }: Database, { key }: Pick<Jid, 'key'>): readonly Statement[] {
  return [sql`delete from invitation where creator = ${key} or contact = ${key}`]
}

function invitationOf(row: Row): Invitation {
  const { id, domain, used, created, expires } = row
  return {
    id,
    domain,
    creator: row.creator === '' ? undefined : Jid.parse(row.creator),
    contact: row.contact === null ? undefined : Jid.parse(row.contact),
    name: row.name ?? undefined,
    admin: row.admin === 1,
    accounts: row.accounts === 1,
    note: row.note ?? undefined,
    uses: row.uses ?? undefined,
    used,
    created,
    expires,
  }
}
