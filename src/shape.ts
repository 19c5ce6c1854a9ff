// SPDX-License-Identifier: Apache-2.0
// What values from outside must look like: options, requests of administrators, what a feature kept. A shape checks a value and
// gives it its type; what is wrong is said in words that people understand (docs/decisions/0009-shapes.md says why not by Zod).

/** One thing that is wrong. */
export interface Issue {
  readonly path: readonly PropertyKey[]
  readonly text: string
  /** A key that is not known, and those that are. */
  readonly unknown?: { readonly key: string; readonly known: readonly string[] }
  /** The words that one was to be chosen from, and what was there. */
  readonly choice?: { readonly words: readonly string[]; readonly given: unknown }
}

/** What the reference of options says about a shape. */
export interface About {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  /** The kind of value, in words. */
  readonly kind?: string
  /** Bounds as they are written in a file. */
  readonly least?: string | number
  readonly most?: string | number
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, About>>
  readonly additionalProperties?: About
}

/** A value does not look as it should. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError'
  readonly issues: readonly Issue[]

  constructor(issues: readonly Issue[]) {
    super(issues.map(({ path, text }) => (path.length === 0 ? text : `${path.join('.')}: ${text}`)).join('\n'))
    this.issues = issues
  }
}

/** Where in the whole a value stands, and what is wrong so far. */
export class Place {
  readonly path: readonly PropertyKey[]
  readonly #issues: Issue[]

  constructor(issues: Issue[] = [], path: readonly PropertyKey[] = []) {
    this.#issues = issues
    this.path = path
  }

  get issues(): readonly Issue[] {
    return this.#issues
  }

  below(key: PropertyKey): Place {
    return new Place(this.#issues, [...this.path, key])
  }

  /** Something is wrong here. */
  wrong(text: string, more: Pick<Issue, 'unknown' | 'choice'> = {}): typeof WRONG {
    this.#issues.push({ path: this.path, text, ...more })
    return WRONG
  }
}

/** What reading a value gave that is not as it should be. */
const WRONG = Symbol('wrong')
type Read<T> = (value: unknown, place: Place) => T | typeof WRONG
type Fields = Readonly<Record<string, Shape<unknown>>>

/** The type of what a shape lets through. */
export type output<S> = S extends Shape<infer T> ? T : never
/** The type of an object with these fields; what is optional may be missing. */
type Fielded<F extends Fields> = {
  -readonly [K in keyof F as F[K] extends OptionalShape<unknown> ? never : K]: output<F[K]>
} & { -readonly [K in keyof F as F[K] extends OptionalShape<unknown> ? K : never]?: output<F[K]> }
type Flat<T> = { [K in keyof T]: T[K] }

/** What a value must look like. Immutable: each method gives another shape. */
export class Shape<T> {
  readonly about: About
  /** For whoever puts shapes together: checks a value that stands somewhere. */
  readonly read: Read<T>

  constructor(read: Read<T>, about: About = {}) {
    this.read = read
    this.about = about
  }

  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly data?: undefined; readonly error: ShapeError } {
    const place = new Place()
    const data = this.read(value, place)
    if (data !== WRONG && place.issues.length === 0) return { success: true, data }
    return { success: false, error: new ShapeError(place.issues) }
  }

  /** @throws ShapeError */
  parse(value: unknown): T {
    const answer = this.safeParse(value)
    if (answer.success) return answer.data
    throw answer.error
  }

  /** For the reference. */
  meta(about: About): this {
    return this.with({ about: { ...this.about, ...about } })
  }

  /** @param text said if the value is not good */
  refine(isGood: (value: T) => boolean, text: string): this {
    return this.with({
      read: (value, place) => {
        const found = clean(this.read, value, place)
        return found === WRONG || isGood(found) ? found : place.wrong(text)
      },
    })
  }

  /** @param change may say `place.wrong(…)` and return that */
  transform<U>(change: (value: T, place: Place) => U | typeof WRONG): Shape<U> {
    return new Shape((value, place) => {
      const found = clean(this.read, value, place)
      return found === WRONG ? WRONG : change(found, place)
    }, this.about)
  }

  /** May be missing. */
  optional(): OptionalShape<T | undefined> {
    return new OptionalShape((value, place) => (value === undefined ? undefined : this.read(value, place)), this.about)
  }

  nullable(): Shape<T | null> {
    return new Shape<T | null>((value, place) => (value === null ? null : this.read(value, place)), this.about)
  }

  /** What is missing is as if this were there. */
  default(instead: unknown): Shape<T> {
    const read: Read<T> = (value, place) => this.read(value === undefined ? instead : value, place)
    return new Shape(read, { ...this.about, default: instead })
  }

  /** What is wrong is taken for this. */
  catch(instead: T): Shape<T> {
    return new Shape((value) => {
      const answer = this.safeParse(value)
      return answer.success ? answer.data : instead
    }, this.about)
  }

  /** The same with something changed. */
  protected with(changes: { readonly read?: Read<T>; readonly about?: About }): this {
    return Object.assign(Object.create(Object.getPrototypeOf(this)), this, changes)
  }
}

/** A shape of something that may be missing. */
export class OptionalShape<T> extends Shape<T> {
  /** Tells the types apart. */
  readonly isOptional = true
}

/** Text. */
export class TextShape extends Shape<string> {
  min(least: number): this {
    return this.refine(
      (text) => text.length >= least,
      least === 1 ? 'must not be empty' : `must have at least ${least} characters`,
    )
  }

  regex(pattern: RegExp, text: string): this {
    return this.refine((value) => pattern.test(value), text)
  }
}

/** A number. */
export class NumberShape extends Shape<number> {
  min(minimum: number): this {
    return this.refine((value) => value >= minimum, `must be at least ${minimum}`).meta({ minimum })
  }

  max(maximum: number): this {
    return this.refine((value) => value <= maximum, `must be at most ${maximum}`).meta({ maximum })
  }
}

/** A list. */
export class ListShape<T> extends Shape<T[]> {
  max(most: number): this {
    return this.refine((list) => list.length <= most, `must have at most ${most} entries`)
  }
}

/** A group of things with names. */
export class ObjectShape<F extends Fields> extends Shape<Flat<Fielded<F>>> {
  readonly fields: F

  constructor(fields: F, strict = false) {
    super((value, place) => readFields(fields, strict, value, place) as Flat<Fielded<F>> | typeof WRONG, {
      type: 'object',
      properties: Object.fromEntries(Object.entries(fields).map(([key, { about }]) => [key, about])),
    })
    this.fields = fields
  }

  /** With more fields. */
  extend<G extends Fields>(more: G): ObjectShape<F & G> {
    return new ObjectShape({ ...this.fields, ...more })
  }
}

/** Anything. */
export function unknown(): Shape<unknown> {
  return new Shape((value) => value)
}

/** Any text. */
export function string(): TextShape {
  return new TextShape((value, place) => (typeof value === 'string' ? value : mistaken('text', value, place)), {
    type: 'string',
  })
}

/** Any number. */
export function number(): NumberShape {
  const isNumber = (value: unknown): value is number => Number.isFinite(value)
  return new NumberShape((value, place) => (isNumber(value) ? value : mistaken('a number', value, place)), {
    type: 'number',
  })
}

/** Any whole number. */
export function int(): NumberShape {
  const isWhole = (value: unknown): value is number => Number.isSafeInteger(value)
  return new NumberShape((value, place) => (isWhole(value) ? value : mistaken('a whole number', value, place)), {
    type: 'integer',
  })
}

/** Yes or no. */
export function boolean(): Shape<boolean> {
  return new Shape((value, place) => (typeof value === 'boolean' ? value : mistaken('true or false', value, place)), {
    type: 'boolean',
  })
}

/** One of some words. */
export function oneOf<const T extends string>(words: readonly T[]): Shape<T> {
  const read: Read<T> = (value, place) => {
    const found = words.find((word) => word === value)
    if (found !== undefined) return found
    if (value === undefined) return place.wrong('is missing')
    const text = words.length === 1 ? `must be ${words[0]}` : `must be one of ${words.join(', ')}`
    return place.wrong(text, { choice: { words, given: value } })
  }
  return new Shape(read, { type: 'string', enum: words })
}

/** A list of things. */
export function array<T>(item: Shape<T>): ListShape<T> {
  const read: Read<T[]> = (value, place) => {
    if (!Array.isArray(value)) return mistaken('a list', value, place)
    const items: T[] = []
    for (const [index, one] of value.entries()) {
      const found = item.read(one, place.below(index))
      if (found !== WRONG) items.push(found)
    }
    return items
  }
  return new ListShape(read, { type: 'array' })
}

/** A group of things with names; what has others is left out. */
export function object<F extends Fields>(fields: F): ObjectShape<F> {
  return new ObjectShape(fields)
}

/** The same, where other names are mistakes. */
export function strictObject<F extends Fields>(fields: F): ObjectShape<F> {
  return new ObjectShape(fields, true)
}

/** Things with any names. */
export function record<T>(item: Shape<T>): Shape<Record<string, T>> {
  const read: Read<Record<string, T>> = (value, place) => {
    if (!isGroup(value)) return mistaken('a group of options', value, place)
    const found = Object.entries(value).map(([key, one]) => [key, item.read(one, place.below(key))] as const)
    return Object.fromEntries(found.filter((entry): entry is readonly [string, T & {}] => entry[1] !== WRONG))
  }
  return new Shape(read, { type: 'object', additionalProperties: item.about })
}

/** One thing or another. @param text said of what is neither */
export function either<A, B>(one: Shape<A>, other: Shape<B>, text: string): Shape<A | B> {
  return new Shape<A | B>((value, place) => {
    const [first, second] = [one.safeParse(value), other.safeParse(value)]
    return first.success ? first.data : second.success ? second.data : place.wrong(text)
  })
}

/** Only what is right as a whole is looked at further. */
function clean<T>(read: Read<T>, value: unknown, place: Place): T | typeof WRONG {
  const before = place.issues.length
  const found = read(value, place)
  return place.issues.length > before ? WRONG : found
}

function readFields(fields: Fields, strict: boolean, value: unknown, place: Place): unknown {
  if (!isGroup(value)) return mistaken('a group of options', value, place)
  const found: [string, unknown][] = []
  for (const [key, field] of Object.entries(fields)) {
    const given = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
    const one = field.read(given, place.below(key))
    if (one !== WRONG && (one !== undefined || given !== undefined)) found.push([key, one])
  }
  if (!strict) return Object.fromEntries(found)
  const known = Object.keys(fields)
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) place.wrong(`there is no ${key} here`, { unknown: { key, known } })
  }
  return Object.fromEntries(found)
}

function isGroup(value: unknown): value is object {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function mistaken(wanted: string, value: unknown, place: Place): typeof WRONG {
  return place.wrong(value === undefined ? 'is missing' : `must be ${wanted}, not ${kindOf(value)}`)
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a group of options' : JSON.stringify(value)
}
