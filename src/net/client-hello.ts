// SPDX-License-Identifier: Apache-2.0
// What somebody who begins TLS says first (RFC 8446 §4.1.2): enough of it to know whom they want, before a key is touched.

/** Bytes that a hello may take, records around it included; with the largest post-quantum keys it is a few KiB. */
export const HELLO_BYTES = 16 * 1024

/** Whom somebody wants. */
export interface ClientHello {
  /** The server name that is asked for (RFC 6066 §3), in lower case. */
  readonly serverName: string | undefined
  /** The protocols that may be spoken behind TLS (RFC 7301), most wanted first. */
  readonly alpn: readonly string[]
}

/** Records that it may be cut into; nobody needs more than a few. */
const RECORDS = 16
const HANDSHAKE = 0x16
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const ALPN = 16

/** Whether bytes can be the beginning of TLS: a handshake record of version 3.x. */
export function beginsTls(bytes: Uint8Array): boolean {
  return bytes[0] === HANDSHAKE && (bytes.length < 2 || bytes[1] === 3)
}

/**
 * Reads a hello.
 * @returns `more` if it is not whole yet; `broken` if it is none, or longer than `HELLO_BYTES`
 */
export function readClientHello(bytes: Buffer): ClientHello | 'more' | 'broken' {
  const message = messageIn(bytes)
  if (typeof message === 'string') return message
  try {
    return helloIn(new Cursor(message))
  } catch (error) {
    if (error instanceof RangeError) return 'broken'
    throw error
  }
}

/** The first handshake message, put together from its records (RFC 8446 §5.1). */
function messageIn(bytes: Buffer): Buffer | 'more' | 'broken' {
  const parts: Buffer[] = []
  let length = 0
  for (let place = 0; ; ) {
    if (parts.length >= RECORDS) return 'broken'
    if (bytes.length < place + 5) return beginsTls(bytes.subarray(place)) || place === bytes.length ? 'more' : 'broken'
    if (!beginsTls(bytes.subarray(place))) return 'broken'
    const size = bytes.readUInt16BE(place + 3)
    const part = bytes.subarray(place + 5, place + 5 + size)
    if (size === 0) return 'broken'
    parts.push(part)
    length += part.length
    const whole = Buffer.concat(parts, length)
    if (whole.length > 0 && whole[0] !== CLIENT_HELLO) return 'broken'
    if (whole.length >= 4) {
      const wanted = 4 + whole.readUIntBE(1, 3)
      if (wanted > HELLO_BYTES) return 'broken'
      if (whole.length >= wanted) return whole.subarray(4, wanted)
    }
    if (part.length < size) return 'more'
    place += 5 + size
  }
}

/** Throws a RangeError for what ends too soon. */
function helloIn(cursor: Cursor): ClientHello {
  cursor.skip(2 + 32) // version, random
  cursor.block(1) // session
  cursor.block(2) // ciphers
  cursor.block(1) // compression
  let serverName: string | undefined
  let alpn: readonly string[] = []
  const extensions = cursor.atEnd ? undefined : cursor.block(2)
  while (extensions && !extensions.atEnd) {
    const type = extensions.number(2)
    const content = extensions.block(2)
    if (type === SERVER_NAME) serverName = nameIn(content)
    else if (type === ALPN) alpn = protocolsIn(content)
  }
  return { serverName, alpn }
}

function nameIn(content: Cursor): string | undefined {
  const names = content.block(2)
  while (!names.atEnd) {
    const type = names.number(1)
    const name = names.block(2).text
    if (type === 0) return name.toLowerCase()
  }
  return undefined
}

function protocolsIn(content: Cursor): readonly string[] {
  const names = content.block(2)
  const protocols: string[] = []
  while (!names.atEnd) protocols.push(names.block(1).text)
  return protocols
}

/** A place in bytes; whatever goes beyond their end throws a RangeError. */
class Cursor {
  readonly #bytes: Buffer
  #place = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#place >= this.#bytes.length
  }

  get text(): string {
    return this.#bytes.toString('latin1')
  }

  skip(count: number): void {
    if (this.#place + count > this.#bytes.length) throw new RangeError('it ends too soon')
    this.#place += count
  }

  /** A number of one or more bytes. */
  number(size: 1 | 2): number {
    const from = this.#place
    this.skip(size)
    return this.#bytes.readUIntBE(from, size)
  }

  /** What follows its own length. @param size of the length, in bytes */
  block(size: 1 | 2): Cursor {
    const length = this.number(size)
    const from = this.#place
    this.skip(length)
    return new Cursor(this.#bytes.subarray(from, from + length))
  }
}
