// SPDX-License-Identifier: Apache-2.0
// Messages of STUN (RFC 8489 §5, §14) and TURN (RFC 8656 §18), written and read; what is malformed is nothing.
import { createHash, createHmac, randomBytes } from 'node:crypto'

const COOKIE = 0x2112a442
const HEADER = 20
/** What one message may be at most: a datagram. */
const LENGTH_MAX = 65_535

/** Methods of questions and, with their class, of what wants no answer (RFC 8489 §5, RFC 8656 §17). */
export const STUN = {
  binding: 0x0001,
  allocate: 0x0003,
  refresh: 0x0004,
  send: 0x0016,
  data: 0x0017,
  createPermission: 0x0008,
} as const
/** In the place of the class: answers. */
const SUCCESS = 0x0100
const ERROR = 0x0110

/** Attributes (RFC 8489 §18.3, RFC 8656 §18). */
export const ATTRIBUTE = {
  username: 0x0006,
  integrity: 0x0008,
  errorCode: 0x0009,
  lifetime: 0x000d,
  peer: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  relayed: 0x0016,
  transport: 0x0019,
  mapped: 0x0020,
} as const

/** An attribute that is sent. */
export type Attribute = readonly [type: number, value: Buffer | string]

/** An address and a port. */
export interface TransportAddress {
  readonly address: string
  readonly port: number
}

/** A message that came. */
export interface StunMessage {
  readonly method: number
  readonly kind: 'success' | 'error' | 'other'
  /** Of 12 bytes, as they are. */
  readonly transaction: Buffer
  readonly attributes: ReadonlyMap<number, Buffer>
}

/** What RFC 8489 §9.2.2 makes of a name and a password. */
export interface StunCredentials {
  readonly username: string
  readonly password: string
  readonly realm: string
  readonly nonce: Buffer
}

/** A new transaction. */
export function newTransaction(): Buffer {
  return randomBytes(12)
}

/** Writes a message. @param credentials make it one that tells who it is by, and that nobody changed */
export function stunMessage(
  method: number,
  transaction: Buffer,
  attributes: readonly Attribute[],
  credentials?: StunCredentials,
): Buffer {
  const known: readonly Attribute[] = credentials
    ? [
        [ATTRIBUTE.username, credentials.username],
        [ATTRIBUTE.realm, credentials.realm],
        [ATTRIBUTE.nonce, credentials.nonce],
      ]
    : []
  const body = Buffer.concat([...attributes, ...known].map(attributeBytes))
  if (!credentials) return Buffer.concat([header(method, body.length, transaction), body])
  // RFC 8489 §14.5: the length counts the signature, which is of all before it.
  const signed = Buffer.concat([header(method, body.length + 24, transaction), body])
  const { username, realm, password } = credentials
  const key = createHash('md5').update(`${username}:${realm}:${password}`).digest()
  const signature = createHmac('sha1', key).update(signed).digest()
  return Buffer.concat([signed, attributeBytes([ATTRIBUTE.integrity, signature])])
}

function header(method: number, length: number, transaction: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER)
  bytes.writeUInt16BE(method, 0)
  bytes.writeUInt16BE(length, 2)
  bytes.writeUInt32BE(COOKIE, 4)
  transaction.copy(bytes, 8)
  return bytes
}

function attributeBytes([type, value]: Attribute): Buffer {
  const content = Buffer.from(value as string) // a Buffer is taken as it is
  const bytes = Buffer.alloc(4 + Math.ceil(content.length / 4) * 4)
  bytes.writeUInt16BE(type, 0)
  bytes.writeUInt16BE(content.length, 2)
  content.copy(bytes, 4)
  return bytes
}

/** How long the message is that these bytes begin with; undefined: that is not known yet; NaN: they are none. */
export function stunLength(bytes: Buffer): number | undefined {
  if (bytes.length < HEADER) return undefined
  if (bytes.readUInt32BE(4) !== COOKIE || (bytes.readUInt8(0) & 0xc0) !== 0) return Number.NaN
  const length = HEADER + bytes.readUInt16BE(2)
  return length > LENGTH_MAX || length % 4 !== 0 ? Number.NaN : length
}

/** Reads a message; undefined if it is none. The first of each attribute counts (RFC 8489 §14). */
export function readStun(bytes: Buffer): StunMessage | undefined {
  if (stunLength(bytes) !== bytes.length) return undefined
  const attributes = new Map<number, Buffer>()
  for (let at = HEADER; at + 4 <= bytes.length; ) {
    const [type, length] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2)]
    if (at + 4 + length > bytes.length) return undefined
    if (!attributes.has(type)) attributes.set(type, bytes.subarray(at + 4, at + 4 + length))
    at += 4 + Math.ceil(length / 4) * 4
  }
  const type = bytes.readUInt16BE(0)
  const of = type & ERROR
  const kind = of === SUCCESS ? 'success' : of === ERROR ? 'error' : 'other'
  return { method: kind === 'other' ? type : type & ~ERROR, kind, transaction: bytes.subarray(8, HEADER), attributes }
}

/** The number and the words of an error (RFC 8489 §14.8). */
export function errorOf({ attributes }: StunMessage): { readonly code: number; readonly text: string } {
  const bytes = attributes.get(ATTRIBUTE.errorCode)
  if (!bytes || bytes.length < 4) return { code: 0, text: '' }
  const text = bytes.subarray(4).toString('utf8').slice(0, 100)
  return { code: (bytes.readUInt8(2) & 7) * 100 + bytes.readUInt8(3), text }
}

/** An XOR'ed address (RFC 8489 §14.2); undefined if it is none. */
export function readAddress(bytes: Buffer | undefined, transaction: Buffer): TransportAddress | undefined {
  if (!bytes || (bytes.length !== 8 && bytes.length !== 20)) return undefined
  const port = bytes.readUInt16BE(2) ^ (COOKIE >>> 16)
  const plain = masked(bytes.subarray(4), transaction)
  if (plain.length === 4) return { address: plain.join('.'), port }
  const words = Array.from({ length: 8 }, (_, index) => plain.readUInt16BE(index * 2).toString(16))
  return { address: new URL(`http://[${words.join(':')}]/`).hostname.slice(1, -1), port }
}

/** The same, written. @param address as `readAddress` gives it */
export function writeAddress({ address, port }: TransportAddress, transaction: Buffer): Buffer {
  const plain = address.includes(':') ? ipv6Bytes(address) : Buffer.from(address.split('.').map(Number))
  const head = Buffer.alloc(4)
  head.writeUInt8(plain.length === 4 ? 1 : 2, 1)
  head.writeUInt16BE(port ^ (COOKIE >>> 16), 2)
  return Buffer.concat([head, masked(plain, transaction)])
}

function masked(bytes: Buffer, transaction: Buffer): Buffer {
  const mask = Buffer.alloc(4)
  mask.writeUInt32BE(COOKIE)
  const whole = Buffer.concat([mask, transaction])
  return Buffer.from(bytes.map((byte, index) => byte ^ (whole[index] ?? 0)))
}

function ipv6Bytes(address: string): Buffer {
  const [left = '', right] = address.split('::')
  const words = (text: string): readonly number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))
  const [head, tail] = [words(left), words(right ?? '')]
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}
