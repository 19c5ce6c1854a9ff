// SPDX-License-Identifier: Apache-2.0
// Compares a stanza with what a test expects: what is written must be there, in any order; more may be there too.
import type { Element } from '../../src/xml/element.ts'
import { parseElement } from '../../src/xml/reader.ts'

/** What differs, or undefined if the element has everything that is expected. An attribute `*` stands for any value. */
export function difference(actual: Element, expected: Element): string | undefined {
  if (actual.name !== expected.name || actual.ns !== expected.ns)
    return `${nameOf(actual)} instead of ${nameOf(expected)}`
  for (const [key, value] of Object.entries(expected.attrs)) {
    if (value === '*' ? actual.attrs[key] === undefined : actual.attrs[key] !== value) {
      return `${nameOf(actual)}: ${key} is ${actual.attrs[key]} instead of ${value}`
    }
  }
  const text = expected.text.trim()
  if (text !== '' && actual.text.trim() !== text) return `${nameOf(actual)}: the text is ${JSON.stringify(actual.text)}`
  const left = [...actual.elements]
  for (const child of expected.elements) {
    const found = left.findIndex((candidate) => difference(candidate, child) === undefined)
    if (found < 0) {
      const near = left.find((candidate) => candidate.name === child.name && candidate.ns === child.ns)
      return near ? `${nameOf(actual)} > ${difference(near, child)}` : `${nameOf(actual)}: no ${nameOf(child)} inside`
    }
    left.splice(found, 1)
  }
  return undefined
}

/** Fails unless the element has everything that the expected XML has. */
export function assertLike(actual: Element, expected: string): void {
  const problem = difference(actual, parseElement(expected, 'jabber:client'))
  if (problem) throw new Error(`${problem}\n  got:      ${actual.xml('jabber:client')}\n  expected: ${expected}`)
}

/** An `<error/>` as tests expect it. */
export function error(type: string, condition: string): string {
  return `<error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
}

function nameOf(element: Element): string {
  return `<${element.name} xmlns='${element.ns}'>`
}
