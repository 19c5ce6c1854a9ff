// SPDX-License-Identifier: Apache-2.0
// Characters and names of XML 1.0 (fifth edition) and Namespaces in XML: what may stand where, and what references,
// line ends and white space in values turn into.

import { ReadError } from './errors.ts'

/** What an ASCII character may do in a name: nothing, continue it, start it, or divide it (XML 1.0 §2.3). */
export const NAME_NONE = 0
/** It starts a name. */
export const NAME_START = 2
/** It divides prefix and local part (Namespaces in XML §4). */
export const NAME_COLON = 3

/** The class of each ASCII character in names (XML 1.0 §2.3). */
export const NAME_CLASS = nameClasses()

const START =
  'A-Z_a-z\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{2ff}\\u{370}-\\u{37d}\\u{37f}-\\u{1fff}\\u{200c}-\\u{200d}' +
  '\\u{2070}-\\u{218f}\\u{2c00}-\\u{2fef}\\u{3001}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{fffd}\\u{10000}-\\u{effff}'
const NC_NAME = new RegExp(`^[${START}][${START}.0-9\\u{b7}\\u{300}-\\u{36f}\\u{203f}-\\u{2040}-]*$`, 'u')
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/

const TEXT_SPECIAL = /[&\r]|\]\]>/
const VALUE_SPECIAL = /[&<\t\n\r]/
const REFERENCE = /&([^;]*)(;?)/g
const NAMED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['apos', "'"],
  ['quot', '"'],
])

function nameClasses(): Uint8Array {
  const classes = new Uint8Array(128)
  for (let code = 0; code < 128; code++) {
    const char = String.fromCharCode(code)
    classes[code] = /[A-Za-z_]/.test(char)
      ? NAME_START
      : /[-.0-9]/.test(char)
        ? 1
        : char === ':'
          ? NAME_COLON
          : NAME_NONE
  }
  return classes
}

/** Whether it is a name without a colon (Namespaces in XML §3, NCName). */
export function isNcName(text: string): boolean {
  return NC_NAME.test(text)
}

/** Where the first character stands that XML does not allow (XML 1.0 §2.2), or -1. */
export function illegalAt(text: string): number {
  return ILLEGAL.test(text) ? text.search(ILLEGAL) : -1
}

/** White space as XML has it (XML 1.0 §2.3, S). */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/** The first place at or after `at` that is not white space; the text's length if there is none. */
export function skipSpace(text: string, at: number): number {
  let pos = at
  while (pos < text.length && isSpace(text.charCodeAt(pos))) pos++
  return pos
}

/** Line ends of every kind as one line feed (XML 1.0 §2.11). */
export function normaliseLines(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
}

/** What character data means: references resolved, line ends made equal (XML 1.0 §2.4, §2.11, §4.1). */
export function resolveText(raw: string): string {
  if (!TEXT_SPECIAL.test(raw)) return raw
  if (raw.includes(']]>')) throw new ReadError('not-well-formed', 'Text contains the end mark of a CDATA section.')
  return resolveReferences(normaliseLines(raw))
}

/** What an attribute value means: references resolved, white space made spaces (XML 1.0 §3.3.3). */
export function resolveValue(raw: string): string {
  if (!VALUE_SPECIAL.test(raw)) return raw
  if (raw.includes('<')) throw new ReadError('not-well-formed', 'An attribute value contains "<".')
  return resolveReferences(raw.replace(/\r\n|[\t\n\r]/g, ' '))
}

function resolveReferences(text: string): string {
  return text.includes('&') ? text.replace(REFERENCE, reference) : text
}

/** One reference; entities other than the predefined five are forbidden (RFC 6120 §11.1). */
function reference(_whole: string, body: string, end: string): string {
  const named = NAMED.get(body)
  if (end !== '' && named !== undefined) return named
  const digits = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(body)
  if (end !== '' && digits)
    return character(digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16))
  if (end !== '' && isNcName(body.replaceAll(':', '_'))) {
    throw new ReadError('restricted-xml', 'Entities other than the five predefined ones are not allowed.')
  }
  throw new ReadError('not-well-formed', 'A reference is malformed.')
}

function character(code: number): string {
  const legal = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  const text = legal ? String.fromCodePoint(code) : '\0'
  if (ILLEGAL.test(text))
    throw new ReadError('not-well-formed', 'A reference names a character that XML does not allow.')
  return text
}
