// SPDX-License-Identifier: Apache-2.0
// What is wrong with a value, in words that say what to write instead.
import * as v from 'valibot'
import { nearest } from './nearest.ts'
import type { Mistake, Source } from './source.ts'

/** What can be seen of a schema whose kind is not known. */
export interface Schema {
  readonly type: string
  readonly default?: unknown
  /** Of what may be missing. */
  readonly wrapped?: Schema
  /** The checks of a value, one after the other. */
  readonly pipe?: readonly Schema[]
  readonly kind?: string
  readonly requirement?: unknown
  /** Of a group. */
  readonly entries?: Readonly<Record<string, Schema>>
  /** Of each in a group with any names, and in a list. */
  readonly value?: Schema
  readonly item?: Schema
  /** The words to choose from. */
  readonly options?: readonly unknown[]
}

/** How requests and options are checked: everything that is wrong is told in our words, once for each value. */
export const IN_WORDS: v.Config<v.BaseIssue<unknown>> = { abortPipeEarly: true, message: wordsOf }

/** The mistakes in a file. @param schema that found them */
export function explain(issues: readonly v.BaseIssue<unknown>[], schema: Schema, source: Source): Mistake[] {
  return issues.flatMap((issue) => {
    const path = pathOf(issue)
    if (!isUnknownKey(issue)) return [source.mistake(path, issue.message)]
    const group = path.slice(0, -1)
    const known = Object.keys(inside(schema, group)?.entries ?? {})
    const given = Object.keys(issue.path?.at(-1)?.input ?? {}) // Valibot tells the first one only
    const others = given.filter((key) => !known.includes(key))
    return others.map((key) => source.mistake([...group, key], unknownKey(key, known), 'key'))
  })
}

/** The same in a request. */
export function problemsOf(issues: readonly v.BaseIssue<unknown>[]): string {
  return issues.map((issue) => (issue.path ? `${v.getDotPath(issue)}: ${issue.message}` : issue.message)).join('\n')
}

/** What says what a value looks like, behind whether it may be missing and what is checked before. */
export function insideOf(schema: Schema): Schema {
  if (schema.wrapped) return insideOf(schema.wrapped)
  const last = schema.pipe?.findLast(({ kind }) => kind === 'schema')
  return last ? insideOf(last) : schema
}

function inside(schema: Schema, path: readonly PropertyKey[]): Schema | undefined {
  let found: Schema | undefined = insideOf(schema)
  for (const key of path) {
    const below: Schema | undefined = found?.entries?.[String(key)] ?? found?.value ?? found?.item
    found = below && insideOf(below)
  }
  return found
}

function pathOf({ path }: v.BaseIssue<unknown>): readonly PropertyKey[] {
  return (path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)))
}

function isUnknownKey({ type, expected }: v.BaseIssue<unknown>): boolean {
  return type === 'strict_object' && expected === 'never'
}

/** What to say about a key that nobody knows. */
function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known)
  const hint = meant === undefined ? `known are ${[...known].sort().join(', ')}` : `did you mean ${meant}?`
  return `there is no such option; ${hint}`
}

/** What a value must be, by the type of the check that it failed. */
const WANTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  finite: 'a number',
  safe_integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of options',
  strict_object: 'a group of options',
  record: 'a group of options',
}

function wordsOf({ type, input, expected, requirement, message }: v.BaseIssue<unknown>): string {
  if (input === undefined) return 'is missing'
  const wanted = WANTED[type]
  if (wanted !== undefined) return `must be ${wanted}, not ${kindOf(input)}`
  switch (type) {
    case 'picklist':
      return choiceOf(
        String(input),
        [...(expected ?? '').matchAll(/"([^"]*)"/g)].map(([, word = '']) => word),
      )
    case 'non_empty':
      return 'must not be empty'
    case 'min_length':
      return `must have at least ${requirement} characters`
    case 'max_length':
      return `must have at most ${requirement} entries`
    case 'min_value':
      return `must be at least ${requirement}`
    case 'max_value':
      return `must be at most ${requirement}`
    default:
      return message
  }
}

function choiceOf(given: string, words: readonly string[]): string {
  const meant = nearest(given, words)
  return `must be one of ${words.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a group of options' : JSON.stringify(value)
}
