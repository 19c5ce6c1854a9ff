// SPDX-License-Identifier: Apache-2.0
// The XML declaration (XML 1.0 §2.8), which may stand at the very start of a stream (RFC 6120 §11.5).

import { ReadError } from './errors.ts'

const VERSION = /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.[0-9]+'|"1\.[0-9]+")/
const ENCODING = /^[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:'([A-Za-z][A-Za-z0-9._-]*)'|"([A-Za-z][A-Za-z0-9._-]*)")/
const REST = /^(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:'(?:yes|no)'|"(?:yes|no)"))?[ \t\r\n]*\?>$/

/**
 * Refuses a declaration that is malformed or names another encoding than UTF-8 (RFC 6120 §11.6). Any version 1.x is read
 * as 1.0, as the fifth edition of XML 1.0 demands (§2.8), which is the one that RFC 6120 §11.8 builds on.
 */
export function checkXmlDeclaration(text: string): void {
  const version = VERSION.exec(text)
  let rest = version ? text.slice(version[0].length) : ''
  const encoding = ENCODING.exec(rest)
  if (encoding) rest = rest.slice(encoding[0].length)
  if (!REST.test(rest)) throw new ReadError('not-well-formed', 'The XML declaration is malformed.')
  if (encoding && (encoding[1] ?? encoding[2] ?? '').toLowerCase() !== 'utf-8') {
    throw new ReadError('unsupported-encoding', 'The only encoding is UTF-8.')
  }
}
