// SPDX-License-Identifier: Apache-2.0
// The open elements of a stream, from its header (depth 1) over a stanza (depth 2) down to where reading is, and the
// tree that grows from them. Its frames are used again, so that a stanza allocates little but its own elements.

import { type Attributes, Element, escapeAttribute, type Node, type Source } from './element.ts'
import { ReadError } from './errors.ts'
import { internString } from './intern.ts'
import { type Scope, scopeOf, XML_NS } from './scope.ts'
import { NO_ATTRIBUTES, type StartTag } from './tag.ts'

const NO_CHILDREN: readonly Node[] = Object.freeze([])
/** Prefixes that `Element.xml` makes for attributes; a content that uses them cannot be copied beside them. */
const OURS = /^ae[0-9]+$/

/**
 * Stanzas have one namespace inside the server and another one on streams that are not a client's (RFC 6120 §4.8.3). It is
 * exchanged where a stanza inherits or declares it; what is inside inherits it from there, and its source stays as it is.
 */
export interface Alias {
  readonly written: string
  readonly meant: string
}

/** An element whose end tag has not come. */
class Frame {
  /** Its name as it was written, which its end tag must repeat. */
  written = ''
  name = ''
  ns = ''
  /** The default namespace for what is inside. */
  inherited = ''
  attrs: Attributes = NO_ATTRIBUTES
  scope: Scope | undefined
  /** Its place in the list of nodes, behind which its children are. */
  first = 0
}

/** Builds elements from tags and text (Namespaces in XML §6: which namespace each name is in). */
export class Tree {
  /** How many elements are open, the stream itself included. */
  depth = 0
  readonly #frames: Frame[] = [new Frame()]
  readonly #alias: Alias | undefined
  #contentNamespace = ''
  readonly #nodes: (Node | undefined)[] = []
  #top = 0
  #used: Set<string> | undefined

  /** @param alias what the namespace of the stream's content stands for */
  constructor(alias?: Alias) {
    this.#alias = alias
  }

  /** The innermost open element's name as written. */
  get written(): string {
    return this.#frame(this.depth - 1).written
  }

  /** Opens the element whose start tag was read last. */
  open(tag: StartTag): void {
    const outer = this.depth > 0 ? this.#frame(this.depth - 1) : undefined
    const frame = this.#frame(this.depth)
    const scope = tag.declared ? { outer: outer?.scope, prefixes: tag.declared } : outer?.scope
    let inherited = tag.xmlns ?? outer?.inherited ?? ''
    if (this.depth === 0) this.#contentNamespace = inherited
    if (this.#alias?.written === inherited && this.depth < 2) inherited = this.#alias.meant
    if (tag.prefixed) {
      for (const { prefix, local, value } of tag.prefixed) tag.add(`{${this.#resolve(prefix, scope)}}${local}`, value)
    }
    if (tag.colon < 0) {
      frame.name = tag.name
      frame.ns = inherited
    } else {
      frame.name = internString(tag.name.slice(tag.colon + 1))
      frame.ns = this.#elementNs(tag.name.slice(0, tag.colon), scope)
    }
    frame.written = tag.name
    frame.inherited = inherited
    frame.attrs = tag.attrs ?? NO_ATTRIBUTES
    frame.scope = scope
    frame.first = this.#top
    this.depth++
  }

  /** Adds character data to the innermost open element; data that comes in several parts becomes one node. */
  text(text: string): void {
    if (text === '') return
    const before = this.#top > this.#frame(this.depth - 1).first ? this.#nodes[this.#top - 1] : undefined
    if (typeof before === 'string') this.#nodes[this.#top - 1] = before + text
    else this.#nodes[this.#top++] = text
  }

  /** Closes the innermost open element. @param source if it is a stanza, its content */
  close(source?: Source): Element {
    const frame = this.#frame(--this.depth)
    const element = new Element(frame.name, frame.ns, frame.attrs, this.#takeChildren(frame.first), source)
    frame.attrs = NO_ATTRIBUTES
    frame.scope = undefined
    if (this.depth > 1) this.#nodes[this.#top++] = element
    return element
  }

  /** The stream's start tag as an element, its default namespace and its prefixes; it stays open. */
  header(): { header: Element; contentNamespace: string; prefixes: ReadonlyMap<string, string> } {
    const { name, ns, attrs, scope } = this.#frame(0)
    return {
      header: new Element(name, ns, attrs, NO_CHILDREN),
      contentNamespace: this.#contentNamespace,
      prefixes: scope?.prefixes ?? new Map(),
    }
  }

  /**
   * The declarations that the content of the open stanza needs from outside (Namespaces in XML §6.1): all of the stanza's
   * own, because even text may speak of them, and those of the stream that were used. `undefined` if they cannot be repeated.
   */
  takeDeclarations(): string | undefined {
    const used = this.#used
    this.#used = undefined
    const stream = this.#frame(0).scope
    const scope = this.#frame(1).scope
    const own = scope === stream ? undefined : scope?.prefixes
    if (!used && !own) return ''
    let text = ''
    for (const [prefix, ns] of own ?? []) {
      if (OURS.test(prefix)) return undefined
      if (prefix !== 'xml') text += ` xmlns:${prefix}='${escapeAttribute(ns)}'`
    }
    for (const [prefix, ns] of stream?.prefixes ?? []) {
      if (!used?.has(prefix) || own?.has(prefix)) continue
      if (OURS.test(prefix)) return undefined
      text += ` xmlns:${prefix}='${escapeAttribute(ns)}'`
    }
    return text
  }

  /** Forgets everything (RFC 6120 §4.3.3). */
  reset(): void {
    this.#takeChildren(0)
    this.#frames.length = 0
    this.#used = undefined
    this.depth = 0
  }

  #frame(depth: number): Frame {
    const frame = this.#frames[depth]
    if (frame) return frame
    const fresh = new Frame()
    this.#frames[depth] = fresh
    return fresh
  }

  #resolve(prefix: string, inner: Scope | undefined): string {
    const scope = scopeOf(prefix, inner)
    if (this.depth > 1 && scope === this.#frame(0).scope) {
      this.#used ??= new Set()
      this.#used.add(prefix)
    }
    return scope.prefixes.get(prefix) ?? ''
  }

  /** `Element.xml` writes namespaces as defaults, and the one of `xml` cannot be a default (Namespaces in XML §3). */
  #elementNs(prefix: string, scope: Scope | undefined): string {
    const ns = prefix === 'xml' ? XML_NS : this.#resolve(prefix, scope)
    if (ns === XML_NS) throw new ReadError('bad-namespace-prefix', 'An element cannot have the prefix "xml".')
    return ns
  }

  #takeChildren(first: number): readonly Node[] {
    if (this.#top === first) return NO_CHILDREN
    const children: Node[] = []
    for (let i = first; i < this.#top; i++) {
      const node = this.#nodes[i]
      if (node !== undefined) children.push(node)
      this.#nodes[i] = undefined
    }
    this.#top = first
    return children
  }
}
