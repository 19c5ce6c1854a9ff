// SPDX-License-Identifier: Apache-2.0
// How a PostgreSQL database is, looked at beside whoever works with it: what it promises, and a sample of what it keeps.
import type postgres from 'postgres'
import { connectPostgres } from './postgres.ts'

/** How long one question may take, in ms. */
const PATIENCE = 5_000
/** Rows that are read of each table. */
const SAMPLE = 500
/** What is said of damage, in characters. */
const SHOWN = 300

/** What was seen. */
export interface PostgresState {
  /** As `15.4`. */
  readonly version: string
  /** As `150004`. */
  readonly versionNumber: number
  readonly encoding: string
  /** Settings without which what was acknowledged may be lost, that are switched off. */
  readonly unsafe: readonly string[]
  /** Whether it only follows another one, and takes nothing. */
  readonly readOnly: boolean
  /** Indexes that are not used, since making them was broken off. */
  readonly invalid: readonly string[]
  /** Pages whose checksum was wrong, if it has checksums. */
  readonly badPages: number
  /** Tables of which not even a sample can be read, with the reason. */
  readonly damaged: readonly string[]
  /** Of the database, in bytes. */
  readonly size: number
  /** Where the files are, if we may know, and it is this machine. */
  readonly directory: string | undefined
  /** Transactions since the oldest one was tidied up, as a part of what there can be. */
  readonly age: number
}

/** Looks. Rejects with the reason if it cannot be reached. */
export async function inspectPostgres(url: string): Promise<PostgresState> {
  const client = connectPostgres(url, 1, { statement_timeout: PATIENCE })
  try {
    return { ...(await settings(client)), damaged: await damage(client) }
  } finally {
    await client.end({ timeout: 1 })
  }
}

interface Settings {
  readonly version: string
  readonly number: string
  readonly encoding: string
  readonly recovery: boolean
  readonly fsync: string
  readonly pages: string
  readonly size: number
  readonly bad: number | null
  readonly age: number
  readonly local: boolean
}

async function settings(client: postgres.Sql): Promise<Omit<PostgresState, 'damaged'>> {
  const [one] = await client<Settings[]>`
    select current_setting('server_version') as version, current_setting('server_version_num') as number,
      pg_encoding_to_char(encoding) as encoding, pg_is_in_recovery() as recovery, current_setting('fsync') as fsync,
      current_setting('full_page_writes') as pages, pg_database_size(oid) as size,
      (select checksum_failures from pg_stat_database where datid = d.oid) as bad,
      age(datfrozenxid)::float8 / 2147483647 as age,
      inet_server_addr() is null or inet_server_addr() = inet_client_addr() as local
    from pg_database d where datname = current_database()`
  if (!one) throw new Error('it does not say how it is')
  const invalid = await client<{ name: string }[]>`
    select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
    where not i.indisvalid and c.relnamespace = current_schema()::regnamespace limit 10`
  const unsafe = [one.fsync === 'on' ? [] : ['fsync'], one.pages === 'on' ? [] : ['full_page_writes']].flat()
  return {
    ...{ version: one.version.split(' ')[0] ?? '', versionNumber: Number(one.number), encoding: one.encoding },
    ...{ readOnly: one.recovery, unsafe, size: Number(one.size), badPages: Number(one.bad ?? 0), age: Number(one.age) },
    invalid: invalid.map(({ name }) => name),
    directory: one.local ? await directoryOf(client) : undefined,
  }
}

/** Not everybody may know. */
async function directoryOf(client: postgres.Sql): Promise<string | undefined> {
  try {
    const [row] = await client<{ directory: string }[]>`select current_setting('data_directory') as directory`
    return row?.directory
  } catch {
    return undefined
  }
}

/** Reads some of each table, the newest pages as well as the oldest. */
async function damage(client: postgres.Sql): Promise<readonly string[]> {
  const tables = await client<{ name: string }[]>`
    select relname as name from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace`
  const found: string[] = []
  for (const { name } of tables) {
    try {
      const sample = client`(select * from ${client(name)} limit ${SAMPLE})
        union all (select * from ${client(name)} tablesample system (1) limit ${SAMPLE})`
      await client`select count(t::text) from (${sample}) t`
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!/statement timeout/.test(why)) found.push(`${name}: ${why.slice(0, SHOWN)}`)
    }
  }
  return found
}
