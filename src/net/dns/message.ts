// SPDX-License-Identifier: Apache-2.0
// Questions and answers of the DNS as bytes (RFC 1035 §4), by way of `dns-packet`, which is loaded with the first question.
import type { Answer as PacketAnswer } from 'dns-packet'

/** Records of one kind at one name. */
export interface Question {
  /** In A-labels, without a dot at the end. */
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'SRV' | 'TLSA' | 'NS' | 'SOA' | 'CNAME' | 'CAA' | 'TXT' | 'DNSKEY' | 'DS'
}

/** One record. */
export interface DnsRecord {
  readonly name: string
  readonly type: string
  /** In seconds. */
  readonly ttl: number
  /** As `dns-packet` gives it for the type. */
  readonly data: unknown
}

/** What a name server said. */
export interface Reply {
  /** RFC 1035 §4.1.1, RFC 6891 §6.1.3; 0: fine; 3: no such name. */
  readonly code: number
  readonly truncated: boolean
  /** It says that it validated this (RFC 4035 §3.2.3). */
  readonly authentic: boolean
  readonly answers: readonly DnsRecord[]
  /** Where it knows no more, who does (RFC 1034 §4.3.2). */
  readonly referral: readonly DnsRecord[]
  /** For how long, in seconds, nothing else will be there (RFC 2308 §5); undefined if that was not said. */
  readonly emptyFor: number | undefined
}

/** What one datagram may have (RFC 9715). */
const DATAGRAM = 1232
/** Bytes of one TLSA record; certificates that others would show have less. */
const MOST_TLSA = 8_192

/** A question as a datagram (RFC 6891, RFC 6840 §5.7). */
export async function questionBytes(id: number, question: Question): Promise<Buffer> {
  const { encode, RECURSION_DESIRED, AUTHENTIC_DATA, DNSSEC_OK } = (await import('dns-packet')).default
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED | AUTHENTIC_DATA,
    questions: [{ ...question, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: DATAGRAM,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: DNSSEC_OK,
        flag_do: true,
        options: [],
      },
    ],
  })
}

/** Reads an answer to a question. @returns undefined if it is none to this one, or cannot be read (RFC 5452 §9.1) */
export async function readReply(bytes: Buffer, id: number, question: Question): Promise<Reply | undefined> {
  const { decode } = (await import('dns-packet')).default
  if (bytes.length < 12 || bytes.readUInt16BE(0) !== id) return undefined
  try {
    const { flag_qr, flag_tc, flag_ad, flags = 0, questions = [], ...rest } = decode(bytes)
    if (decode.bytes > bytes.length) return undefined // cut off
    const [asked, more] = questions
    if (!flag_qr || !asked || more || asked.type !== question.type || (asked.class ?? 'IN') !== 'IN') return undefined
    if (asked.name.toLowerCase() !== question.name.toLowerCase()) return undefined
    const { answers = [], authorities = [], additionals = [] } = rest
    const extended = additionals.find((one) => one.type === 'OPT')
    return {
      code: (flags & 0xf) | ((extended?.extendedRcode ?? 0) << 4),
      truncated: flag_tc,
      authentic: flag_ad,
      answers: answers.flatMap(recordOf),
      referral: authorities.flatMap(recordOf).filter((one) => one.type === 'NS'),
      emptyFor: emptyTime(authorities),
    }
  } catch {
    return undefined // whoever sent that: there is nothing in it to be understood
  }
}

function recordOf(answer: PacketAnswer): DnsRecord[] {
  if (answer.type === 'OPT' || (answer.class ?? 'IN') !== 'IN') return []
  // RFC 2181 §8: the highest bit means 0.
  const ttl = (answer.ttl ?? 0) > 0x7fffffff ? 0 : (answer.ttl ?? 0)
  const record = { name: answer.name, type: answer.type, ttl }
  if (answer.type !== 'TLSA') return [{ ...record, data: answer.data }]
  const { certificate, ...rest } = answer.data
  // A copy, since this is kept and the message is not.
  return certificate.length > MOST_TLSA ? [] : [{ ...record, data: { ...rest, certificate: Buffer.from(certificate) } }]
}

function emptyTime(authorities: readonly PacketAnswer[]): number | undefined {
  for (const one of authorities) {
    if (one.type === 'SOA') return Math.min(one.ttl ?? 0, one.data.minimum ?? 0)
  }
  return undefined
}
