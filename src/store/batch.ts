// SPDX-License-Identifier: Apache-2.0
// How a batch of deeds travels to a SQLite worker: all strings joined into one, all the rest as numbers, because thousands
// of small values cost far more to pass between threads than one large one.
import type { Answer, Deed, Statement, Value } from './db.ts'

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
  readonly rows: readonly (readonly [place: number, rows: Answer])[]
}

/** A batch ends with the deed that goes beyond so many UTF-16 units. */
const MAX_TEXT = 8 * 1024 * 1024

const NULL = 0
const NUMBER = 1
const TEXT = 2
const BLOB = 3

/** What can be put into a batch. */
export type Executable = Pick<Deed, 'statements' | 'wantsRows'>

const NO_DEED: Executable = { statements: [], wantsRows: false }

/** Makes batches for one worker, and remembers which statements it knows. */
export class BatchWriter {
  readonly #ids = new Map<TemplateStringsArray, number>()
  #codes = new Float64Array(4096)
  #used = 0
  #length = 0
  #fresh: string[] = []
  #strings: string[] = []
  #blobs: Uint8Array[] = []

  /** A batch of these deeds from the given place on, or of as many of them as fit. */
  pack(deeds: readonly Executable[], from: number): Batch {
    this.#used = 0
    this.#length = 0
    this.#fresh = []
    this.#strings = []
    this.#blobs = []
    let end = from
    while (end < deeds.length && this.#length <= MAX_TEXT) {
      const deed = deeds[end++] ?? NO_DEED
      this.#code(deed.statements.length, deed.wantsRows ? 1 : 0)
      for (const statement of deed.statements) this.#statement(statement)
    }
    const codes = this.#codes.slice(0, this.#used)
    return { texts: this.#fresh, deeds: end - from, codes, text: this.#strings.join(''), blobs: this.#blobs }
  }

  #statement({ text, values }: Statement): void {
    let id = this.#ids.get(text)
    if (id === undefined) {
      id = this.#ids.size
      this.#ids.set(text, id)
      this.#fresh.push(text.join('?'))
    }
    this.#code(id, values.length)
    for (const value of values) this.#value(value)
  }

  #value(value: Value): void {
    if (typeof value === 'string') {
      this.#strings.push(value)
      this.#length += value.length
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
