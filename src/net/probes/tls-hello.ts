// SPDX-License-Identifier: Apache-2.0
// The first words of a TLS handshake (RFC 5246 §7.4.1), written byte by byte: what libraries of today would not say any more is
// said here, to see whether somebody still agrees to it.
import { randomBytes } from 'node:crypto'

/** What is offered at most; TLS 1.3 is not offered. */
export const VERSIONS = { 'TLSv1.1': 0x0302, 'TLSv1.2': 0x0303 } as const

/** What is offered. */
export interface Hello {
  readonly version: keyof typeof VERSIONS
  /** Cipher suites by their numbers (the registry of IANA). */
  readonly suites: readonly number[]
  /** Methods of compression; 0 is none. */
  readonly compression?: readonly number[]
  /** The name that is asked for, in A-labels. */
  readonly domain: string
  readonly alpn?: readonly string[] | undefined
}

/** What was agreed to. */
export interface HelloAnswer {
  readonly version: string
  readonly suite: number
  readonly compression: number
  /** Whether renegotiation would be tied to what was before (RFC 5746). */
  readonly secureRenegotiation: boolean
}

/** Without forward secrecy, without authentication, or without AEAD (RFC 9325 §4.1, §4.2), with names for the better known. */
export const WEAK_SUITES: ReadonlyMap<number, string> = new Map([
  ...named('NULL', [0x0001, 0x0002, 0x003b, 0xc001, 0xc006, 0xc00b, 0xc010]),
  ...named('EXPORT', [0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014]),
  ...named('anonymous', [0x0017, 0x0018, 0x0019, 0x001a, 0x001b, 0x0034, 0x003a, 0x006c, 0x006d, 0x00a6, 0x00a7]),
  ...named('anonymous', [0xc015, 0xc016, 0xc017, 0xc018, 0xc019]),
  ...named('RC4', [0x0004, 0x0005, 0xc002, 0xc007, 0xc00c, 0xc011]),
  ...named('DES', [0x0009, 0x000a, 0x000c, 0x000d, 0x000f, 0x0010, 0x0012, 0x0013, 0x0015, 0x0016]),
  ...named('DES', [0xc003, 0xc008, 0xc00d, 0xc012]),
  ...named(
    'RSA key exchange',
    [0x002f, 0x0035, 0x003c, 0x003d, 0x0041, 0x0084, 0x0096, 0x009c, 0x009d, 0xc09c, 0xc09d],
  ),
  ...named('CBC', [0x0032, 0x0033, 0x0038, 0x0039, 0x0040, 0x0044, 0x0045, 0x0067, 0x006a, 0x006b, 0x0087, 0x0088]),
  ...named('CBC', [0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028]),
])
/** What everybody may agree to with TLS 1.2. */
export const GOOD_SUITES = [0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9] as const
/** RFC 7507: says that a better version was tried before. */
export const FALLBACK = 0x5600

const ALERT = 21
const WARNING = 1
const HANDSHAKE = 22
const SERVER_HELLO = 2
const RENEGOTIATION = 0xff01
const NAMES: Readonly<Record<number, string>> = {
  768: 'SSLv3',
  769: 'TLSv1',
  770: 'TLSv1.1',
  771: 'TLSv1.2',
}

function named(name: string, suites: readonly number[]): readonly (readonly [number, string])[] {
  return suites.map((suite) => [suite, name] as const)
}

/** Writes the first message of a client. */
export function helloBytes({ version, suites, compression = [0], domain, alpn }: Hello): Buffer {
  const extensions = [
    extension(0x0000, sized(2, Buffer.concat([Buffer.of(0), sized(2, Buffer.from(domain, 'latin1'))]))),
    extension(0x000a, sized(2, words([0x001d, 0x0017, 0x0018, 0x0100]))), // X25519, P-256, P-384, ffdhe2048
    extension(0x000b, sized(1, Buffer.of(0))),
    extension(
      0x000d,
      sized(2, words([0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201])),
    ),
    extension(RENEGOTIATION, Buffer.of(0)),
    ...(alpn ? [extension(0x0010, sized(2, Buffer.concat(alpn.map((one) => sized(1, Buffer.from(one))))))] : []),
  ]
  const body = Buffer.concat([
    words([VERSIONS[version]]),
    randomBytes(32),
    Buffer.of(0), // no session of before
    sized(2, words(suites)),
    sized(1, Buffer.from(compression)),
    sized(2, Buffer.concat(extensions)),
  ])
  const message = Buffer.concat([Buffer.of(1), sized(3, body)])
  return Buffer.concat([Buffer.of(HANDSHAKE), words([0x0301]), sized(2, message)])
}

/** Reads the answer: undefined while more must come, null if it is a refusal. */
export function readHelloAnswer(bytes: Buffer): HelloAnswer | null | undefined {
  for (let at = 0; bytes.length >= at + 5; ) {
    const kind = bytes.readUInt8(at)
    const end = at + 5 + bytes.readUInt16BE(at + 3)
    if (kind !== HANDSHAKE && kind !== ALERT) return null
    if (bytes.length < end) return undefined
    const message = bytes.subarray(at + 5, end)
    if (kind === HANDSHAKE) return serverHello(message)
    if (message[0] !== WARNING) return null
    at = end
  }
  return undefined
}

function serverHello(message: Buffer): HelloAnswer | null {
  if (message.length < 42 || message.readUInt8(0) !== SERVER_HELLO) return null
  const version = message.readUInt16BE(4)
  let at = 38
  at += 1 + message.readUInt8(at)
  if (at + 3 > message.length) return null
  const [suite, compression] = [message.readUInt16BE(at), message.readUInt8(at + 2)]
  const secureRenegotiation = extensionsOf(message.subarray(at + 3)).includes(RENEGOTIATION)
  return { version: NAMES[version] ?? hex(version), suite, compression, secureRenegotiation }
}

function extensionsOf(bytes: Buffer): readonly number[] {
  const found: number[] = []
  for (let at = 2; at + 4 <= bytes.length; at += 4 + bytes.readUInt16BE(at + 2)) found.push(bytes.readUInt16BE(at))
  return found
}

/** A suite as people know it. */
export function suiteName(suite: number): string {
  const kind = WEAK_SUITES.get(suite)
  return kind === undefined ? hex(suite) : `${hex(suite)} (${kind})`
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`
}

function words(values: readonly number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]))
}

function sized(bytes: number, content: Buffer): Buffer {
  const length = Buffer.alloc(bytes)
  length.writeUIntBE(content.length, 0, bytes)
  return Buffer.concat([length, content])
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([words([type]), sized(2, content)])
}
