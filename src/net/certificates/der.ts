// SPDX-License-Identifier: Apache-2.0
// Reads DER (X.690), as much as certificates need: definite lengths, tags below 31. What is not well formed throws.

/** One value with its tag. */
export interface Der {
  /** The identifier octet, class and construction included. */
  readonly tag: number
  readonly content: Buffer
  /** Tag, length and content as they stand. */
  readonly whole: Buffer
}

/** Universal tags. */
export const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, ia5: 0x16 } as const

/** The constructed tag of SEQUENCE. */
export const SEQUENCE = 0x30

/** The tag of a context-specific value. @param made whether it contains values */
export function context(number: number, made: boolean): number {
  return 0x80 | (made ? 0x20 : 0) | number
}

/** The one value that these bytes are. */
export function derOf(bytes: Buffer): Der {
  const [value, more] = derList(bytes)
  if (!value || more) throw new Error('DER: not one value')
  return value
}

/** The values inside a constructed one. @param tag which it must have */
export function inside(value: Der | undefined, tag = SEQUENCE): Der[] {
  if (value?.tag !== tag) throw new Error('DER: another type was expected')
  return derList(value.content)
}

/** All values in a row. */
export function derList(bytes: Buffer): Der[] {
  const list: Der[] = []
  for (let at = 0; at < bytes.length; ) {
    const value = derAt(bytes, at)
    list.push(value)
    at += value.whole.length
  }
  return list
}

/** An object identifier as text. */
export function oidOf(value: Der | undefined): string {
  if (value?.tag !== TAG.oid || value.content.length === 0) throw new Error('DER: no object identifier')
  const numbers: number[] = []
  let number = 0
  for (const byte of value.content) {
    number = number * 128 + (byte & 0x7f)
    if (!Number.isSafeInteger(number)) throw new Error('DER: object identifier too large')
    if ((byte & 0x80) !== 0) continue
    numbers.push(number)
    number = 0
  }
  const [first = 0, ...rest] = numbers
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...rest].join('.')
}

/** A small integer that is not negative. */
export function numberOf(value: Der | undefined): number {
  const { content } = value ?? { content: Buffer.alloc(0) }
  if (value?.tag !== TAG.integer || content.length < 1 || content.length > 4 || (content[0] ?? 0) > 127) {
    throw new Error('DER: no small integer')
  }
  return content.readUIntBE(0, content.length)
}

/** DER has one way to say yes (X.690 §11.1); what is not no is taken for it. */
export function isTrue(value: Der | undefined): boolean {
  return value?.tag === TAG.boolean && !value.content.equals(Buffer.of(0))
}

function derAt(bytes: Buffer, at: number): Der {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new Error('DER: cut off')
  const more = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || more > 4 || at + 2 + more > bytes.length) throw new Error('DER: bad length')
  const length = more === 0 ? first : bytes.readUIntBE(at + 2, more)
  const start = at + 2 + more
  if (start + length > bytes.length) throw new Error('DER: cut off')
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) }
}
