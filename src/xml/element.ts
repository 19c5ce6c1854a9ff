// SPDX-License-Identifier: Apache-2.0
// XML elements as read-only values. "Changing" one makes another. An element that came from the wire keeps the exact
// source text of its content, so that what is only forwarded is never serialised again.

/** An element's child: another element, or character data (references already resolved). */
export type Node = Element | string

/**
 * Attributes by name. A name without a prefix stands as it is (`to`); so do those of the prefix `xml` (`xml:lang`); any
 * other prefixed attribute stands as `{namespace}local`, whatever its prefix was.
 */
export type Attributes = Readonly<Record<string, string>>

/** The content of an element exactly as it was on the wire. */
export interface Source {
  /** Everything between the start tag and the end tag. */
  readonly text: string
  /**
   * What the content inherits beside its default namespace: declarations of prefixes, ready to be put into a start tag
   * (`` xmlns:a='urn:a'``), with a leading space; mostly empty.
   */
  readonly declarations: string
  /** Whether the text is no part of a larger one that somebody sent: then it may be kept as it is (see `detach`). */
  readonly own?: true
}

/** Anything that can be written to a stream. */
export interface Writable {
  /** The XML text. @param inherited the default namespace in force where it will stand ('' for none) */
  xml(inherited: string): string
}

const NO_ATTRIBUTES: Attributes = Object.freeze({})

/** One XML element. */
export class Element implements Writable {
  /** The local name. */
  readonly name: string
  /** The namespace name; '' for none. */
  readonly ns: string
  readonly attrs: Attributes
  readonly children: readonly Node[]
  /** Only on an element that came from the wire as a whole (a stanza). */
  readonly source: Source | undefined

  constructor(name: string, ns: string, attrs: Attributes, children: readonly Node[], source?: Source) {
    this.name = name
    this.ns = ns
    this.attrs = attrs
    this.children = children
    this.source = source
  }

  /** Whether it has this local name and namespace. */
  is(name: string, ns: string): boolean {
    return this.name === name && this.ns === ns
  }

  /** The children that are elements. */
  get elements(): readonly Element[] {
    return this.children.filter((child) => typeof child !== 'string')
  }

  /** The first child element with this name; its namespace is ours unless told. */
  child(name: string, ns: string = this.ns): Element | undefined {
    for (const child of this.children)
      if (typeof child !== 'string' && child.name === name && child.ns === ns) return child
    return undefined
  }

  /** All child elements with this name; their namespace is ours unless told. */
  childrenNamed(name: string, ns: string = this.ns): readonly Element[] {
    return this.elements.filter((child) => child.is(name, ns))
  }

  /** The character data directly inside, put together. */
  get text(): string {
    let text = ''
    for (const child of this.children) if (typeof child === 'string') text += child
    return text
  }

  /** The text of the first child element with this name, if there is one. */
  childText(name: string, ns: string = this.ns): string | undefined {
    return this.child(name, ns)?.text
  }

  /** The same element with some attributes changed; `undefined` removes one. */
  withAttrs(changes: Readonly<Record<string, string | undefined>>): Element {
    const attrs: Record<string, string> = {}
    for (const [key, value] of Object.entries({ ...this.attrs, ...changes }))
      if (value !== undefined) attrs[key] = value
    return new Element(this.name, this.ns, attrs, this.children, this.source)
  }

  /** The same element with another child at its end. @param written the child as it stands there, if it was written already */
  append(child: Element, written?: string): Element {
    const source = this.source && {
      text: this.source.text + (written ?? child.xml(this.ns)),
      declarations: this.source.declarations,
    }
    return new Element(this.name, this.ns, this.attrs, [...this.children, child], source)
  }

  /** The same element without the child elements that `unwanted` picks. */
  without(unwanted: (child: Element) => boolean): Element {
    const children = this.children.filter((child) => typeof child === 'string' || !unwanted(child))
    if (children.length === this.children.length) return this
    return new Element(this.name, this.ns, this.attrs, children)
  }

  /** What stands between the tags: the exact source where there is one. */
  contentXml(): string {
    if (this.source) return this.source.text
    let text = ''
    for (const child of this.children) text += typeof child === 'string' ? escapeText(child) : child.xml(this.ns)
    return text
  }

  xml(inherited: string): string {
    let tag = `<${this.name}`
    if (this.ns !== inherited) tag += ` xmlns='${escapeAttribute(this.ns)}'`
    tag += attributesXml(this.attrs)
    if (this.source) tag += this.source.declarations
    const content = this.contentXml()
    return content === '' ? `${tag}/>` : `${tag}>${content}</${this.name}>`
  }
}

/**
 * Makes an element.
 * @param children `undefined` and `false` are left out, so that optional children can be written inline
 */
export function el(
  name: string,
  ns: string,
  attrs?: Readonly<Record<string, string | undefined>> | null,
  ...children: readonly (Node | undefined | false)[]
): Element {
  return new Element(name, ns, attrs ? definedOnly(attrs) : NO_ATTRIBUTES, children.filter(isNode))
}

/** Character data as it stands in content. */
export function escapeText(text: string): string {
  return /[&<>\r]/.test(text)
    ? text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;')
    : text
}

/** An attribute value as it stands between quotes of either kind. */
export function escapeAttribute(value: string): string {
  return /[&<>'"\t\n\r]/.test(value) ? value.replace(/[&<>'"\t\n\r]/g, (char) => `&#${char.charCodeAt(0)};`) : value
}

/** Attributes as they stand in a start tag, with a leading space each. @param skip picks those to leave out */
export function attributesXml(attrs: Attributes, skip?: (name: string) => boolean): string {
  let text = ''
  let prefixes = 0
  for (const key in attrs) {
    if (skip?.(key)) continue
    const value = escapeAttribute(attrs[key] ?? '')
    if (key.charCodeAt(0) !== 0x7b) {
      text += ` ${key}='${value}'`
      continue
    }
    const end = key.lastIndexOf('}') // a namespace may contain one, a name cannot
    const prefix = `ae${prefixes++}`
    text += ` xmlns:${prefix}='${escapeAttribute(key.slice(1, end))}' ${prefix}:${key.slice(end + 1)}='${value}'`
  }
  return text
}

function definedOnly(attrs: Readonly<Record<string, string | undefined>>): Attributes {
  const kept: Record<string, string> = {}
  for (const key in attrs) {
    const value = attrs[key]
    if (value !== undefined) kept[key] = value
  }
  return kept
}

function isNode(child: Node | undefined | false): child is Node {
  return child !== undefined && child !== false
}
