// SPDX-License-Identifier: Apache-2.0
// Which prefixes mean what (Namespaces in XML 1.0). Only an element that declares prefixes has a scope of its own.

import { ReadError } from './errors.ts'

/** The namespace that the prefix `xml` always means (Namespaces in XML §3). */
export const XML_NS = 'http://www.w3.org/XML/1998/namespace'
const XMLNS_NS = 'http://www.w3.org/2000/xmlns/'

/** The prefixes that one element declares, and where to ask for others. */
export interface Scope {
  readonly outer: Scope | undefined
  readonly prefixes: ReadonlyMap<string, string>
}

/** Refuses what no prefix and no default namespace may be bound to (Namespaces in XML §3). @param prefix '' for the default */
export function checkDeclaration(prefix: string, ns: string): void {
  if (prefix === 'xmlns' || ns === XMLNS_NS) throw malformed('The namespace of declarations cannot be declared.')
  if ((prefix === 'xml') !== (ns === XML_NS)) throw malformed('The prefix "xml" and its namespace belong together.')
  if (prefix !== '' && ns === '') throw malformed('A prefix cannot be undeclared.')
}

/** The scope that knows a prefix. An unknown one is not namespace-well-formed (RFC 6120 §11.3). */
export function scopeOf(prefix: string, inner: Scope | undefined): Scope {
  for (let scope = inner; scope; scope = scope.outer) if (scope.prefixes.has(prefix)) return scope
  throw malformed('A namespace prefix is not declared.')
}

function malformed(reason: string): ReadError {
  return new ReadError('not-well-formed', reason)
}
