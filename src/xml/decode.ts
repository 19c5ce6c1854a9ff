// SPDX-License-Identifier: Apache-2.0
// From bytes to text: UTF-8 only (RFC 6120 §11.6), cut anywhere, and only characters that XML allows.

import { isAscii, isUtf8 } from 'node:buffer'
import { illegalAt } from './chars.ts'
import { ReadError } from './errors.ts'

const NOTHING: Uint8Array = new Uint8Array(0)

/** Turns chunks of a UTF-8 stream into text; a character that a cut went through waits for its rest. */
export class Decoder {
  /** The bytes of a character of which more must come: three at most. */
  #tail = NOTHING
  /** What is wrong behind all text given out so far; after it nothing is decoded. */
  error: ReadError | undefined

  /** How many bytes wait for their rest. */
  get pending(): number {
    return this.#tail.length
  }

  /** The text of a chunk, up to the first mistake in it. */
  decode(chunk: Uint8Array): string {
    if (this.error) return ''
    const text = this.#tail.length === 0 && isAscii(chunk) ? view(chunk).toString('latin1') : this.#utf8(chunk)
    const illegal = illegalAt(text)
    if (illegal < 0) return text
    this.#stop(new ReadError('not-well-formed', 'A character that XML does not allow was sent.'))
    return text.slice(0, illegal)
  }

  #utf8(chunk: Uint8Array): string {
    const bytes = this.#tail.length === 0 ? view(chunk) : Buffer.concat([this.#tail, chunk])
    const whole = bytes.length - unfinished(bytes)
    this.#tail = whole === bytes.length ? NOTHING : Uint8Array.prototype.slice.call(bytes, whole)
    const complete = bytes.subarray(0, whole)
    if (isUtf8(complete)) return complete.toString('utf8')
    this.#stop(new ReadError('unsupported-encoding', 'The stream is not UTF-8.'))
    return complete.subarray(0, validLength(complete)).toString('utf8')
  }

  #stop(error: ReadError): void {
    this.error = error
    this.#tail = NOTHING
  }
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** How many bytes at the end are the beginning of a character that is not complete. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return byte >= 0xf0 ? back : byte >= 0xe0 ? (back < 3 ? back : 0) : back < 2 ? back : 0
  }
  return 0
}

/** How many bytes of the beginning are whole, correct characters. Slow, and needed once in the life of a stream. */
function validLength(bytes: Uint8Array): number {
  let good = 0
  while (good < bytes.length) {
    const byte = bytes[good] ?? 0
    const next = good + (byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4)
    if (next > bytes.length || (byte >= 0x80 && !isUtf8(bytes.subarray(good, next)))) return good
    good = next
  }
  return good
}
