// SPDX-License-Identifier: Apache-2.0
// Accounts and what proves their owners.
import type { Clock } from '../clock.ts'
import { Jid } from '../xmpp/jid.ts'
import { forgetClients } from './clients.ts'
import { type Answer, type Database, readFromWriter, type Statement } from './db.ts'
import { redeemInvitation, withdrawInvitations } from './invitations.ts'
import type { Messages } from './messages.ts'
import type { Account, AccountRange, AccountStore, NewAccount, ScramHash, Verifier } from './store.ts'
import { abandonLeftUploads, abandonUploads } from './uploads.ts'

interface AccountRow {
  readonly jid: string
  readonly admin: number
  readonly disabled: number
  readonly created: number
  readonly last_seen: number | null
  readonly last_status: string | null
}

interface VerifierRow {
  readonly mechanism: ScramHash
  readonly salt: Buffer
  readonly iterations: number
  readonly stored_key: Buffer
  readonly server_key: Buffer
}

/** An account's row with one of its verifiers, all of whose columns are null if there is none. */
type CredentialsRow = AccountRow & (VerifierRow | { readonly mechanism: null })

/** The accounts in this database. @param messages whose statements take an account's messages away */
export function accountStore(
  db: Database,
  clock: Clock,
  messages: Pick<Messages, 'forget' | 'forgetLeftovers'>,
): AccountStore {
  const changed = async (statements: readonly Statement[]): Promise<boolean> => lastHasRow(await db.write(statements))
  return {
    async create(accounts) {
      const statements = [...messages.forgetLeftovers(accounts.map(({ jid }) => jid))]
      const places = accounts.map((account) => {
        statements.push(...removeLeftovers(db, account.jid), ...insertAccount(db, account, clock.now()))
        return statements.length - 1
      })
      const answer = await db.write(statements)
      return accounts.flatMap(({ jid }, index) => (answer[places[index] ?? -1]?.length === 0 ? [jid] : []))
    },

    redeem: (redemption) =>
      changed([
        ...messages.forgetLeftovers([redemption.account.jid]),
        ...removeLeftovers(db, redemption.account.jid),
        ...redeemInvitation(db, redemption, clock.now()),
      ]),

    async find(jid) {
      const rows = await db.read<CredentialsRow>(
        db.sql`select account.jid, admin, disabled, created, last_seen, last_status,
            mechanism, salt, iterations, stored_key, server_key
          from account left join verifier on verifier.jid = account.jid
          where account.jid = ${jid.key} order by mechanism`,
      )
      const verifiers = rows.flatMap((row) => (row.mechanism === null ? [] : [verifierOf(row)]))
      return rows[0] && { ...accountOf(rows[0]), verifiers }
    },

    list: async (range) => (await db.read<AccountRow>(listQuery(db, range))).map(accountOf),

    async count(domain) {
      const [row] = await readFromWriter<{ count: number }>(
        db,
        domain === undefined
          ? db.sql`select count(*) as count from account`
          : db.sql`select count(*) as count from account where domain = ${domain}`,
      )
      return row?.count ?? 0
    },

    setVerifiers: (jid, verifiers) =>
      changed([
        db.sql`delete from verifier where jid = (select jid from account where jid = ${jid.key})`,
        ...verifiers.map((verifier) => insertVerifier(db, jid, verifier, 1)),
        ...forgetClients(db, jid),
        db.sql`select jid from account where jid = ${jid.key}`,
      ]),
    addVerifier: (jid, verifier, proof) => changed([insertProvedVerifier(db, jid, verifier, proof)]),
    setDisabled: (jid, disabled) =>
      changed([
        ...(disabled ? forgetClients(db, jid) : []),
        db.sql`update account set disabled = ${Number(disabled)} where jid = ${jid.key} returning jid`,
      ]),
    setAdmin: (jid, admin) =>
      changed([db.sql`update account set admin = ${Number(admin)} where jid = ${jid.key} returning jid`]),
    remove: (jid) => changed([...messages.forget(jid), ...removeAccount(db, jid)]),

    async seen(jid, time, status) {
      await db.write([
        db.sql`update account set last_seen = ${time}, last_status = ${status ?? null} where jid = ${jid.key}`,
      ])
    },
  }
}

/** The account comes last, so that it can tell whether the rest belongs to a new one. */
function insertAccount(db: Database, { jid, admin, verifiers }: NewAccount, now: number): readonly Statement[] {
  return [
    ...verifiers.map((verifier) => insertVerifier(db, jid, verifier, 0)),
    db.sql`insert into account (jid, domain, admin, disabled, created)
      values (${jid.key}, ${jid.domain}, ${Number(admin)}, 0, ${now}) on conflict (jid) do nothing returning jid`,
  ]
}

/** @param existing how many accounts of this name there must be, 0 or 1 */
function insertVerifier(db: Database, jid: Jid, verifier: Verifier, existing: 0 | 1): Statement {
  return db.sql`insert into verifier (jid, mechanism, salt, iterations, stored_key, server_key)
    select ${jid.key}, ${verifier.mechanism}, ${verifier.salt}, ${verifier.iterations}, ${verifier.storedKey},
      ${verifier.serverKey}
    where (select count(*) from account where jid = ${jid.key}) = ${existing}
    on conflict (jid, mechanism) do update set salt = excluded.salt, iterations = excluded.iterations,
      stored_key = excluded.stored_key, server_key = excluded.server_key`
}

/** One more for the same password, if `proof` is the stored key of one that is there. */
function insertProvedVerifier(db: Database, { key }: Jid, verifier: Verifier, proof: Buffer): Statement {
  return db.sql`insert into verifier (jid, mechanism, salt, iterations, stored_key, server_key)
    select ${key}, ${verifier.mechanism}, ${verifier.salt}, ${verifier.iterations}, ${verifier.storedKey},
      ${verifier.serverKey}
    where exists (select 1 from verifier where jid = ${key} and stored_key = ${proof})
    on conflict (jid, mechanism) do update set salt = excluded.salt, iterations = excluded.iterations,
      stored_key = excluded.stored_key, server_key = excluded.server_key
    returning jid`
}

function listQuery(db: Database, { domain, after = '', limit }: AccountRange): Statement {
  return domain === undefined
    ? db.sql`select jid, admin, disabled, created, last_seen, last_status from account
        where jid > ${after} order by jid limit ${limit}`
    : db.sql`select jid, admin, disabled, created, last_seen, last_status from account
        where domain = ${domain} and jid > ${after} order by jid limit ${limit}`
}

/** Only what belongs to an account: a domain has documents too. */
function removeAccount(db: Database, { key }: Jid): readonly Statement[] {
  return [
    db.sql`delete from roster where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from contact where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from document where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from member where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from push where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from report where reporter = (select jid from account where jid = ${key})`,
    ...forgetClients(db, { key }),
    db.sql`delete from session_base where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from pubsub_node where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from pubsub_item where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from pubsub_affiliation where owner = (select jid from account where jid = ${key})`,
    db.sql`delete from pubsub_subscription where owner = (select jid from account where jid = ${key})`,
    ...leaveServices(db, { key }),
    ...abandonUploads(db, { key }),
    ...leaveRooms(db, { key }),
    ...withdrawInvitations(db, { key }),
    db.sql`delete from verifier where jid = ${key}`,
    db.sql`delete from account where jid = ${key} returning jid`,
  ]
}

/** Nobody who gets the name later may do with the nodes of services what the account might. */
function leaveServices(db: Database, { key }: Pick<Jid, 'key'>): readonly Statement[] {
  const prefix = `${key}/`
  return [
    db.sql`delete from pubsub_affiliation where jid = ${key} and owner not like '%@%'`,
    db.sql`delete from pubsub_subscription where owner not like '%@%'
      and (jid = ${key} or substr(jid, 1, ${[...prefix].length}) = ${prefix})`,
  ]
}

/** Nor may they have its place in rooms. Rooms without an owner are seen to by who knows them. */
function leaveRooms(db: Database, { key }: Pick<Jid, 'key'>): readonly Statement[] {
  return [
    db.sql`delete from room_affiliation where jid = ${key}`,
    db.sql`update room set creator = '' where creator = ${key}`,
  ]
}

/** What came for the name while its last account was being removed is not for the next one. */
function removeLeftovers(db: Database, { key }: Jid): readonly Statement[] {
  return [
    db.sql`delete from roster where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from contact where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from document where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from member where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from push where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from report where reporter = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from session_base where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from pubsub_node where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from pubsub_item where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from pubsub_affiliation where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    db.sql`delete from pubsub_subscription where owner = ${key} and not exists (select 1 from account where jid = ${key})`,
    ...abandonLeftUploads(db, { key }),
  ]
}

function lastHasRow(answer: Answer): boolean {
  return (answer.at(-1)?.length ?? 0) > 0
}

function accountOf(row: AccountRow): Account {
  return {
    jid: Jid.parse(row.jid),
    admin: row.admin === 1,
    disabled: row.disabled === 1,
    created: row.created,
    lastSeen: row.last_seen ?? undefined,
    lastStatus: row.last_status ?? undefined,
  }
}

function verifierOf(row: VerifierRow): Verifier {
  const { mechanism, salt, iterations } = row
  return { mechanism, salt, iterations, storedKey: row.stored_key, serverKey: row.server_key }
}
