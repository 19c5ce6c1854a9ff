// SPDX-License-Identifier: Apache-2.0
// What a shape found wrong, in words that say what to write instead.
import type { Issue } from '../shape.ts'
import { nearest } from './nearest.ts'
import type { Mistake, Source } from './source.ts'

/** The mistakes behind what a shape found wrong. */
export function explain(issues: readonly Issue[], source: Source): Mistake[] {
  return issues.map(({ path, text, unknown, choice }) => {
    if (unknown) return source.mistake([...path, unknown.key], unknownKey(unknown.key, unknown.known), 'key')
    const meant = choice && choice.words.length > 1 ? nearest(String(choice.given), choice.words) : undefined
    return source.mistake(path, meant === undefined ? text : `${text}; did you mean ${meant}?`)
  })
}

/** What to say about a key that nobody knows. */
function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known)
  const hint = meant === undefined ? `known are ${[...known].sort().join(', ')}` : `did you mean ${meant}?`
  return `there is no such option; ${hint}`
}
