// SPDX-License-Identifier: Apache-2.0
// Which part of a file is asked for, and whether who asks has it already (RFC 9110 §13, §14).
import type { IncomingHttpHeaders } from 'node:http'

/** Both ends belong to it. */
export interface Range {
  readonly start: number
  readonly end: number
}

type OurHeaders = Readonly<Record<string, string>>

/** Whether the asker has the file as it is (RFC 9110 §13.1.2, §13.1.3). */
export function unchanged(asked: IncomingHttpHeaders, ours: OurHeaders): boolean {
  const tags = asked['if-none-match']
  if (tags !== undefined) {
    const wanted = tags.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
    return wanted.includes('*') || wanted.includes(ours.etag ?? '')
  }
  const since = Date.parse(asked['if-modified-since'] ?? '')
  return Date.parse(ours['last-modified'] ?? '') <= since
}

/**
 * The one part that is asked for; `none` if it does not exist, undefined for the whole. Several at once are answered with
 * the whole, which RFC 9110 §14.2 allows.
 */
export function rangeOf(asked: IncomingHttpHeaders, ours: OurHeaders, size: number): Range | 'none' | undefined {
  const [, first, last] = /^bytes=\s*(\d{0,16})-(\d{0,16})\s*$/i.exec(asked.range ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (!isCurrent(asked['if-range'], ours)) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'none' : { start: size - length, end: size - 1 }
  }
  const [start, end] = [Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1)]
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'none' : { start, end }
}

/** RFC 9110 §13.1.5. */
function isCurrent(condition: string | string[] | undefined, ours: OurHeaders): boolean {
  if (condition === undefined) return true
  return condition === ours.etag || condition === ours['last-modified']
}
