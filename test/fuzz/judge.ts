// SPDX-License-Identifier: Apache-2.0
// Judges our reader by another: the same bytes go through both, and whatever they disagree on must be in the table of
// differences. Also checks what must hold for every document that we accept.

import assert from 'node:assert/strict'
import { SaxesParser } from 'saxes'
import { Element, type Node } from '../../src/xml/element.ts'
import { ReadError } from '../../src/xml/errors.ts'
import { parseElement, Reader, type ReaderLimits } from '../../src/xml/reader.ts'

/** Picks a number from 0 to below `count`. */
export type Pick = (count: number) => number

/** What came of reading a document. */
export interface Outcome {
  /** The prefix of the stream's start tag, and the default namespace that it declares. */
  readonly prefix: string
  readonly contentNamespace: string
  /** The stream's start tag and the stanzas. */
  readonly elements: readonly Element[]
  /** The condition, '' without an error. */
  readonly error: string
  /** Whether the end tag of the stream came, and nothing is left. */
  readonly closed: boolean
}

/** Reads a document that comes in these chunks. */
export function read(chunks: readonly Uint8Array[], limits: Partial<ReaderLimits> = {}): Outcome {
  const reader = new Reader(limits)
  const elements: Element[] = []
  let prefix = ''
  let contentNamespace = ''
  let closed = false
  try {
    for (const chunk of chunks) {
      reader.push(chunk)
      for (let event = reader.next(); event; event = reader.next()) {
        if (event.kind === 'close') closed = true
        else if (event.kind === 'element') elements.push(event.element)
        else {
          prefix = event.prefix
          contentNamespace = event.contentNamespace
          elements.push(event.header)
        }
      }
    }
  } catch (error) {
    if (!(error instanceof ReadError)) throw error
    assert.throws(() => reader.next(), error)
    return { prefix, contentNamespace, elements, error: error.condition, closed }
  }
  return { prefix, contentNamespace, elements, error: '', closed: closed && reader.pendingBytes === 0 }
}

/** The bytes cut at random. */
export function cut(bytes: Uint8Array, pick: Pick): Uint8Array[] {
  const chunks: Uint8Array[] = []
  const longest = 1 + pick(40)
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + pick(longest)
    chunks.push(bytes.slice(at, end))
    at = end
  }
  return chunks
}

/** An element as plain lists, to be compared. */
export type Shape = readonly [
  name: string,
  ns: string,
  attrs: readonly (readonly [string, string])[],
  children: readonly unknown[],
]

/** The shape of an element; the order of attributes does not matter. @param ns what to make of a namespace */
export function shapeOf(element: Element, ns: (ns: string) => string = (same) => same): Shape {
  const attrs = Object.entries(element.attrs).map(([key, value]): [string, string] => {
    const end = key.lastIndexOf('}')
    return [end < 0 ? key : `{${ns(key.slice(1, end))}}${key.slice(end + 1)}`, value]
  })
  attrs.sort(([a], [b]) => (a < b ? -1 : 1))
  const children = element.children.map((child) => (typeof child === 'string' ? child : shapeOf(child, ns)))
  return [element.name, ns(element.ns), attrs, children]
}

/** How saxes reads the document: its trees, or why it refuses. */
function readWithSaxes(text: string): Omit<Outcome, 'closed'> {
  const elements: Element[] = []
  let prefix = ''
  let contentNamespace = ''
  const open: { name: string; ns: string; attrs: Record<string, string>; children: Node[] }[] = []
  const parser = new SaxesParser({ xmlns: true, position: false, forceXMLVersion: true, defaultXMLVersion: '1.0' })
  parser.on('opentag', (tag) => {
    const attrs: Record<string, string> = {}
    for (const { name, prefix, local, uri, value } of Object.values(tag.attributes)) {
      if (prefix === 'xmlns' || name === 'xmlns') continue
      const key = prefix === '' || prefix === 'xml' ? name : `{${uri}}${local}`
      Object.defineProperty(attrs, key, { value, enumerable: true })
    }
    open.push({ name: tag.local, ns: tag.uri, attrs, children: [] })
    if (open.length > 1) return
    prefix = tag.prefix
    contentNamespace = tag.ns[''] ?? ''
    elements.push(new Element(tag.local, tag.uri, attrs, []))
  })
  const addText = (text: string): void => {
    const children = open.at(-1)?.children
    if (!children || text === '') return
    const last = children.at(-1)
    if (typeof last === 'string') children[children.length - 1] = last + text
    else children.push(text)
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    const tag = open.pop()
    if (!tag || open.length === 0) return
    const element = new Element(tag.name, tag.ns, tag.attrs, tag.children)
    if (open.length === 1) elements.push(element)
    else open.at(-1)?.children.push(element)
  })
  try {
    parser.write(text).close()
  } catch (error) {
    return { prefix, contentNamespace, elements, error: error instanceof Error ? error.message : String(error) }
  }
  return { prefix, contentNamespace, elements, error: '' }
}

/** One way in which we may differ from saxes. */
interface Difference {
  readonly reason: string
  readonly applies: (text: string, ours: Outcome) => boolean
}

/** All the ways in which we may differ from saxes. */
export const DIFFERENCES: readonly Difference[] = [
  {
    reason: 'XMPP forbids comments, processing instructions, DTDs and entities (RFC 6120 §11.1)',
    applies: (text, { error }) => error === 'restricted-xml' && /<!-|<!D|<\?|&[^;#]*;/.test(text),
  },
  {
    reason: 'XMPP allows nothing but white space between stanzas (RFC 6120 §11.7)',
    applies: (_text, { error }) => error === 'bad-format',
  },
  {
    reason: 'the limits are ours (RFC 6120 §13.12)',
    applies: (_text, { error }) => error === 'policy-violation',
  },
  {
    reason: 'there is no encoding but UTF-8 (RFC 6120 §11.6); saxes is given text and does not care',
    applies: (text, { error }) => error === 'unsupported-encoding' && /^<\?xml[^>]*encoding/.test(text),
  },
  {
    reason: 'U+FEFF is a character like any other (RFC 6120 §11.6); saxes strips it from the start',
    applies: (text, { error }) => error === 'not-well-formed' && text.startsWith('\ufeff'),
  },
  {
    reason: 'an element with the prefix "xml" means nothing and could not be written with a default namespace',
    applies: (text, { error }) => error === 'bad-namespace-prefix' && text.includes('<xml:'),
  },
  {
    reason: 'nothing follows the end of a stream (RFC 6120 §4.4), not even what XML allows after a document',
    applies: (text, { error, closed }) => error === 'not-well-formed' && closed && /<[?!]/.test(text),
  },
  {
    reason:
      'the part of a name behind the colon is a name of its own (Namespaces in XML §4); saxes lets it start with anything',
    applies: (text, { error }) =>
      error === 'not-well-formed' && /:(?:[-.0-9\u{b7}\u{203f}\u{2040}]|[\u{300}-\u{36f}])/u.test(text),
  },
]

/**
 * saxes strips white space from the ends of namespaces; Namespaces in XML §2.3 compares them character by character,
 * as we do. So they are compared stripped.
 */
const strip = (ns: string): string => ns.trim()

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws when we and saxes disagree, or when something does not hold that must. */
export function judge(bytes: Uint8Array, pick: Pick): void {
  const ours = read([bytes])
  const again = read(cut(bytes, pick))
  assert.deepEqual(again, ours, 'cuts matter')
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    assert.ok(ours.error !== '' || !ours.closed, 'bad UTF-8 is accepted')
    return
  }
  const accepted = ours.error === '' && ours.closed
  const theirs = readWithSaxes(text)
  if (accepted !== (theirs.error === '')) {
    const known = DIFFERENCES.some((difference) => difference.applies(text, ours))
    assert.ok(known, `we say ${ours.error || (ours.closed ? 'yes' : 'more')}, saxes says ${theirs.error || 'yes'}`)
  }
  if (accepted && theirs.error === '') {
    assert.equal(ours.prefix, theirs.prefix)
    assert.equal(strip(ours.contentNamespace), strip(theirs.contentNamespace))
    const shapes = (outcome: { elements: readonly Element[] }): Shape[] =>
      outcome.elements.map((one) => shapeOf(one, strip))
    assert.deepEqual(shapes(ours), shapes(theirs), 'the trees differ')
  }
  for (const element of ours.elements) roundTrip(element)
}

/** What we write is read as what it was: with the source it came with, without it, and below another default namespace. */
export function roundTrip(element: Element): void {
  const expected = shapeOf(element)
  const bare = new Element(element.name, element.ns, element.attrs, element.children)
  for (const inherited of ['', element.ns, 'urn:other']) {
    assert.deepEqual(
      shapeOf(parseElement(element.xml(inherited), inherited)),
      expected,
      'writing the source changes it',
    )
    assert.deepEqual(shapeOf(parseElement(bare.xml(inherited), inherited)), expected, 'writing the tree changes it')
  }
}
