// SPDX-License-Identifier: Apache-2.0
// The kinds of options. Each checks a value, turns it into what the program works with, and carries what the reference
// (docs/OPTIONS.md) says about it. Nothing is ever clamped: what does not fit is a mistake.
import * as v from 'valibot'
import type { Address } from './config.ts'
import { isServerName, parseAddress, parseDuration, parseIp, parseSize } from './units.ts'

/** What the reference says of an option beside its default. */
export type Told = {
  readonly description?: string
  /** The kind of value, in words. */
  readonly kind?: string
  /** Bounds as they are written in a file. */
  readonly least?: string | number
  readonly most?: string | number
}

/** A number with bounds that are written as values of the option are. */
interface Bounded {
  readonly default: string | number
  readonly min: string | number
  readonly max?: string | number
  readonly help: string
}

/** A number of things. */
export function count(option: Bounded) {
  return number(option, 'number', 'a whole number such as 100', (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined,
  )
}

/** A number of bytes. */
export function size(option: Bounded) {
  return number(option, 'size', 'a size such as 256KiB or 4MiB', parseSize)
}

/** A time, in ms. */
export function duration(option: Bounded) {
  return number(option, 'time', 'a time such as 30s, 5m, 2h or 1d', parseDuration)
}

/** Yes or no. */
export function flag(option: { readonly default: boolean; readonly help: string }) {
  return v.optional(v.pipe(v.boolean(), told(option.help, 'true or false')), option.default)
}

/** One of some words. */
export function choice<const T extends string>(
  words: readonly T[],
  option: { readonly default: NoInfer<T>; readonly help: string },
) {
  return v.optional(v.pipe(v.picklist(words), told(option.help, words.join(', '))), option.default)
}

/** One text or several. @param problem what is wrong with one, if anything; @param kind the kind of value, in words */
export function texts(
  option: { readonly default: readonly string[]; readonly help: string },
  kind: string,
  problem: (text: string) => string | undefined,
) {
  const list = several(kind, (value): Answer<string> => {
    const wrong = typeof value === 'string' ? problem(value) : 'must be text'
    return wrong === undefined ? { value: String(value) } : { wrong }
  })
  return v.optional(v.pipe(list, told(option.help, kind)), option.default)
}

/** Places to listen at. */
export function addresses(option: { readonly default: readonly string[]; readonly help: string }) {
  const list = several('address', (value): Answer<Address> => {
    const address = parseAddress(value)
    return address ? { value: address } : { wrong: 'must be an address such as [::]:5222, 127.0.0.1:5222 or 5222' }
  })
  return v.optional(v.pipe(list, told(option.help, 'address, or a list of them')), option.default)
}

/** Name servers, by IP address. */
export function nameServers({ help }: { readonly help: string }) {
  const list = several('address', (value): Answer<Address> => {
    const address = parseIp(value, 53)
    return address
      ? { value: address }
      : { wrong: 'must be an IP address such as 127.0.0.1, or [::1]:5353 with a port' }
  })
  return v.optional(v.pipe(list, told(help, 'IP address, with a port if it is not 53, or a list of them')), [])
}

/** One place to connect to, if any. */
export function place({ help }: { readonly help: string }) {
  const one = reading((value): Answer<Address> => {
    const address = parseAddress(value)
    return address && address.host !== '::'
      ? { value: address }
      : { wrong: 'must be a host and a port such as 127.0.0.1:9050' }
  })
  return v.optional(v.pipe(one, told(help, 'host:port')))
}

/** Domains with where each can be reached. */
export function redirects({ help }: { readonly help: string }) {
  const where = v.custom<string>(
    (value) => typeof value === 'string' && isServerName(value),
    'must be where to connect, such as new.example.org, new.example.org:5222 or [2001:db8::1]:5222',
  )
  return v.optional(v.pipe(groupOf(where), told(help, 'host or host:port for each domain')), {})
}

/** Programs that connect as components (XEP-0114), by their domains. What is wrong is said without the secret. */
export function components({ help }: { readonly help: string }) {
  const one = group({
    secret: v.pipe(v.string(), v.minLength(8), told('What it proves itself by.', 'text')),
    bytesPerSecond: size({
      default: 0,
      min: 0,
      help: 'What it may send in a second; ten times as much may come at once, and what goes beyond is read later; 0 for as much as it likes.',
    }),
  })
  return v.optional(v.pipe(groupOf(one), told(help, '`secret` for each domain')), {})
}

/** A group of options: a key of the file with keys below it. */
export function section<T extends v.ObjectEntries>(entries: T, help: string) {
  return v.optional(v.pipe(group(entries), told(help)), {})
}

/** Valibot takes a list for an object too. */
const noList = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value), 'must be a group of options, not a list'),
)

/** Options with names; others are mistakes. */
export function group<T extends v.ObjectEntries>(entries: T) {
  return v.pipe(noList, v.strictObject(entries))
}

/** The same with any names. */
export function groupOf<T extends v.GenericSchema>(one: T) {
  return v.pipe(noList, v.record(v.string(), one))
}

/** Metadata for the reference. */
export function told<T>(
  description: string,
  kind?: string,
  bounds: Pick<Told, 'least' | 'most'> = {},
): v.MetadataAction<T, Told> {
  return v.metadata({ description, ...(kind === undefined ? {} : { kind }), ...bounds })
}

/** What became of a value. */
type Answer<T> = { readonly value: T } | { readonly wrong: string }

function reading<T>(read: (value: unknown) => Answer<T>) {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }): T => {
      const answer = read(dataset.value)
      if ('value' in answer) return answer.value
      addIssue({ message: answer.wrong })
      return NEVER
    }),
  )
}

function several<T>(kind: string, read: (value: unknown) => Answer<T>) {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset: { value: given }, addIssue }): T[] => {
      const list: readonly unknown[] = Array.isArray(given) ? given : [given]
      return list.flatMap((value, key) => {
        const answer = given === null ? { wrong: `must be ${kind} or a list` } : read(value)
        if ('value' in answer) return [answer.value]
        const where = { type: 'array', origin: 'value', input: [...list], key, value } as const
        addIssue({ message: answer.wrong, path: Array.isArray(given) ? [where] : undefined })
        return []
      })
    }),
  )
}

function number(option: Bounded, kind: string, shape: string, parse: (value: unknown) => number | undefined) {
  const bound = (value: string | number | undefined): number => {
    const parsed = value === undefined ? Number.MAX_SAFE_INTEGER : parse(value)
    if (parsed === undefined) throw new TypeError(`bad bound: ${value}`)
    return parsed
  }
  const [least, most] = [bound(option.min), bound(option.max)]
  const one = reading((value): Answer<number> => {
    const parsed = parse(value)
    if (parsed === undefined) return { wrong: `must be ${shape}` }
    if (parsed < least) return { wrong: `must be at least ${option.min}` }
    return parsed > most ? { wrong: `must be at most ${option.max}` } : { value: parsed }
  })
  const bounds = { least: option.min, ...(option.max === undefined ? {} : { most: option.max }) }
  return v.optional(v.pipe(one, told(option.help, kind, bounds)), option.default)
}
