// SPDX-License-Identifier: Apache-2.0
// Messages of the DNS as bytes (RFC 1035 §4), as far as changing a zone takes: `dns-packet` knows neither TSIG nor records
// without data, and a signature is about bytes as they are.
import { ProviderError } from './record.ts'

/** How many pointers a name may follow. */
const MOST_JUMPS = 20
/** Octets of a name, and of a label in it (RFC 1035 §2.3.4): without bounds a few KiB would be read for hours. */
const NAME_MAX = 255
const LABEL_MAX = 63
const TSIG = 250

/** Two octets. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** Four octets. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Six octets. */
export function u48(value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(value, 0, 6)
  return bytes
}

/** A name, in lower case (RFC 8945 §4.3.3 wants it so). @throws ProviderError if it is none */
export function nameBytes(name: string): Buffer {
  const text = name.replace(/\.$/, '').toLowerCase()
  const labels = text === '' ? [] : text.split('.')
  if (text.length > 253 || labels.some((label) => label.length === 0 || label.length > 63)) {
    throw new ProviderError(`"${name}" cannot be a name in the DNS.`)
  }
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]), Buffer.of(0)])
}

/** The name at a place, and where it ends. @throws RangeError if it goes beyond the message or in circles */
export function readName(bytes: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  let end: number | undefined
  let octets = 1
  for (let jumps = 0; jumps < MOST_JUMPS; ) {
    const length = bytes.readUInt8(at)
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: end ?? at + 1 }
    if (length >= 0xc0) {
      end ??= at + 2
      at = bytes.readUInt16BE(at) & 0x3fff
      jumps++
      continue
    }
    octets += length + 1
    if (length > LABEL_MAX || octets > NAME_MAX) throw new RangeError('a name is too long')
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  throw new RangeError('a name goes in circles')
}

/** A record, and where its data is. */
export interface WireRecord {
  readonly name: string
  readonly type: number
  readonly ttl: number
  readonly dataAt: number
  readonly length: number
}

/** A signature (RFC 8945 §4.2). */
export interface Tsig {
  readonly name: string
  readonly algorithm: string
  /** In seconds since 1970. */
  readonly time: number
  readonly fudge: number
  readonly mac: Buffer
  readonly error: number
  readonly other: Buffer
}

/** A message, read. */
export class MessageReader {
  readonly id: number
  readonly code: number
  readonly answers: readonly WireRecord[]
  readonly authorities: readonly WireRecord[]
  readonly tsig: Tsig | undefined
  /** What the signature is about: the message without it. */
  readonly signedPart: Buffer
  readonly bytes: Buffer

  /** @throws RangeError if it cannot be read */
  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.id = bytes.readUInt16BE(0)
    this.code = bytes.readUInt16BE(2) & 0xf
    const [questions = 0, answers = 0, authorities = 0, additionals = 0] = [4, 6, 8, 10].map((at) =>
      bytes.readUInt16BE(at),
    )
    let at = 12
    for (let i = 0; i < questions; i++) at = readName(bytes, at).end + 4
    const records: WireRecord[] = []
    let lastAt = at
    for (let i = 0; i < answers + authorities + additionals; i++) {
      lastAt = at
      const record = readRecord(bytes, at)
      records.push(record)
      at = record.dataAt + record.length
    }
    this.answers = records.slice(0, answers)
    this.authorities = records.slice(answers, answers + authorities)
    const last = additionals > 0 ? records.at(-1) : undefined
    this.tsig = last?.type === TSIG ? readTsig(bytes, last) : undefined
    this.signedPart = this.tsig ? unsigned(bytes, lastAt, additionals - 1) : bytes
  }
}

function readRecord(bytes: Buffer, at: number): WireRecord {
  const { name, end } = readName(bytes, at)
  const length = bytes.readUInt16BE(end + 8)
  if (end + 10 + length > bytes.length) throw new RangeError('cut off')
  return { name, type: bytes.readUInt16BE(end), ttl: bytes.readUInt32BE(end + 4), dataAt: end + 10, length }
}

function readTsig(bytes: Buffer, { name, dataAt }: WireRecord): Tsig {
  const { name: algorithm, end } = readName(bytes, dataAt)
  const size = bytes.readUInt16BE(end + 8)
  const after = end + 10 + size
  return {
    name,
    algorithm,
    time: bytes.readUIntBE(end, 6),
    fudge: bytes.readUInt16BE(end + 6),
    mac: bytes.subarray(end + 10, after),
    error: bytes.readUInt16BE(after + 2),
    other: bytes.subarray(after + 6, after + 6 + bytes.readUInt16BE(after + 4)),
  }
}

function unsigned(bytes: Buffer, end: number, additionals: number): Buffer {
  const part = Buffer.from(bytes.subarray(0, end))
  part.writeUInt16BE(additionals, 10)
  return part
}
