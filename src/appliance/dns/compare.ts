// SPDX-License-Identifier: Apache-2.0
// What the DNS says beside what it should say.
import { normal, type RecordType, type Rrset } from './record.ts'

/** Records that a service needs. */
export interface Wanted extends Rrset {
  /** What it is for, in a few words. */
  readonly why: string
  /** It works without, but not as well or as safely. */
  readonly optional?: boolean
  /** Further records at the same name may stand beside: those of others do no harm. */
  readonly amongOthers?: boolean
  /** Values that do as well, though they say less. */
  readonly weaker?: readonly string[]
  /** Records of other types at this name that do as well, all of them together. */
  readonly instead?: readonly Pick<Rrset, 'type' | 'values'>[]
}

/** Records that should not be there, unless they have one of these values. */
export interface Unwanted {
  readonly name: string
  readonly type: RecordType
  readonly why: string
  readonly except?: readonly string[]
}

/** What somebody says is there. `undefined`: nobody could say. */
export type Found = (name: string, type: RecordType) => readonly string[] | undefined

/** How records are. `unknown`: nobody could say. */
export type State = 'right' | 'wrong' | 'missing' | 'leftover' | 'unknown'

/** Wanted and found, side by side. */
export interface Verdict {
  readonly name: string
  readonly type: RecordType
  readonly ttl: number
  readonly state: State
  readonly wanted: readonly string[]
  readonly found: readonly string[]
  readonly why: string
  readonly optional: boolean
}

/** Compares. A leftover is told of only where there is one. */
export function compare(wanted: readonly Wanted[], unwanted: readonly Unwanted[], found: Found): readonly Verdict[] {
  return [...wanted.map((one) => verdictOf(one, found)), ...unwanted.flatMap((one) => leftover(one, found))]
}

function verdictOf(one: Wanted, found: Found): Verdict {
  const { name, type, ttl, why } = one
  const here = found(name, type)?.map((value) => normal(type, value))
  const common = { name, type, ttl, wanted: one.values, found: here ?? [], why, optional: one.optional === true }
  if (here && isRight(one, here)) return { ...common, state: 'right' }
  const others = (one.instead ?? []).map((rrset) => ({ rrset, values: found(name, rrset.type) }))
  const instead = others.flatMap(({ rrset, values }) => (values ?? []).map((value) => normal(rrset.type, value)))
  if (others.length > 0 && others.every(({ rrset, values }) => values && same(rrset, values))) {
    return { ...common, found: instead, state: 'right' }
  }
  if (here === undefined || others.some(({ values }) => values === undefined)) return { ...common, state: 'unknown' }
  const all = [...here, ...instead]
  const isWeak = one.weaker !== undefined && isRight({ ...one, values: one.weaker }, here)
  return { ...common, found: all, state: all.length === 0 || isWeak ? 'missing' : 'wrong' }
}

function isRight({ values, amongOthers }: Wanted, here: readonly string[]): boolean {
  const all = values.every((value) => here.includes(value))
  return all && (amongOthers === true || here.every((value) => values.includes(value)))
}

function same({ type, values }: Pick<Rrset, 'type' | 'values'>, found: readonly string[]): boolean {
  const here = new Set(found.map((value) => normal(type, value)))
  return here.size === new Set(values).size && values.every((value) => here.has(value))
}

function leftover({ name, type, why, except = [] }: Unwanted, found: Found): readonly Verdict[] {
  const here = (found(name, type) ?? []).map((value) => normal(type, value)).filter((value) => !except.includes(value))
  if (here.length === 0) return []
  return [{ name, type, ttl: 0, state: 'leftover', wanted: [], found: here, why, optional: false }]
}
