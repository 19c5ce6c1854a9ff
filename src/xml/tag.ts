// SPDX-License-Identifier: Apache-2.0
// Start tags (XML 1.0 §3.1): one pass over the characters, into fields that are used again for the next tag.

import { isNcName, isSpace, NAME_CLASS, NAME_COLON, NAME_NONE, NAME_START, resolveValue, skipSpace } from './chars.ts'
import type { Attributes } from './element.ts'
import { ReadError } from './errors.ts'
import { intern, internString, mix } from './intern.ts'
import { checkDeclaration } from './scope.ts'

const SLASH = 0x2f
const EQUALS = 0x3d
const GREATER = 0x3e
const QUOTE = 0x22
const APOSTROPHE = 0x27

/** The attributes of an element that has none. */
export const NO_ATTRIBUTES: Attributes = Object.freeze({})

/** An attribute with a prefix, whose namespace is known only when the whole tag has been read. */
export interface Prefixed {
  readonly prefix: string
  readonly local: string
  readonly value: string
}

/** Reads start tags. */
export class StartTag {
  /** The name as written, and where its colon is (-1 without). */
  name = ''
  colon = -1
  /** Behind the tag. */
  end = 0
  /** Whether it is an empty-element tag. */
  empty = false
  /** The attributes without those of `prefixed`. */
  attrs: Record<string, string> | undefined
  prefixed: Prefixed[] | undefined
  /** The default namespace, if the tag declares it, and the prefixes it declares. */
  xmlns: string | undefined
  declared: Map<string, string> | undefined
  #count = 0
  /** What `#readName` found. */
  #word = ''
  #wordColon = -1

  /** Reads the tag whose `<` is at `start`; false if the text ends before the tag does. @param most attributes allowed */
  read(text: string, start: number, most: number): boolean {
    this.empty = false
    this.attrs = this.prefixed = this.xmlns = this.declared = undefined
    this.#count = 0
    let pos = this.#readName(text, start + 1)
    this.name = this.#word
    this.colon = this.#wordColon
    while (pos >= 0 && pos < text.length) {
      const code = text.charCodeAt(pos)
      if (code === GREATER) {
        this.end = pos + 1
        return true
      }
      if (code === SLASH) return this.#closeEmpty(text, pos)
      const next = skipSpace(text, pos)
      if (next === text.length) return false
      const after = text.charCodeAt(next)
      if (after === GREATER || after === SLASH) {
        pos = next
        continue
      }
      if (next === pos) throw malformed('White space is missing before an attribute.')
      if (++this.#count > most) throw new ReadError('policy-violation', 'An element has too many attributes.')
      pos = this.#readAttribute(text, next)
    }
    return false
  }

  /** Adds an attribute under its final name (XML 1.0 §3.1, Namespaces in XML §6.3: each only once). */
  add(name: string, value: string): void {
    if (this.attrs === undefined) this.attrs = {}
    else if (Object.hasOwn(this.attrs, name)) throw malformed('An attribute is given twice.')
    if (name !== '__proto__') this.attrs[name] = value
    else Object.defineProperty(this.attrs, name, { value, enumerable: true, configurable: true, writable: true })
  }

  #closeEmpty(text: string, pos: number): boolean {
    if (pos + 1 === text.length) return false
    if (text.charCodeAt(pos + 1) !== GREATER) throw malformed('A tag contains a stray "/".')
    this.empty = true
    this.end = pos + 2
    return true
  }

  /** Returns the place behind the attribute, or -1. */
  #readAttribute(text: string, start: number): number {
    let pos = this.#readName(text, start)
    if (pos < 0) return -1
    if (isSpace(text.charCodeAt(pos))) pos = skipSpace(text, pos)
    if (pos === text.length) return -1
    if (text.charCodeAt(pos) !== EQUALS) throw malformed('An attribute has no value.')
    pos = skipSpace(text, pos + 1)
    if (pos === text.length) return -1
    const quote = text.charCodeAt(pos)
    if (quote !== APOSTROPHE && quote !== QUOTE) throw malformed('An attribute value is not quoted.')
    const end = text.indexOf(quote === QUOTE ? '"' : "'", pos + 1)
    if (end < 0) return -1
    this.#keep(resolveValue(text.slice(pos + 1, end)))
    return end + 1
  }

  /** Sorts the attribute whose name was read last. */
  #keep(value: string): void {
    const word = this.#word
    if (this.#wordColon < 0) {
      if (word === 'xmlns') this.#declare('', value)
      else this.add(word, value)
      return
    }
    const prefix = word.slice(0, this.#wordColon)
    const local = word.slice(this.#wordColon + 1)
    if (prefix === 'xml') this.add(word, value)
    else if (prefix === 'xmlns') this.#declare(local, value)
    else {
      this.prefixed ??= []
      this.prefixed.push({ prefix, local, value })
    }
  }

  #declare(prefix: string, value: string): void {
    const ns = internString(value)
    checkDeclaration(prefix, ns)
    if (prefix === '') {
      if (this.xmlns !== undefined) throw malformed('A namespace is declared twice.')
      this.xmlns = ns
      return
    }
    this.declared ??= new Map()
    if (this.declared.has(prefix)) throw malformed('A namespace is declared twice.')
    this.declared.set(prefix, ns)
  }

  /** Reads a name (Namespaces in XML §4, QName); returns the place behind it, or -1 if the text ends with it. */
  #readName(text: string, start: number): number {
    let pos = start
    let hash = 0
    let colon = -1
    let wide = false
    for (; ; pos++) {
      const code = text.charCodeAt(pos)
      if (code < 128) {
        const kind = NAME_CLASS[code]
        if (kind === NAME_NONE) break
        if (kind === NAME_COLON) {
          if (colon >= 0) throw malformed('A name has two colons.')
          colon = pos
        }
      } else if (code >= 128) wide = true
      else return -1
      hash = mix(hash, code)
    }
    if (wide) checkWideName(text.slice(start, pos))
    else if (!startsName(text, start, pos) || (colon >= 0 && (colon === start || !startsName(text, colon + 1, pos)))) {
      throw malformed('A name is malformed.')
    }
    this.#word = intern(text, start, pos, hash)
    this.#wordColon = colon < 0 ? -1 : colon - start
    return pos
  }
}

function startsName(text: string, at: number, end: number): boolean {
  return at < end && NAME_CLASS[text.charCodeAt(at)] === NAME_START
}

function checkWideName(name: string): void {
  if (!name.split(':').every(isNcName)) throw malformed('A name is malformed.')
}

function malformed(reason: string): ReadError {
  return new ReadError('not-well-formed', reason)
}
