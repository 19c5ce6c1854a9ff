// SPDX-License-Identifier: Apache-2.0
// Makes documents that are nearly always well-formed streams, and spoils them.

import type { Pick } from './judge.ts'

const NAMES = [
  'a',
  'body',
  'x-1',
  'é',
  '_',
  'message',
  'constructor',
  '__proto__',
  '名',
  'b.c',
  'toString',
  '\u{10000}',
]
const PREFIXES = ['p', 'q', 'stream', 'xml', 'ae0', 'é', 'ae1']
const SPACES = [' ', '  ', '\n', '\r\n', '\t', ' \r']
const NAMESPACES = ['urn:a', 'urn:b', 'jabber:client', 'urn:a&amp;b', 'u}v', "u' x=&quot;", '', 'urn:è']
const TEXTS = [
  'hello', ' ', '&amp;', '&lt;', '&#65;', '&#x1F600;', 'è così', '😀', ']]', '>', ']]&gt;', '\r\n', '\r', '&#13;', '"', "'",
  '&apos;', '&quot;', '&#000065;', '\t', '&#9;&#10;', '\u0085', '\u2028', '\ufffd', '\ufeff', '<![CDATA[<&]]>', '<![CDATA[]]>', '<![CDATA[]]]>',
] // biome-ignore format: a list to read
const FRAGMENTS = [
  '<', '>', '/', '&', ';', '=', "'", '"', ':', 'xmlns', 'xml', '<!--', '-->', '<?', '?>', '<![CDATA[', ']]>', '<!DOCTYPE a>', '&foo;', '&#0;',
  '&#xFFFE;', '&#xD800;', '&#x110000;', ' xmlns:p=""', " xmlns:xml='u'", " xmlns:xmlns='u'", ' a:b:c="1"', ' p:a="1"', ' :a="1"', ' a:="1"',
  ' p:1="1"', '<p:a>', '</p:a>', '<a', '/>', '</', '<xml:a/>', '<xmlns:a/>', " xmlns='http://www.w3.org/XML/1998/namespace'",
  " xmlns:q='http://www.w3.org/XML/1998/namespace'", " xmlns='http://www.w3.org/2000/xmlns/'", " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
  '\0', '\x01', '\x7f', '\u0080', '\uffff', '\ufffe', '\ufeff', '·', '٣', ' a="1" a="2"', " xmlns:p='u' xmlns:q='u' p:a='' q:a=''", '-', '.', '0',
  "<?xml version='1.0'?>", "<?xml version='1.1'?>", "<?xml version='1.0' encoding='latin1'?>", '<a/>', 'x', ' ', '\r',
] // biome-ignore format: a list to read
const ODD_STARTS = [
  '\ufeff', ' ', '\r\n', "\n<?xml version='1.0'?>", "<?xml version='1.1'?>", "<?xml version='1.12'?>", "<?xml version='2.0'?>", '<?xml?>',
  "<?xml version='1.0' encoding='UTF-16'?>", "<?xml version='1.0' standalone='maybe'?>", "<?xml encoding='UTF-8'?>", "<?xml version='1.0'encoding='UTF-8'?>",
  "\ufeff<?xml version='1.0'?>", "<?xml version='1.0' standalone='no' encoding='UTF-8'?>", "<?xml version='1.0' ?><?a?>", '<!---->',
] // biome-ignore format: a list to read
const BYTES = [
  0x00, 0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xf8, 0xff, 0x3c, 0x3e, 0x26, 0x27, 0x20, 0x5d, 0x3a,
]

function one(list: readonly string[], pick: Pick): string {
  return list[pick(list.length)] ?? ''
}

/** A whole stream; now and then with a mistake of namespaces. */
export function document(pick: Pick): string {
  const declaration = [
    '', '', "<?xml version='1.0'?>", "<?xml version='1.0' encoding='UTF-8'?>", '<?xml version = "1.0" encoding="utf-8" standalone="yes" ?>\n',
  ] // biome-ignore format: a list to read
  const start = pick(60) === 0 ? one(ODD_STARTS, pick) : one(declaration, pick)
  const scope = new Set(['stream', 'xml'])
  let text = `${start}<stream:stream xmlns:stream='http://etherx.jabber.org/streams'${attributes(scope, pick)}>`
  for (let stanzas = pick(4); stanzas > 0; stanzas--) {
    text += element(scope, 4, pick)
    if (pick(3) === 0) text += one(SPACES, pick)
  }
  return `${text}</stream:stream>${pick(5) === 0 ? '\n' : ''}`
}

function attributes(scope: Set<string>, pick: Pick): string {
  let text = ''
  const used = new Set<string>(['xmlns:stream'])
  for (let count = pick(3); count > 0; count--) {
    const prefix = one(PREFIXES, pick)
    if (pick(2) === 0) {
      const declares = pick(2) === 0 ? 'xmlns' : `xmlns:${prefix}`
      const ns = one(NAMESPACES, pick)
      if (used.has(declares) || (declares !== 'xmlns' && (ns === '' || prefix === 'xml'))) continue
      used.add(declares)
      if (declares !== 'xmlns') scope.add(prefix)
      text += ` ${declares}="${ns}"`
      continue
    }
    const local = one(NAMES, pick)
    const name = pick(3) === 0 && scope.has(prefix) ? `${prefix}:${local}` : local
    if (used.has(name)) continue
    used.add(name)
    const value = one(TEXTS, pick).replaceAll('"', '').replace(/<.*>/, '')
    text += `${one(SPACES, pick)}${name}${pick(6) === 0 ? ' = ' : '='}"${value}"`
  }
  return text
}

function element(outer: ReadonlySet<string>, depth: number, pick: Pick): string {
  const scope = new Set(outer)
  const attrs = attributes(scope, pick)
  const prefix = one(PREFIXES, pick)
  const name = (pick(4) === 0 && scope.has(prefix) && prefix !== 'xml' ? `${prefix}:` : '') + one(NAMES, pick)
  if (pick(4) === 0) return `<${name}${attrs}${pick(3) === 0 ? ' ' : ''}/>`
  let content = ''
  for (let count = pick(4); count > 0; count--) {
    content += depth > 0 && pick(2) === 0 ? element(scope, depth - 1, pick) : one(TEXTS, pick)
  }
  return `<${name}${attrs}>${content}</${name}${pick(6) === 0 ? ' ' : ''}>`
}

/** The same bytes with a few changes. */
export function spoil(bytes: Uint8Array, pick: Pick): Uint8Array {
  let spoilt = bytes
  for (let count = 1 + pick(3); count > 0; count--) spoilt = spoilOnce(spoilt, pick)
  return spoilt
}

function spoilOnce(bytes: Uint8Array, pick: Pick): Uint8Array {
  const at = pick(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + pick(6))
  const [before, here, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)]
  const rest = bytes.subarray(at)
  switch (pick(6)) {
    case 0:
      return Buffer.concat([before, after])
    case 1:
      return Buffer.concat([before, here, rest])
    case 2:
      return Buffer.concat([
        before,
        new Uint8Array([BYTES[pick(BYTES.length)] ?? 0]),
        pick(2) === 0 ? rest : rest.subarray(1),
      ])
    case 3:
      return swapTags(bytes, pick)
    default:
      return Buffer.concat([before, Buffer.from(one(FRAGMENTS, pick)), rest])
  }
}

function swapTags(bytes: Uint8Array, pick: Pick): Uint8Array {
  const parts = Buffer.from(bytes).toString('latin1').split(/(?=<)/)
  const [a, b] = [pick(parts.length), pick(parts.length)]
  const kept = parts[a] ?? ''
  parts[a] = parts[b] ?? ''
  parts[b] = kept
  return Buffer.from(parts.join(''), 'latin1')
}
