// SPDX-License-Identifier: Apache-2.0
// Clients and the tokens they log in with (XEP-0484). All conditions stand in the SQL: of two logins with the same count one
// wins, and nobody keeps a token who logged in with a password that was changed meanwhile.
import type { Clock } from '../clock.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Answer, Database, Statement } from './db.ts'
import type { ClientStore, NewToken } from './store.ts'

/** More rows than there can be: PostgreSQL and SQLite have no common word for "all". */
const ALL = 1_000_000

interface TokenRow {
  readonly mechanism: string
  readonly seed: Buffer
  readonly issued: number
  readonly expires: number
}

interface ClientRow {
  readonly id: string
  readonly software: string | null
  readonly device: string | null
  readonly created: number
  readonly last_used: number
  readonly expires: number
}

/** The clients in this database. */
export function clientStore(db: Database, clock: Clock): ClientStore {
  return {
    tokens: async (owner, client) =>
      db.read<TokenRow>(
        db.sql`select mechanism, seed, issued, expires from token
          where owner = ${owner.key} and client = ${client} order by fresh desc`,
      ),

    async use({ key }, client, { seed }, count) {
      const now = clock.now()
      const [used] = await db.write([
        db.sql`update token set uses = case when ${count ?? 0} > uses then ${count ?? 0} else uses end
          where owner = ${key} and client = ${client} and seed = ${seed} and expires > ${now}
            and ${count ?? Number.MAX_SAFE_INTEGER} > uses
            and exists (select 1 from account where jid = ${key} and disabled = 0)
          returning client`,
        db.sql`delete from token where owner = ${key} and client = ${client} and fresh = 0
          and exists (select 1 from token as newer
            where newer.owner = ${key} and newer.client = ${client} and newer.fresh = 1 and newer.seed = ${seed})`,
        db.sql`update token set fresh = 0 where owner = ${key} and client = ${client} and seed = ${seed}`,
        db.sql`update client set last_used = ${now} where owner = ${key} and id = ${client}`,
      ])
      return (used?.length ?? 0) > 0
    },

    give: async (owner, request) => lastHasRow(await db.write(giveToken(db, owner, request, clock.now()))),

    async drop({ key }, client, { seed }) {
      await db.write([
        db.sql`delete from token where owner = ${key} and client = ${client} and seed = ${seed}`,
        forgetBare(db, { key }),
      ])
    },

    async list({ key }) {
      const rows = await db.read<ClientRow>(
        db.sql`select id, software, device, created, last_used, max(expires) as expires
          from client join token on token.owner = client.owner and token.client = client.id
          where client.owner = ${key} and expires > ${clock.now()}
          group by id, software, device, created, last_used order by last_used desc, id`,
      )
      return rows.map(({ id, software, device, created, last_used: lastUsed, expires }) => ({
        id,
        software: software ?? undefined,
        device: device ?? undefined,
        created,
        lastUsed,
        expires,
      }))
    },

    async revoke({ key }, client) {
      const answer = await db.write([
        db.sql`delete from token where owner = ${key} and client = ${client}`,
        db.sql`delete from client where owner = ${key} and id = ${client} returning id`,
      ])
      return lastHasRow(answer)
    },
  }
}

/** What takes the clients of an account away. */
export function forgetClients(db: Database, { key }: Pick<Jid, 'key'>): readonly Statement[] {
  return [db.sql`delete from token where owner = ${key}`, db.sql`delete from client where owner = ${key}`]
}

/** The token comes last, so that it can tell whether it was kept. */
function giveToken(db: Database, { key }: Jid, { client, token, proof, most }: NewToken, now: number): Statement[] {
  const { id, software, device } = client
  const { mechanism, seed, issued, expires } = token
  return [
    db.sql`delete from token where owner = ${key} and expires <= ${now}`,
    db.sql`insert into client (owner, id, software, device, created, last_used)
      select ${key}, ${id}, ${software ?? null}, ${device ?? null}, ${now}, ${now}
      where exists (select 1 from account where jid = ${key} and disabled = 0)
        and (exists (select 1 from verifier where jid = ${key} and stored_key = ${proof})
          or exists (select 1 from token where owner = ${key} and client = ${id} and seed = ${proof}))
      on conflict (owner, id) do update set software = excluded.software, device = excluded.device,
        last_used = excluded.last_used`,
    db.sql`delete from client where owner = ${key} and id in (
      select id from client where owner = ${key} order by case when id = ${id} then 0 else 1 end, last_used desc, id
      limit ${ALL} offset ${most})`,
    db.sql`insert into token (owner, client, fresh, mechanism, seed, issued, expires, uses)
      select ${key}, ${id}, 1, ${mechanism}, ${seed}, ${issued}, ${expires}, 0
      where exists (select 1 from client where owner = ${key} and id = ${id})
        and exists (select 1 from account where jid = ${key} and disabled = 0)
        and (exists (select 1 from verifier where jid = ${key} and stored_key = ${proof})
          or exists (select 1 from token where owner = ${key} and client = ${id} and seed = ${proof}))
      on conflict (owner, client, fresh) do update set mechanism = excluded.mechanism, seed = excluded.seed,
        issued = excluded.issued, expires = excluded.expires, uses = 0`,
    db.sql`delete from token where owner = ${key} and client not in (select id from client where owner = ${key})`,
    forgetBare(db, { key }),
    db.sql`select client from token where owner = ${key} and client = ${id} and seed = ${seed}`,
  ]
}

/** Takes away the clients that have no token any more. */
function forgetBare(db: Database, { key }: Pick<Jid, 'key'>): Statement {
  return db.sql`delete from client where owner = ${key} and id not in (select client from token where owner = ${key})`
}

function lastHasRow(answer: Answer): boolean {
  return (answer.at(-1)?.length ?? 0) > 0
}
