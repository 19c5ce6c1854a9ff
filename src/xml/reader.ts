// SPDX-License-Identifier: Apache-2.0
// The reader of XML streams (RFC 6120 §4 and §11): bytes in, whole stanzas out, in one pass. It checks that the XML is
// well-formed, within its limits and of the kind that XMPP allows. A token is read only when all of it is there, so
// that the outcome never depends on where the network cut the stream.

import { isSpace, normaliseLines, resolveText, skipSpace } from './chars.ts'
import { checkXmlDeclaration } from './declaration.ts'
import { Decoder } from './decode.ts'
import { type Element, escapeAttribute, type Source } from './element.ts'
import { ReadError } from './errors.ts'
import { Hold, Rope, tagIsWhole } from './hold.ts'
import { StartTag } from './tag.ts'
import { type Alias, Tree } from './tree.ts'

/** What a peer may use up (RFC 6120 §13.12). */
export interface ReaderLimits {
  /** Bytes of a stanza, from its first `<` to its last `>`. */
  readonly stanzaBytes: number
  /** Elements in elements, the stanza itself included. */
  readonly depth: number
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number
  /** Elements of a stanza, itself included. */
  readonly elements: number
  /** Bytes of the stream's start tag and of all before it. */
  readonly headerBytes: number
}

/** The limits that hold unless others are given (RFC 6120 §13.12: stanzas of 10,000 bytes must be possible). */
export const DEFAULT_LIMITS: ReaderLimits = {
  stanzaBytes: 262_144,
  depth: 64,
  attributes: 64,
  elements: 10_000,
  headerBytes: 16_384,
}

/** What is read from a stream (RFC 6120 §4.1). */
export type ReadEvent =
  | {
      readonly kind: 'open'
      /** The stream's start tag: name, namespace and attributes, never children. */
      readonly header: Element
      /** The prefix of its name; '' without one. */
      readonly prefix: string
      /** The default namespace that it declares (RFC 6120 §4.8.2); '' for none. */
      readonly contentNamespace: string
      /** The prefixes that it declares (RFC 6120 §4.8.5), with their namespaces. */
      readonly prefixes: ReadonlyMap<string, string>
    }
  /** A whole child of the stream. */
  | { readonly kind: 'element'; readonly element: Element }
  /** The stream's end tag. */
  | { readonly kind: 'close' }

/** What a step of reading answers when its token is not complete; without it, `undefined` means to go on. */
const MORE = Symbol('more')
type Step = ReadEvent | typeof MORE | undefined

const BANG = 0x21
const SLASH = 0x2f
const LESS = 0x3c
const GREATER = 0x3e
const QUESTION = 0x3f

const CDATA = '<![CDATA['
const XML_DECLARATION = '<?xml'

const NO_CONTENT: Source = Object.freeze({ text: '', declarations: '' })

/** The start tag that is being read: there is never more than one, and nothing of it is left when it has been opened. */
const tag = new StartTag()

/** Reads one XML stream (RFC 6120 §11). */
export class Reader {
  #limits: ReaderLimits
  #error: ReadError | undefined
  readonly #tree: Tree

  /** Input: decoded pieces from `#head` on, then the text being read, and a token of which more must come. */
  readonly #decoder = new Decoder()
  #queue: string[] = []
  #head = 0
  #text = ''
  #pos = 0
  readonly #hold = new Hold()
  #holding = false

  /** The document: its very start, whether white space of the stream before may come first, its end. */
  #fresh = true
  #restarted = false
  #emptyHeader = false
  #closed = false

  /** The size of the stanza or header being read: bytes before `#countFrom` in the text, of which the rest is not counted. */
  #bytes = 0
  #countFrom = 0
  #elements = 0
  /** The stanza's content: what came before `#sourceFrom` in the text. */
  readonly #source = new Rope()
  #sourceFrom = 0
  #copying = false

  /** @param alias what the namespace of the stream's content stands for */
  constructor(limits: Partial<ReaderLimits> = {}, alias?: Alias) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#tree = new Tree(alias)
  }

  /** Changes some limits, from the next token on. */
  setLimits(limits: Partial<ReaderLimits>): void {
    this.#limits = { ...this.#limits, ...limits }
  }

  /** Hands in bytes, cut anywhere. They are read by `next`, and may be overwritten afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#error) return
    const text = this.#decoder.decode(chunk)
    if (text !== '') this.#queue.push(text)
  }

  /** The bytes held: those not read yet and those of the stanza or header that is not complete. */
  get pendingBytes(): number {
    let bytes = this.#bytes + this.#decoder.pending
    bytes += Buffer.byteLength(this.#text.slice(this.#countFrom))
    for (let i = this.#head; i < this.#queue.length; i++) bytes += Buffer.byteLength(this.#queue[i] ?? '')
    return bytes
  }

  /** The next event, or `undefined` when more bytes are needed. @throws ReadError, from then on always */
  next(): ReadEvent | undefined {
    if (this.#error) throw this.#error
    try {
      return this.#read()
    } catch (error) {
      if (error instanceof ReadError) this.#fail(error)
      throw error
    }
  }

  /** The next thing to come is a new stream header (RFC 6120 §4.3.3); what was pushed already belongs to it. */
  restart(): void {
    if (this.#holding) this.#text = this.#hold.take()
    this.#holding = false
    this.#tree.reset()
    this.#fresh = true
    this.#restarted = true
    this.#emptyHeader = false
    this.#closed = false
    this.#countAnew()
  }

  #fail(error: ReadError): void {
    this.#error = error
    this.#queue = []
    this.#head = 0
    this.#text = ''
    this.#pos = 0
    this.#countAnew()
    this.#hold.take()
    this.#source.take()
    this.#tree.reset()
  }

  #read(): ReadEvent | undefined {
    if (this.#holding && !this.#resume()) return undefined
    for (;;) {
      const depth = this.#tree.depth
      const step = depth > 1 ? this.#readContent() : depth === 1 ? this.#readBetween() : this.#readOutside()
      if (step === undefined) continue
      if (step !== MORE) return step
      this.#suspend()
      if (!this.#resume()) return undefined
    }
  }

  // Input.

  /** Puts the token that starts at `#pos` aside, with all that is left of the text. */
  #suspend(): void {
    const text = this.#text
    this.#bytes += Buffer.byteLength(text.slice(this.#countFrom))
    if (this.#copying) this.#source.add(text.slice(this.#sourceFrom, this.#pos))
    this.#holding = this.#pos < text.length
    if (this.#holding) this.#hold.begin(text.slice(this.#pos))
    this.#text = ''
    this.#pos = this.#countFrom = this.#sourceFrom = 0
    this.#checkSize(0)
  }

  /** Takes pieces until there is something to read; false if there are not enough. */
  #resume(): boolean {
    for (;;) {
      const piece = this.#takePiece()
      if (piece === undefined) return false
      if (!this.#holding) {
        this.#text = piece
        return true
      }
      const counted = this.#hold.length
      if (this.#hold.add(piece)) {
        this.#text = this.#hold.take()
        this.#countFrom = counted
        this.#holding = false
        return true
      }
      this.#bytes += Buffer.byteLength(piece)
      this.#checkSize(0)
    }
  }

  #takePiece(): string | undefined {
    const piece = this.#queue[this.#head]
    if (piece === undefined) {
      if (this.#decoder.error) throw this.#decoder.error
      return undefined
    }
    this.#queue[this.#head++] = ''
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0
      this.#head = 0
    }
    return piece
  }

  /** Starts counting at the place where reading is. */
  #countAnew(): void {
    this.#bytes = 0
    this.#countFrom = this.#pos
  }

  /** Refuses a stanza or header that is longer than allowed (RFC 6120 §13.12). @param end where it ends in the text */
  #checkSize(end: number): void {
    const limit = this.#tree.depth === 0 ? this.#limits.headerBytes : this.#limits.stanzaBytes
    const chars = end - this.#countFrom
    // A character takes at most three bytes for each unit of its UTF-16, so short ones need not be measured.
    if (this.#bytes + chars * 3 <= limit) return
    if (this.#bytes + Buffer.byteLength(this.#text.slice(this.#countFrom, end)) <= limit) return
    throw new ReadError('policy-violation', `More than ${limit} bytes were sent at once.`)
  }

  // Before and after the stream's element (XML 1.0 §2.8, RFC 6120 §11.5).

  #readOutside(): Step {
    if (this.#fresh && !this.#closed) {
      const step = this.#readStart()
      if (step === MORE) return MORE
    }
    const text = this.#text
    const pos = skipSpace(text, this.#pos)
    this.#pos = pos
    if (this.#closed) this.#countAnew()
    if (pos === text.length) return MORE
    if (this.#closed) throw malformed('Something follows the end of the stream.')
    if (text.charCodeAt(pos) !== LESS) throw malformed('A stream starts with something else than XML.')
    if (pos + 1 === text.length) return MORE
    const code = text.charCodeAt(pos + 1)
    if (code === QUESTION) throw instruction()
    if (code === BANG) return this.#refuseMarkup()
    return this.#readHeader()
  }

  /** The XML declaration, if there is one. */
  #readStart(): Step {
    if (this.#restarted) {
      this.#pos = skipSpace(this.#text, this.#pos)
      this.#countAnew()
    }
    const text = this.#text
    const pos = this.#pos
    const enough = XML_DECLARATION.length + 1
    if (text.length - pos < enough && XML_DECLARATION.startsWith(text.slice(pos))) return MORE
    if (!text.startsWith(XML_DECLARATION, pos) || !isSpace(text.charCodeAt(pos + XML_DECLARATION.length))) {
      this.#fresh = false
      return undefined
    }
    const end = text.indexOf('?>', pos)
    if (end < 0) return MORE
    checkXmlDeclaration(text.slice(pos, end + 2))
    this.#pos = end + 2
    this.#fresh = false
    return undefined
  }

  #readHeader(): Step {
    if (!this.#readTag()) return MORE
    const { name, colon, end, empty } = tag
    this.#checkSize(end)
    this.#tree.open(tag)
    this.#pos = end
    this.#emptyHeader = empty
    return { kind: 'open', prefix: colon < 0 ? '' : name.slice(0, colon), ...this.#tree.header() }
  }

  // Between stanzas.

  #readBetween(): Step {
    if (this.#emptyHeader) return this.#closeStream()
    const text = this.#text
    const pos = skipSpace(text, this.#pos)
    this.#pos = pos
    this.#countAnew()
    if (pos === text.length) return MORE
    // White space is all that may stand here (RFC 6120 §11.7).
    if (text.charCodeAt(pos) !== LESS) throw new ReadError('bad-format', 'There is text between stanzas.')
    return this.#readMarkup()
  }

  /** What starts with `<` inside the stream. */
  #readMarkup(): Step {
    if (this.#pos + 1 === this.#text.length) return MORE
    const code = this.#text.charCodeAt(this.#pos + 1)
    if (code === SLASH) return this.#readEndTag()
    if (code === QUESTION) throw instruction()
    if (code === BANG) return this.#tree.depth > 1 ? this.#readCdata() : this.#refuseMarkup()
    return this.#readStartTag()
  }

  #closeStream(): Step {
    this.#tree.close()
    this.#closed = true
    this.#emptyHeader = false
    this.#countAnew()
    return { kind: 'close' }
  }

  // Inside a stanza (XML 1.0 §3.1).

  #readContent(): Step {
    const text = this.#text
    const pos = this.#pos
    if (pos === text.length) return MORE
    if (text.charCodeAt(pos) === LESS) return this.#readMarkup()
    const end = text.indexOf('<', pos)
    if (end < 0) return MORE
    this.#tree.text(resolveText(text.slice(pos, end)))
    this.#pos = end
    return this.#readMarkup()
  }

  #readStartTag(): Step {
    if (!this.#readTag()) return MORE
    const { end, empty, colon } = tag
    if (this.#tree.depth === 1) {
      this.#elements = 0
      this.#copying = colon < 0
      this.#sourceFrom = end
    }
    this.#checkSize(end)
    this.#tree.open(tag)
    this.#pos = end
    if (++this.#elements > this.#limits.elements) throw tooMany('A stanza has too many elements.')
    if (this.#tree.depth - 1 > this.#limits.depth) throw tooMany('Elements are nested too deeply.')
    return empty ? this.#close(end) : undefined
  }

  /** Reads the start tag at `#pos`; false if it is not complete, even if it is wrong already. */
  #readTag(): boolean {
    try {
      return tag.read(this.#text, this.#pos, this.#limits.attributes)
    } catch (error) {
      if (tagIsWhole(this.#text.slice(this.#pos))) throw error
      return false
    }
  }

  #readEndTag(): Step {
    const text = this.#text
    const start = this.#pos
    const written = this.#tree.written
    const matches = text.startsWith(written, start + 2)
    let end = start + 2 + written.length
    if (!matches || text.charCodeAt(end) !== GREATER) {
      const space = end
      end = text.indexOf('>', start)
      if (end < 0) return MORE
      if (!matches || skipSpace(text, space) !== end) throw malformed('An end tag does not match its start tag.')
    }
    this.#pos = end + 1
    return this.#tree.depth === 1 ? this.#closeStream() : this.#close(start)
  }

  /** Closes an element inside the stream. @param contentEnd where its content ends in the text */
  #close(contentEnd: number): Step {
    if (this.#tree.depth > 2) {
      this.#tree.close()
      return undefined
    }
    this.#checkSize(this.#pos)
    const element = this.#tree.close(this.#takeSource(contentEnd))
    this.#countAnew()
    return { kind: 'element', element }
  }

  /** The stanza's content as it was written. Not if the stanza had a prefix: its content has another default namespace. */
  #takeSource(end: number): Source | undefined {
    const declarations = this.#tree.takeDeclarations()
    if (!this.#copying) return undefined
    this.#copying = false
    const last = this.#text.slice(this.#sourceFrom, end)
    const text = this.#source.length === 0 ? last : this.#source.take() + last
    if (text === '') return NO_CONTENT
    return declarations === undefined ? undefined : { text, declarations }
  }

  #readCdata(): Step {
    const text = this.#text
    const start = this.#pos
    if (!text.startsWith(CDATA, start)) {
      if (CDATA.startsWith(text.slice(start, start + CDATA.length))) return MORE
      return this.#refuseMarkup()
    }
    const end = text.indexOf(']]>', start + CDATA.length)
    if (end < 0) return MORE
    this.#tree.text(normaliseLines(text.slice(start + CDATA.length, end)))
    this.#pos = end + 3
    return undefined
  }

  /** Says what is wrong with `<!` where no CDATA section may stand (RFC 6120 §11.1). */
  #refuseMarkup(): Step {
    const third = this.#text[this.#pos + 2]
    if (third === undefined) return MORE
    if (third === '-' || third === 'D') throw new ReadError('restricted-xml', 'Comments and DTDs are not allowed.')
    if (third !== '[' || this.#tree.depth !== 1) throw malformed('There is a malformed declaration.')
    throw new ReadError('bad-format', 'There is text between stanzas.')
  }
}

/**
 * Reads one complete element from text, as it would be read from a stream without limits of size.
 * @param inherited the default namespace in scope (Namespaces in XML §6.2)
 * @throws ReadError if it is anything else than one well-formed element
 */
export function parseElement(text: string, inherited = ''): Element {
  const reader = new Reader({
    stanzaBytes: Number.POSITIVE_INFINITY,
    elements: Number.POSITIVE_INFINITY,
    attributes: Number.POSITIVE_INFINITY,
    depth: 2000, // more than any stream is allowed, with what we put around it
    headerBytes: Number.POSITIVE_INFINITY,
  })
  if (!text.isWellFormed()) throw malformed('The text is not Unicode.')
  reader.push(Buffer.from(`<s xmlns='${escapeAttribute(inherited)}'>`))
  reader.next()
  reader.push(Buffer.from(text))
  const event = reader.next()
  if (event?.kind !== 'element' || reader.next() || reader.pendingBytes > 0) throw malformed('It is not one element.')
  return event.element
}

function malformed(reason: string): ReadError {
  return new ReadError('not-well-formed', reason)
}

function instruction(): ReadError {
  return new ReadError('restricted-xml', 'Processing instructions are not allowed.')
}

function tooMany(reason: string): ReadError {
  return new ReadError('policy-violation', reason)
}
