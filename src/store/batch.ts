// SPDX-License-Identifier: Apache-2.0
// How a batch of deeds travels to a SQLite worker: all strings joined into one, all the rest as numbers, because thousands
// of small values cost far more to pass between threads than one large one.
import type { Deed, Row, Statement, Value } from './db.ts'

/** A batch on its way to the worker. */
export interface Batch {
  /** Statements the worker has not seen yet; their ids go on counting. */
  readonly texts: readonly string[]
  /** How many deeds. */
  readonly deeds: number
  /** Per deed: how many statements, whether rows are wanted; per statement its id; per value what it is and its number or length. */
  readonly codes: Float64Array
  readonly text: string
  readonly blobs: readonly Uint8Array[]
}

/** The worker's answer to a batch: only what is not "done, without rows". */
export interface BatchAnswer {
  readonly failures: readonly (readonly [place: number, message: string, code: string])[]
  readonly tables: readonly (readonly [place: number, tables: readonly Table[]])[]
}

/** The rows of one statement: their names once and all values in one list, which threads pass to each other in half the time. */
export interface Table {
  readonly columns: readonly string[]
  readonly values: readonly Value[]
}

/** The rows of a table; bytes, which arrive as plain arrays of bytes, as buffers. */
export function rowsOf({ columns, values }: Table): readonly Row[] {
  const rows: Row[] = []
  for (let at = 0; at < values.length; ) {
    const row: Record<string, Value> = {}
    for (const column of columns) row[column] = buffered(values[at++] ?? null)
    rows.push(row)
  }
  return rows
}

function buffered(value: Value): Value {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value
}

const NULL = 0
const NUMBER = 1
const TEXT = 2
const BLOB = 3

/** Codes that a parcel has room for at first, and of which the room is kept for the next one. */
const FIRST_CODES = 1024
const KEPT_CODES = 65_536

/** What can be put into a batch. */
export type Executable = Pick<Deed, 'statements' | 'wantsRows'>

/** What one worker knows of statements. */
export class KnownStatements {
  readonly #ids = new Map<TemplateStringsArray, number>()
  #fresh: string[] = []
  /** Room that a parcel had and needs no more. */
  room: Float64Array | undefined

  id(text: TemplateStringsArray): number {
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    const id = this.#ids.size
    this.#ids.set(text, id)
    this.#fresh.push(text.join('?'))
    return id
  }

  /** The texts that the worker was not told yet: the next batch takes them there. */
  takeFresh(): readonly string[] {
    if (this.#fresh.length === 0) return this.#fresh
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }
}

/**
 * Makes a batch. A deed is taken apart as soon as it is added: until the commit, which is long for the garbage collector,
 * nothing of it lives but its strings.
 */
export class BatchWriter {
  readonly #known: KnownStatements
  #codes: Float64Array
  #used = 0
  #deeds = 0
  #text = 0
  readonly #strings: string[] = []
  readonly #blobs: Uint8Array[] = []

  constructor(known: KnownStatements) {
    this.#known = known
    this.#codes = known.room ?? new Float64Array(FIRST_CODES)
    known.room = undefined
  }

  /** How many deeds were added. */
  get deeds(): number {
    return this.#deeds
  }

  /** UTF-16 units of all their texts. */
  get text(): number {
    return this.#text
  }

  add({ statements, wantsRows }: Executable): void {
    this.#deeds++
    this.#code(statements.length, wantsRows ? 1 : 0)
    for (const statement of statements) this.#statement(statement)
  }

  /** The batch; nothing can be added any more. */
  finish(): Batch {
    const codes = this.#codes.slice(0, this.#used)
    if (this.#codes.length <= KEPT_CODES) this.#known.room = this.#codes
    const texts = this.#known.takeFresh()
    return { texts, deeds: this.#deeds, codes, text: this.#strings.join(''), blobs: this.#blobs }
  }

  #statement({ text, values }: Statement): void {
    this.#code(this.#known.id(text), values.length)
    for (const value of values) this.#value(value)
  }

  #value(value: Value): void {
    if (typeof value === 'string') {
      this.#strings.push(value)
      this.#text += value.length
      this.#code(TEXT, value.length)
    } else if (typeof value === 'number') this.#code(NUMBER, value)
    else if (value === null) this.#code(NULL, 0)
    else this.#code(BLOB, this.#blobs.push(value) - 1)
  }

  #code(first: number, second: number): void {
    if (this.#used + 2 > this.#codes.length) {
      const larger = new Float64Array(2 * this.#codes.length)
      larger.set(this.#codes)
      this.#codes = larger
    }
    this.#codes[this.#used++] = first
    this.#codes[this.#used++] = second
  }
}

/** Reads a batch from its start to its end; also more than once. */
export class BatchReader {
  readonly #batch: Batch
  #at = 0
  #textAt = 0

  constructor(batch: Batch) {
    this.#batch = batch
  }

  /** Two numbers: a deed's count of statements and whether rows are wanted, or a statement's id and its count of values. */
  pair(): readonly [number, number] {
    return [this.#next(), this.#next()]
  }

  /** A statement's next value. */
  value(): Value {
    const kind = this.#next()
    const number = this.#next()
    if (kind === NUMBER) return number
    if (kind === NULL) return null
    if (kind === BLOB) return this.#batch.blobs[number] ?? null
    this.#textAt += number
    return this.#batch.text.slice(this.#textAt - number, this.#textAt)
  }

  /** Where the reader stands, to come back to it. */
  get mark(): readonly [number, number] {
    return [this.#at, this.#textAt]
  }

  /** Goes back to a mark. */
  back([at, textAt]: readonly [number, number]): void {
    this.#at = at
    this.#textAt = textAt
  }

  #next(): number {
    return this.#batch.codes[this.#at++] ?? 0
  }
}
