// SPDX-License-Identifier: Apache-2.0
// Numbered messages: the mark that stands at the start of every body, the scan that finds it in what was received, and
// the book-keeping that tells lost, doubled and out of order apart.

/** Begins a mark. Occurs nowhere else in a stream. */
const SIGN = '~#'
const PAIR_DIGITS = 4
const SEQUENCE_DIGITS = 8
const LENGTH = SIGN.length + PAIR_DIGITS + SEQUENCE_DIGITS

/** Where the sequence number starts in a mark, and how many digits it has. */
export const SEQUENCE_AT = { offset: SIGN.length + PAIR_DIGITS, digits: SEQUENCE_DIGITS } as const

/** The mark of message `sequence` of a pair. */
export function mark(pair: number, sequence: number): string {
  return SIGN + String(pair).padStart(PAIR_DIGITS, '0') + String(sequence).padStart(SEQUENCE_DIGITS, '0')
}

function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let index = at; index < at + count; index++) value = value * 10 + text.charCodeAt(index) - 48
  return value
}

/** What went wrong with the messages of one pair or of several. */
export interface Faults {
  readonly lost: number
  readonly doubled: number
  readonly disordered: number
  /** Belonging to another pair. */
  readonly strayed: number
}

/** Follows the numbers 0, 1, 2 … of one pair. */
export class Sequence {
  /** The number that should come next. */
  next = 0
  #doubled = 0
  #disordered = 0
  #strayed = 0
  readonly #missing = new Set<number>()
  readonly #pair: number

  constructor(pair: number) {
    this.#pair = pair
  }

  /** Takes note of a delivery. */
  note(pair: number, sequence: number): void {
    if (pair !== this.#pair) this.#strayed++
    else if (sequence === this.next) this.next++
    else if (sequence > this.next) {
      while (this.next < sequence) this.#missing.add(this.next++)
      this.next++
    } else if (this.#missing.delete(sequence)) this.#disordered++
    else this.#doubled++
  }

  /** What is wrong, when `sent` were sent. */
  faults(sent: number): Faults {
    const lost = this.#missing.size + Math.max(0, sent - this.next)
    return { lost, doubled: this.#doubled, disordered: this.#disordered, strayed: this.#strayed }
  }
}

/** What a scan of received text found. */
export interface Found {
  /** Messages with a mark. */
  readonly messages: number
  /** Requests for acknowledgement. */
  readonly requests: number
}

/** Finds marks and `<r/>` in a stream that may be cut anywhere. */
export class Scanner {
  #carry = ''

  /** Scans the next piece; `note` is called for every mark. */
  scan(piece: string, note: (pair: number, sequence: number) => void): Found {
    const text = this.#carry === '' ? piece : this.#carry + piece
    let done = 0
    let messages = 0
    for (let at = text.indexOf(SIGN); at >= 0 && at + LENGTH <= text.length; at = text.indexOf(SIGN, done)) {
      done = at + LENGTH
      messages++
      note(digits(text, at + SIGN.length, PAIR_DIGITS), digits(text, at + SEQUENCE_AT.offset, SEQUENCE_DIGITS))
    }
    let requests = 0
    for (let at = text.indexOf('<r '); at >= 0; at = text.indexOf('<r ', at + 3)) {
      requests++
      done = Math.max(done, at + 3)
    }
    // Nothing is cut where a tag ends.
    this.#carry = text.endsWith('>') ? '' : text.slice(Math.max(done, text.length - LENGTH + 1))
    return { messages, requests }
  }
}
