// SPDX-License-Identifier: Apache-2.0
// Strings that outlive the text they were read from: names and namespaces, which come again and again, are shared through
// a small table of fixed size (whoever fills it with rubbish only makes it miss); others can be copied.

const SLOTS = 1024
/** Longer ones are copied instead of shared, so that the table stays small. */
const LONGEST = 64
/** V8 copies a slice shorter than this and lets a longer one refer to the whole text. */
const SLICED = 13

const table: string[] = new Array(SLOTS).fill('')

/** The running hash of a name: feed it each character code, starting from 0. */
export function mix(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0
}

/** `text.slice(start, end)` without keeping `text` alive. @param hash `mix` over all its characters */
export function intern(text: string, start: number, end: number, hash: number): string {
  const length = end - start
  if (length > LONGEST) return detach(text.slice(start, end))
  const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1)
  const known = table[slot] ?? ''
  if (known.length === length && text.startsWith(known, start)) return known
  const fresh = detach(text.slice(start, end))
  table[slot] = fresh
  return fresh
}

/** The same for a whole string. */
export function internString(text: string): string {
  if (text.length > LONGEST) return detach(text)
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i))
  return intern(text, 0, text.length, hash)
}

/**
 * The same text, in memory of its own. For what is kept long: a string from the reader may be a slice that keeps the
 * whole chunk alive that it came in. The text must be well-formed UTF-16, as everything from the reader is.
 */
export function detach(text: string): string {
  return text.length < SLICED ? text : Buffer.from(text, 'utf8').toString('utf8')
}
