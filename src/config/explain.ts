// SPDX-License-Identifier: Apache-2.0
// What a schema found wrong, in words that say what to write instead.
import type { z } from 'zod'
import { nearest } from './nearest.ts'
import type { Mistake, Path, Source } from './source.ts'

type Issue = z.core.$ZodIssue
type Schema = z.core.$ZodType

/** The mistakes behind the issues that a schema raised. @param value what was checked */
export function explain(issues: readonly Issue[], schema: Schema, value: unknown, source: Source): Mistake[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') {
      return [source.mistake(issue.path, textOf(issue, at(value, issue.path)))]
    }
    const known = keysAt(schema, issue.path)
    return issue.keys.map((key) => source.mistake([...issue.path, key], unknownKey(key, known), 'key'))
  })
}

/** What to say about a key that nobody knows. */
function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known)
  const hint = meant === undefined ? `known are ${[...known].sort().join(', ')}` : `did you mean ${meant}?`
  return `there is no such option; ${hint}`
}

function textOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined
        ? 'is missing'
        : `must be ${KINDS[issue.expected] ?? issue.expected}, not ${kindOf(value)}`
    case 'invalid_value':
      return oneOf(issue.values.map(String), value)
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`
    case 'too_big':
      return `must be at most ${issue.maximum}`
    default:
      return issue.message
  }
}

function oneOf(words: readonly string[], value: unknown): string {
  const meant = nearest(String(value), words)
  const choice = words.length === 1 ? `must be ${words[0]}` : `must be one of ${words.join(', ')}`
  return meant === undefined || words.length === 1 ? choice : `${choice}; did you mean ${meant}?`
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'a group of options',
  record: 'a group of options',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a group of options'
  return JSON.stringify(value)
}

function at(value: unknown, path: Path): unknown {
  let found = value
  for (const key of path) found = found === null || typeof found !== 'object' ? undefined : Reflect.get(found, key)
  return found
}

/** The keys that a schema knows at a path. */
function keysAt(schema: Schema, path: Path): readonly string[] {
  const inner = unwrapped(schema)
  const { def } = inner._zod
  const [key, ...rest] = path
  if (key === undefined) return 'shape' in def ? Object.keys(def.shape as object) : []
  const below =
    'shape' in def
      ? Reflect.get(def.shape as object, key)
      : 'valueType' in def
        ? def.valueType
        : 'element' in def
          ? def.element
          : undefined
  return below === undefined ? [] : keysAt(below as Schema, rest)
}

/** The schema inside defaults, optionals and transformations. */
function unwrapped(schema: Schema): Schema {
  const { def } = schema._zod
  if ('innerType' in def) return unwrapped(def.innerType as Schema)
  return def.type === 'pipe' && 'in' in def ? unwrapped(def.in as Schema) : schema
}
