// SPDX-License-Identifier: Apache-2.0
// The configuration file as text: parsed, with the place of every key and value, so that a mistake can be pointed at.
import { isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

/** One mistake: where it is and what is wrong. */
export interface Mistake {
  /** From 1. */
  readonly line: number
  readonly column: number
  /** The option, such as `listen.tls`; '' for the file as a whole. */
  readonly path: string
  readonly text: string
}

/** Keys from the top of the file to a value. */
export type Path = readonly PropertyKey[]

/** A parsed file. */
export interface Source {
  /** What it says; an empty mapping for an empty file. */
  readonly value: unknown
  /** Mistakes in the YAML itself. */
  readonly mistakes: readonly Mistake[]
  /** Whether it is so broken that looking at the options makes no sense. */
  readonly broken: boolean
  /** @param of what the mistake is about: the value (the key if the value is a group), or the key in any case */
  mistake(path: Path, text: string, of?: 'key'): Mistake
}

/** Parses YAML, remembering where everything stands. */
export function parseSource(text: string): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, schema: 'core' })
  const at = (offset: number) => {
    const { line, col } = lines.linePos(Math.min(offset, text.length))
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const mistakes = document.errors.map((error): Mistake => {
    const duplicate = error.code === 'DUPLICATE_KEY'
    const key = /^\S*/.exec(text.slice(error.pos[0]))?.[0].replace(/:$/, '') ?? ''
    const what = duplicate ? `${key} stands here a second time` : `this is not YAML: ${lowerFirst(error.message)}`
    return { ...at(error.pos[0]), path: '', text: what }
  })
  const broken = document.errors.some((error) => error.code !== 'DUPLICATE_KEY')
  return {
    value: broken ? undefined : (document.toJS() ?? {}),
    mistakes,
    broken,
    mistake: (path, what, of) => ({ ...at(offsetOf(document, path, of === 'key')), path: pathText(path), text: what }),
  }
}

/** A path as it is written in messages: `listen.tls[1]`. */
function pathText(path: Path): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key) : `.${String(key)}`
  }
  return text
}

/** Where the value at this path begins, its key if it is a collection, or the nearest thing above that exists. */
function offsetOf(document: Parameters<typeof resolve>[1], path: Path, wantsKey: boolean): number {
  let node = resolve(document.contents, document)
  let offset = node?.range?.[0] ?? 0
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      if (!pair) break
      offset = startOf(pair.key) ?? offset
      node = resolve(pair.value, document)
      if (isScalar(node) && !wantsKey) offset = node.range?.[0] ?? offset
    } else if (isSeq(node)) {
      node = resolve(node.items[Number(key)], document)
      offset = node?.range?.[0] ?? offset
    } else break
  }
  return offset
}

function resolve(node: unknown, document: { readonly contents: unknown } & object): Node | undefined {
  if (isAlias(node)) return node.resolve(document as Parameters<typeof node.resolve>[0])
  return isScalar(node) || isCollection(node) ? node : undefined
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isCollection(node) ? node.range?.[0] : undefined
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
