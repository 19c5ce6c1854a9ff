// SPDX-License-Identifier: Apache-2.0
// The data of records as bytes, and back.
import { ProviderError, type RecordType } from './record.ts'
import { nameBytes, readName, u16 } from './wire.ts'

/** The bytes of a record's text. @throws ProviderError if it is none of its type */
export function rdata(type: RecordType, value: string): Buffer {
  const words = value.split(' ')
  const numbers = words.slice(0, 3).map(Number)
  const [first = 0, second = 0, third = 0] = numbers
  if (type === 'A') return ipv4(value)
  if (type === 'AAAA') return ipv6(value)
  if (type === 'CNAME' || type === 'NS') return nameBytes(value)
  if (type === 'SRV') return Buffer.concat([u16(first), u16(second), u16(third), nameBytes(words[3] ?? '')])
  if (type === 'TLSA') return Buffer.concat([Buffer.of(first, second, third), Buffer.from(words[3] ?? '', 'hex')])
  if (type === 'TXT') return strings(Buffer.from(value))
  const [, flags = '0', tag = '', text = ''] = /^(\d+) (\S+) "(.*)"$/.exec(value) ?? []
  return Buffer.concat([Buffer.of(Number(flags), tag.length), Buffer.from(tag), Buffer.from(text)])
}

/** The text of a record's bytes. @param whole the message, for names that point into it */
export function rdataText(type: RecordType, whole: Buffer, start: number, length: number): string {
  const data = whole.subarray(start, start + length)
  if (type === 'A') return [...data].join('.')
  if (type === 'AAAA') return (data.toString('hex').match(/.{4}/g) ?? []).join(':')
  if (type === 'CNAME' || type === 'NS') return `${readName(whole, start).name}.`
  if (type === 'SRV') {
    const numbers = [0, 2, 4].map((at) => data.readUInt16BE(at))
    return `${numbers.join(' ')} ${readName(whole, start + 6).name}.`
  }
  if (type === 'TLSA') return `${data[0]} ${data[1]} ${data[2]} ${data.subarray(3).toString('hex')}`
  if (type === 'TXT') return textOf(data)
  const tagEnd = 2 + (data[1] ?? 0)
  return `${data[0]} ${data.subarray(2, tagEnd)} "${data.subarray(tagEnd)}"`
}

function ipv4(value: string): Buffer {
  const parts = value.split('.').map(Number)
  if (parts.length !== 4 || parts.some((one) => !(one >= 0 && one < 256))) throw bad('A', value)
  return Buffer.from(parts)
}

function ipv6(value: string): Buffer {
  const [head = '', tail] = value.split('::')
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [before, after] = [words(head), words(tail ?? '')]
  const middle = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  const all = [...before, ...middle, ...after]
  if (all.length !== 8 || all.some((one) => !/^[0-9a-f]{1,4}$/i.test(one))) throw bad('AAAA', value)
  return Buffer.concat(all.map((one) => u16(Number.parseInt(one, 16))))
}

/** RFC 1035 §3.3.14. */
function strings(text: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at === 0 || at < text.length; at += 255) {
    const part = text.subarray(at, at + 255)
    parts.push(Buffer.of(part.length), part)
  }
  return Buffer.concat(parts)
}

function textOf(data: Buffer): string {
  const parts: Buffer[] = []
  for (let at = 0; at < data.length; at += 1 + (data[at] ?? 0))
    parts.push(data.subarray(at + 1, at + 1 + (data[at] ?? 0)))
  return Buffer.concat(parts).toString()
}

function bad(type: RecordType, value: string): ProviderError {
  return new ProviderError(`"${value}" is no record of type ${type}.`)
}
