// SPDX-License-Identifier: Apache-2.0
// A name server of one's own (BIND, Knot, PowerDNS …): changed by RFC 2136, each message signed with a shared key by TSIG
// (RFC 8945). How the messages travel is handed in.
import { createHmac, randomInt, timingSafeEqual } from 'node:crypto'
import { rdata, rdataText } from './rdata.ts'
import { type DnsProvider, nameIn, normal, ProviderError, type RecordType, type Rrset } from './record.ts'
import { MessageReader, nameBytes, u16, u32, u48, type WireRecord } from './wire.ts'

/** RFC 1035 §3.2.2 and others. */
const TYPE: Readonly<Record<RecordType, number>> = {
  ...{ A: 1, NS: 2, CNAME: 5, TXT: 16, AAAA: 28, SRV: 33, TLSA: 52, CAA: 257 },
}
const SOA = 6
const TSIG = 250
const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const
const UPDATE = 5 << 11
/** RFC 8945 §6. */
const HMAC_SHA256 = 'hmac-sha256'
/** How far the clocks may be apart, in seconds (RFC 8945 §10). */
const FUDGE = 300

/** RFC 2136 §2.2, RFC 8945 §3. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: 'it does not understand the question',
  2: 'it has a trouble of its own',
  4: 'it does not let itself be changed in this way',
  5: 'it refuses: the key may not change this zone',
  9: 'it does not take the key (or is not the server of this zone)',
  10: 'the name is not in its zone',
}

/** What it takes. */
export interface Rfc2136Parts {
  /** Sends a message and resolves with the answer to it. */
  readonly exchange: (message: Buffer) => Promise<Buffer>
  /** The name of the key, and the key. */
  readonly keyName: string
  readonly key: Buffer
  /** ms since 1970. */
  readonly now: () => number
}

/** The provider. */
export function rfc2136(parts: Rfc2136Parts): DnsProvider {
  const change = async (zone: string, name: string, records: readonly Buffer[]): Promise<void> => {
    nameIn(zone, name) // or it is none of this zone's
    const head = [u16(UPDATE), u16(1), u16(0), u16(records.length)]
    await ask(parts, head, Buffer.concat([nameBytes(zone), u16(SOA), u16(CLASS.IN), ...records]))
  }
  return {
    name: 'the name server (RFC 2136)',
    async list(_zone, names) {
      const all: Rrset[] = []
      for (const name of names) for (const type of typesOf()) all.push(...(await look(parts, name, type)))
      return all
    },
    set: (zone, { name, type, ttl, values }) =>
      change(zone, name, [gone(name, type), ...values.map((value) => added(name, type, ttl, value))]),
    remove: (zone, { name, type }) => change(zone, name, [gone(name, type)]),
  }
}

function typesOf(): readonly RecordType[] {
  return Object.keys(TYPE) as RecordType[]
}

/** RFC 2136 §2.5.2: the whole set goes. */
function gone(name: string, type: RecordType): Buffer {
  return Buffer.concat([nameBytes(name), u16(TYPE[type]), u16(CLASS.ANY), u32(0), u16(0)])
}

/** RFC 2136 §2.5.1. */
function added(name: string, type: RecordType, ttl: number, value: string): Buffer {
  const data = rdata(type, value)
  return Buffer.concat([nameBytes(name), u16(TYPE[type]), u16(CLASS.IN), u32(ttl), u16(data.length), data])
}

async function look(parts: Rfc2136Parts, name: string, type: RecordType): Promise<readonly Rrset[]> {
  const question = Buffer.concat([nameBytes(name), u16(TYPE[type]), u16(CLASS.IN)])
  const answer = await ask(parts, [u16(0), u16(1), u16(0), u16(0)], question)
  // Where a zone begins that others keep, its servers are named beside the answer (RFC 1034 §4.3.2).
  const records = type === 'NS' ? [...answer.answers, ...answer.authorities] : answer.answers
  const found = records.filter((one) => one.name === name && one.type === TYPE[type])
  if (found.length === 0) return []
  const text = ({ dataAt, length }: WireRecord): string => normal(type, rdataText(type, answer.bytes, dataAt, length))
  return [{ name, type, ttl: found[0]?.ttl ?? 0, values: found.map((one) => text(one)) }]
}

/** Sends a signed message, and believes only an answer that is signed. @param head the flags and the first three counts */
async function ask(parts: Rfc2136Parts, head: readonly Buffer[], body: Buffer): Promise<MessageReader> {
  const id = randomInt(0x10000)
  const unsigned = Buffer.concat([u16(id), ...head, u16(0), body])
  const { record, mac } = signature(parts, unsigned, Buffer.alloc(0))
  const signed = Buffer.concat([unsigned, record])
  signed.writeUInt16BE(1, 10) // the signature is the one additional record
  const bytes = await parts.exchange(signed).catch((error: unknown) => {
    throw new ProviderError(`The name server was not reached: ${error instanceof Error ? error.message : error}`)
  })
  return believed(parts, id, mac, bytes)
}

function signature({ keyName, key, now }: Rfc2136Parts, message: Buffer, before: Buffer) {
  const time = u48(Math.floor(now() / 1000))
  const owner = nameBytes(keyName)
  const algorithm = nameBytes(HMAC_SHA256)
  // RFC 8945 §4.3.3: what is not in the message but counts.
  const variables = [owner, u16(CLASS.ANY), u32(0), algorithm, time, u16(FUDGE), u16(0), u16(0)]
  const mac = createHmac('sha256', key)
    .update(Buffer.concat([before, message, ...variables]))
    .digest()
  const id = message.subarray(0, 2)
  const data = Buffer.concat([algorithm, time, u16(FUDGE), u16(mac.length), mac, id, u16(0), u16(0)])
  const record = Buffer.concat([owner, u16(TSIG), u16(CLASS.ANY), u32(0), u16(data.length), data])
  return { record, mac }
}

function believed(parts: Rfc2136Parts, id: number, asked: Buffer, bytes: Buffer): MessageReader {
  let answer: MessageReader
  try {
    answer = new MessageReader(bytes)
  } catch {
    throw new ProviderError('The name server answered what cannot be read.')
  }
  const { tsig, code } = answer
  const trouble = tsig && tsig.error !== 0 ? TSIG_ERRORS[tsig.error] : undefined
  if (trouble !== undefined) throw new ProviderError(`The name server does not accept the signature: ${trouble}.`)
  const isGood = code === 0 || code === 3
  if (answer.id !== id || (isGood && !isSigned(parts, asked, answer))) {
    throw new ProviderError('The answer of the name server is not signed with the key: somebody else may have sent it.')
  }
  if (!isGood) {
    throw new ProviderError(`The name server says no: ${REFUSALS[code] ?? `error ${code}`}.`)
  }
  return answer
}

/** RFC 8945 §5.2. */
const TSIG_ERRORS: Readonly<Record<number, string>> = {
  16: 'the key is another one there (BADSIG)',
  17: 'it does not know the key by this name and algorithm (BADKEY)',
  18: 'the clocks are too far apart (BADTIME)',
}

function isSigned({ key, keyName, now }: Rfc2136Parts, asked: Buffer, { tsig, signedPart }: MessageReader): boolean {
  if (!tsig || tsig.name !== keyName.toLowerCase().replace(/\.$/, '') || tsig.algorithm !== HMAC_SHA256) return false
  if (Math.abs(tsig.time - now() / 1000) > tsig.fudge) return false
  const variables = [
    ...[nameBytes(tsig.name), u16(CLASS.ANY), u32(0), nameBytes(tsig.algorithm), u48(tsig.time)],
    ...[u16(tsig.fudge), u16(tsig.error), u16(tsig.other.length), tsig.other],
  ]
  const mac = createHmac('sha256', key)
    .update(Buffer.concat([u16(asked.length), asked, signedPart, ...variables]))
    .digest()
  return mac.length === tsig.mac.length && timingSafeEqual(mac, tsig.mac)
}
