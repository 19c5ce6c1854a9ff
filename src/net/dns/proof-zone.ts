// SPDX-License-Identifier: Apache-2.0
// A zone of the DNS (RFC 1035) that has nothing but the texts that prove our domains to certificate authorities, as a pure function
// from question to answer. Whoever asks may be anybody, in anybody's name: an answer is hardly longer than its question.

/** What the zone is. */
export interface ProofZone {
  /** In A-labels and lower case, without a dot at the end; as `server`. */
  readonly name: string
  /** The name of its name server: this machine. */
  readonly server: string
  /** What is at a label right below the top. */
  texts(label: string): readonly string[]
}

const HEADER = 12
/** RFC 1035 §2.3.4. */
const NAME_MAX = 255
const LABEL_MAX = 63
/** What a datagram may have without EDNS (RFC 1035 §4.2.1), and with it (RFC 9715). */
const DATAGRAM = 512
const DATAGRAM_EDNS = 1232

const TYPE = { NS: 2, SOA: 6, TXT: 16, OPT: 41, IXFR: 251, AXFR: 252, ANY: 255 } as const
const IN = 1
/** RFC 1035 §4.1.1; the last one takes EDNS (RFC 6891 §6.1.3). */
const CODE = { ok: 0, malformed: 1, noSuchName: 3, notImplemented: 4, refused: 5, badVersion: 16 } as const
const FLAG = { answer: 0x8000, authoritative: 0x0400, truncated: 0x0200, desired: 0x0100 } as const
/**
 * In seconds: neither a proof nor that there is none may be remembered (RFC 1035 §3.2.1, RFC 2308 §5). The next one at the same
 * label, for a domain with `*.` before it, may come in the same second.
 */
const TTL_PROOF = 0
const TTL = 3600

interface Question {
  /** As it came, with type and class. */
  readonly bytes: Buffer
  /** In lower case, the left-most one first. */
  readonly labels: readonly string[]
  readonly type: number
  readonly cls: number
  readonly end: number
}

interface Edns {
  readonly size: number
  readonly version: number
  /** DO and the like (RFC 3225 §3). */
  readonly flags: number
}

/** What is answered, beside what every answer has. */
interface Said {
  readonly code: number
  readonly authoritative?: boolean
  readonly answers?: readonly Buffer[]
  readonly authorities?: readonly Buffer[]
}

/**
 * The answer to a message; undefined if there is none to be given.
 * @param way `udp`: what is too long for a datagram is only said to be; `short`: anything is
 */
export function answerTo(message: Buffer, zone: ProofZone, way: 'udp' | 'tcp' | 'short'): Buffer | undefined {
  if (message.length < HEADER) return undefined
  const flags = message.readUInt16BE(2)
  if (flags & FLAG.answer) return undefined // two servers could talk for ever
  if ((flags >> 11) & 0xf) return written(message, undefined, undefined, { code: CODE.notImplemented }, way)
  const question = questionIn(message)
  const edns = question && ednsIn(message, question.end)
  if (!question || edns === 'malformed') return written(message, undefined, undefined, { code: CODE.malformed }, way)
  const said = edns && edns.version > 0 ? { code: CODE.badVersion } : whatIsSaid(question, zone)
  return written(message, question, edns, said, way)
}

function whatIsSaid(question: Question, zone: ProofZone): Said {
  const { type, cls, labels } = question
  const below = labelsBelow(labels, zone.name)
  const refused = type === TYPE.ANY || type === TYPE.AXFR || type === TYPE.IXFR // RFC 8482 §4 leaves ANY to us
  if (cls !== IN || refused || !below) return { code: CODE.refused }
  const names = new Names(question)
  const soa = soaRecord(names, zone)
  const nothing = { authoritative: true, authorities: [soa] } // RFC 2308 §3
  const [label] = below
  if (label === undefined) {
    if (type === TYPE.SOA) return { code: CODE.ok, authoritative: true, answers: [soa] }
    const ns = record(names.of(zone.name), TYPE.NS, TTL, names.of(zone.server))
    return type === TYPE.NS ? { code: CODE.ok, authoritative: true, answers: [ns] } : { code: CODE.ok, ...nothing }
  }
  const texts = below.length === 1 ? zone.texts(label) : []
  if (texts.length === 0) return { code: CODE.noSuchName, ...nothing }
  if (type !== TYPE.TXT) return { code: CODE.ok, ...nothing }
  const answers = texts.map((text) => record(names.asked, TYPE.TXT, TTL_PROOF, stringOf(text)))
  return { code: CODE.ok, authoritative: true, answers }
}

/** The one question, if that is what the message has. */
function questionIn(message: Buffer): Question | undefined {
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at))
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (additionals ?? 0) > 1) return undefined
  const labels: string[] = []
  let at = HEADER
  for (;;) {
    const length = message[at]
    if (length === undefined || length > LABEL_MAX || at + length - HEADER >= NAME_MAX) return undefined
    at += 1 + length
    if (length === 0) break
    labels.push(message.toString('latin1', at - length, at).toLowerCase())
  }
  if (at + 4 > message.length) return undefined
  const [type, cls] = [message.readUInt16BE(at), message.readUInt16BE(at + 2)]
  return { bytes: message.subarray(HEADER, at + 4), labels, type, cls, end: at + 4 }
}

/** RFC 6891 §6.1.2. */
function ednsIn(message: Buffer, at: number): Edns | undefined | 'malformed' {
  if (message.readUInt16BE(10) === 0) return at === message.length ? undefined : 'malformed'
  if (at + 11 > message.length || message[at] !== 0 || message.readUInt16BE(at + 1) !== TYPE.OPT) return 'malformed'
  if (at + 11 + message.readUInt16BE(at + 9) !== message.length) return 'malformed'
  return { size: message.readUInt16BE(at + 3), version: message.readUInt8(at + 6), flags: message.readUInt16BE(at + 7) }
}

/** What stands before the name of the zone; undefined if it is another one. */
function labelsBelow(labels: readonly string[], zone: string): readonly string[] | undefined {
  const top = zone.split('.')
  const count = labels.length - top.length
  // Compared one by one: a label may have a dot in it.
  return count >= 0 && top.every((label, index) => labels[count + index] === label) ? labels.slice(0, count) : undefined
}

function written(
  message: Buffer,
  question: Question | undefined,
  edns: Edns | undefined,
  { code, authoritative, answers = [], authorities = [] }: Said,
  way: 'udp' | 'tcp' | 'short',
): Buffer {
  const opt = edns ? [optRecord(edns, code)] : []
  const asked = question ? [question.bytes] : []
  const header = Buffer.alloc(HEADER)
  const desired = message.readUInt16BE(2) & FLAG.desired
  const flags = FLAG.answer | (authoritative ? FLAG.authoritative : 0) | desired | (code & 0xf)
  message.copy(header, 0, 0, 2)
  header.writeUInt16BE(flags, 2)
  const counts = [asked.length, answers.length, authorities.length, opt.length]
  for (const [index, count] of counts.entries()) header.writeUInt16BE(count, 4 + 2 * index)
  const whole = Buffer.concat([header, ...asked, ...answers, ...authorities, ...opt])
  const most = edns ? Math.min(DATAGRAM_EDNS, Math.max(DATAGRAM, edns.size)) : DATAGRAM
  if (way === 'tcp' || (way === 'udp' && whole.length <= most)) return whole
  header.writeUInt16BE(flags | FLAG.truncated, 2)
  header.fill(0, 6, 10)
  return Buffer.concat([header, ...asked, ...opt])
}

function optRecord({ flags }: Edns, code: number): Buffer {
  const opt = Buffer.alloc(11)
  opt.writeUInt16BE(TYPE.OPT, 1)
  opt.writeUInt16BE(DATAGRAM_EDNS, 3)
  opt.writeUInt8(code >> 4, 5)
  opt.writeUInt16BE(flags & 0x8000, 7)
  return opt
}

/** Names as they are written in an answer: they mostly end like the one that was asked for, and point there (RFC 1035 §4.1.4). */
class Names {
  readonly asked = Buffer.of(0xc0, HEADER)
  readonly #labels: readonly string[]

  constructor({ labels }: Question) {
    this.#labels = labels
  }

  of(name: string): Buffer {
    const labels = name.split('.')
    const parts: Buffer[] = []
    for (const [index, label] of labels.entries()) {
      const at = this.#placeOf(labels.slice(index))
      if (at !== undefined) return Buffer.concat([...parts, Buffer.of(0xc0 | (at >> 8), at & 0xff)])
      parts.push(Buffer.of(label.length), Buffer.from(label, 'latin1'))
    }
    return Buffer.concat([...parts, Buffer.of(0)])
  }

  #placeOf(labels: readonly string[]): number | undefined {
    const before = this.#labels.length - labels.length
    if (before < 0 || !labels.every((label, index) => this.#labels[before + index] === label)) return undefined
    return this.#labels.slice(0, before).reduce((at, label) => at + 1 + label.length, HEADER)
  }
}

function record(name: Buffer, type: number, ttl: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(IN, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([name, fixed, data])
}

/** RFC 1035 §3.3.13. */
function soaRecord(names: Names, { name, server }: ProofZone): Buffer {
  const numbers = Buffer.alloc(20)
  for (const [index, value] of [1, TTL, 600, 86_400, TTL_PROOF].entries()) numbers.writeUInt32BE(value, 4 * index)
  const data = Buffer.concat([names.of(server), names.of(`hostmaster.${server}`), numbers])
  return record(names.of(name), TYPE.SOA, TTL_PROOF, data)
}

/** RFC 1035 §3.3.14. */
function stringOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1').subarray(0, 255)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}
