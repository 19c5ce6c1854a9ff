// SPDX-License-Identifier: Apache-2.0
// The store in a PostgreSQL database: the same deeds as in SQLite, one connection that writes and a few that read.
import postgres from 'postgres'
import type { Clock } from '../clock.ts'
import { assembleStore } from './assemble.ts'
import { type Answer, type Database, type Deed, type Row, type Statement, StoreError, sql } from './db.ts'
import { migrations } from './migrations/all.ts'
import { POSTGRES } from './migrations/migration.ts'
import type { Store, StoreObserver } from './store.ts'
import { type Outcome, type Parcel, WriteQueue } from './write-queue.ts'

/** How to open a PostgreSQL store. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; a folder with a socket as in libpq: `?host=/run/postgresql`. */
  readonly url: string
  readonly observer?: StoreObserver
  /** Where the ids of messages take the time from. */
  readonly clock: Clock
  /**
   * At least so many real ms between two commits, 10 unless told; five times as many while nobody waits for the disk. The first
   * after a quiet time goes at once.
   */
  readonly commitInterval?: number
  /** How many connections read, 4 unless told. */
  readonly readers?: number
}

/** 8-byte integers are numbers here: none of ours is beyond the safe ones. */
type Types = { readonly bigint: number }
type Client = postgres.Sql<Types>

/** How often a batch that collided with another process is tried again before it counts as failed. */
const ATTEMPTS = 5

/**
 * What the library knows but its types do not. Statements that may be on their way before an answer is waited for: with its
 * own 100 a batch of messages takes twice as long.
 */
const UNTYPED = { max_pipeline: 10_000 }

/** Opens the store, bringing its schema up to date. @throws StoreError that says why it cannot be opened */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const writer = connectPostgres(options.url, 1)
  const readers = connectPostgres(options.url, options.readers ?? 4)
  try {
    await migrate(writer)
    return await assembleStore(new PostgresDatabase(writer, readers, options), options.clock)
  } catch (error) {
    await Promise.all([writer.end({ timeout: 1 }), readers.end({ timeout: 1 })])
    throw explain(error, options.url)
  }
}

/** Connects. @param settings of the session beside */
export function connectPostgres(url: string, max: number, settings: Readonly<Record<string, number>> = {}): Client {
  const { server, socket } = splitAddress(url)
  return postgres(server, {
    max,
    ...(socket === null ? {} : { host: socket }),
    connect_timeout: 10,
    ...UNTYPED,
    onnotice: () => undefined,
    connection: { application_name: 'aenigma', synchronous_commit: 'on', ...settings },
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  })
}

/** The library does not know `?host=`. @throws StoreError if it is no address of a database at all */
function splitAddress(url: string): { readonly server: string; readonly socket: string | null } {
  const address = URL.parse(url)
  if (!address?.protocol.startsWith('postgres')) {
    throw new StoreError('The address of the database must look like postgres://user:password@host:5432/database.')
  }
  const socket = address.searchParams.get('host')
  address.searchParams.delete('host')
  return { server: address.href, socket }
}

class PostgresDatabase implements Database {
  readonly sql = sql
  readonly #writer: Client
  readonly #readers: Client
  readonly #queue: WriteQueue<Deeds>
  #closing: Promise<void> | undefined
  #ended = false

  constructor(writer: Client, readers: Client, { observer, commitInterval = 10 }: PostgresOptions) {
    this.#writer = writer
    this.#readers = readers
    this.#queue = new WriteQueue(
      { parcel: () => new Deeds(), run: ({ list }) => this.#run(list) },
      { interval: commitInterval, observer },
    )
  }

  get failures(): number {
    return this.#queue.failures
  }

  get uncommitted(): number {
    return this.#queue.size
  }

  get crowded(): boolean {
    return this.#queue.crowded
  }

  post(deed: Deed): void {
    this.#queue.post(deed)
  }

  postLast(make: () => Deed): void {
    this.#queue.postLast(make)
  }

  write(statements: readonly Statement[]): Promise<Answer> {
    return new Promise((done, failed) => this.post({ statements, done, failed, wantsRows: true }))
  }

  async read<R>(statement: Statement): Promise<readonly R[]> {
    if (this.#closing) throw new StoreError('the store is closed')
    await this.#queue.settled()
    try {
      const rows = await query(this.#readers, statement)
      return [...rows] as readonly unknown[] as readonly R[]
    } catch (error) {
      throw storeError(error)
    }
  }

  durable(): Promise<void> {
    return this.#queue.durable()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#queue.hurry()
    try {
      await this.#queue.durable()
    } finally {
      await this.#queue.drained()
      await Promise.all([this.#writer.end(), this.#readers.end()])
      this.#ended = true
    }
  }

  async #run(deeds: readonly Deed[]): Promise<Outcome> {
    const failures = new Map<number, Error>()
    const rows = new Map<number, Answer>()
    await this.#attempt({ deeds, failures, rows }, 0, deeds.length)
    return { failures, rows }
  }

  /** One transaction if possible; if not, halves it until only the guilty deeds fail. */
  async #attempt(batch: Attempt, first: number, end: number): Promise<void> {
    const error = await this.#transaction(batch, first, end)
    if (!error) return
    if (end - first === 1 || !(error instanceof postgres.PostgresError)) {
      for (let place = first; place < end; place++) {
        batch.rows.delete(place)
        batch.failures.set(place, storeError(error))
      }
      return
    }
    const middle = (first + end) >> 1
    await this.#attempt(batch, first, middle)
    await this.#attempt(batch, middle, end)
  }

  /** @returns why it failed */
  async #transaction({ deeds, rows }: Attempt, first: number, end: number): Promise<unknown> {
    if (this.#ended) return new StoreError('the store is closed')
    for (let attempt = 1; ; attempt++) {
      try {
        const places = deeds.slice(first, end)
        await this.#writer.begin('isolation level repeatable read', async (transaction) => {
          const answers = await Promise.all(
            places.map(({ statements }) => Promise.all(statements.map((each) => query(transaction, each)))),
          )
          for (const [i, answer] of answers.entries()) if (places[i]?.wantsRows) rows.set(first + i, answer)
        })
        return undefined
      } catch (error) {
        if (!collided(error) || attempt === ATTEMPTS) return error ?? new StoreError('the transaction failed')
      }
    }
  }
}

/** Kept as they are: an attempt that collided is made again. */
class Deeds implements Parcel {
  readonly list: Deed[] = []
  text = 0

  get deeds(): number {
    return this.list.length
  }

  add(deed: Deed): void {
    this.list.push(deed)
    for (const { values } of deed.statements) {
      for (const value of values) if (typeof value === 'string') this.text += value.length
    }
  }
}

interface Attempt {
  readonly deeds: readonly Deed[]
  readonly failures: Map<number, Error>
  readonly rows: Map<number, Answer>
}

const texts = new WeakMap<TemplateStringsArray, string>()

/** The statement with numbered placeholders; it is prepared once per connection. */
function query(client: Client | postgres.TransactionSql<Types>, { text, values }: Statement): Promise<readonly Row[]> {
  let numbered = texts.get(text)
  if (numbered === undefined) {
    numbered = text.reduce((before, part, i) => `${before}$${i}${part}`)
    texts.set(text, numbered)
  }
  return client.unsafe<Row[]>(numbered, [...values], { prepare: true })
}

async function migrate(client: Client): Promise<void> {
  await client.begin(async (transaction) => {
    // One process at a time; the number means nothing, it only has to be the same everywhere.
    await transaction.unsafe('select pg_advisory_xact_lock(4711420013)')
    await transaction.unsafe('create table if not exists schema_version (version bigint not null)')
    const [row] = await transaction.unsafe<{ version: number }[]>('select version from schema_version')
    const version = row?.version ?? 0
    if (version > migrations.length) {
      throw new StoreError(
        `it was written by a newer version of aenigma (schema ${version}, this one knows ${migrations.length})`,
      )
    }
    for (const migration of migrations.slice(version)) {
      for (const statement of migration.statements(POSTGRES)) await transaction.unsafe(statement)
    }
    await transaction.unsafe(
      row ? 'update schema_version set version = $1' : 'insert into schema_version (version) values ($1)',
      [migrations.length],
    )
  })
}

/** Whether another process changed the same rows at the same time, so that trying again is right. */
function collided(error: unknown): boolean {
  return error instanceof postgres.PostgresError && (error.code === '40001' || error.code === '40P01')
}

function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return new StoreError(error instanceof Error ? error.message : String(error), code)
}

/** Says which database, but never the password. */
function explain(error: unknown, url: string): StoreError {
  const { message, code } = storeError(error)
  const { host, pathname } = URL.canParse(url) ? new URL(url) : { host: '', pathname: '' }
  return new StoreError(`The PostgreSQL database ${host}${pathname} cannot be opened: ${message}.`, code)
}
