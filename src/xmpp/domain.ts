// SPDX-License-Identifier: Apache-2.0
// Domainparts (RFC 7622 §3.2): host names with U-labels, or IP literals, in their one form.
import { domainToASCII, domainToUnicode } from 'node:url'
import { bidiRule, identifierClass, mapWidth } from './precis.ts'

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/
const LDH_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** What a WHATWG URL parser takes for (a part of) an IPv4 address; only the ordinary way of writing one is let through. */
const NUMERIC = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/

/**
 * The one form of a domainpart, or undefined if it is none: lower case, NFC, U-labels instead of A-labels, without a
 * final dot (RFC 7622 §3.2); IPv6 as WHATWG URLs write it.
 */
export function prepareDomain(text: string): string | undefined {
  if (text.startsWith('[')) return ipv6(text)
  const mapped = mapWidth(text)
    .replace(/[\u3002\uff61]/g, '.')
    .toLowerCase()
    .normalize('NFC')
  const name = mapped.endsWith('.') ? mapped.slice(0, -1) : mapped
  if (IPV4.test(name)) return name
  if (NUMERIC.test(name)) return undefined
  const labels = name.split('.')
  if (labels.every(isPlain)) return name
  return labels.every(isLabel) ? internationalised(name) : undefined
}

/** RFC 7622 §3.2: the IP-literal of RFC 3986, without the "IPvFuture" that does not exist, and without zones. */
function ipv6(text: string): string | undefined {
  return /^\[[0-9a-fA-F:.]{2,45}\]$/.test(text) ? domainToASCII(text) || undefined : undefined
}

/** An NR-LDH label (RFC 5890 §2.3.1). Other labels with "--" at the third place exist in DNS and do no harm. */
function isPlain(label: string): boolean {
  return LDH_LABEL.test(label) && !label.startsWith('xn--')
}

/** A label that may be, or become, a U-label: no ASCII but LDH, no character that IDNA 2008 does not know (RFC 5892). */
function isLabel(label: string): boolean {
  return LDH_LABEL.test(label) || (/^[a-z0-9\x80-\u{10ffff}-]+$/u.test(label) && isULabel(label))
}

/** RFC 5891 §4.2.3. PRECIS IdentifierClass outside ASCII is what RFC 5892 calls PVALID and CONTEXT in mapped text. */
function isULabel(label: string): boolean {
  if (!identifierClass(label) || !bidiRule(label)) return false
  return !/^\p{M}|^-|-$|^..--/u.test(label)
}

/** A name with at least one label that is not plain: through Punycode and back, which must lead to the same place again. */
function internationalised(name: string): string | undefined {
  const ascii = domainToASCII(name)
  if (ascii === '' || !ascii.split('.').every((label) => LDH_LABEL.test(label))) return undefined
  const unicode = domainToUnicode(ascii)
  const sound = unicode.split('.').every((label) => isPlain(label) || isULabel(label))
  return sound && domainToASCII(unicode) === ascii ? unicode : undefined
}
