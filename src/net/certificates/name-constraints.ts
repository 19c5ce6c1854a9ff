// SPDX-License-Identifier: Apache-2.0
// What an authority may certify (RFC 5280 §4.2.1.10). A constraint on a kind of name that we cannot compare holds as soon as
// the certificate has such a name.
import { type Certificate, NAME, type NameConstraints } from './certificate.ts'
import { context, type Der, derOf, inside } from './der.ts'

/** Names that are compared with constraints: many of both, in a chain that somebody made for us, would keep us busy for long. */
const COMPARISONS_MAX = 100_000

/**
 * Whether the constraints of an authority allow a certificate.
 * @param domains that it is taken to be for, in A-labels, whatever kind of name says so
 */
export function allows(constraints: NameConstraints, certificate: Certificate, domains: readonly string[]): boolean {
  const kinds = new Set([...constraints.permitted, ...constraints.excluded].map(({ tag }) => tag & 0x1f))
  return [...kinds].every((kind) => {
    const of = (list: readonly Der[]): readonly Der[] => list.filter(({ tag }) => (tag & 0x1f) === kind)
    return allowsKind(kind, of(constraints.permitted), of(constraints.excluded), certificate, domains)
  })
}

function allowsKind(
  kind: number,
  permitted: readonly Der[],
  excluded: readonly Der[],
  { names, subject }: Certificate,
  domains: readonly string[],
): boolean {
  if (kind === NAME.dns) {
    return keeps([...domains, ...names.dns], permitted, excluded, (name, base) => isBelow(name, base.content))
  }
  if (kind === NAME.ip) {
    return keeps(names.ip, permitted, excluded, (address, base) => isInside(address, base.content))
  }
  if (kind !== NAME.directory) return !names.kinds.has(kind)
  if (names.kinds.has(NAME.directory)) return false
  // Two ways to write one name are not compared, so that nothing can be said to be outside of what is excluded.
  if (subject.length === 0) return true
  return excluded.length === 0 && (permitted.length === 0 || permitted.some((base) => begins(subject, base)))
}

function keeps<T>(
  names: readonly T[],
  permitted: readonly Der[],
  excluded: readonly Der[],
  matches: (name: T, base: Der) => boolean,
): boolean {
  if (names.length * (permitted.length + excluded.length) > COMPARISONS_MAX) return false
  return names.every(
    (name) =>
      (permitted.length === 0 || permitted.some((base) => matches(name, base))) &&
      !excluded.some((base) => matches(name, base)),
  )
}

/** Whether a name is the base or below it; with a dot in front it is only what is below. */
function isBelow(name: string, content: Buffer): boolean {
  const base = content.toString('latin1').toLowerCase()
  if (base === '') return true
  return base.startsWith('.') ? name.endsWith(base) : name === base || name.endsWith(`.${base}`)
}

function isInside(address: Buffer, base: Buffer): boolean {
  if (base.length !== 2 * address.length) return false
  return address.every((byte, at) => {
    const mask = base[address.length + at] ?? 0
    return (byte & mask) === ((base[at] ?? 0) & mask)
  })
}

function begins(subject: readonly Buffer[], base: Der): boolean {
  if (base.tag !== context(NAME.directory, true)) return false
  return inside(derOf(base.content)).every(({ whole }, at) => subject[at]?.equals(whole) === true)
}
