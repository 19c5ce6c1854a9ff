// SPDX-License-Identifier: Apache-2.0
// The kinds of options. Each checks a value, turns it into what the program works with, and carries what the reference
// (docs/OPTIONS.md) says about it. Nothing is ever clamped: what does not fit is a mistake.
import * as z from '../shape.ts'
import type { Address } from './config.ts'
import { isServerName, parseAddress, parseDuration, parseIp, parseSize } from './units.ts'

/** What the reference says of an option beside its default. */
type Told = {
  readonly description: string
  /** The kind of value, in words. */
  readonly kind: string
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
  return z.boolean().default(option.default).meta(told(option.help, 'true or false'))
}

/** One of some words. */
export function choice<const T extends string>(
  words: readonly T[],
  option: { readonly default: NoInfer<T>; readonly help: string },
) {
  return z
    .oneOf(words)
    .default(option.default)
    .meta(told(option.help, words.join(', ')))
}

/** One text or several. @param problem what is wrong with one, if anything; @param kind the kind of value, in words */
export function texts(
  option: { readonly default: readonly string[]; readonly help: string },
  kind: string,
  problem: (text: string) => string | undefined,
) {
  return several(kind, (value) => {
    const wrong = typeof value === 'string' ? problem(value) : 'must be text'
    return wrong === undefined ? { value: String(value) } : { wrong }
  })
    .default([...option.default])
    .meta(told(option.help, kind))
}

/** Places to listen at. */
export function addresses(option: { readonly default: readonly string[]; readonly help: string }) {
  return several('address', (value): { value: Address } | { wrong: string } => {
    const address = parseAddress(value)
    return address ? { value: address } : { wrong: 'must be an address such as [::]:5222, 127.0.0.1:5222 or 5222' }
  })
    .default([...option.default])
    .meta(told(option.help, 'address, or a list of them'))
}

/** Name servers, by IP address. */
export function nameServers({ help }: { readonly help: string }) {
  return several('address', (value): { value: Address } | { wrong: string } => {
    const address = parseIp(value, 53)
    return address
      ? { value: address }
      : { wrong: 'must be an IP address such as 127.0.0.1, or [::1]:5353 with a port' }
  })
    .default([])
    .meta(told(help, 'IP address, with a port if it is not 53, or a list of them'))
}

/** One place to connect to, if any. */
export function place({ help }: { readonly help: string }) {
  return z
    .unknown()
    .transform((value, at) => {
      const address: Address | undefined = parseAddress(value)
      return address && address.host !== '::' ? address : at.wrong('must be a host and a port such as 127.0.0.1:9050')
    })
    .optional()
    .meta(told(help, 'host:port'))
}

/** Domains with where each can be reached. */
export function redirects({ help }: { readonly help: string }) {
  const where = z
    .unknown()
    .transform((value, at) =>
      typeof value === 'string' && isServerName(value)
        ? value
        : at.wrong('must be where to connect, such as new.example.org, new.example.org:5222 or [2001:db8::1]:5222'),
    )
  return z.record(where).default({}).meta(told(help, 'host or host:port for each domain'))
}

/** Programs that connect as components (XEP-0114), by their domains. What is wrong is said without the secret. */
export function components({ help }: { readonly help: string }) {
  const one = z.strictObject({
    secret: z
      .string()
      .refine((text) => text.length >= 8, 'must have at least 8 characters')
      .meta(told('What it proves itself by.', 'text')),
    bytesPerSecond: size({
      default: 0,
      min: 0,
      help: 'What it may send in a second; ten times as much may come at once, and what goes beyond is read later; 0 for as much as it likes.',
    }),
  })
  return z.record(one).default({}).meta(told(help, '`secret` for each domain'))
}

/** A group of options: a key of the file with keys below it. */
export function section<T extends Readonly<Record<string, z.Shape<unknown>>>>(shape: T, help: string) {
  return z.strictObject(shape).default({}).meta({ description: help })
}

/** Metadata for the reference. */
export function told(description: string, kind: string): Told {
  return { description, kind }
}

function several<T>(kind: string, read: (value: unknown) => { value: T } | { wrong: string }) {
  return z.unknown().transform((given, at): T[] => {
    const list = Array.isArray(given) ? given : [given]
    return list.flatMap((item, place) => {
      const answer = given === null ? { wrong: `must be ${kind} or a list` } : read(item)
      if ('value' in answer) return [answer.value]
      const where = Array.isArray(given) ? at.below(place) : at
      where.wrong(answer.wrong)
      return []
    })
  })
}

function number(option: Bounded, kind: string, shape: string, parse: (value: unknown) => number | undefined) {
  const bound = (value: string | number | undefined): number => {
    const parsed = value === undefined ? Number.MAX_SAFE_INTEGER : parse(value)
    if (parsed === undefined) throw new TypeError(`bad bound: ${value}`)
    return parsed
  }
  const [least, most] = [bound(option.min), bound(option.max)]
  return z
    .unknown()
    .transform((value, at) => {
      const parsed = parse(value)
      if (parsed === undefined) return at.wrong(`must be ${shape}`)
      if (parsed < least) return at.wrong(`must be at least ${option.min}`)
      return parsed > most ? at.wrong(`must be at most ${option.max}`) : parsed
    })
    .default(option.default)
    .meta({ ...told(option.help, kind), least: option.min, ...(option.max === undefined ? {} : { most: option.max }) })
}
